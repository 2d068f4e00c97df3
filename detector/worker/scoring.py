"""The scoring stage: one pipeline per assigned partition, its outputs, and its checkpoints.

Everything here runs on the app's event loop, one micro-batch at a time; there is no executor and no lock around state
but ``_busy``, which keeps a rebalance from slipping between a batch and its outputs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from faust.types import TP

from detector.clock import Clock
from detector.errors import PipelineError
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.worker.checkpoint import CheckpointStore, Manifest
from detector.worker.controls import ControlHost, Controls
from detector.worker.health import Health
from detector.worker.log_reader import read_span
from detector.worker.metrics import WorkerMetrics
from detector.worker.owner import PartitionOwner, Snapshot
from detector.worker.poison import HOUR_S, PoisonPath
from detector.worker.ports import Engine, PipelineFactory
from detector.worker.publish import Output, outputs_of, said_in
from detector.worker.receipt import record_of
from detector.worker.standing import REFUSED_S, owner_of, refused, stand
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
    poison_per_hour: int = 10
    reread: Callable[..., AsyncIterator[list[Any]]] = read_span


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
        self._refused_since: float | None = None
        host = ControlHost(self.owners, self._busy, self._commits, self._hand_over, self.checkpoint)
        self.controls = Controls(parts, host)
        self._poison = PoisonPath(parts, self._score, self._hand_over, self.controls.apply)

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
            self._refused_since = None
            for partition, owner in list(self.owners.items()):
                if partition not in wanted or not owner.is_current(generation):
                    self._give_up(partition)
            missing = sorted(wanted - self.owners.keys())
            if missing:
                await self._restore(missing)
            for partition in wanted:
                self.owners[partition].generation = generation
            await self.controls.resume()
        self._parts.metrics.hold(len(wanted), self._parts.clock())
        self._parts.health.hold(len(wanted))

    def _give_up(self, partition: int) -> None:
        del self.owners[partition]
        self.durable.pop(TP(self.topic, partition), None)
        self._parts.metrics.forget(partition)

    async def _restore(self, partitions: list[int]) -> None:
        began = time.monotonic()
        remembered = await self._parts.store.load(partitions, self._parts.reader)
        bounds = await self._parts.engine.bounds([TP(self.topic, p) for p in partitions])
        for partition, held in remembered.items():
            owner, is_cold = owner_of(partition, held, self._parts.factory)
            standing = stand(partition, held, place := bounds[TP(self.topic, partition)])
            owner.go_on_at(standing.offset, place.read_by_others)
            self._parts.metrics.restored(standing, is_cold=is_cold)
            self.owners[partition] = owner
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
        if not await self._commits(offsets):
            # what Faust reads next need not be what the state needs: nothing is scored until the next rebalance
            log.error("the group refuses where the state goes on", partitions=partitions)
            self._refused_since = time.monotonic()
            for partition in partitions:
                self.owners[partition].has_failed = True

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
                await self._take(owner, batch)
            except BaseException:
                self.owners[owner.partition].has_failed = True
                raise
            self._observe(self.owners[owner.partition], batch)

    async def _take(self, owner: PartitionOwner, batch: MicroBatch) -> None:
        """Score what of a batch is new; if it breaks the pipeline, do so again with another owner, without poison."""
        try:
            for fetched in owner.fresh(batch.records, self._parts.micro_batch):
                await self.controls.apply(owner, fetched[0].offset)
                await self._score(owner, [record_of(one) for one in fetched])
            await self.controls.apply(owner, owner.next_offset)
        except PipelineError as fault:
            owner.has_failed = True
            log.exception("records broke the pipeline", place=f"{self.topic}/{owner.partition}", offsets=fault.offsets)
            async with owner.saving:  # a save under way ends before the state is read back
                await self._restore([owner.partition])
            again = self.owners[owner.partition]
            if not again.has_failed:
                await self._poison.pass_by(owner, again, fault.offsets)
                await self._take(again, batch)

    async def _score(self, owner: PartitionOwner, records: list[Record]) -> None:
        if not records:
            return
        began = time.perf_counter()
        outcome = owner.process(records, self._parts.tolerance_s)
        self._parts.metrics.batch_s.observe(time.perf_counter() - began)
        self._parts.metrics.count(outcome, len(records))
        await self._hand_over(owner, outputs_of(said_in(outcome), outcome.refusals, records, self._parts.names))
        await asyncio.sleep(0)  # lets heartbeats, commits and probes in between two micro-batches

    async def _hand_over(self, owner: PartitionOwner, outputs: list[Output]) -> None:
        for output in outputs:
            send = self._parts.engine.send(output.topic, output.key, output.value, None, output.headers)
            owner.outputs.append(await asyncio.wait_for(send, self._parts.output_timeout_s))
        if len(owner.outputs) > MOST_OUTSTANDING:
            await self._acknowledged(owner.outputs)
            owner.outputs.clear()

    def _observe(self, owner: PartitionOwner, batch: MicroBatch) -> None:
        metrics = self._parts.metrics
        metrics.fetched(batch.records, self._parts.clock())
        if owner.gap:
            log.error("records are gone before they were scored", partition=owner.partition, missing=owner.gap)
            metrics.missing.inc(owner.gap)
            owner.gap = 0
        lag = self._parts.engine.lag(batch.tp, owner.next_offset)
        if lag is not None:
            metrics.lag.labels(owner.partition).set(lag)

    # ── checkpoints ───────────────────────────────────────────────────────────

    async def checkpoint(self) -> None:
        """Make every partition durable; a failure ends the worker, a refused fence waits for the next time."""
        is_durable = True
        if self._refused_since is not None and time.monotonic() - self._refused_since > REFUSED_S:
            await self._parts.engine.crash(refused())
            return
        for owner in list(self.owners.values()):
            async with self._busy:
                snapshot = owner.snapshot() if self.owners.get(owner.partition) is owner else None
            if snapshot is None:
                is_durable &= not owner.has_failed
                continue
            try:
                is_durable &= await self._persist(owner, snapshot)
            except Exception as exc:
                log.exception("checkpoint broke off", partition=owner.partition)
                await self._parts.engine.crash(exc)
                return
        if is_durable:
            self._parts.health.checkpointed()
            self._parts.metrics.checkpoint_time.set(self._parts.clock())  # also when there was nothing to write

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
            if not owner.is_current(self._parts.engine.generation):
                return False
            try:
                return await self._steps(owner, owner.completed(snapshot))
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
        began, now = time.monotonic(), self._parts.clock()
        tp = TP(self.topic, owner.partition)
        # 1.
        if not await self._commits({tp: max(owner.manifest.offset, owner.first)}):
            owner.give_back(snapshot)
            return False
        # 2.
        await self._acknowledged(snapshot.outputs)
        # 3.
        hour = {at: when for at, when in owner.poison.items() if at < snapshot.offset and when > now - HOUR_S}
        facts = (self._parts.factory.fingerprint, hour, *snapshot[3:])
        new = Manifest(owner.manifest.epoch + 1, snapshot.offset, {}, *facts)
        save = self._parts.store.save(owner.partition, owner.manifest, new, snapshot.shards)
        owner.manifest = await asyncio.wait_for(save, self._parts.output_timeout_s)
        # 4.
        self.durable[tp] = snapshot.offset
        self._parts.metrics.saved(owner, snapshot, time.monotonic() - began)
        return True

    async def _acknowledged(self, outputs: Sequence[Awaitable[Any]]) -> None:
        if outputs:
            await asyncio.wait_for(asyncio.gather(*outputs), self._parts.output_timeout_s)
