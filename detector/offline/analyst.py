"""An analyst who answers some of the alerts, late and not always rightly: for measuring what verdicts are worth.

Deterministic: whether a finding is answered, and whether wrongly, follows from the seed and the finding's uid alone,
not from the order in which findings come.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import NamedTuple

from detector.errors import SetupError
from detector.offline.labels import incident_of, session_of
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.schema.feedback import Verdict, VerdictKind, feedback_id

EVERY = 16
"""Events after which the analyst looks at the alerts: counted from the first event on, whatever the batches are.

A session of an agent has about as many; a verdict takes effect at most that much later than its delay says.
"""

_EVENT_TIME_ENDS = 253_402_300_799.0
"""Last second of year 9999: later is no time."""


@dataclass(frozen=True, slots=True)
class Analyst:
    """Who answers alerts, and how well.

    Parameters
    ----------
    answered : float, default=0.6
        Share of incidents that get a verdict, in [0, 1].
    wrong : float, default=0.05
        Share of these verdicts that say the opposite of what is true, in [0, 1].
    delay : int, default=50
        Sessions that close between the opening of an incident and its verdict.
    seed : int, default=0
        Of the choice.

    Raises
    ------
    SetupError
        A value is out of its range.
    """

    answered: float = 0.6
    wrong: float = 0.05
    delay: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("answered", "wrong"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise SetupError(f"{name} of the analyst must be a share from 0 to 1, got {value:g}: correct it")
        if self.delay < 0:
            raise SetupError(f"delay of the analyst must be at least 0 closed sessions, got {self.delay}: correct it")

    def verdict_on(self, finding_uid: str, *, is_attack: bool) -> VerdictKind | None:
        """Return what this analyst says of an incident, None if it is never answered.

        Examples
        --------
        >>> Analyst(answered=1.0, wrong=0.0).verdict_on("0" * 32, is_attack=True)
        'confirm'
        """
        if drawn(self.seed, "answered", finding_uid) >= self.answered:
            return None
        says_attack = is_attack != self.errs_on(finding_uid)
        return "confirm" if says_attack else "dismiss"

    def errs_on(self, finding_uid: str) -> bool:
        """Tell whether a verdict on this incident, if there is one, says the opposite of what is true."""
        return drawn(self.seed, "wrong", finding_uid) < self.wrong


def drawn(seed: int, what: str, name: str) -> float:
    """Return a number in [0, 1) that depends on nothing but its arguments, evenly spread over names.

    Examples
    --------
    >>> drawn(0, "answered", "a") == drawn(0, "answered", "a")
    True
    """
    digest = hashlib.sha256(f"{seed}\x1f{what}\x1f{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2.0**48


def parse_analyst(text: str) -> Analyst:
    """Return the analyst that a text describes, as in ``answered=.6,wrong=.05,delay=50,seed=0``.

    What is left out keeps its default; an empty text is the analyst by default.

    Raises
    ------
    SetupError
        A name is unknown or stands twice, or a value is no number or out of its range.

    Examples
    --------
    >>> parse_analyst("answered=.3,delay=10")
    Analyst(answered=0.3, wrong=0.05, delay=10, seed=0)
    """
    kinds = {field.name: int if field.name in {"delay", "seed"} else float for field in fields(Analyst)}
    found: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, value = (one.strip() for one in part.partition("="))
        if name not in kinds or name in found:
            known = ", ".join(kinds)
            raise SetupError(f"part of the analyst must be one of {known}, once, as NAME=NUMBER; got {part!r}")
        try:
            found[name] = kinds[name](value)
        except ValueError as error:
            rule = "a whole number" if kinds[name] is int else "a number"
            raise SetupError(f"{name} of the analyst must be {rule}, got {value!r}: correct it") from error
    return Analyst(**found)  # type: ignore[arg-type]  # each was made by its own kind


class _Due(NamedTuple):
    closes: int
    """Closed sessions from which on the verdict is given."""
    uid: str
    agent_id: str
    tenant: str
    kind: VerdictKind


class Desk:
    """The analyst at work on one stream: sees alerts, gives verdicts as controls, and is the only one told labels.

    Parameters
    ----------
    analyst : Analyst
        Who sits there.
    is_attack : callable
        Whether a session, by its id (the agent's id where it has none), is an attack: the labels.

    Attributes
    ----------
    counts : Counter of str
        ``incidents``, verdicts by kind, ``wrong`` among them, ``unanswered``, ``unmatched`` (the detector no longer
        knew the finding), ``refused`` (it did not understand the verdict).
    """

    def __init__(self, analyst: Analyst, is_attack: Callable[[str], bool]) -> None:
        self.analyst = analyst
        self.counts: Counter[str] = Counter()
        self._is_attack = is_attack
        self._seen: set[str] = set()
        self._closed = 0
        self._waiting: deque[_Due] = deque()

    def look(self, alerts: Iterable[Alert], closed: int, at: float) -> list[Control]:
        """Return the verdicts that are due now, as records of the control topic; they wait no longer.

        Parameters
        ----------
        alerts : iterable of Alert
            New since the last look.
        closed : int
            Sessions that closed since then.
        at : float
            Event time of the look, epoch seconds.
        """
        self._closed += closed
        for alert in alerts:
            if incident_of(alert) in self._seen or alert.is_nobodys:  # a storm is nobody's: no verdict fits it
                continue
            self._seen.add(incident_of(alert))
            self._take_up(alert)
        due: list[Control] = []
        while self._waiting and self._waiting[0].closes <= self._closed:
            due.append(self._control(self._waiting.popleft(), min(max(at, 0.0), _EVENT_TIME_ENDS)))
        return due

    def _take_up(self, alert: Alert) -> None:
        self.counts["incidents"] += 1
        kind = self.analyst.verdict_on(alert.finding_uid, is_attack=self._is_attack(session_of(alert)))
        if kind is None:
            self.counts["unanswered"] += 1
            return
        closes = self._closed + self.analyst.delay
        self._waiting.append(_Due(closes, alert.finding_uid, alert.agent_id, alert.tenant, kind))

    def _control(self, due: _Due, at: float) -> Control:
        by, reason = f"analyst-{self.analyst.seed}", "evaluation"
        act = Verdict(
            agent_id=due.agent_id, tenant=due.tenant, by=by, reason=reason, at=at, finding_uid=due.uid,
            verdict=due.kind, id=feedback_id(f"{due.agent_id}/{due.uid}/{due.kind}", by, reason, at),
        )  # fmt: skip
        number = self.counts["confirm"] + self.counts["dismiss"]
        self.counts[due.kind] += 1
        self.counts["wrong"] += self.analyst.errs_on(due.uid)
        return Control(number, act.model_dump_json().encode())

    def note(self, counts: Counter[str], refused: int) -> None:
        """Take down what the detector said to a verdict: its counts, and how many it did not understand."""
        self.counts["unmatched"] += counts["verdicts_unmatched"]
        self.counts["refused"] += refused

    def facts(self) -> dict[str, float | int]:
        """Return who the analyst is and what came of it; ``late``: verdicts the stream was too short for."""
        names = ("incidents", "confirm", "dismiss", "wrong", "unanswered", "unmatched", "refused")
        who = {field.name: getattr(self.analyst, field.name) for field in fields(Analyst)}
        # `wrong` of the analyst is a share, here it is a count
        who["wrong_share"] = who.pop("wrong")
        return {**who, **{name: self.counts[name] for name in names}, "late": len(self._waiting)}
