"""The scoring stage: one pipeline per assigned partition, its outputs, and its checkpoints.

Everything here runs on the app's event loop, one micro-batch at a time; there is no executor and no lock around state
but ``_busy``, which keeps a rebalance from slipping between a batch and its outputs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from faust.types import TP

from detector.clock import Clock
from detector.errors import StateError
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.worker.checkpoint import CheckpointStore, Manifest, Remembered
from detector.worker.health import Health
from detector.worker.metrics import WorkerMetrics
from detector.worker.owner import Outcome, PartitionOwner, Snapshot
from detector.worker.ports import Engine, PipelineFactory
from detector.worker.publish import outputs_of
from detector.worker.transport import MicroBatch

log = structlog.get_logger("detector.scoring")

FENCE_S = 10.0
MOST_OUTSTANDING = 10_000
"""Outputs waiting for their acknowledgement before scoring waits for them too."""


@dataclass(frozen=True, slots=True)
class ScoringParts:
    """What a scoring stage is built from."""

    names: TopicNames
    engine: Engine
    factory: PipelineFactory
    store: CheckpointStore
    metrics: WorkerMetrics
    health: Health
    clock: Clock
    reader: Mapping[str, Any]
    micro_batch: int = 512
    output_timeout_s: float = 60.0
    tolerance_s: float | None = None


class ScoringStage:
    """Scores micro-batches and keeps state and offset one fact; the batch sink of the transport.

    Parameters
    ----------
    parts : ScoringParts
        Names, engine, factory, store, metrics, health, clock.
    put : callable
        Hands a batch to the queue that :meth:`process` is fed from; waits while it is full.
    """

    def __init__(self, parts: ScoringParts, put: Callable[[MicroBatch], Awaitable[Any]]) -> None:
        self._parts = parts
        self._put = put
        self.topic = parts.names.events
        self.owners: dict[int, PartitionOwner] = {}
        self.durable: dict[TP, int] = {}
        self._busy = asyncio.Lock()

    async def deliver(self, batch: MicroBatch) -> None:
        """Take a batch from the transport; waits while too many are queued."""
        await self._put(batch)

    # ── rebalance ─────────────────────────────────────────────────────────────

    async def take_over(self, wanted: set[int]) -> None:
        """Hold exactly these partitions: keep what is current, restore the rest, give up the others.

        Faust awaits this before it seeks and resumes. Memory is current only if the partition was ours in the
        generation just before, and nothing of it broke off.
        """
        generation = self._parts.engine.generation
        async with self._busy:
            for partition, owner in list(self.owners.items()):
                is_current = owner.generation in {generation - 1, generation} and not owner.has_failed
                if partition not in wanted or not is_current:
                    self._give_up(partition)
            missing = sorted(wanted - self.owners.keys())
            if missing:
                await self._restore(missing)
            for partition in wanted:
                self.owners[partition].generation = generation
        self._parts.metrics.partitions.set(len(wanted))
        self._parts.health.hold(len(wanted))

    def _give_up(self, partition: int) -> None:
        del self.owners[partition]
        self.durable.pop(TP(self.topic, partition), None)
        self._parts.metrics.forget(partition)

    async def _restore(self, partitions: list[int]) -> None:
        began = time.monotonic()
        remembered = await self._parts.store.load(partitions, self._parts.reader)
        for partition, held in remembered.items():
            owner = self.owners[partition] = self._owner_of(partition, held)
            log.info(
                "partition restored",
                partition=partition,
                offset=owner.next_offset,
                epoch=owner.manifest.epoch,
                shards=len(held.shards),
                seconds=round(time.monotonic() - began, 3),
            )
        # the manifest, not the group's committed offset, says where to go on: Faust seeks to what is committed next
        offsets = {TP(self.topic, p): self.owners[p].next_offset for p in partitions if self.owners[p].manifest.epoch}
        await self._commits(offsets)

    def _owner_of(self, partition: int, held: Remembered) -> PartitionOwner:
        refusal = held.refusal
        if held.manifest.epoch and refusal is None and held.manifest.fingerprint != self._parts.factory.fingerprint:
            refusal = (
                f"state of partition {partition} must be learnt with {self._parts.factory.fingerprint}, "
                f"got {held.manifest.fingerprint}: use another group to keep both"
            )
        if held.shards and refusal is None:
            try:
                return PartitionOwner(partition, self._parts.factory.restore(held.shards), held.manifest)
            except StateError as exc:
                refusal = str(exc)
        if refusal is not None:
            self._parts.metrics.cold.inc()
            log.error("partition restarts cold", partition=partition, offset=held.manifest.offset, why=refusal)
        # epochs go on, so that no slot of the refused state can be taken for one of the new
        manifest = Manifest(held.manifest.epoch, held.manifest.offset, {}, self._parts.factory.fingerprint)
        return PartitionOwner(partition, self._parts.factory.new(), manifest)

    async def _commits(self, offsets: Mapping[TP, int]) -> bool:
        """Tell whether the group accepted the offsets: True means the partitions are still ours."""
        if not offsets:
            return True
        try:
            await self._parts.engine.commit_checked(offsets, FENCE_S)
        except Exception as exc:  # noqa: BLE001 - whatever the reason, the answer is no
            log.warning("commit refused", error=type(exc).__name__, partitions=sorted(tp.partition for tp in offsets))
            self._parts.metrics.fenced.inc()
            return False
        return True

    # ── scoring ───────────────────────────────────────────────────────────────

    async def process(self, batch: MicroBatch) -> None:
        """Score one micro-batch and hand its outputs to the producer.

        A batch of another generation, or of a partition that failed or is not ours, is dropped: its records are
        fetched again.
        """
        async with self._busy:
            owner = self.owners.get(batch.tp.partition)
            if owner is None or owner.has_failed or batch.generation != self._parts.engine.generation:
                return
            before = owner.next_offset
            self._parts.metrics.skipped.inc(sum(record.offset < before for record in batch.records))
            try:
                for records in owner.fresh(batch.records, self._parts.micro_batch):
                    await self._score(owner, [_record(record) for record in records])
            except BaseException:
                owner.has_failed = True
                raise
            self._observe(owner, batch)

    async def _score(self, owner: PartitionOwner, records: list[Record]) -> None:
        began = time.perf_counter()
        outcome = owner.process(records, self._parts.tolerance_s)
        self._parts.metrics.batch_s.observe(time.perf_counter() - began)
        self._count(outcome, len(records))
        for output in outputs_of(outcome.alerts, outcome.refusals, records, self._parts.names):
            send = self._parts.engine.send(output.topic, output.key, output.value, None, output.headers)
            owner.outputs.append(await asyncio.wait_for(send, self._parts.output_timeout_s))
        if len(owner.outputs) > MOST_OUTSTANDING:
            await self._acknowledged(owner.outputs)
            owner.outputs.clear()
        await asyncio.sleep(0)  # lets heartbeats, commits and probes in between two micro-batches

    def _count(self, outcome: Outcome, n_records: int) -> None:
        metrics = self._parts.metrics
        metrics.records.inc(n_records)
        metrics.events.inc(len(outcome.scores) - len(outcome.refusals))
        for _, refusal in outcome.refusals:
            metrics.refused.labels(refusal.reason).inc()
        for name, count in outcome.counts.items():
            metrics.counts.labels(name).inc(count)
        for alert in outcome.alerts:
            metrics.alerts.labels(alert.activity, alert.severity).inc()

    def _observe(self, owner: PartitionOwner, batch: MicroBatch) -> None:
        metrics = self._parts.metrics
        metrics.latency_s.observe(max(0.0, self._parts.clock() - batch.records[-1].timestamp / 1_000))
        lag = self._parts.engine.lag(batch.tp, owner.next_offset)
        if lag is not None:
            metrics.lag.labels(owner.partition).set(lag)

    # ── checkpoints ───────────────────────────────────────────────────────────

    async def checkpoint(self) -> None:
        """Make every partition durable; a failure ends the worker, a refused fence waits for the next time."""
        is_durable = True
        for owner in list(self.owners.values()):
            async with self._busy:
                snapshot = owner.snapshot() if self.owners.get(owner.partition) is owner else None
            if snapshot is None:
                continue
            try:
                is_durable &= await self._persist(owner, snapshot)
            except Exception as exc:
                log.exception("checkpoint broke off", partition=owner.partition)
                await self._parts.engine.crash(exc)
                return
        if is_durable:
            self._parts.health.checkpointed()

    async def make_durable(self) -> None:
        """Checkpoint everything before partitions are given up and before the worker stops.

        Faust calls it also on a crash: partitions marked as failed are left alone, whatever is newer in memory.
        """
        async with self._busy:
            taken = [(owner, owner.snapshot()) for owner in self.owners.values()]
        saves = [self._persist(owner, snapshot) for owner, snapshot in taken if snapshot is not None]
        for result in await asyncio.gather(*saves, return_exceptions=True):
            if isinstance(result, Exception):
                await self._parts.engine.crash(result)

    async def _persist(self, owner: PartitionOwner, snapshot: Snapshot) -> bool:
        """Tell whether the snapshot became durable; False if the group did not accept it."""
        async with owner.saving:
            if owner.has_failed:
                return False
            try:
                return await self._steps(owner, snapshot)
            except BaseException:
                owner.has_failed = True
                raise

    async def _steps(self, owner: PartitionOwner, snapshot: Snapshot) -> bool:
        """Make one partition durable, in this order, which is the promise.

        1. Fence: commit the offset that is durable already; a worker that lost the partition is refused and writes
           nothing over the new owner's state.
        2. Outputs are acknowledged.
        3. Shards, then the manifest that names them and the offset, are acknowledged.
        4. The offset may be committed.
        """
        began = time.monotonic()
        tp = TP(self.topic, owner.partition)
        # 1.
        if not await self._commits({tp: max(owner.manifest.offset, owner.first)}):
            owner.give_back(snapshot)
            return False
        # 2.
        await self._acknowledged(snapshot.outputs)
        # 3.
        new = Manifest(owner.manifest.epoch + 1, snapshot.offset, {}, self._parts.factory.fingerprint)
        save = self._parts.store.save(owner.partition, owner.manifest, new, snapshot.shards)
        owner.manifest = await asyncio.wait_for(save, self._parts.output_timeout_s)
        # 4.
        self.durable[tp] = snapshot.offset
        metrics = self._parts.metrics
        metrics.checkpoint_s.observe(time.monotonic() - began)
        metrics.checkpoint_bytes.inc(sum(map(len, snapshot.shards.values())))
        metrics.checkpoint_time.set(self._parts.clock())
        metrics.offset.labels(owner.partition).set(snapshot.offset)
        metrics.show(owner.partition, owner.pipeline.gauges())
        return True

    async def _acknowledged(self, outputs: Sequence[Awaitable[Any]]) -> None:
        if outputs:
            await asyncio.wait_for(asyncio.gather(*outputs), self._parts.output_timeout_s)


def _record(message: Any) -> Record:  # noqa: ANN401 - aiokafka's ConsumerRecord
    value = message.value if message.value is not None else b""
    return Record(value, message.key, message.topic, message.partition, message.offset, message.timestamp)
