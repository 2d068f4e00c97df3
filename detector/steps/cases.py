"""Cases: sessions that alerted, the causes they share, and what people said of them.

An alert is one session's; what a person looks at is an *incident*, all sessions of one cause within a week. A verdict
on one of them is on the cause: see :mod:`detector.steps.casebook`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, NamedTuple

from detector.channels.context import ARGUMENT_PART, OF_ARGUMENT, OF_TARGET, TARGET_PART
from detector.intake.columns import TOOL_NAME
from detector.schema.alert import Basis
from detector.schema.feedback import Scope
from detector.steps.reference import TURNED_AWAY
from detector.steps.workspace import Workspace

Moved = Literal["", "in", "out", "left", "barred"]
Said = Literal["", "confirm", "dismiss", "safe", "disable", "undo"]
MOST_CASE_CAUSES: Final = 16
"""Causes of one case that a verdict is about."""
NEW_TO_PEERS: Final = 2
"""Level from which on a value of a confirmed act becomes an indicator: its peers do not use it with this tool."""
MOST_PARTS: Final = 8
"""Values of one case that may become indicators."""


class NewPart(NamedTuple):
    """A value of an act that is new to the agent's peers, as hashes: tool, name of the argument, value, place."""

    tool: int
    name: int
    value: int
    place: int


@dataclass(slots=True)
class AlertedSession:
    """One session that alerted.

    Parameters
    ----------
    number : int
        How manyeth case of its partition it is.
    session, agent, group : int
        Names of session, agent and peer group.
    causes : dict of int to float
        Of its acts past the level, with the highest score of each, the first one in front, at most
        :data:`MOST_CASE_CAUSES`; 0 if there is nothing to tell an act by.
    basis : str
        Why it alerted; see :class:`~detector.schema.alert.Alert`.
    level, over : int
        The level it passed; its events past the alert level.
    parts : list of NewPart
        What was new to its peers in its acts past the level, at most :data:`MOST_PARTS`.
    uid : str
        Of its finding; empty while none was made.
    is_open : bool
        Whether the session goes on.
    entry, score : int, float
        What became of it in the reference, and with which score it is there or would be, once it closed.
    said : str
        What a person said of it.
    moved : str
        What a verdict did to it in the reference: taken in, taken out (and, if not "left", from among its peers), or
        barred while it was open.
    charged : float
        What it cost the account so far, in false alarms.
    before : list of (float or None, float or None)
        What was known of its causes before that: confirmed, dismissed.
    risk_class : str
        Whose account it is charged to; empty for the profile's.
    """

    number: int
    session: int
    agent: int
    group: int
    causes: dict[int, float]
    basis: Basis
    level: int
    over: int
    parts: list[NewPart] = field(default_factory=list)
    uid: str = ""
    is_open: bool = True
    entry: int = TURNED_AWAY
    score: float = -1.0
    said: Said = ""
    moved: Moved = ""
    charged: float = 0.0
    before: list[tuple[float | None, float | None]] = field(default_factory=list)
    risk_class: str = ""

    @property
    def cause(self) -> int:
        """The cause its incident is known by."""
        return next(iter(self.causes))

    @property
    def told(self) -> dict[int, float]:
        """The causes a verdict on it is about, and their scores."""
        return {cause: score for cause, score in self.causes.items() if cause}

    def facts(self) -> dict[str, Any]:
        """Return the case as plain facts."""
        facts = {**asdict(self), "causes": [[cause, score] for cause, score in self.causes.items()]}
        if not self.risk_class:
            del facts["risk_class"]
        return facts

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> AlertedSession:
        """Return the case that gave the facts."""
        parts = [NewPart(*part) for part in facts["parts"]]
        causes = {int(cause): float(score) for cause, score in facts["causes"]}
        return cls(**{**facts, "causes": causes, "parts": parts, "before": [tuple(one) for one in facts["before"]]})


@dataclass(slots=True)
class Cause:
    """What is remembered of one cause.

    Parameters
    ----------
    uid : str
        Finding that opened its present incident; empty while none was made.
    sessions, last : int, float
        Sessions of the incident, and event time of the last one's alert, epoch seconds.
    confirmed : float or None
        Least score at which it was confirmed to be an attack.
    dismissed : float or None
        Highest score at which it was said to be harmless.
    quieted : int
        Sessions that were quiet since because of that.
    session : int
        The last session that was.
    """

    uid: str = ""
    sessions: int = 0
    last: float = 0.0
    confirmed: float | None = None
    dismissed: float | None = None
    quieted: int = 0
    session: int = 0

    @property
    def is_answered(self) -> bool:
        """Whether a person said something of it."""
        return self.confirmed is not None or self.dismissed is not None


class Ruling(NamedTuple):
    """What a person said of a finding; of `disable` until when (event time, epoch seconds) and for whom."""

    said: Said
    until: float = 0.0
    scope: Scope = "agent"


def note_parts(case: AlertedSession, i: int, work: Workspace) -> None:
    """Remember what of an act is new to its peers: its most novel target and argument, if they are."""
    columns, context = work.columns, work.context
    for which, of in ((TARGET_PART, OF_TARGET), (ARGUMENT_PART, OF_ARGUMENT)):
        at = int(context.which[i, which])
        if at < 0 or context.level[i, of] < NEW_TO_PEERS or len(case.parts) >= MOST_PARTS:
            continue
        part = NewPart(int(columns.ident[i, TOOL_NAME]), *(int(x) for x in columns.part[at]))
        if part not in case.parts:
            case.parts.append(part)
