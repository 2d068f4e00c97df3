"""Micro-batches per partition: records of the event topic leave Faust's per-event path right after the fetch.

Stock Faust costs 80-90 us of Python for each record; this costs 3-4 us. What is replaced, all on the transport's
``Consumer`` class, the documented extension point:

``_wait_next_records``
    takes the fetched records of the batch topic out and delivers them as one :class:`MicroBatch` per partition;
``wait_empty``
    "finish what was started": also makes the scoring stage durable; Faust calls it on revoke and on stop;
``_filter_tps_with_pending_acks``, ``_new_offset``
    what may be committed of the batch topic is what the scoring stage says is durable;
``verify_event_path``
    the stock stall detector looks at per-event sensors, which a batch topic does not feed;
``on_partitions_revoked``, ``on_partitions_assigned``, ``close`` of its thread
    a rebalance while the worker stops neither joins again nor closes the client under those who still use it.

Group membership, rebalance, the commit loop and all other topics stay stock. A test holds the private names to the
pinned version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from detector.worker.ports import Bounds


class MicroBatch(NamedTuple):
    """All records one fetch brought for one partition.

    Attributes
    ----------
    tp : TP
        Topic and partition.
    generation : int
        Generation of the group in which they were fetched; of another one they are dropped and fetched again.
    records : list
        aiokafka's ConsumerRecord.
    """

    tp: TP
    generation: int
    records: list[Any]


class BatchSink(Protocol):
    """What takes the micro-batches; the app carries it as ``app.batch_sink``."""

    topic: str
    durable: dict[TP, int]

    async def deliver(self, batch: MicroBatch) -> None:
        """Take a batch; may wait when too much is waiting."""

    async def make_durable(self) -> None:
        """Return once all that was processed is durable, or given up."""


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The stock consumer thread with the fetch wait from the settings, and a stop that a rebalance does not break.

    A worker that stops makes its state durable and leaves the group then. Stock Faust, when a rebalance comes between,
    closes the client from another loop: whoever still asks it something waits for ever, and the group is not left.
    """

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ANN401
        consumer = super()._create_worker_consumer(transport)
        # Faust fixes 1500 ms: harmless on Kafka, which answers at the first byte; the embedded broker waits it out
        consumer._fetch_max_wait_ms = cast("Any", self.app).fetch_max_wait_ms  # noqa: SLF001
        return consumer

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Hand a revocation on; a worker that stops does not join again instead, and heartbeats go on until it left.

        Raises
        ------
        asyncio.CancelledError
            The worker stops: this ends aiokafka's coordination, which awaits it. Not once the closing has begun: that
            awaits the coordination in turn, and would break off with it.
        """
        if not self._is_stopping:
            await super().on_partitions_revoked(revoked)
        # also if the stop came meanwhile: what is joined after it would be waited for, as long as the slowest member is
        if self._is_stopping and not self._ensure_consumer()._coordinator._closing.done():  # noqa: SLF001
            raise asyncio.CancelledError

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Hand an assignment on, unless the worker stops: then nothing is begun with it."""
        if not self._is_stopping:
            await super().on_partitions_assigned(assigned, generation_id)

    @property
    def _is_stopping(self) -> bool:
        return bool(cast("Any", self.app).should_stop)

    def close(self) -> None:
        """Do nothing: the orderly stop closes the client, in the loop it lives in."""


class BatchConsumer(driver.Consumer):
    """The stock consumer, except that the batch topic's records go to the app's batch sink."""

    @property
    def _sink(self) -> BatchSink:
        sink: BatchSink = cast("Any", self.app).batch_sink
        return sink

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:  # noqa: ASYNC109 - Faust's signature
        records, active = await super()._wait_next_records(timeout)
        if not records or not self.flow_active or self.should_stop:
            return records, active
        sink = self._sink
        generation = self.app.consumer_generation_id
        rest: dict[Any, list[Any]] = {}
        for place, fetched in records.items():
            if place.topic != sink.topic:
                rest[place] = fetched
            elif not await self._deliver(MicroBatch(ensure_TP(place), generation, fetched), active):
                break
        return rest, active

    async def _deliver(self, batch: MicroBatch, active: Any) -> bool:  # noqa: ANN401
        if not self.flow_active or batch.generation != self.app.consumer_generation_id:
            return False  # a rebalance began: these are fetched again after the seek
        if active is not None and batch.tp not in active:
            return True

        async def put() -> None:
            try:
                await self._sink.deliver(batch)
            except asyncio.CancelledError:
                if self.flow_active:
                    raise

        # a full sink must not keep the worker from following a rebalance
        await self.wait_first(put(), self.suspend_flow.wait())
        if self.suspend_flow.is_set():
            return False
        self._read_offset[batch.tp] = batch.records[-1].offset
        return True

    async def wait_empty(self) -> None:
        """Return once everything started is finished and durable."""
        await self._sink.make_durable()
        await super().wait_empty()

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:  # noqa: ANN401
        yield from super()._filter_tps_with_pending_acks(topics)
        for tp in list(self._sink.durable):
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic == self._sink.topic:
            durable: int | None = self._sink.durable.get(tp)
            return durable
        offset: int | None = super()._new_offset(tp)
        return offset

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave the batch topic out of the stock stall detector."""
        if tp.topic != self._sink.topic:
            super().verify_event_path(now, tp)

    async def commit_checked(self, offsets: Mapping[TP, int], within_s: float) -> None:
        """Commit offsets in a way that tells: the broker checks member and generation.

        Raises
        ------
        Exception
            Whatever aiokafka raises when the group no longer accepts commits of this member; TimeoutError.
        """
        from aiokafka import TopicPartition
        from aiokafka.structs import OffsetAndMetadata

        thread = self._thread
        wanted = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        commit = thread.call_thread(thread._ensure_consumer().commit, wanted)  # noqa: SLF001
        await asyncio.wait_for(commit, within_s)

    async def bounds(self, places: Sequence[TP]) -> dict[TP, Bounds]:
        """Return where partitions begin and end, and where the group stands."""
        thread = self._thread
        return dict(await thread.call_thread(_bounds, thread._ensure_consumer(), places))  # noqa: SLF001

    async def read_on(self, place: TP, offset: int) -> None:
        """Read a partition on from an offset, in the thread that reads."""
        thread = self._thread
        await thread.call_thread(_seek, thread._ensure_consumer(), place, offset)  # noqa: SLF001
        self._read_offset[place] = offset or None

    async def width(self, topic: str) -> int:
        """Return how many partitions a topic has now."""
        thread = self._thread
        return int(await thread.call_thread(_width, thread._ensure_consumer(), topic))  # noqa: SLF001


async def _width(consumer: Any, topic: str) -> int:  # noqa: ANN401 - aiokafka's
    await consumer._client.force_metadata_update()  # noqa: SLF001 - else it is up to five minutes old
    return len(consumer.partitions_for_topic(topic) or ())


async def _seek(consumer: Any, place: TP, offset: int) -> None:  # noqa: ANN401 - aiokafka's
    from aiokafka import TopicPartition

    consumer.seek(TopicPartition(*place), offset)


async def _bounds(consumer: Any, places: Sequence[TP]) -> dict[TP, Bounds]:  # noqa: ANN401 - aiokafka's
    from aiokafka import TopicPartition

    wanted = [TopicPartition(*place) for place in places]
    begins, ends = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
    return {TP(*one): Bounds(begins[one], ends[one], await consumer.committed(one), ends[one]) for one in wanted}


class DurableProducer(driver.Producer):
    """The stock producer, idempotent and waiting for all replicas (stock: only under exactly_once)."""

    def _settings_extra(self) -> dict[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class BatchTransport(driver.Transport):
    """aiokafka's transport with micro-batches and a durable producer."""

    Consumer = BatchConsumer
    Producer = DurableProducer


def partitions_of(assignment: Iterable[TP], topic: str) -> set[int]:
    """Return the partitions of one topic in an assignment."""
    return {tp.partition for tp in assignment if tp.topic == topic}
