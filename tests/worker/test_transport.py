"""What we replace of Faust is still there, under the pinned version."""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import codec
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.transport import consumer as stock
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from detector.worker.transport import (
    BatchConsumer,
    BatchConsumerThread,
    BatchTransport,
    DurableProducer,
    MicroBatch,
    partitions_of,
)


def test_the_pinned_faust_is_the_one_installed() -> None:
    """The private names below were read in this version; another one needs another look."""
    assert version("faust-streaming") == "0.15.3"


@pytest.mark.parametrize("kind", ["gzip", "snappy", "lz4", "zstd"])
def test_the_worker_reads_what_any_producer_compresses(kind: str) -> None:
    """A producer chooses, so one codec that is missing stops every worker that gets the record."""
    assert getattr(codec, f"has_{kind}")()
    packed, unpack = getattr(codec, f"{kind}_encode")(b"events" * 100), getattr(codec, f"{kind}_decode")
    assert bytes(unpack(packed)) == b"events" * 100


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (stock.Consumer, "_wait_next_records", ["self", "timeout"]),
        (stock.Consumer, "wait_empty", ["self"]),
        (stock.Consumer, "_filter_tps_with_pending_acks", ["self", "topics"]),
        (stock.Consumer, "_new_offset", ["self", "tp"]),
        (driver.Consumer, "_new_consumer_thread", ["self"]),
        (driver.AIOKafkaConsumerThread, "_create_worker_consumer", ["self", "transport"]),
        (driver.AIOKafkaConsumerThread, "_ensure_consumer", ["self"]),
        (driver.AIOKafkaConsumerThread, "close", ["self"]),
        (driver.AIOKafkaConsumerThread, "on_partitions_revoked", ["self", "revoked"]),
        (driver.AIOKafkaConsumerThread, "on_partitions_assigned", ["self", "assigned", "generation_id"]),
        (driver.Producer, "_settings_extra", ["self"]),
    ],
)
def test_what_we_replace_still_has_its_face(owner: Any, name: str, parameters: list[str]) -> None:
    """Each overridden private method exists with the parameters we override it with."""
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_the_transport_makes_our_consumer_and_a_durable_producer() -> None:
    """Faust asks the transport for both classes."""
    assert (BatchTransport.Consumer, BatchTransport.Producer) == (BatchConsumer, DurableProducer)
    assert DurableProducer._settings_extra(object.__new__(DurableProducer)) == {
        "acks": "all",
        "enable_idempotence": True,
    }


def _thread(told: list[set[TP]], *, should_stop: bool, closes: bool = False) -> Any:
    """Return a bare consumer thread whose consumer writes down what it is told of rebalances."""

    async def tell(_: Any, places: set[TP], *__: Any) -> None:
        told.append(places)

    thread: Any = object.__new__(BatchConsumerThread)
    thread.app = SimpleNamespace(should_stop=should_stop)
    thread.consumer = SimpleNamespace(threadsafe_partitions_revoked=tell, threadsafe_partitions_assigned=tell)
    thread.thread_loop = None
    coordinator = SimpleNamespace(_closing=SimpleNamespace(done=lambda: closes))
    thread._consumer = SimpleNamespace(_closed=False, _coordinator=coordinator)
    return thread


def test_a_rebalance_is_handed_on_while_the_worker_works() -> None:
    """What was revoked, and what was assigned, reaches the main thread."""
    told: list[set[TP]] = []
    thread, places = _thread(told, should_stop=False), {TP("agent.events", 1)}
    asyncio.run(thread.on_partitions_revoked(places))
    asyncio.run(thread.on_partitions_assigned(places, 4))
    assert told == [places, places]


def test_a_worker_that_stops_does_not_join_again() -> None:
    """Coordination ends with the cancellation; nobody is told, and nothing of the client is closed from outside."""
    told: list[set[TP]] = []
    thread, places = _thread(told, should_stop=True), {TP("agent.events", 1)}
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(thread.on_partitions_revoked(places))
    asyncio.run(thread.on_partitions_assigned(places, 4))
    thread.close()
    assert told == []
    assert not thread._consumer._closed


def test_a_worker_told_to_stop_while_it_gives_up_partitions_does_not_join_either() -> None:
    """The stop may come while the main thread is told."""
    told: list[set[TP]] = []
    thread, places = _thread(told, should_stop=False), {TP("agent.events", 1)}

    async def tell(_: Any, places: set[TP]) -> None:
        told.append(places)
        thread.app.should_stop = True

    thread.consumer.threadsafe_partitions_revoked = tell
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(thread.on_partitions_revoked(places))
    assert told == [places]


def test_a_rebalance_does_not_break_off_the_closing_that_awaits_it() -> None:
    """Once the client closes, a revocation that was on its way returns."""
    told: list[set[TP]] = []
    asyncio.run(_thread(told, should_stop=True, closes=True).on_partitions_revoked({TP("agent.events", 1)}))
    assert told == []


def test_aiokafka_awaits_its_coordination_when_it_closes() -> None:
    """The names the thread relies on: a future that says so, and a task that is awaited unless it is done."""
    source = inspect.getsource(GroupCoordinator.close)
    assert source.index("_closing.set_result") < source.index("if not self._coordination_task.done()")


def _consumer(delivered: list[MicroBatch]) -> Any:
    """Return a bare consumer with just what the fetch path reads."""

    async def deliver(batch: MicroBatch) -> None:
        delivered.append(batch)

    sink = SimpleNamespace(topic="agent.events", durable={TP("agent.events", 1): 7}, deliver=deliver)
    consumer: Any = object.__new__(BatchConsumer)
    consumer.app = SimpleNamespace(batch_sink=sink, consumer_generation_id=3)
    consumer.flow_active = True
    consumer._stopped = consumer._crashed = asyncio.Event()
    consumer.suspend_flow = asyncio.Event()
    consumer._read_offset = {}

    async def wait_first(*waiting: Any) -> None:
        await waiting[0]
        waiting[1].close()

    consumer.wait_first = wait_first
    return consumer


def test_fetched_records_of_the_batch_topic_leave_the_per_event_path() -> None:
    """One partition's records are one delivery; the read offset follows."""
    delivered: list[MicroBatch] = []
    records = [SimpleNamespace(offset=4), SimpleNamespace(offset=5)]
    place = TP("agent.events", 1)

    async def run() -> None:
        consumer = _consumer(delivered)
        assert await consumer._deliver(MicroBatch(place, 3, records), {place})
        assert consumer._read_offset == {place: 5}

    asyncio.run(run())
    assert delivered == [MicroBatch(place, 3, records)]


def test_records_of_an_old_generation_are_not_delivered() -> None:
    """They are fetched again after the seek."""
    delivered: list[MicroBatch] = []

    async def run() -> None:
        assert not await _consumer(delivered)._deliver(MicroBatch(TP("agent.events", 1), 2, []), None)

    asyncio.run(run())
    assert delivered == []


def test_a_rebalance_while_the_sink_is_full_leaves_the_read_offset_where_it_was() -> None:
    """What was not taken is fetched again after the seek; an offset that moved would skip it."""

    async def run() -> None:
        consumer = _consumer([])
        taken = asyncio.Event()

        async def deliver(batch: MicroBatch) -> None:
            await taken.wait()

        async def wait_first(put: Any, suspended: Any) -> None:
            tasks = [asyncio.ensure_future(put), asyncio.ensure_future(suspended)]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        consumer.app.batch_sink.deliver, consumer.wait_first = deliver, wait_first
        batch = MicroBatch(TP("agent.events", 1), 3, [SimpleNamespace(offset=4)])
        delivering = asyncio.create_task(consumer._deliver(batch, None))
        await asyncio.sleep(0)
        consumer.flow_active = False
        consumer.suspend_flow.set()
        assert not await delivering
        assert consumer._read_offset == {}

    asyncio.run(run())


def test_only_what_is_durable_may_be_committed_of_the_batch_topic() -> None:
    """The commit loop asks; the scoring stage answers."""

    async def run() -> None:
        consumer = _consumer([])
        assert consumer._new_offset(TP("agent.events", 1)) == 7
        assert consumer._new_offset(TP("agent.events", 0)) is None

    asyncio.run(run())


def test_partitions_of_one_topic_are_told_from_the_others() -> None:
    """An assignment covers several topics."""
    assert partitions_of([TP("a", 0), TP("b", 1), TP("a", 2)], "a") == {0, 2}


def _fetching(monkeypatch: pytest.MonkeyPatch, records: dict[Any, Any], active: Any) -> None:
    async def fetch(consumer: Any, timeout: float) -> tuple[Any, Any]:  # noqa: ASYNC109 - Faust's signature
        return records, active

    monkeypatch.setattr(stock.Consumer, "_wait_next_records", fetch)


def test_records_of_other_topics_go_the_stock_way_whatever_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the topic of the events is delivered in batches."""
    delivered: list[MicroBatch] = []
    records = [SimpleNamespace(offset=4)]
    events, early, late = (TP(name, 1) for name in ("agent.events", "a", "z"))

    async def run() -> dict[Any, Any]:
        rest, _ = await _consumer(delivered)._wait_next_records(1.0)
        return dict(rest)

    _fetching(monkeypatch, {early: records, events: records, late: records}, {events})

    assert asyncio.run(run()) == {early: records, late: records}
    assert [batch.tp for batch in delivered] == [events]


def test_nothing_is_delivered_while_the_flow_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fetched before a rebalance is handed back untouched."""
    place, delivered = TP("agent.events", 1), list[MicroBatch]()

    async def run() -> tuple[Any, Any]:
        consumer = _consumer(delivered)
        consumer.flow_active = False
        return cast("tuple[Any, Any]", await consumer._wait_next_records(1.0))

    _fetching(monkeypatch, {place: [SimpleNamespace(offset=4)]}, None)
    assert list(asyncio.run(run())[0]) == [place]
    assert delivered == []


@pytest.mark.parametrize(
    ("topics", "found"),
    [(None, True), ({TP("agent.events", 1)}, True), ({"agent.events"}, True), ({"other"}, False), (set(), False)],
)
def test_a_commit_of_some_topics_asks_for_what_is_durable_of_those(topics: Any, found: bool) -> None:
    """All of them if none is named."""
    consumer = _consumer([])
    consumer._acked = {}
    assert (TP("agent.events", 1) in list(consumer._filter_tps_with_pending_acks(topics))) == found
