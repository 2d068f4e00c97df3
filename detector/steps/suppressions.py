"""Suppressions: what is not told for a time because somebody answers for it, and counts of what that hid.

A suppression hides the act, not the session: whatever else the session does is told. What people confirmed as an
attack, and values of such, are told all the same. Nothing is learned by it and no budget is spent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, NamedTuple

import numpy as np

from detector.channels.catalogue import CHANNELS, spoken_of
from detector.channels.context import NO_ORIGIN, OTHER_ORIGIN
from detector.intake.columns import AGENT, CALL, SESSION, WHOLE_TARGET
from detector.memory.layout import ORIGIN, PLAIN
from detector.steps.casebook import FIRST_SHOWN
from detector.steps.combine import EvidenceWeights
from detector.steps.workspace import Workspace

MOST_SUPPRESSIONS: Final = 64
"""Suppressions that stand in a partition; a further one is refused, aloud: none leaves before its time."""
MOST_SESSIONS: Final = 64
"""Sessions of a suppression that are known again, so that each counts once."""
STRONGER: Final = 1.0
"""By how much the strongest act has to rise (a factor of ten) to be told between two doublings."""


@dataclass(slots=True)
class Suppressed:
    """One suppression, and what it hid.

    Parameters
    ----------
    uid, owner, reason : str
        Its id, who answers for it, and why.
    scope : dict of str to str
        What it names, as a person wrote it.
    tool, target, agent, group : int
        The same as hashes; 0 names nothing.
    channel : str
        A channel, or a rule; empty if it names none.
    level : float
        Score at which sessions alerted when it was said: what is left without the channel must be below.
    is_strong : bool
        Whether acts past the share for quarantine are hidden too.
    until : float or None
        Event time at which it is over, epoch seconds.
    partition : int
        Where its acts stood.
    sessions, findings : int
        Sessions that it applied to, those shown all the same among them, and acts that it hid.
    strongest, told : float
        Rarity of the strongest act, and of the strongest that was told of.
    first, last : float
        Event time of the first and the last one, epoch seconds.
    counter : int
        Records written about it.
    recent : dict of int to bool
        The sessions it applied to last, and whether they are shown all the same.
    """

    uid: str
    owner: str
    reason: str
    scope: dict[str, str]
    tool: int = 0
    target: int = 0
    agent: int = 0
    group: int = 0
    channel: str = ""
    level: float = 0.0
    is_strong: bool = False
    until: float | None = None
    partition: int = 0
    sessions: int = 0
    findings: int = 0
    strongest: float = 0.0
    told: float = 0.0
    first: float = 0.0
    last: float = 0.0
    counter: int = 0
    recent: dict[int, bool] = field(default_factory=dict)

    def names(self, act: TellableAct) -> bool:
        """Tell whether an act is by the tool, on the target, of the agent and of the group that it names."""
        pairs = zip((self.tool, self.target, self.agent, self.group), act.what, strict=True)
        return all(wanted in (0, found) for wanted, found in pairs)

    def count(self, act: TellableAct) -> tuple[bool, bool]:
        """Count an act that it applies to; return whether it is hidden, and whether the counts are worth a record.

        They are at the 1st, 2nd, 4th, 8th ... session, and where an act is ten times rarer than any told of.
        """
        is_new = act.session not in self.recent
        if is_new:
            self.sessions += 1
            is_doubled = self.sessions.bit_count() == 1
            self.recent[act.session] = self.until is None and self.sessions >= FIRST_SHOWN and is_doubled
            if len(self.recent) > MOST_SESSIONS:
                del self.recent[next(iter(self.recent))]
        if self.recent[act.session]:
            return False, False
        self.first = min(self.first, act.time) if self.findings else act.time
        self.last, self.strongest = max(self.last, act.time), max(self.strongest, act.strength)
        self.findings += 1
        is_worth = (is_new and self.sessions.bit_count() == 1) or self.strongest >= self.told + STRONGER
        if is_worth:
            self.told, self.counter = self.strongest, self.counter + 1
        return True, is_worth

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        return {**asdict(self), "recent": [[session, shown] for session, shown in self.recent.items()]}


class TellableAct(NamedTuple):
    """What is looked at of an act that would be told.

    Parameters
    ----------
    what : (int, int, int, int)
        Its tool, target, agent and the peer group it is held against, as hashes.
    session : int
        Name of its session.
    time, strength : float
        Its event time, epoch seconds, and how rare it is, or a rule's risk on that scale.
    is_strong : bool
        Whether it is past the share for quarantine.
    rule : str
        The rule that found it, empty if the scores did.
    """

    what: tuple[int, int, int, int]
    session: int
    time: float
    strength: float
    is_strong: bool = False
    rule: str = ""


def act_at(work: Workspace, i: int, strength: float, *, is_strong: bool = False, rule: str = "") -> TellableAct:
    """Return what is looked at of an act of the batch."""
    ident = work.columns.ident[i]
    what = (int(ident[CALL]), int(ident[WHOLE_TARGET]), int(ident[AGENT]), int(work.context.peers[i]))
    return TellableAct(what, int(ident[SESSION]), float(work.columns.ts[i]), strength, is_strong, rule)


class Suppressions:
    """The suppressions of one partition.

    Parameters
    ----------
    weights : EvidenceWeights
        What channels weigh: one that names a channel hides an act only if what is left without it would not alert.

    Attributes
    ----------
    held : dict of str to Suppressed
        By id, in the order in which they were said; at most :data:`MOST_SUPPRESSIONS`.
    now : float
        Latest watermark while any stood, epoch seconds: a clock that falls back makes nothing stand again.
    sessions, findings, expired, ended : int
        What was hidden so far, by all of them, and how many are over or were ended.
    news : list of (int, Suppressed)
        Those whose counts are to be told, as they were at an event of this batch.
    has_changed : bool
        Whether anything changed since somebody set it back.
    """

    def __init__(self, weights: EvidenceWeights) -> None:
        self._weights = weights
        self._clock = np.empty(0)
        self.held: dict[str, Suppressed] = {}
        self.now = -math.inf
        self.sessions = self.findings = self.expired = self.ended = 0
        self.news: list[tuple[int, Suppressed]] = []
        self.has_changed = False

    @property
    def was_used(self) -> bool:
        """Whether there ever was one."""
        return bool(self.held or self.expired or self.ended)

    def begin(self, one: Suppressed, now: float) -> str:
        """Let a suppression stand from the watermark `now` on; return why it may not, empty if it does."""
        if one.until is not None and one.until <= max(self.now, now):
            return f"until must be later than the time of the partition, got {one.until:.0f}, which is over"
        if len(self.held) >= MOST_SUPPRESSIONS:
            return f"at most {MOST_SUPPRESSIONS} suppressions may stand in a partition: end one first"
        self.now, self.has_changed = max(self.now, now), True
        self.held[one.uid] = one
        return ""

    def end(self, uid: str) -> Suppressed | None:
        """Return the suppression with an id, which stands no longer; None if none does."""
        one = self.held.pop(uid, None)
        if one is not None:
            self.ended, self.has_changed = self.ended + 1, True
        return one

    def enter(self, clock: np.ndarray) -> None:
        """Take the watermarks of a batch's events; they never fall back here."""
        if self.held and len(clock):
            self._clock = np.maximum.accumulate(np.maximum(clock, self.now))
            self.now, self.has_changed = float(self._clock[-1]), True
        else:
            self._clock = np.empty(0)

    def over(self) -> list[tuple[int, Suppressed]]:
        """Return those that are over within the batch, each with the first event it does not apply to."""
        ends = [one for one in self.held.values() if one.until is not None and one.until <= self.now]
        return [(int(np.searchsorted(self._clock, one.until or 0.0)), one) for one in ends]

    def drop(self, one: Suppressed) -> None:
        """Let one that is over stand no longer."""
        del self.held[one.uid]
        self.expired, self.has_changed = self.expired + 1, True

    def hides(self, i: int, act: TellableAct, work: Workspace, score: float = 0.0) -> bool:
        """Tell whether an act of the batch is not told; count it with the first suppression that applies to it.

        What a rule found is hidden only by one that names the rule: a tool's name says nothing of a credential. One
        that names a channel hides what would not alert without it, so that a large number hides no new target.
        """
        for one in self.held.values():
            if (one.until is not None and self._clock[i] >= one.until) or not one.names(act):
                continue
            if (act.rule and one.channel != act.rule) or (act.is_strong and not one.is_strong):
                continue
            if not act.rule and one.channel:
                rest = self._rest(one.channel, i, work)
                if rest >= 1.0 or score * rest >= one.level:  # nothing of it is the channel's, or enough is not
                    continue
            before, self.has_changed = one.sessions, True
            is_hidden, is_worth = one.count(act)
            self.findings, self.sessions = self.findings + is_hidden, self.sessions + one.sessions - before
            if is_worth:
                self.news.append((i, replace(one, recent={})))
            return is_hidden
        return False

    def _rest(self, channel: str, i: int, work: Workspace) -> float:
        """Return which share of an act's evidence is left without a channel; the larger one of the two voices."""
        weights, context, evidence = self._weights, work.context, work.evidence
        has_origin = context.origin[i] != NO_ORIGIN
        mine = np.array([channel in (entry.name, spoken_of(entry.name).name) for entry in CHANNELS])
        models = float(weights.forest * evidence.forest[i]) if channel == "forest" and evidence.has_forest[i] else 0.0
        if channel == "half_space" and evidence.has_half_space[i]:
            models += float(weights.half_space * evidence.half_space[i])
        least = 1.0 if not mine.any() and not models else 0.0
        for voice, own in ((PLAIN, weights.plain), (ORIGIN, weights.origin if has_origin else weights.plain)):
            part = float(np.dot(own[mine], context.logs[i][mine])) + models
            if voice == ORIGIN and context.origin[i] == OTHER_ORIGIN:
                part *= weights.no_tool_origin
            total = float(evidence.total[i, voice])
            if total > 0.0:
                least = max(least, 1.0 - float(evidence.factor[i]) * part / total)
        return least

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        counts = {"sessions": self.sessions, "findings": self.findings, "expired": self.expired, "ended": self.ended}
        now = None if math.isinf(self.now) else self.now
        return {"held": [one.facts() for one in self.held.values()], "now": now, **counts}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        held = [Suppressed(**{**one, "recent": dict(one["recent"])}) for one in facts["held"]]
        self.held = {one.uid: one for one in held}
        self.now = -math.inf if facts["now"] is None else float(facts["now"])
        for name in ("sessions", "findings", "expired", "ended"):
            setattr(self, name, int(facts[name]))
