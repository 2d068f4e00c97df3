"""A record of a low-rate topic is acknowledged after the work, and never if the work broke off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from detector.worker import app
from detector.worker.app import _acknowledging
from detector.worker.health import Health
from detector.worker.responding import Message
from detector.worker.settings import WorkerSettings
from detector.worker.watching import watch_partitions
from tests.worker.fakes import FakeEngine, settled


class FakeMessage:
    """A record as Faust hands it over."""

    topic, partition, offset, generation_id, timestamp = "g.by-tenant", 0, 7, 3, 1_700.5
    key, value, headers = b"t", b"{}", None


class FakeStream:
    """One record of a stream that acknowledges nothing by itself."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.unacked: set[Any] = set()
        self.app = SimpleNamespace(consumer=self)

    def noack(self) -> FakeStream:
        return self

    async def events(self) -> AsyncIterator[Any]:
        message = FakeMessage()
        self.unacked.add(message)
        yield SimpleNamespace(message=message, ack=self.ack)

    def ack(self) -> None:
        self.acknowledged += 1


def test_a_record_is_acknowledged_only_after_it_was_taken_care_of() -> None:
    """While the decision waits for its acknowledgements, a crash must bring the record back."""

    async def run() -> None:
        stream, done = FakeStream(), asyncio.Event()
        seen: list[tuple[str, float | None]] = []

        async def take(message: Message) -> None:
            seen.append((message.source, message.receipt))
            await done.wait()

        work = asyncio.create_task(_acknowledging(FakeEngine(), take)(stream))
        await settled()
        assert (seen, stream.acknowledged) == ([("g.by-tenant/0/7", 1_700.5)], 0)
        done.set()
        await work
        assert stream.acknowledged == 1

    asyncio.run(run())


def test_a_record_whose_work_broke_off_is_not_acknowledged_and_ends_the_worker() -> None:
    """It comes again after the restart; a processor that goes on would lose it."""
    engine, stream = FakeEngine(), FakeStream()

    async def take(message: Message) -> None:
        raise PermissionError(message.source)

    with pytest.raises(PermissionError):
        asyncio.run(_acknowledging(engine, take)(stream))
    assert stream.acknowledged == 0
    assert [type(one) for one in engine.crashes] == [PermissionError]


def test_a_record_of_another_owner_is_left_and_holds_up_no_rebalance() -> None:
    """Not acknowledged, so its next owner reads it again; not waited for, because Faust waits for what is tracked."""
    stream = FakeStream()

    async def take(message: Message) -> bool:
        assert (message.partition, message.offset, message.generation) == (0, 7, 3)
        return False

    asyncio.run(_acknowledging(FakeEngine(), take)(stream))
    assert (stream.acknowledged, stream.unacked) == (0, set())


class FakeApp:
    """An app whose topic has the widths a test says, one after the other, and that stops after them."""

    def __init__(self, widths: list[int]) -> None:
        self._widths = widths
        self.rebalancing = False
        self.consumer = self

    @property
    def should_stop(self) -> bool:
        return not self._widths

    async def sleep(self, seconds: float) -> None:
        assert seconds == 60.0

    async def width(self, topic: str) -> int:
        assert topic == "agent.events"
        return self._widths.pop(0)


@pytest.mark.parametrize(("widths", "ends"), [([4, 4, 6, 6], True), ([4, 4, 4], False), ([0, 4, 4], False)])
def test_partitions_added_to_a_running_worker_end_it_with_the_command_to_follow(widths: list[int], ends: bool) -> None:
    """A group that runs never reads them; after its restart it does."""
    engine = FakeEngine()
    asyncio.run(watch_partitions(FakeApp(widths), engine, WorkerSettings(group="g")))
    assert len(engine.crashes) == ends
    if ends:
        for topic in ("g.state", "agent.feedback"):
            assert f"--alter --topic {topic} --partitions 6" in str(engine.crashes[0])


class FakeTasks:
    """An app that keeps its tasks by name, and whose sleeps move a clock."""

    def __init__(self, seconds: float) -> None:
        self.tasks: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        self.now, self._until = 1_000.0, 1_000.0 + seconds

    @property
    def should_stop(self) -> bool:
        return self.now > self._until

    def task(self, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.tasks[getattr(body, "__name__", "")] = body

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("partitions", "lasts_s", "ends"), [(None, 300.0, True), (None, 60.0, False), (3, 300.0, False)]
)
def test_a_worker_that_gets_no_place_ends_and_says_what_to_check(
    monkeypatch: pytest.MonkeyPatch, partitions: int | None, lasts_s: float, ends: bool
) -> None:
    """Not before its time, and never while it holds partitions."""
    fake, engine = FakeTasks(lasts_s), FakeEngine()
    health = Health(5.0)
    health.partitions = partitions
    monkeypatch.setattr(app, "time", SimpleNamespace(monotonic=lambda: fake.now))
    built: Any = SimpleNamespace(engine=engine)
    parts: Any = SimpleNamespace(health=health)
    app._add_tasks(fake, built, WorkerSettings(group="g"), parts)
    asyncio.run(fake.tasks["watchdog"]())
    assert len(engine.crashes) == ends
    if ends:
        assert "check READ on the group" in str(engine.crashes[0])


def test_the_count_of_partitions_is_watched_by_a_task_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that nobody starts sees nothing."""
    fake, engine, watched = FakeTasks(1.0), FakeEngine(), []

    async def watch(*given: Any) -> None:
        watched.append(given)

    monkeypatch.setattr(app, "watch_partitions", watch)
    built: Any = SimpleNamespace(engine=engine)
    settings, parts = WorkerSettings(group="g"), SimpleNamespace(health=Health(5.0))
    app._add_tasks(fake, built, settings, parts)  # type: ignore[arg-type]
    asyncio.run(fake.tasks["partitions"]())
    assert watched == [(fake, engine, settings)]
