"""Threshold: the one owner of what alerts. It reads judgements and says which sessions passed a level, and where.

What people said of earlier alerts moves it (:mod:`detector.steps.account`), and decides on causes they spoke of
(:mod:`detector.steps.casebook`). It can be exchanged whole: whatever has the face of
:class:`~detector.steps.decisions.Threshold` may decide instead, with state of its own. Nothing below it asks what
alerted: the reference (:mod:`detector.steps.reference`) has the same shares to see which closed sessions were past the
level, whatever is told of them.

Rank alone would make an alarm of nothing in a fleet whose sessions are all alike: there the evidence
must also pass a floor, twice what an event has in which every channel is ordinary
(``docs/science.md``, *Threshold*).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from detector.channels.context import JUDGED
from detector.channels.known import value_key
from detector.errors import StateError
from detector.intake.columns import AGENT, SESSION
from detector.schema.alert import Basis
from detector.steps.account import Account
from detector.steps.casebook import Casebook
from detector.steps.cases import MOST_CASE_CAUSES, AlertedSession, Ruling, note_parts
from detector.steps.causes import causes_of, uses_any
from detector.steps.decisions import ALERT, NEAR, QUARANTINE, Ended, Passed
from detector.steps.promises import BudgetSettings, Promise, Promises
from detector.steps.suppressions import Suppressions, act_at
from detector.steps.workspace import Workspace

NAMED = 10.0
"""Events of a session that has alerted are named from so many times the promised share on."""


INDICATOR_SHARE = 0.5
"""An act with a value of a confirmed attack alerts where it is stranger than this share of the sessions."""


class BudgetThreshold:
    """A session alerts where it is as rare as the promised share of sessions, and quarantines at the stricter share.

    Every event past the alert level passes, also one that makes its session no stranger than it was: whoever does an
    odd, harmless thing first must not hide what comes after it. Once a session has alerted, naming another of its
    events costs nobody a further alert, so those near the level pass too (``docs/science.md``, *Threshold*).

    Verdicts widen or narrow the promised share, not the stricter one. Beside the level, an act of a confirmed cause
    alerts where such a cause was confirmed, and one with an indicator above the median; a dismissed cause is quiet.

    Parameters
    ----------
    settings : BudgetSettings
        Shares, floor, and the event time before which nothing alerts.
    suppressions : Suppressions, optional
        What is not told for a time; its counts are changed.

    Attributes
    ----------
    promises : Promises
        The shares, their accounts of false alarms, and how many sessions closed and alerted.
    cases : Casebook
        Sessions that alerted, and what was said of them.
    began : float
        Event time at which the partition began, epoch seconds; infinite before its first event.
    is_learning : bool
        Whether the promise could not be kept yet at the last event.
    """

    NAME = "budget"

    def __init__(self, settings: BudgetSettings, suppressions: Suppressions | None = None) -> None:
        self.settings = settings
        self.suppressions = suppressions
        self.promises = Promises((settings.alerts, settings.quarantine), settings.classes)
        self.cases = Casebook()
        self.began = math.inf
        self.is_learning = True

    @property
    def account(self) -> Account:
        """The profile's own account, of agents without a risk class."""
        return self.promises.held[0].account

    def decide(self, events: int, work: Workspace) -> list[Passed | Ended]:
        """Return each event past a level and what ended after one; changes what is remembered of open sessions."""
        closes, sessions = work.closes, work.columns.ident[:, SESSION]
        rows = int(closes.count[0])
        if self.suppressions is not None:
            self.suppressions.enter(work.clock[:events])
        self.promises.enter(events, work)
        learning = self._learns(events, work)
        near, over = self._odd(events, rows, work)
        told = self._told(events, work)
        watched = {*self.cases.open, *sessions[over].tolist(), *sessions[list(told)].tolist()} if len(near) else ()
        opens = zip(near.tolist(), sessions[near].tolist(), strict=True)
        odd = sorted({*(i for i, one in opens if one in watched), *told})
        causes = dict(zip(odd, causes_of(work.columns, np.array(odd, np.int64)).tolist() if odd else (), strict=True))
        judged, is_live = work.judgements, closes.seen[:rows] >= self.settings.trusted_until
        asked = (closes.name, judged.closed_score, judged.closed_entry, judged.closed_held, is_live)
        ends = list(zip(*(column[:rows].tolist() for column in asked), strict=True))
        steps = [(at, 0, row) for row, at in enumerate(closes.at[:rows].tolist())]
        steps += [(i, 1, i) for i in odd]
        found: list[Passed | Ended] = []
        for _, is_event, place in sorted(steps):
            step: Passed | Ended | None
            if not is_event:
                step = self._close(place, ends[place])
            elif (step := self._event(place, causes[place], told.get(place), work)) is not None and learning[place]:
                step = step._replace(level=min(step.level, ALERT), is_learning=True)
            if step is not None:
                found.append(step)
        self.cases.has_changed |= bool(odd or found)
        return found

    def _learns(self, events: int, work: Workspace) -> np.ndarray:
        """Return at which events the promise cannot be kept yet: too few references, or too short a time.

        A watermark that falls back takes the beginning with it: a first event of 2099 makes nobody learn until then.
        """
        alerts = self.promises.by_event(one.alerts for one in self.promises.every)
        learning: np.ndarray = work.judgements.references[:events] * alerts < 1.0
        if not events:
            return learning
        clock = work.clock[:events].copy()
        if math.isinf(self.began):
            clock[0] = work.columns.ts[0]
        began = np.minimum.accumulate(np.minimum(clock, self.began))
        self.began = float(began[-1])
        if math.isinf(self.settings.trusted_until):
            learning = learning | (clock < began + self.settings.cold_s)
        judged = np.flatnonzero(work.context.state[:events] == JUDGED)
        self.is_learning = bool(learning[judged[-1]]) if len(judged) else self.is_learning
        return learning

    def _may_alert(self, events: int, work: Workspace) -> np.ndarray:
        """Return which events may alert at all: enough is known, and it is not history."""
        judged = work.judgements
        may = (work.context.state[:events] == JUDGED) & judged.ready[:events]
        may &= judged.score[:events] >= self.settings.floor
        # a clock set back must not pass for trusted history
        return may & (np.maximum(work.columns.ts[:events], work.clock[:events]) >= self.settings.trusted_until)

    def _odd(self, events: int, closes: int, work: Workspace) -> tuple[np.ndarray, np.ndarray]:
        """Return the events near the alert level or past it, and those that may be past it."""
        may, rarity, held = self._may_alert(events, work), work.judgements.rarity[:events], self.promises.every
        levels = [one.account.loosest(one.alerts, closes) for one in held]
        named = [-math.log10(min(NAMED * one.alerts, 1.0)) for one in held]
        loosest = self.promises.by_event(levels)
        is_near = may & (rarity >= self.promises.by_event(map(min, named, levels)))
        return np.flatnonzero(is_near), np.flatnonzero(may & (rarity >= loosest))

    def _told(self, events: int, work: Workspace) -> dict[int, Basis]:
        """Return the events that alert for what people said of others, and why."""
        cases, least = self.cases, self.cases.least_confirmed()
        if not cases.indicators and math.isinf(least):
            return {}
        judged, may = work.judgements, self._may_alert(events, work)
        told: dict[int, Basis] = {}
        if cases.indicators:
            rows = np.flatnonzero(may & (judged.rarity[:events] >= -math.log10(1.0 - INDICATOR_SHARE)))
            keys = np.sort(np.fromiter(cases.indicators, np.uint64, len(cases.indicators)))
            told = dict.fromkeys(rows[uses_any(work.columns, rows, keys)].tolist(), "indicator")
        rows = np.flatnonzero(may & (judged.score[:events] >= least))
        for i, cause in zip(rows.tolist(), causes_of(work.columns, rows).tolist(), strict=True):
            if cases.is_confirmed(cause, float(judged.score[i])):
                told[i] = "confirmed"
        return told

    def _event(self, i: int, cause: int, told: Basis | None, work: Workspace) -> Passed | None:
        """Return the passing of an event, None for one near the level whose session was never past it."""
        session, promise = int(work.columns.ident[i, SESSION]), self.promises.of_event(i)
        rarity, score = float(work.judgements.rarity[i]), float(work.judgements.score[i])
        case = self.cases.open.get(session)
        line = promise.account.level(promise.alerts)
        is_past = rarity >= line
        basis: Basis = "score" if is_past else told or "score"
        # the peers it is held against, and not those its sender names
        names = (session, int(work.columns.ident[i, AGENT]), int(work.context.peers[i]))
        is_told = is_past or told is not None
        if is_told and self.cases.disabled:
            is_told = not self.cases.is_disabled(cause, names, float(work.clock[i]))
        level = QUARANTINE if rarity >= -math.log10(promise.quarantine) else ALERT
        is_told = is_told and not self.cases.is_quiet(cause, score, session)
        # what people called an attack is told, whoever suppresses its tool or target
        if not is_told or (told is None and self._is_suppressed(i, level, work)):
            return Passed(i, session, NEAR, case.over, case.basis, alerts_from=line) if case else None
        if case is None:
            case = self._begin(names, cause, basis, score, promise)
        case.level, case.over = max(level, case.level), case.over + 1
        if cause in case.causes or len(case.causes) < MOST_CASE_CAUSES:
            case.causes[cause] = max(score, case.causes.get(cause, score))
        note_parts(case, i, work)
        return Passed(i, session, level, case.over, basis, case.number, alerts_from=line)

    def _is_suppressed(self, i: int, level: int, work: Workspace) -> bool:
        """Tell whether an act that would be told is not, because somebody answers for it."""
        if self.suppressions is None or not self.suppressions.held:
            return False
        act = act_at(work, i, float(work.judgements.rarity[i]), is_strong=level == QUARANTINE)
        return self.suppressions.hides(i, act, work, float(work.judgements.score[i]))

    def _begin(
        self, names: tuple[int, int, int], cause: int, basis: Basis, score: float, promise: Promise
    ) -> AlertedSession:
        """Return the case of a session that alerts; of a cause a person has called harmless it is charged at once."""
        case = self.cases.begin(names, cause, basis, score)
        case.risk_class = promise.name
        if basis == "score":
            promise.account.wait(case.number)
        known = self.cases.causes.get(cause)
        if known is not None and known.dismissed is not None:
            case.charged = promise.account.charge(case.agent, 1.0)
        return case

    def _close(self, row: int, closed: tuple[int, float, int, float, bool]) -> Ended | None:
        """Return the end of a session that had alerted; the account earns from one that had not.

        `closed`: its name and score, what became of it in the reference and with which score, whether it is no history.
        """
        session, score, entry, held, is_live = closed
        case = self.cases.end(session, entry, held)
        # a session that alerted counts where it did, whatever its last event was
        promise = self.promises.of_close(row) if case is None else self.promises.of_name(case.risk_class)
        promise.closed += is_live
        if score >= 0.0:
            for number in promise.account.close(promise.alerts, is_quiet=is_live and case is None):
                self._charge_unanswered(number)
        if case is None:
            return None
        promise.alerted += 1
        return Ended(row, session, case.over)

    def find(self, uid: str, agent: int) -> AlertedSession | None:
        """Return the case of a finding of an agent, None if none is remembered."""
        case = self.cases.find(uid)
        return case if case is not None and case.agent == agent else None

    def answer(self, case: AlertedSession, answer: Ruling) -> None:
        """Let a person's verdict on a case take effect; said again, or taken back unsaid, it changes nothing.

        All of its incident that nobody spoke of is charged, or given back, with it; taken back it costs what an alert
        costs that nobody answered.
        """
        if case.said == answer.said != "disable" or (answer.said == "undo" and not case.said):
            return
        account = self.promises.of_name(case.risk_class).account
        if case.said:
            account.take_back(is_false=case.said != "confirm")
        share = account.false_share
        if answer.said != "undo":
            share = float(answer.said != "confirm")
            account.answer(is_false=bool(share))
        for one in self.cases.like(case):
            one.charged += self.promises.of_name(one.risk_class).account.charge(one.agent, share - one.charged)
        self.cases.forgive(case.risk_class, is_due=account.lapse())
        keys = [int(value_key(*(np.uint64(x) for x in part[:3]))) for part in case.parts]
        self.cases.take(case, answer, keys)

    @property
    def false_share(self) -> float:
        """What share of alerts is false, as far as people answered; 1 while nobody has."""
        return self.promises.false_share

    def _charge_unanswered(self, number: int) -> None:
        """Charge a case nobody answered in time for what such ones cost on an average."""
        case = self.cases.cases.get(number)
        if case is None or case.said or case.charged:
            return
        known, account = self.cases.causes.get(case.cause), self.promises.of_name(case.risk_class).account
        if known is None or not known.is_answered:
            case.charged = account.charge(case.agent, account.false_share)
            self.cases.has_changed = True
            account.miss()
            self.cases.forgive(case.risk_class, is_due=account.lapse())

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        began = None if math.isinf(self.began) else self.began
        return {"name": self.NAME, **self.promises.facts(), "began": began, "is_learning": self.is_learning}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        if facts.get("name") != self.NAME:
            raise StateError(f"threshold of a snapshot must be {self.NAME}, got {facts.get('name')}; it restarts cold")
        self.promises.restore(facts)
        self.began = math.inf if facts["began"] is None else float(facts["began"])
        self.is_learning = bool(facts["is_learning"])

    def gauges(self) -> dict[str, float]:
        """Return shares promised and spent, the rarity from which a session alerts, balance, and what stays quiet."""
        return {
            **self.promises.gauges(), "threshold": self.account.level(self.settings.alerts),
            "learning": float(self.is_learning), "balance": self.account.balance,
            "false_share": self.false_share, "causes_quieted": float(self.cases.quieted),
            "causes_disabled": float(len(self.cases.disabled)), "causes_told_again": float(self.cases.expired),
        }  # fmt: skip
