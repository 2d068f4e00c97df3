"""A stream after scoring: what came of each event, and what alerted; labels are no part of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import msgspec
import numpy as np

from detector.offline import episodes
from detector.offline.analyst import EVERY, Desk
from detector.offline.metrics import Floats
from detector.offline.sources import BATCH
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.schema.tenant import DEFAULT_TENANT

DEFAULT_GROUP = "default"
"""Peer group of an event that names none."""


class Scorer(Protocol):
    """What is evaluated: :class:`detector.offline.core.Core`, or anything with its face."""

    @property
    def alerts(self) -> Sequence[Alert]:
        """Alerts so far, in order."""

    def process(self, records: list[bytes]) -> Floats:
        """Return one score per event, in input order; NaN for one that has none."""

    def finish(self) -> object:
        """Close the open sessions."""


class _Answer(Protocol):
    @property
    def counts(self) -> Counter[str]: ...

    @property
    def refusals(self) -> Sequence[object]: ...


class AnswerableScorer(Scorer, Protocol):
    """A scorer that takes verdicts."""

    @property
    def outcomes(self) -> _Answer:
        """What came of the last call, besides scores: its counts have ``sessions_closed``."""

    def control(self, controls: Sequence[Control]) -> _Answer:
        """Return what verdicts led to; they take effect before the events that follow."""


class LineFacts(msgspec.Struct, gc=False):
    """Of an event what evaluation joins by; whatever else the event holds is the scorer's."""

    event_id: str
    agent_id: str
    ts: Any = None
    session_id: str | None = None
    agent_type: Any = None
    tenant: Any = None

    @property
    def session(self) -> str:
        """The session; the agent stands for it where the event names none."""
        return self.session_id or self.agent_id

    @property
    def group(self) -> str:
        """The peer group as the detector keeps it: the agent's type within its tenant."""
        group = self.agent_type if isinstance(self.agent_type, str) and self.agent_type else DEFAULT_GROUP
        tenant = self.tenant if isinstance(self.tenant, str) and self.tenant else DEFAULT_TENANT
        return group if tenant == DEFAULT_TENANT else f"{tenant}/{group}"


_facts = msgspec.json.Decoder(LineFacts)


def facts_of(line: bytes) -> LineFacts:
    """Return what evaluation needs of an event; empty ids for what is no event."""
    try:
        return _facts.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return LineFacts("", "")


@dataclass(slots=True)
class Scored:
    """A stream after scoring: one entry per event, in input order; labels are not part of it.

    Parameters
    ----------
    events, sessions, agents : list of str
        Ids; the session is the agent's id where an event has none. Empty for what is no event.
    times : list of float
        Event times, epoch seconds; 0 for what has none.
    scores : ndarray of float64, shape (n,)
        NaN where an event has no score.
    alerts : list of Alert
        What went out, in order; `unheard`: sessions whose incident is part of a storm.
    groups : dict of str to str
        Peer group of each session: that of its first event.
    classes : dict of str to str
        Risk class of each session that has one.
    """

    events: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    scores: Floats = field(default_factory=lambda: np.zeros(0))
    alerts: list[Alert] = field(default_factory=list)
    unheard: frozenset[str] = frozenset()
    groups: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)

    def take_down(self, line: bytes) -> None:
        """Add an event that was scored."""
        one = facts_of(line)
        self.events.append(one.event_id)
        self.agents.append(one.agent_id)
        self.sessions.append(one.session)
        self.times.append(episodes.seconds(one.ts))
        self.groups.setdefault(one.session, one.group)


def score_stream(core: Scorer, lines: Iterable[bytes], size: int = BATCH) -> Scored:
    """Return the stream scored by `core`, which is driven in micro-batches and then finished.

    Parameters
    ----------
    core : Scorer
        Fresh; it has seen nothing yet.
    lines : iterable of bytes
        One event each, in the order they happened.
    size : int, default=512
        Events handed on at a time.
    """
    out, parts, walk = Scored(), list[Floats](), iter(lines)
    while batch := list(islice(walk, size)):
        parts.append(core.process(batch))
        for line in batch:
            out.take_down(line)
    return _finished(core, out, parts)


def score_with_analyst(core: AnswerableScorer, lines: Iterable[bytes], desk: Desk, size: int = EVERY) -> Scored:
    """Return the same with an analyst who gives verdicts through the controls, as the worker's second input.

    Every :data:`~detector.offline.analyst.EVERY` events the analyst looks at what alerted since; verdicts that are due
    take effect there, one at a time, whatever `size` the stretches between are cut to.
    """
    out, parts, walk = Scored(), list[Floats](), iter(lines)
    told, newest = 0, 0.0
    while stretch := list(islice(walk, EVERY)):
        closed = 0
        for start in range(0, len(stretch), size):
            parts.append(core.process(stretch[start : start + size]))
            closed += core.outcomes.counts["sessions_closed"]
        for line in stretch:
            out.take_down(line)
        newest = max(newest, *out.times[-len(stretch) :])
        due = desk.look(core.alerts[told:], closed, newest)
        told = len(core.alerts)
        for control in due:
            answer = core.control([control])
            desk.note(answer.counts, len(answer.refusals))
    return _finished(core, out, parts)


def _finished(core: Scorer, out: Scored, parts: list[Floats]) -> Scored:
    core.finish()
    out.scores = np.concatenate(parts) if parts else np.zeros(0)
    out.alerts, out.unheard = list(core.alerts), frozenset(getattr(core, "unheard", ()))
    out.classes = dict(getattr(core, "classes", {}))
    return out
