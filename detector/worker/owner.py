"""The owner of one input partition: its pipeline, where it stands, and what is not yet durable."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from detector.errors import PipelineError
from detector.schema.control import Control, JournalEntry, digest_of
from detector.schema.record import Record
from detector.worker.checkpoint import Manifest

if TYPE_CHECKING:  # numba comes with them, and help must not wait for it
    from detector.pipeline import Pipeline
    from detector.state.report import Outcome

MARKERS = 1
"""A transaction leaves one offset without a record; retention takes whole segments."""


class Snapshot(NamedTuple):
    """State, offset and outstanding outputs at one batch boundary; which controls it contains, as in a manifest."""

    offset: int
    shards: dict[str, bytes]
    outputs: list[Awaitable[Any]]
    next_control: int = 0
    sequence: int = 0
    next_registry: int = 0


class PartitionOwner:
    """State of one partition between two records.

    Parameters
    ----------
    partition : int
        Input partition.
    pipeline : Pipeline
        New or restored.
    manifest : Manifest
        What is durable; its offset is where reading goes on.
    journal : sequence of JournalEntry
        Controls that took effect after the manifest was written, in order.

    Attributes
    ----------
    next_offset : int
        The state contains every record before it.
    first : int
        First offset ever read here; what may be committed while there is no checkpoint.
    outputs : list of awaitable
        Acknowledgements of outputs still outstanding.
    generation : int
        Generation of the group in which the partition was last assigned.
    has_failed : bool
        A batch, an output or a save broke off: memory is ahead of what is durable. Such a state is never written and
        never kept over a rebalance, or events would be lost.
    poison : dict
        Offset of a record that was left out because it breaks the pipeline, and when, in epoch seconds.
    gap : int
        Offsets that were skipped because no record stands there any more, since they were last counted.
    pending : deque of JournalEntry
        Controls that are journaled and not in the state yet: each waits for its place in the input.
    next_control, next_registry : int
        Every control before it is journaled, or was none: of the feedback, of the registry.
    sequence : int
        Number of the next entry of the journal.
    taken_at : int
        Where the input ended when the partition was taken over. Whoever had it before may have told what it made of
        everything up to there: a control that is new takes effect behind it, or the same events would be told
        otherwise.
    """

    def __init__(
        self, partition: int, pipeline: Pipeline, manifest: Manifest, journal: Sequence[JournalEntry] = ()
    ) -> None:
        self.partition = partition
        self.pipeline = pipeline
        self.manifest = manifest
        self.next_offset = manifest.offset
        self.first = manifest.offset
        self.outputs: list[Awaitable[Any]] = []
        self.generation = -1
        self.has_failed = False
        self.saving = asyncio.Lock()
        self.poison: dict[int, float] = dict(manifest.poison)
        self.gap = 0
        self._given_back: Snapshot | None = None
        self.taken_at = 0
        self.pending = deque(journal)
        self.next_control, self.next_registry = manifest.next_control, manifest.next_registry
        for entry in journal:
            self._go_past(entry)
        self.sequence = journal[-1].sequence + 1 if journal else manifest.sequence

    def entry(self, control: Control, generation: int) -> JournalEntry:
        """Return the entry that gives a control its place: here, or behind what others may have told, or made wait."""
        place = max(self.next_offset, self.taken_at, *(waits.input_offset for waits in self.pending))
        value = control.value.decode()
        facts = (control.offset, digest_of(control.value), value, self.sequence, generation, control.source)
        return JournalEntry(self.partition, place, *facts)

    def journaled(self, entry: JournalEntry) -> None:
        """Take note that an entry is durable."""
        self.pending.append(entry)
        self.sequence = entry.sequence + 1
        self._go_past(entry)

    def _go_past(self, entry: JournalEntry) -> None:
        if entry.source == "registry":
            self.next_registry = entry.control_offset + 1
        else:
            self.next_control = entry.control_offset + 1

    def _contained(self) -> tuple[int, int, int]:
        """Return next control, sequence and next registry record of what the state contains.

        A control that waits is not in the state: what is durable ends before it.
        """
        told = next((one.control_offset for one in self.pending if one.source == "feedback"), self.next_control)
        waits = any(one.source == "registry" for one in self.pending)
        sequence = self.pending[0].sequence if self.pending else self.sequence
        return told, sequence, self.manifest.next_registry if waits else self.next_registry

    def due(self, before: int) -> Iterator[JournalEntry]:
        """Yield the controls that take effect before the record at an offset; they wait no longer."""
        while self.pending and self.pending[0].input_offset <= before:
            yield self.pending.popleft()

    def go_on_at(self, offset: int, taken_at: int = 0) -> None:
        """Read on from another offset than the state's: the topic no longer has, or never had, what lies between."""
        self.taken_at = taken_at
        self.next_offset = self.first = offset
        self.manifest = msgspec.structs.replace(self.manifest, offset=offset)

    def fresh(self, records: Sequence[Any], most: int) -> Iterator[list[Any]]:
        """Yield the records the state does not contain yet, at most ``most`` at a time, cut where a control is due."""
        start = 0
        while start < len(records) and records[start].offset < self.next_offset:
            start += 1
        if start < len(records):
            missing = records[start].offset - self.next_offset
            if not self.next_offset:
                self.first = records[start].offset
            elif missing > MARKERS:
                self.gap += missing
        while start < len(records):
            stop = min(start + most, len(records))
            if self.pending:
                place = self.pending[0].input_offset
                stop = next((at for at in range(start + 1, stop) if records[at].offset >= place), stop)
            yield list(records[start:stop])
            start = stop

    def process(self, records: Sequence[Record], tolerance_s: float | None = None) -> Outcome:
        """Return what the pipeline says; the state now contains the records."""
        try:
            outcome = self.pipeline.process(records, tolerance_s)
        except MemoryError:
            raise
        except Exception as exc:
            raise _broken(records, exc) from exc
        self.next_offset = records[-1].offset + 1
        return outcome

    def stand_on(self, pipeline: Pipeline, base: Mapping[str, bytes]) -> None:
        """Go on with a pipeline restored from a full snapshot of this one; the next checkpoint contains it whole."""
        self.pipeline = pipeline
        dropped = dict.fromkeys(self.manifest.shards, b"")
        self._given_back = Snapshot(self.next_offset, {**dropped, **base}, [])

    def is_current(self, generation: int) -> bool:
        """Tell whether the state may be gone on with, and written, in a generation of the group.

        Not after one that was missed: another owner may have gone on in it, and the broker, asked in the present one,
        knows nothing of that. Not if anything of it broke off.
        """
        return self.generation >= generation - 1 and not self.has_failed

    def snapshot(self) -> Snapshot | None:
        """Return what to make durable, None if there is nothing or it may not be."""
        if self.has_failed:
            return None
        held, controls = self.manifest, self._contained()
        durable = (held.offset, held.next_control, held.sequence, held.next_registry)
        if (self.next_offset, *controls) == durable and not self.outputs and self._given_back is None:
            return None
        outputs, self.outputs = self.outputs, []
        return Snapshot(self.next_offset, self.pipeline.snapshot(), outputs, *controls)

    def give_back(self, snapshot: Snapshot) -> None:
        """Take a snapshot back that was not written; the next one to be written is completed with it."""
        self._given_back = snapshot

    def completed(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot together with an earlier one that was given back, of which newer shards win.

        To be asked when it is the snapshot's turn to be written, not when it is taken: the one before may still be
        refused meanwhile, and then state and outputs of both are this one's to make durable.
        """
        back, self._given_back = self._given_back, None
        if back is None:
            return snapshot
        shards, outputs = {**back.shards, **snapshot.shards}, [*back.outputs, *snapshot.outputs]
        return snapshot._replace(shards=shards, outputs=outputs)


def _broken(records: Sequence[Record], exc: Exception) -> PipelineError:
    first, last = records[0], records[-1]
    return PipelineError(
        f"records of {first.topic}/{first.partition} must be ones the pipeline can take, got {type(exc).__name__} at "
        f"offsets {first.offset} to {last.offset}: the broker is well; send the log to whoever keeps the detector",
        (first.offset, last.offset),
    )
