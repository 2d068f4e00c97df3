"""Threshold: the one owner of what alerts. It reads judgements and says which sessions passed a level, and where.

It can be exchanged whole: whatever has the face of :class:`Threshold` may decide instead, with state
of its own. Nothing below it asks what alerted: the reference (:mod:`detector.steps.reference`) has the same shares to
see which closed sessions were past the level, whatever is told of them.

Rank alone would make an alarm of nothing in a fleet whose sessions are all alike: there the evidence
must also pass a floor, twice what an event has in which every channel is ordinary
(``docs/science.md``, *Threshold*).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from detector.channels.context import JUDGED
from detector.errors import StateError
from detector.intake.columns import SESSION
from detector.steps.workspace import Workspace

NEAR, ALERT, QUARANTINE = 0, 1, 2
"""Levels an event can reach: one to be named if its session has alerted, and those that a session can pass."""
NAMED = 10.0
"""Events of a session that has alerted are named from so many times the promised share on."""


class Passed(NamedTuple):
    """An event past a level, or near it in a session that was past it; `over`: its session's past the alert level.

    Whether that is told is decided by the incident it belongs to: it knows which causes it has named.
    """

    event: int
    session: int
    level: int
    over: int


class Ended(NamedTuple):
    """A closed session that had passed a level: its row among the closes, its name, its events past the alert level."""

    row: int
    session: int
    over: int


class Threshold(Protocol):
    """Decides which sessions alert."""

    def decide(self, events: int, work: Workspace) -> list[Passed | Ended]:
        """Return each event past a level, and what ended after one, in input order: a close before the event at it."""

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts, for a snapshot; bounded by the sessions that may be open."""

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off; StateError if they are another threshold's."""

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches: at least ``promised`` and ``spent``."""


class BudgetSettings(NamedTuple):
    """Settings: shares of closed sessions; `floor`: evidence below which nothing alerts; when alerts may begin."""

    alerts: float
    quarantine: float
    floor: float
    trusted_until: float


class BudgetThreshold:
    """A session alerts where it is as rare as the promised share of sessions, and quarantines at the stricter share.

    Every event past the alert level passes, also one that makes its session no stranger than it was: whoever does an
    odd, harmless thing first must not hide what comes after it. Once a session has alerted, naming another of its
    events costs nobody a further alert, so those near the level pass too (``docs/science.md``, *Threshold*).

    Parameters
    ----------
    settings : BudgetSettings
        Shares, floor, and the event time before which nothing alerts.

    Attributes
    ----------
    open : dict of int to (int, int)
        Of each open session past the alert level, by name: the level it passed, and its events past the alert level.
    closed, alerted : int
        Sessions that closed since alerts may begin, and those among them that had passed the alert level.
    """

    NAME = "budget"

    def __init__(self, settings: BudgetSettings) -> None:
        self.settings = settings
        self.open: dict[int, tuple[int, int]] = {}
        self.closed = 0
        self.alerted = 0

    def decide(self, events: int, work: Workspace) -> list[Passed | Ended]:
        """Return each event past a level and what ended after one; changes what is remembered of open sessions."""
        closes, sessions = work.closes, work.columns.ident[:, SESSION]
        near, over = self._odd(events, work)
        watched = np.concatenate([np.fromiter(self.open, np.uint64, len(self.open)), sessions[over]])
        odd = near[np.isin(sessions[near], watched)]
        rows = int(closes.count[0])
        ended = np.flatnonzero(np.isin(closes.name[:rows], watched)) if len(watched) else ()
        steps = [(int(closes.at[row]), 0, int(row)) for row in ended]
        steps += [(int(i), 1, int(i)) for i in odd]
        found: list[Passed | Ended] = []
        for _, is_event, place in sorted(steps):
            step = self._event(place, int(sessions[place]), work) if is_event else self._close(place, work)
            if step is not None:
                found.append(step)
        self.closed += int(np.count_nonzero(closes.seen[:rows] >= self.settings.trusted_until))
        return found

    def _odd(self, events: int, work: Workspace) -> tuple[np.ndarray, np.ndarray]:
        """Return the events near the alert level or past it, and those past it."""
        settings, judged = self.settings, work.judgements
        rarity = judged.rarity[:events]
        is_near = (work.context.state[:events] == JUDGED) & judged.ready[:events]
        is_near &= (judged.score[:events] >= settings.floor) & (
            rarity >= -math.log10(min(NAMED * settings.alerts, 1.0))
        )
        # a clock set back must not pass for trusted history
        is_near &= np.maximum(work.columns.ts[:events], work.clock[:events]) >= settings.trusted_until
        return np.flatnonzero(is_near), np.flatnonzero(is_near & (rarity >= -math.log10(settings.alerts)))

    def _event(self, i: int, session: int, work: Workspace) -> Passed | None:
        """Return the passing of an event, None for one near the level whose session was never past it."""
        before, over = self.open.get(session, (NEAR, 0))
        rarity = work.judgements.rarity[i]
        if rarity < -math.log10(self.settings.alerts):
            return Passed(i, session, NEAR, over) if before else None
        level = QUARANTINE if rarity >= -math.log10(self.settings.quarantine) else ALERT
        self.open[session] = (max(level, before), over + 1)
        return Passed(i, session, level, over + 1)

    def _close(self, row: int, work: Workspace) -> Ended | None:
        """Return the end of a session that had passed a level."""
        session = int(work.closes.name[row])
        level, over = self.open.pop(session, (NEAR, 0))
        if not level:
            return None
        self.alerted += 1
        return Ended(row, session, over)

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        held = [[session, *self.open[session]] for session in sorted(self.open)]
        return {"name": self.NAME, "open": held, "closed": self.closed, "alerted": self.alerted}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        if facts.get("name") != self.NAME:
            raise StateError(f"threshold of a snapshot must be {self.NAME}, got {facts.get('name')}; it restarts cold")
        self.open = {int(session): (int(level), int(over)) for session, level, over in facts["open"]}
        self.closed, self.alerted = int(facts["closed"]), int(facts["alerted"])

    def gauges(self) -> dict[str, float]:
        """Return the shares of sessions promised and spent."""
        spent = self.alerted / self.closed if self.closed else 0.0
        return {"promised": self.settings.alerts, "spent": spent}
