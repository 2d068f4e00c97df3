"""A record that breaks the pipeline: found by bisection, left out, counted; too many of them end the worker.

What breaks a pipeline halfway leaves its state damaged. So the partition's owner is made anew from what is durable, as
a restart would make it, records are read again up to the suspicious ones, and every try at those runs on a pipeline
restored from a full snapshot taken before them. How records are cut into batches changes nothing, so if some leading
records break a pipeline, more of them do too: halving finds the one. Nothing but the hour's count is remembered: after
a crash the same records are found again in the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from detector.clock import Clock
from detector.errors import PipelineError
from detector.schema.decode import MAX_RAW_BYTES, Refusal
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.worker.metrics import WorkerMetrics
from detector.worker.owner import PartitionOwner
from detector.worker.ports import PipelineFactory
from detector.worker.publish import Output, dead_letter
from detector.worker.receipt import record_of

if TYPE_CHECKING:
    from detector.pipeline import Pipeline

log = structlog.get_logger("detector.scoring")

HOUR_S = 3_600.0

Score = Callable[[PartitionOwner, list[Record]], Awaitable[None]]
HandOver = Callable[[PartitionOwner, list[Output]], Awaitable[None]]
Apply = Callable[[PartitionOwner, int], Awaitable[None]]


class PoisonParts(Protocol):
    """What of the scoring stage's parts is needed here; see ``ScoringParts``."""

    @property
    def names(self) -> TopicNames:
        """Names of the deployment."""

    @property
    def factory(self) -> PipelineFactory:
        """Restores pipelines."""

    @property
    def metrics(self) -> WorkerMetrics:
        """Counts what is left out."""

    @property
    def clock(self) -> Clock:
        """What the hour is measured with."""

    @property
    def reader(self) -> Mapping[str, Any]:
        """Settings of an aiokafka client."""

    @property
    def reread(self) -> Callable[..., AsyncIterator[list[Any]]]:
        """Yields what stands in a span of a partition."""

    @property
    def micro_batch(self) -> int:
        """Most records scored at once."""

    @property
    def tolerance_s(self) -> float | None:
        """As in :meth:`Pipeline.process`."""

    @property
    def poison_per_hour(self) -> int:
        """Records of one partition that may be left out within an hour."""


class PoisonPath:
    """The way of a partition past the records that break its pipeline.

    Parameters
    ----------
    parts : PoisonParts
        Those of the scoring stage.
    score, hand_over, apply : callable
        Its own: scores records that are sound, hands outputs to the producer, lets controls take effect at their place.
    """

    def __init__(self, parts: PoisonParts, score: Score, hand_over: HandOver, apply: Apply) -> None:
        self._parts, self._score, self._hand_over, self._apply = parts, score, hand_over, apply

    async def pass_by(self, broken: PartitionOwner, owner: PartitionOwner, offsets: tuple[int, int]) -> None:
        """Bring a restored owner to where another one broke, and past it.

        Records before the suspicious ones are scored again and their outputs sent again, as after a restart; the
        suspicious ones are sorted out.

        Parameters
        ----------
        broken, owner : PartitionOwner
            The one whose pipeline broke, and the one in its place, restored from what is durable.
        offsets : (int, int)
            First and last of the suspicious records.

        Raises
        ------
        PipelineError
            Too many would be left out within the hour.
        """
        owner.generation, owner.poison = broken.generation, broken.poison
        first, last = offsets
        if not owner.manifest.epoch:
            owner.first = broken.first
        span = (max(owner.next_offset, owner.first), last + 1)
        reread = self._parts.reread(self._parts.names.events, owner.partition, span, self._parts.reader)
        async for fetched in reread:
            for most in owner.fresh(fetched, self._parts.micro_batch):
                await self._apply(owner, most[0].offset)
                records = [record_of(one) for one in most]
                known = [one for one in records if one.offset in owner.poison]
                unknown = [one for one in records if one.offset not in owner.poison]
                await self._score(owner, [one for one in unknown if one.offset < first])
                await self._sort_out(owner, [one for one in unknown if one.offset >= first])
                for record in known:
                    await self._leave_out(owner, record)

    async def _sort_out(self, owner: PartitionOwner, records: list[Record]) -> None:
        """Score suspicious records, and leave out those that break the pipeline."""
        while records:
            sound = await self._sound(owner, records)
            await self._score(owner, records[:sound])
            for record in records[sound : sound + 1]:
                self._condemn(owner, record)
                await self._leave_out(owner, record)
            records = records[sound + 1 :]

    async def _leave_out(self, owner: PartitionOwner, record: Record) -> None:
        owner.next_offset = max(owner.next_offset, record.offset + 1)
        detail = "event must be one that the pipeline can take, got one that breaks it: the worker's log says where"
        refusal = Refusal("poison", detail, None, record.value[:MAX_RAW_BYTES])
        await self._hand_over(owner, [dead_letter(record, refusal, self._parts.names)])

    async def _sound(self, owner: PartitionOwner, records: Sequence[Record]) -> int:
        """Return how many leading records the pipeline takes; the owner's state is as it was, in a new pipeline."""
        base = owner.pipeline.snapshot(full=True)

        def anew() -> Pipeline:
            return self._parts.factory.restore(base) if base else self._parts.factory.new()

        sound, broken = 0, len(records) + 1
        middle = len(records)
        while broken - sound > 1:
            if self._breaks(anew(), records[:middle]):
                broken = middle
            else:
                sound = middle
            middle = (sound + broken) // 2
            await asyncio.sleep(0)  # lets heartbeats in: a restore takes a while
        owner.stand_on(anew(), base)
        return sound

    def _breaks(self, pipeline: Pipeline, records: Sequence[Record]) -> bool:
        try:
            pipeline.process(records, self._parts.tolerance_s)
        except MemoryError:
            raise  # the machine's fault, not the record's
        except Exception:  # noqa: BLE001 - whatever it is, the question is which record brings it
            return True
        return False

    def _condemn(self, owner: PartitionOwner, record: Record) -> None:
        """Note that a record is left out.

        Raises
        ------
        PipelineError
            As many were left out within the hour as may be; the worker ends before this one.
        """
        now = self._parts.clock()
        lately = sum(at > now - HOUR_S for at in owner.poison.values())
        if lately >= self._parts.poison_per_hour:
            place = f"{record.topic}/{record.partition}"
            raise PipelineError(
                f"poison_per_hour of the settings must not be passed, got {lately} records of {place} left out within "
                f"an hour and another at offset {record.offset}: read the dead letters with reason poison, update the "
                "detector or mend the producer; nothing is lost, the next start goes on from the checkpoint",
                (record.offset, record.offset),
            )
        owner.poison[record.offset] = now
        log.error("a record is left out", place=f"{record.topic}/{record.partition}", offset=record.offset)
        self._parts.metrics.refused.labels("poison").inc()
