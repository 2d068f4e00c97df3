"""Quality of a profile on a labelled stream: every event is scored before anything is learned from it.

Labels are joined after the last event has been scored; the scoring side never sees them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.offline import episodes
from detector.offline.labels import EventLabel, SessionLabel, check_labels, read_events, read_sessions
from detector.offline.metrics import Floats, Resampling, Sample, filled, summary
from detector.offline.order import OrderCheck
from detector.offline.sources import batches, lines_of, read_origins, with_origins
from detector.schema.alert import Alert


class Scorer(Protocol):
    """What is evaluated: :class:`detector.offline.core.Core`, or anything with its face."""

    @property
    def alerts(self) -> Sequence[Alert]:
        """Alerts so far, in order."""

    def process(self, records: list[bytes]) -> Floats:
        """Return one score per event, in input order; NaN for one that has none."""

    def finish(self) -> object:
        """Close the open sessions."""


class _Identity(msgspec.Struct, gc=False):
    event_id: str
    agent_id: str
    ts: Any = None
    session_id: str | None = None


_identity = msgspec.json.Decoder(_Identity)


@dataclass(slots=True)
class Scored:
    """A stream after scoring: one entry per event, in input order; labels are not part of it.

    Parameters
    ----------
    events, sessions, agents : list of str
        Ids; the session is the agent's id where an event has none. Empty for what is no event.
    scores : ndarray of float64, shape (n,)
        NaN where an event has no score.
    alerts : list of Alert
        What went out, in order; `unheard`: sessions whose incident is part of a storm.
    """

    events: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    scores: Floats = field(default_factory=lambda: np.zeros(0))
    alerts: list[Alert] = field(default_factory=list)
    unheard: frozenset[str] = frozenset()


def score_stream(core: Scorer, lines: Iterable[bytes]) -> Scored:
    """Return the stream scored by `core`, which is driven in micro-batches and then finished.

    Parameters
    ----------
    core : Scorer
        Fresh; it has seen nothing yet.
    lines : iterable of bytes
        One event each, in the order they happened.
    """
    out = Scored()
    parts: list[Floats] = []
    for batch in batches(lines):
        parts.append(core.process(batch))
        for line in batch:
            _take_down(out, line)
    core.finish()
    out.scores = np.concatenate(parts) if parts else np.zeros(0)
    out.alerts, out.unheard = list(core.alerts), frozenset(getattr(core, "unheard", ()))
    return out


def _take_down(out: Scored, line: bytes) -> None:
    try:
        one = _identity.decode(line)
    except msgspec.DecodeError:
        one = _Identity("", "")
    out.events.append(one.event_id)
    out.agents.append(one.agent_id)
    out.sessions.append(one.session_id or one.agent_id)
    out.times.append(episodes.seconds(one.ts))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a scored stream.

    Parameters
    ----------
    promised : float
        Share of closed sessions the budget allows to be alarmed.
    resampling : Resampling
        How intervals are made.
    gap_s : float
        Alarms of one agent closer than this are one episode, seconds.
    idle_s, step_s : float
        The profile's ``sessions.idle_s`` and ``time.step_s``: when an event counts as out of order.
    """

    promised: float = 0.01
    resampling: Resampling = field(default_factory=Resampling)
    gap_s: float = 3_600.0
    idle_s: float = 1_800.0
    step_s: float = 86_400.0


def judge_sessions(scored: Scored, labels: dict[str, SessionLabel], question: Question) -> dict[str, Any]:
    """Return ``session``, ``by_agent`` and ``by_attack_kind``: how the live sessions are ranked and alarmed.

    A session's score is the largest of its events; one without a scored event gets the smallest of all.

    Parameters
    ----------
    scored : Scored
        The stream.
    labels : dict of str to SessionLabel
        Sessions that count, by id; those not of the live phase are left out.
    question : Question
        Budget and intervals.
    """
    best = _best(scored)
    names = [name for name, label in labels.items() if label.is_live]
    scores = filled(np.array([best.get(name, np.nan) for name in names], dtype=np.float64))
    alarmed = {alert.session_id or alert.agent_id for alert in scored.alerts} | scored.unheard
    bad = np.array([labels[name].is_attack for name in names], dtype=bool)
    sample = Sample(scores, bad, np.array([name in alarmed for name in names], dtype=bool))
    agents = _agents(scored, labels, names)
    kinds = np.array([labels[name].attack_type for name in names], dtype=object)
    return {
        "session": _report(sample, question),
        "by_agent": {agent: _report(sample.where(agents == agent), question) for agent in sorted(set(agents.tolist()))},
        "by_attack_kind": {
            kind or "unnamed": _report(sample.where(~bad | (kinds == kind)), question)
            for kind in sorted(set(kinds[bad].tolist()))
        },
    }


def _best(scored: Scored) -> dict[str, float]:
    best: dict[str, float] = {}
    for name, score in zip(scored.sessions, scored.scores.tolist(), strict=True):
        if score == score and score > best.get(name, -np.inf):  # noqa: PLR0124 - not NaN
            best[name] = score
    return best


def _agents(scored: Scored, labels: dict[str, SessionLabel], names: list[str]) -> NDArray[np.object_]:
    """Return the agent of every session: as the labels say, else as its events do."""
    seen = dict(zip(scored.sessions, scored.agents, strict=True))
    return np.array([labels[name].agent_id or seen.get(name, "") for name in names], dtype=object)


def _report(sample: Sample, question: Question) -> dict[str, Any]:
    """Return the measures of a sample; intervals only where something bad is among it."""
    resampling = question.resampling
    if not sample.labels.any():
        resampling = Resampling(0, resampling.seed)
    return {**summary(sample, resampling), "promised_rate": question.promised}


def judge_events(
    scored: Scored, labels: dict[str, EventLabel], sessions: dict[str, SessionLabel], question: Question
) -> dict[str, Any]:
    """Return how single events of live sessions are ranked, and the episodes and windows of the alarms.

    Parameters
    ----------
    scored : Scored
        The stream.
    labels : dict of str to EventLabel
        By event id; events without one are left out.
    sessions : dict of str to SessionLabel
        By session id; tells what is live.
    question : Question
        Intervals and the gap between episodes.
    """
    keep = [
        index
        for index, (event, session) in enumerate(zip(scored.events, scored.sessions, strict=True))
        if event in labels and (session not in sessions or sessions[session].is_live)
    ]
    codes: dict[str, int] = {}
    units = np.array([codes.setdefault(scored.sessions[index], len(codes)) for index in keep], dtype=np.int64)
    bad = np.array([labels[scored.events[index]].is_attack for index in keep], dtype=bool)
    sample = Sample(filled(scored.scores[np.array(keep, dtype=np.int64)]), bad, None, units)
    stretches = [
        episodes.Point(scored.agents[index], scored.times[index], bool(is_bad))
        for index, is_bad in zip(keep, bad.tolist(), strict=True)
    ]
    first = min((point.at for point in stretches), default=0.0)
    return {
        **summary(sample, question.resampling),
        **episodes.judge(stretches, list(_alarms(scored.alerts, first)), question.gap_s),
    }


def _alarms(alerts: Iterable[Alert], first: float) -> Iterator[tuple[str, float]]:
    """Yield agent and event time of everything an alert points at, from an event time on."""
    for alert in alerts:
        for at in {alert.time, *(one.ts for one in alert.evidence)}:
            if at >= first:
                yield alert.agent_id, at


def refusals_of(core: object) -> dict[str, int]:
    """Return how often events were refused, by reason, of a core that keeps them as (index, refusal)."""
    return dict(sorted(Counter(str(refusal.reason) for _, refusal in getattr(core, "refusals", ())).items()))


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files of a labelled stream.

    Parameters
    ----------
    events, sessions : Path
        Events (NDJSON) and session labels (CSV); each plain or gzip.
    event_labels, origin : Path, optional
        Event labels (CSV) and origins of arguments (NDJSON).
    """

    events: Path
    sessions: Path
    event_labels: Path | None = None
    origin: Path | None = None


def evaluate(
    core: Scorer, inputs: Inputs, question: Question, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Return the quality of a core on a labelled stream, as plain numbers ready for JSON.

    Parameters
    ----------
    core : Scorer
        Fresh: it has seen nothing yet.
    inputs : Inputs
        The stream's files.
    question : Question
        Budget, intervals, gap between episodes.
    progress : callable, optional
        Told how many bytes of the events file were read since the last time.

    Returns
    -------
    dict
        ``session``, ``by_agent`` and ``by_attack_kind`` with the same keys, ``events`` (read, scored, refused by
        reason, refused and scored all the same, out of order) and, with event labels, ``event``.

    Raises
    ------
    SetupError
        A file is missing or is not what it should be, or labels belong to another stream.
    """
    lines = lines_of(inputs.events, progress)
    if inputs.origin is not None:
        lines = with_origins(lines, read_origins(inputs.origin))
    scored = score_stream(core, lines)
    sessions = read_sessions(inputs.sessions)
    check_labels(inputs.sessions, sessions, scored.sessions)
    order = OrderCheck(question.idle_s, question.step_s)
    for at in scored.times:
        order.note(at)
    report: dict[str, Any] = {
        "events": {
            "n": len(scored.events),
            "scored": int((~np.isnan(scored.scores)).sum()),
            "refused": refusals_of(core),
            "refused_scored": sum(refusal.is_scored for _, refusal in getattr(core, "refusals", ())),
            "out_of_order": {"n": order.late, "largest_step_back_s": order.largest_s},
        },
        **judge_sessions(scored, sessions, question),
    }
    if inputs.event_labels is not None:
        events = read_events(inputs.event_labels)
        check_labels(inputs.event_labels, events, scored.events)
        report["event"] = judge_events(scored, events, sessions, question)
    return report
