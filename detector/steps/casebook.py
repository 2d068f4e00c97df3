"""Casebook: what is remembered of the sessions that alerted, by cause, and what verdicts do to it.

A confirmed cause keeps its level; a dismissed one stays quiet up to the strength it was dismissed at, and is shown
again when it grows, so that one wrong answer hides no wave. A value of a confirmed act that its peers do not know is
an *indicator*: whoever else uses it alerts far below the level.

Formulas and constants: ``docs/science.md``, *Account*.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from detector.schema.alert import Basis
from detector.steps.cases import AlertedSession, Cause, Ruling

MOST_CAUSES_KNOWN: Final = 2_048
"""Causes remembered, many times what one micro-batch can begin; those nobody answered leave first, of them the least
recently used."""
MOST_CASES: Final = 1_024
"""Closed cases a verdict still reaches; the oldest leave first."""
MOST_INDICATORS: Final = 512
"""Values of confirmed acts remembered; the oldest leave first."""
MOST_DISABLED: Final = 256
"""Causes that are not told for a time; the oldest leave first."""
INCIDENT_S: Final = 7 * 86_400.0
"""Event time since an incident's last session within which another one of its cause joins it."""
FIRST_SHOWN: Final = 4
"""Which session of a dismissed cause is shown again first; then at each doubling."""


class Casebook:
    """The cases of one partition.

    Attributes
    ----------
    cases : dict of int to AlertedSession
        By number, the oldest first; at most :data:`MOST_CASES` closed ones.
    open : dict of int to AlertedSession
        Those of open sessions, by the session's name.
    opened : int
        Cases so far.
    causes : dict of int to Cause
        The least recently used first.
    indicators : dict of int to str
        Keys of values of confirmed acts, with the finding that was confirmed, oldest first.
    disabled : dict of (int, int) to (float, int)
        By cause and for whom (an agent, a peer group, or 0 for everyone): until which event time it is not told, and
        how many sessions that hid; the oldest first.
    quieted : int
        How often a session was quiet about a cause, for it was dismissed or disabled.
    expired : int
        Causes that are told again, for their time was over.
    has_changed : bool
        Whether anything changed since somebody set it back.
    """

    def __init__(self) -> None:
        self.cases: dict[int, AlertedSession] = {}
        self.open: dict[int, AlertedSession] = {}
        self.opened = 0
        self.causes: dict[int, Cause] = {}
        self.indicators: dict[int, str] = {}
        self.disabled: dict[tuple[int, int], tuple[float, int]] = {}
        self.quieted = 0
        self.expired = 0
        self.has_changed = True
        self._least = math.inf

    def forgive(self, risk_class: str = "", *, is_due: bool) -> None:
        """Forget what cases were charged for, where the account of their class has begun anew."""
        for case in [one for one in self.cases.values() if one.risk_class == risk_class] if is_due else ():
            case.charged, self.has_changed = 0.0, True

    def find(self, uid: str) -> AlertedSession | None:
        """Return the case of a finding, None if none is remembered."""
        return next((case for case in reversed(self.cases.values()) if case.uid == uid), None)

    def begin(self, names: tuple[int, int, int], cause: int, basis: Basis, score: float) -> AlertedSession:
        """Return the case of a session that alerts for the first time.

        Parameters
        ----------
        names : (int, int, int)
            Names of session, agent and peer group.
        cause, basis, score : int, str, float
            Of its act, why it alerts, and with which score.
        """
        self.opened += 1
        case = AlertedSession(self.opened, *names, {cause: score}, basis, 0, 0)
        self.cases[case.number] = self.open[case.session] = case
        while len(self.cases) - len(self.open) > MOST_CASES:
            del self.cases[next(number for number, one in self.cases.items() if not one.is_open)]
        if cause:
            self.cause(cause)
        return case

    def like(self, case: AlertedSession) -> list[AlertedSession]:
        """Return the cases of a case's incident that nobody spoke of, and itself."""
        if not case.cause:
            return [case]
        others = (one for one in self.cases.values() if one.cause == case.cause)
        return [one for one in others if one is case or not one.said]

    def cause(self, cause: int) -> Cause:
        """Return what is remembered of a cause, and make it the last used; unknown ones begin."""
        known = self.causes.pop(cause, None) or Cause()
        if len(self.causes) >= MOST_CAUSES_KNOWN:
            unanswered = (name for name, one in self.causes.items() if not one.is_answered)
            del self.causes[next(unanswered, next(iter(self.causes)))]
        self.causes[cause] = known
        return known

    def is_disabled(self, cause: int, names: tuple[int, int, int], at: float) -> bool:
        """Tell whether a cause is not told of a session; forgets what is over.

        Parameters
        ----------
        cause : int
            The cause.
        names : (int, int, int)
            Names of session, agent and peer group.
        at : float
            The watermark, epoch seconds.
        """
        session, *owners = names
        for who in (*owners, 0):
            held = self.disabled.get((cause, who))
            if held is None:
                continue
            if at >= held[0]:
                del self.disabled[cause, who]
                self.expired += 1
                continue
            known = self.cause(cause)
            if known.session != session:
                known.session = session
                self.quieted += 1
                self.disabled[cause, who] = (held[0], held[1] + 1)
            return True
        return False

    def is_quiet(self, cause: int, score: float, session: int) -> bool:
        """Tell whether a session past the level does not alert because its cause is harmless at that strength.

        The fourth such session alerts all the same, and each doubling.
        """
        known = self.causes.get(cause)
        if known is None or known.dismissed is None or score > known.dismissed:
            return False
        if known.session != session:
            known.session = session
            known.quieted += 1
            self.quieted += 1
        return known.quieted < FIRST_SHOWN or known.quieted.bit_count() != 1

    def least_confirmed(self) -> float:
        """Return a score below which no cause was confirmed, infinite if none was."""
        return self._least

    def is_confirmed(self, cause: int, score: float) -> bool:
        """Tell whether a cause was confirmed at no more than a score."""
        known = self.causes.get(cause)
        return known is not None and known.confirmed is not None and score >= known.confirmed

    def name(self, number: int, uid: str, at: float) -> tuple[str, int]:
        """Give a case its finding; return the incident it belongs to, and its how manyeth session it is.

        Parameters
        ----------
        number : int
            Of the case.
        uid : str
            Its finding.
        at : float
            Event time of the alert, epoch seconds.
        """
        case = self.cases.get(number)
        known = None if case is None else self.causes.get(case.cause)
        if case is not None:
            case.uid = uid
        if known is None:
            return uid, 1
        if not known.uid or abs(at - known.last) > INCIDENT_S:
            known.uid, known.sessions, known.last = uid, 0, at
        known.sessions, known.last = known.sessions + 1, max(known.last, at)
        return known.uid, known.sessions

    def earlier(self, number: int) -> list[str]:
        """Return the findings of the sessions that were in a case's incident before it, the newest first.

        As far as their cases are remembered: at most :data:`MOST_CASES` of closed sessions.
        """
        case = self.cases.get(number)
        known = None if case is None or not case.cause else self.causes.get(case.cause)
        opener, found = "" if known is None else known.uid, list[str]()
        if case is None or not (cause := case.cause) or opener == case.uid:
            return found
        for one in reversed(self.cases.values()):
            if cause in one.causes and one.cause == cause and one.uid and one is not case:
                found.append(one.uid)
            if one.uid == opener:
                break
        return found

    def end(self, session: int, entry: int, score: float) -> AlertedSession | None:
        """Return the case of a session that closed, None if it never alerted."""
        case = self.open.pop(session, None)
        if case is not None:
            case.is_open, case.entry, case.score = False, entry, score
        return case

    def take(self, case: AlertedSession, answer: Ruling, keys: list[int]) -> None:
        """Let a verdict change what is remembered of the cause and of its values.

        Parameters
        ----------
        case : AlertedSession
            What was judged.
        answer : Ruling
            What a person said.
        keys : list of int
            Keys of its new values.
        """
        self.has_changed, said = True, answer.said
        if case.said:
            self._undo(case)
        if said == "undo":
            return
        if said == "confirm":
            self.indicators.update(dict.fromkeys(keys, case.uid))
            while len(self.indicators) > MOST_INDICATORS:
                del self.indicators[next(iter(self.indicators))]
        elif said != "disable":
            for key in keys:
                self.indicators.pop(key, None)
        case.said = said
        for cause, score in case.told.items():
            if said == "disable":
                self._disable(cause, case, answer)
                continue
            known = self.cause(cause)
            case.before.append((known.confirmed, known.dismissed))
            if said == "confirm":
                known.confirmed = score if known.confirmed is None else min(known.confirmed, score)
                self._least = min(self._least, score)
                known.dismissed, known.quieted = None, 0
            else:
                known.dismissed = score if known.dismissed is None else max(known.dismissed, score)
                known.confirmed = None

    def _disable(self, cause: int, case: AlertedSession, answer: Ruling) -> None:
        """Let a cause not be told until a time."""
        # strangers are no group: what is said of one of them is not said of everyone
        who = {"agent": case.agent, "group": case.group or case.agent, "everyone": 0}[answer.scope]
        self.disabled.pop((cause, who), None)
        self.disabled[cause, who] = (answer.until, 0)
        while len(self.disabled) > MOST_DISABLED:
            del self.disabled[next(iter(self.disabled))]

    def _undo(self, case: AlertedSession) -> None:
        """Take the last verdict on a case back: its causes are as they were before, its indicators are gone."""
        for key in [key for key, uid in self.indicators.items() if uid == case.uid]:
            del self.indicators[key]
        if case.said == "disable":
            for key in [(cause, who) for cause in case.told for who in (case.agent, case.group, 0)]:
                self.disabled.pop(key, None)
        for cause, before in zip(case.told, case.before, strict=False):
            known = self.causes.get(cause)
            if known is not None:
                (known.confirmed, known.dismissed), known.quieted = before, 0
                self._least = min(self._least, math.inf if known.confirmed is None else known.confirmed)
        case.said, case.before = "", []

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        return {
            "cases": [case.facts() for case in self.cases.values()],
            "opened": self.opened,
            "causes": [[cause, asdict(known)] for cause, known in self.causes.items()],
            "indicators": [[key, uid] for key, uid in self.indicators.items()],
            "disabled": [[*key, *held] for key, held in self.disabled.items()],
            "quieted": self.quieted,
            "expired": self.expired,
        }

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        self.cases = {case["number"]: AlertedSession.of_facts(case) for case in facts["cases"]}
        self.open = {case.session: case for case in self.cases.values() if case.is_open}
        self.opened = int(facts["opened"])
        self.causes = {int(cause): Cause(**known) for cause, known in facts["causes"]}
        self.indicators = {int(key): str(uid) for key, uid in facts["indicators"]}
        confirmed = (one.confirmed for one in self.causes.values() if one.confirmed is not None)
        self._least = min(confirmed, default=math.inf)
        self.disabled = {(cause, who): (float(until), hid) for cause, who, until, hid in facts["disabled"]}
        self.quieted, self.expired = int(facts["quieted"]), int(facts["expired"])
