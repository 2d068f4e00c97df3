"""Quality of a profile on a labelled stream: every event is scored before anything is learned from it.

Labels are joined after the last event has been scored; before that they reach the scoring side only as the verdicts of
an analyst, where there is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from detector.offline.acts import judge_events
from detector.offline.alarms import alarms_of, time_to_alert
from detector.offline.analyst import Analyst, Desk
from detector.offline.labels import SessionLabel, read_events, read_sessions, truth_of
from detector.offline.metrics import Resampling, Sample, filled, summary, wilson
from detector.offline.order import OrderCheck
from detector.offline.reshape import LabelledStream, with_attack_share
from detector.offline.scored import AnswerableScorer, Scored, Scorer, score_stream, score_with_analyst
from detector.offline.sources import lines_of, read_origins, with_origins

OF_PROFILE = "profile"
"""In a report, the class of sessions that have none."""


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
    analyst : Analyst, optional
        Who answers alerts while the stream runs; nobody if left out.
    attack_share : float, optional
        Share of attacks among the live sessions, made by leaving out or repeating some; as they are if left out.
    classes : mapping of str to float
        What is promised to each risk class of the profile; a part of the stream is promised what its sessions are.
    """

    promised: float = 0.01
    resampling: Resampling = field(default_factory=Resampling)
    gap_s: float = 3_600.0
    idle_s: float = 1_800.0
    step_s: float = 86_400.0
    analyst: Analyst | None = None
    attack_share: float | None = None
    classes: Mapping[str, float] = field(default_factory=dict)


def judge_sessions(scored: Scored, labels: dict[str, SessionLabel], question: Question) -> dict[str, Any]:
    """Return how the live sessions are ranked and alarmed, together and in parts.

    A session's score is the largest of its events; one without a scored event gets the smallest of all, and one of
    which no action was judged does not count among the judged.

    Parameters
    ----------
    scored : Scored
        The stream.
    labels : dict of str to SessionLabel
        Sessions that count, by id; those not of the live phase are left out.
    question : Question
        Budget and intervals.

    Returns
    -------
    dict
        ``session``, ``by_peer_group``, ``by_agent`` and ``by_attack_kind``: the same keys in each. With risk classes
        also ``by_class``, where ``profile`` is who has none.
    """
    best, alarms = _best(scored), alarms_of(scored)
    names = [name for name, label in labels.items() if label.is_live]
    found = np.array([best.get(name, np.nan) for name in names], dtype=np.float64)
    bad = np.array([labels[name].is_attack for name in names], dtype=bool)
    alarmed, opened = (
        np.array([name in some for name in names], dtype=bool) for some in (alarms.alarmed, alarms.opened)
    )
    sample = Sample(filled(found), bad, alarmed, opened=opened, judged=found > 0.0)
    agents = _agents(scored, labels, names)
    groups = np.array([scored.groups.get(name) or labels[name].agent_type for name in names], dtype=object)
    kinds = np.array([labels[name].attack_type for name in names], dtype=object)
    classes = np.array([scored.classes.get(name) or OF_PROFILE for name in names], dtype=object)

    def report(part: NDArray[np.bool_], *, is_whole: bool = False) -> dict[str, Any]:
        return _report(sample.where(part), _asked_of(question, classes[part]), is_whole=is_whole)

    by_class = {"by_class": {one: report(classes == one, is_whole=True) for one in sorted(set(classes.tolist()))}}
    return {
        "session": _report(sample, _asked_of(question, classes), is_whole=True),
        "by_peer_group": {group: report(groups == group, is_whole=True) for group in sorted(set(groups.tolist()))},
        **(by_class if question.classes else {}),
        "by_agent": {agent: report(agents == agent) for agent in sorted(set(agents.tolist()))},
        "by_attack_kind": {
            kind or "unnamed": report(~bad | (kinds == kind)) for kind in sorted(set(kinds[bad].tolist()))
        },
    }


def _asked_of(question: Question, classes: NDArray[np.object_]) -> Question:
    """Return the question with what is promised to sessions of such classes together."""
    if not question.classes or not len(classes):
        return question
    promised = [question.classes.get(name, question.promised) for name in classes.tolist()]
    return replace(question, promised=float(np.mean(promised)))


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


def _report(sample: Sample, question: Question, *, is_whole: bool = False) -> dict[str, Any]:
    """Return the measures of a sample; intervals of a part only where something bad is among it."""
    resampling = question.resampling
    if not sample.labels.any() and not is_whole:
        resampling = Resampling(0, resampling.seed)
    out = summary(sample, resampling)
    judged = np.ones(len(sample.labels), dtype=bool) if sample.judged is None else sample.judged
    good = ~sample.labels
    counted = {"closed": (sample.alarmed, good), "judged": (sample.alarmed, good & judged),
               "incidents": (sample.opened, good & judged)}  # fmt: skip
    return {
        **out,
        "judged": int(judged.sum()),
        "promised_rate": question.promised,
        "of_promise": {name: _of_promise(*one, question) for name, one in counted.items()},
    }


def _of_promise(
    alarmed: NDArray[np.bool_] | None, among: NDArray[np.bool_], question: Question
) -> dict[str, Any] | None:
    """Return the share of the promise that was spent, with an interval that also holds for none and for few."""
    n = int(among.sum())
    if alarmed is None or not n or question.promised <= 0.0:
        return None
    part = int((alarmed & among).sum())
    low, high = wilson(part, n, question.resampling.level) or (0.0, 1.0)
    return {
        "value": part / n / question.promised, "alarmed": part, "n": n,
        "interval": (low / question.promised, high / question.promised),
    }  # fmt: skip


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
        Fresh: it has seen nothing yet. With an analyst it takes verdicts too.
    inputs : Inputs
        The stream's files.
    question : Question
        Budget, intervals, gap between episodes, analyst, share of attacks.
    progress : callable, optional
        Told how many bytes of the events file were read since the last time.

    Returns
    -------
    dict
        As of :func:`measure`.

    Raises
    ------
    SetupError
        A file is missing or is not what it should be, or labels belong to another stream.
    """
    stream = read_stream(inputs, progress)
    if question.attack_share is not None:
        stream = with_attack_share(stream, question.attack_share, question.resampling.seed)
    return measure(core, stream, question)


def read_stream(inputs: Inputs, progress: Callable[[int], None] | None = None) -> LabelledStream:
    """Return a stream of files with its labels; events are read when they are walked over."""
    lines: Iterable[bytes] = lines_of(inputs.events, progress)
    if inputs.origin is not None:
        lines = with_origins(lines, read_origins(inputs.origin))
    events = None if inputs.event_labels is None else read_events(inputs.event_labels)
    files = (inputs.sessions, inputs.event_labels)
    return LabelledStream(lines, read_sessions(inputs.sessions), events, files)


def measure(core: Scorer, stream: LabelledStream, question: Question) -> dict[str, Any]:
    """Return the quality of a core on a labelled stream; labels reach the scoring side as verdicts, or not at all.

    Returns
    -------
    dict
        ``session``, ``by_peer_group``, ``by_agent`` and ``by_attack_kind`` with the same keys, ``time_to_alert``,
        ``events`` (read, scored, refused by reason, refused and scored all the same, out of order) and, with event
        labels, ``event``; with an analyst ``analyst``.
    """
    desk = None
    if question.analyst is None:
        scored = score_stream(core, stream.lines)
    else:
        desk = Desk(question.analyst, truth_of(stream.sessions))
        scored = score_with_analyst(cast("AnswerableScorer", core), stream.lines, desk)
    stream.check(scored)
    report: dict[str, Any] = {
        "events": _events_of(core, scored, question),
        **judge_sessions(scored, stream.sessions, question),
        "time_to_alert": time_to_alert(scored, alarms_of(scored), stream.sessions, stream.events),
    }
    if stream.events is not None:
        report["event"] = judge_events(scored, stream.events, stream.sessions, question.resampling, question.gap_s)
    if desk is not None:
        report["analyst"] = desk.facts()
    return report


def _events_of(core: Scorer, scored: Scored, question: Question) -> dict[str, Any]:
    """Return what was read and scored, refused, and out of order."""
    order = OrderCheck(question.idle_s, question.step_s)
    for at in scored.times:
        order.note(at)
    return {
        "n": len(scored.events),
        "scored": int((~np.isnan(scored.scores)).sum()),
        "refused": refusals_of(core),
        "refused_scored": sum(refusal.is_scored for _, refusal in getattr(core, "refusals", ())),
        "out_of_order": {"n": order.late, "largest_step_back_s": order.largest_s},
    }
