"""What every pipeline must keep: the same bytes out however the input is cut, stopped and taken up again.

For anything with the face of :class:`detector.pipeline.Pipeline`. Each check returns faults, a sentence each;
none if it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from detector.schema.record import Record
from detector.schema.tiding import Tiding, encode_tiding, in_order
from detector.state.report import Outcome


class Scoring(Protocol):
    """What the checks ask of a pipeline."""

    def process(self, records: Sequence[Record]) -> Outcome:
        """Return what came of records."""
        ...

    def finish(self) -> Outcome:
        """Return what comes of closing every session."""
        ...

    def snapshot(self, *, full: bool = False) -> dict[str, bytes]:
        """Return shards of the state."""
        ...


Make = Callable[[], Scoring]
Restore = Callable[[Mapping[str, bytes]], Scoring]


class Run(NamedTuple):
    """Everything that left a pipeline: scores, alerts as JSON, the state before the end and after it.

    `said`: the alerts with the tidings between them.
    """

    scores: np.ndarray
    alerts: list[str]
    state: dict[str, bytes]
    final: dict[str, bytes]
    said: list[str]


def outcome_of(pipeline: Scoring, records: Sequence[Record], cuts: Iterable[int] = ()) -> Run:
    """Return what leaves a pipeline that is given records in pieces.

    Parameters
    ----------
    pipeline : Scoring
        Fresh or restored; used up.
    records : sequence of Record
        In order.
    cuts : iterable of int
        Places at which the records are cut; those outside are ignored.
    """
    edges = sorted({0, len(records), *(cut for cut in cuts if 0 < cut < len(records))})
    outcomes = [pipeline.process(records[first:stop]) for first, stop in pairwise(edges)]
    state = pipeline.snapshot(full=True)
    outcomes.append(pipeline.finish())
    scores = np.concatenate([outcome.scores for outcome in outcomes])
    alerts = [alert.model_dump_json() for outcome in outcomes for alert in outcome.alerts]
    said = [each for outcome in outcomes for each in _said(outcome)]
    return Run(scores, alerts, state, pipeline.snapshot(full=True), said)


def _said(outcome: Outcome) -> list[str]:
    said = in_order(outcome.alerts, outcome.tidings)
    return [encode_tiding(one).decode() if isinstance(one, Tiding) else one.model_dump_json() for one in said]


def differences(expected: Run, found: Run, where: str) -> list[str]:
    """Return what differs between two runs that must be equal."""
    faults = []
    if not np.array_equal(expected.scores, found.scores, equal_nan=True):
        same = (expected.scores == found.scores) | (np.isnan(expected.scores) & np.isnan(found.scores))
        faults.append(f"scores of {where} must be equal, got others from event {int(np.argmin(same))} on")
    if expected.alerts != found.alerts:
        faults.append(f"alerts of {where} must be equal, got {len(found.alerts)} for {len(expected.alerts)}")
    elif expected.said != found.said:
        faults.append(f"tidings of {where} must be equal, got {len(found.said)} for {len(expected.said)} with alerts")
    for when in ("state", "final"):
        one, other = getattr(expected, when), getattr(found, when)
        odd = sorted(name for name in {*one, *other} if one.get(name, b"") != other.get(name, b""))
        if odd:
            faults.append(f"{when} of {where} must be equal, got other shards {', '.join(odd[:5])}")
    return faults


def faults_of_cuts(make: Make, records: Sequence[Record], cuts: Iterable[Sequence[int]]) -> list[str]:
    """Return where the output depends on how the input is cut into batches.

    Parameters
    ----------
    make : callable
        Returns a fresh pipeline.
    records : sequence of Record
        In order.
    cuts : iterable of sequence of int
        Each one way to cut them.
    """
    whole = outcome_of(make(), records)
    faults: list[str] = []
    for way in cuts:
        faults += differences(whole, outcome_of(make(), records, way), f"input cut at {list(way)[:5]}")
    return faults


def faults_of_resuming(make: Make, restore: Restore, records: Sequence[Record], places: Iterable[int]) -> list[str]:
    """Return where a pipeline that stopped and was restored goes on differently.

    Parameters
    ----------
    make, restore : callable
        Return a fresh pipeline, and one from shards.
    records : sequence of Record
        In order.
    places : iterable of int
        Where to stop, each on its own.
    """
    whole = outcome_of(make(), records)
    faults: list[str] = []
    for place in places:
        before = make()
        early = before.process(records[:place])
        late = outcome_of(restore(before.snapshot(full=True)), records[place:])
        alerts = [alert.model_dump_json() for alert in early.alerts] + late.alerts
        scores, said = np.concatenate([early.scores, late.scores]), _said(early) + late.said
        joined = late._replace(scores=scores, alerts=alerts, said=said)
        faults += differences(whole, joined, f"input stopped at {place}")
    return faults


def faults_of_increments(make: Make, restore: Restore, records: Sequence[Record], cuts: Sequence[int]) -> list[str]:
    """Return where shards written piece by piece, newer over older, differ from a full snapshot.

    Parameters
    ----------
    make, restore : callable
        Return a fresh pipeline, and one from shards.
    records : sequence of Record
        In order.
    cuts : sequence of int
        After each of them what changed is written down.
    """
    pipeline, held = make(), dict[str, bytes]()
    edges = sorted({0, len(records), *(cut for cut in cuts if 0 < cut < len(records))})
    faults: list[str] = []
    for first, stop in pairwise(edges):
        pipeline.process(records[first:stop])
        held |= pipeline.snapshot()
        kept = {name: shard for name, shard in held.items() if shard}
        full = {name: shard for name, shard in pipeline.snapshot(full=True).items() if shard}
        odd = sorted(name for name in {*kept, *full} if kept.get(name) != full.get(name))
        if odd:
            faults.append(f"shards kept until {stop} must equal a full snapshot, got others: {', '.join(odd[:5])}")
    again = {name: shard for name, shard in restore(held).snapshot(full=True).items() if shard}
    if again != {name: shard for name, shard in pipeline.snapshot(full=True).items() if shard}:
        faults.append("state restored from kept shards must be the state that was written, got another")
    return faults
