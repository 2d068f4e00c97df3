"""The suites for pipelines fire on one that breaks its promise and are silent on one that keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming
from detector.schema.record import Record
from detector.state.report import Outcome

RECORDS = [Record(bytes([n])) for n in range(20)]


class Counting:
    """A pipeline whose score is the place of the event in the stream: pure and stateful."""

    def __init__(self, shards: Mapping[str, bytes] | None = None) -> None:
        self.seen = int((shards or {}).get("seen", b"0"))

    def process(self, records: Sequence[Record]) -> Outcome:
        """Return places."""
        scores = self.seen + np.arange(len(records), dtype=np.float64)
        self.seen += len(records)
        return Outcome(scores=scores)

    def finish(self) -> Outcome:
        """Return nothing."""
        return Outcome()

    def snapshot(self, *, full: bool = False) -> dict[str, bytes]:
        """Return the place."""
        return {"seen": str(self.seen).encode()}


class Batchy(Counting):
    """Its score is the place in the batch."""

    def process(self, records: Sequence[Record]) -> Outcome:
        """Return places that begin anew with each batch."""
        self.seen += len(records)
        return Outcome(scores=np.arange(len(records), dtype=np.float64))


class Forgetful(Counting):
    """It writes nothing down."""

    def snapshot(self, *, full: bool = False) -> dict[str, bytes]:
        """Return the place only when asked for everything."""
        return super().snapshot() if full else {}


def faults(kind: Any, restored: Any = None) -> tuple[list[str], list[str], list[str]]:
    """Return what the three suites say of a pipeline."""
    back = restored or kind
    return (
        faults_of_cuts(kind, RECORDS, [[7], [3, 9]]),
        faults_of_resuming(kind, back, RECORDS, [5]),
        faults_of_increments(kind, back, RECORDS, [4, 8]),
    )


def test_a_pipeline_that_keeps_its_promise_has_no_faults() -> None:
    """Silent on all three."""
    assert faults(Counting) == ([], [], [])


def test_a_score_that_depends_on_the_batch_is_told_with_its_place() -> None:
    """From the first event after the cut."""
    cuts, _, _ = faults(Batchy)
    assert cuts[0].startswith("scores of input cut at [7] must be equal, got others from event 7 on")


def test_a_pipeline_that_comes_back_empty_is_told() -> None:
    """Where it stopped."""
    _, resumed, _ = faults(Counting, lambda shards: Counting())
    assert any("input stopped at 5" in fault for fault in resumed)


def test_changes_that_were_not_written_are_told_by_their_shard() -> None:
    """Piece by piece is not the whole."""
    _, _, pieces = faults(Forgetful)
    assert pieces[0] == "shards kept until 4 must equal a full snapshot, got others: seen"
