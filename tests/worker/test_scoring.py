"""The scoring stage keeps state, outputs and offset together, whatever breaks off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import generate_latest

from detector.schema.topics import TopicNames
from detector.worker import scoring
from detector.worker.checkpoint import CheckpointStore, Remembered, key_of
from detector.worker.health import Health
from detector.worker.metrics import WorkerMetrics
from detector.worker.scoring import ScoringParts, ScoringStage
from detector.worker.transport import MicroBatch
from tests.worker.fakes import FakeEngine, FakePipelines, event_bytes, fetched, settled

NAMES = TopicNames(group="g")
PLACE = TP("agent.events", 0)


class MemoryStore(CheckpointStore):
    """The real store over a list instead of a topic."""

    def __init__(self, engine: FakeEngine, topic: dict[bytes, bytes]) -> None:
        async def send(name: str, key: bytes, value: bytes, partition: int) -> Awaitable[Any]:
            acknowledgement = await engine.send(name, key, value, partition, [])
            if not engine.fail_acknowledgements:
                topic[key] = value
            return acknowledgement

        super().__init__("g.state", "g", key_of(None, "g"), send)
        self._topic = topic

    async def load(self, partitions: list[int], client: Mapping[str, Any]) -> dict[int, Remembered]:
        return {partition: self._verified(partition, self._topic) for partition in partitions}


def _stage(engine: FakeEngine, topic: dict[bytes, bytes], **more: Any) -> ScoringStage:
    async def put(batch: MicroBatch) -> None:
        raise AssertionError("not used here")

    store = MemoryStore(engine, topic)
    parts = ScoringParts(
        NAMES,
        engine,
        FakePipelines(),
        store,
        WorkerMetrics(),
        Health(5.0),
        lambda: 1_767_225_600.0,
        {},
        **{"micro_batch": 4, **more},
    )
    return ScoringStage(parts, put)


def _batch(*offsets: int, name: str = "search", generation: int = 1) -> MicroBatch:
    return MicroBatch(PLACE, generation, [fetched(o, event_bytes("a", o, name), b"a") for o in offsets])


def _run(scene: Callable[[FakeEngine, ScoringStage, dict[bytes, bytes]], Awaitable[None]]) -> FakeEngine:
    engine = FakeEngine()
    topic: dict[bytes, bytes] = {}

    async def run() -> None:
        stage = _stage(engine, topic)
        await stage.take_over({0})
        await scene(engine, stage, topic)

    asyncio.run(run())
    return engine


def _remembered(engine: FakeEngine, topic: dict[bytes, bytes]) -> tuple[int, dict[str, int]]:
    held = MemoryStore(engine, topic)._verified(0, topic)
    return held.manifest.offset, json.loads(held.shards.get("agents", b"{}"))


def test_an_alert_goes_to_the_soc_and_to_its_tenant() -> None:
    """One alert is two records: OCSF keyed by agent, and whole keyed by tenant."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        await stage.process(_batch(0, name="bad"))

    sent = _run(scene).sent
    assert [(one.topic, one.key) for one in sent] == [("agent.alerts", b"a"), ("g.by-tenant", b"default")]
    assert json.loads(sent[0].value)["class_uid"] == 2004
    assert json.loads(sent[1].value)["agent_id"] == "a"


def test_a_refused_record_becomes_a_dead_letter_and_is_scored_as_its_key_s_act() -> None:
    """Bytes, reason and place are kept, and whether it was scored; a record of nobody is refused and no more."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        records = [fetched(5, event_bytes("a", 1), b"a"), fetched(6, b"{broken", b"k"), fetched(7, None, None)]
        await stage.process(MicroBatch(PLACE, 1, records))
        assert stage.owners[0].pipeline.gauges() == {"agents": 2.0}
        told = generate_latest(stage._parts.metrics.registry).decode()
        for line in (
            "detector_lines_total 3.0",
            "detector_events_total 2.0",
            'detector_refused_total{reason="not_json"} 1.0',
            'detector_refused_total{reason="empty"} 1.0',
            'detector_refused_scored_total{reason="not_json"} 1.0',
        ):
            assert line in told
        assert 'detector_refused_scored_total{reason="empty"}' not in told

    sent = _run(scene).sent
    assert [(one.topic, one.key, one.value) for one in sent] == [
        ("agent.deadletter", b"k", b"{broken"),
        ("agent.deadletter", None, b""),
    ]
    headers = dict(sent[0].headers)
    assert (headers["reason"], headers["scored"], dict(sent[1].headers)["scored"]) == (b"not_json", b"true", b"false")
    assert (headers["topic"], headers["partition"], headers["offset"]) == (b"agent.events", b"0", b"6")


def test_a_checkpoint_makes_the_offset_committable_after_outputs_and_state() -> None:
    """Nothing is durable before the checkpoint; afterwards state and offset agree."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        await stage.process(_batch(0, 1, 2, 3, 4, 5))
        assert stage.durable == {}
        await stage.checkpoint()
        assert stage.durable == {PLACE: 6}
        assert _remembered(engine, topic) == (6, {"a": 6})

    engine = _run(scene)
    assert engine.commits == [{PLACE: 0}]  # the fence: what was durable before


def test_records_the_state_contains_are_skipped() -> None:
    """After a restart the fetch begins earlier than the state: nothing counts twice."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        await stage.process(_batch(0, 1, 2))
        await stage.make_durable()
        again = _stage(engine, topic)
        await again.take_over({0})
        await again.process(_batch(0, 1, 2, 3, 4))
        await again.process(_batch(3, 4, 5))
        await again.make_durable()
        assert _remembered(engine, topic) == (6, {"a": 6})

    _run(scene)


@pytest.mark.parametrize("what", ["send", "acknowledgement", "state"])
def test_nothing_is_written_after_something_broke_off(what: str) -> None:
    """A refused output or save leaves memory ahead: neither a crash nor a rebalance may write it."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        await stage.process(_batch(0, 1))
        await stage.checkpoint()
        durable = dict(topic)
        if what == "send":
            engine.refuse_topic = "agent.alerts"
            with pytest.raises(PermissionError):
                await stage.process(_batch(2, name="bad"))
        else:
            engine.fail_acknowledgements = True
            await stage.process(_batch(2, name="bad" if what == "acknowledgement" else "search"))
            await stage.checkpoint()
            assert engine.crashes
        engine.refuse_topic, engine.fail_acknowledgements = None, False
        await stage.process(_batch(3))  # dropped: it is fetched again after the restart
        await stage.make_durable()
        await stage.checkpoint()
        assert topic == durable
        assert stage.durable == {PLACE: 2}

    _run(scene)


def test_a_refused_fence_writes_nothing_and_loses_nothing() -> None:
    """A zombie's checkpoint is given up; if it was only a broker's restart, the next one contains it."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        await stage.process(_batch(0, 1))
        engine.refuse_commits = True
        await stage.checkpoint()
        assert topic == {}
        assert not engine.crashes
        engine.refuse_commits = False
        await stage.checkpoint()
        assert _remembered(engine, topic) == (2, {"a": 2})

    _run(scene)


def test_a_batch_of_an_old_generation_is_dropped() -> None:
    """What was fetched before a rebalance is fetched again after it."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        engine.generation = 2
        await stage.process(_batch(0, 1, generation=1))
        assert stage.owners[0].next_offset == 0

    _run(scene)


@pytest.mark.parametrize(("later", "is_kept"), [(2, True), (3, False)])
def test_memory_is_kept_over_the_very_next_generation_only(later: int, is_kept: bool) -> None:
    """Whoever missed a generation cannot know whether another owner went on."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        before = stage.owners[0]
        engine.generation = later
        await stage.take_over({0})
        assert (stage.owners[0] is before) == is_kept

    _run(scene)


@pytest.mark.parametrize(("later", "is_written"), [(2, True), (3, False)])
def test_state_that_missed_a_generation_is_not_written(later: int, is_written: bool) -> None:
    """A second rebalance may come before the first was followed; the fence asks whose the partition is, not since when.

    Neither what a stop makes durable nor a checkpoint may go over what an owner in between has written.
    """

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        await stage.process(_batch(0))
        before = dict(topic)
        engine.generation = later
        await stage.make_durable()
        await stage.checkpoint()
        assert (topic != before) == is_written

    _run(scene)


def test_a_partition_given_up_is_forgotten() -> None:
    """Neither state, nor committable offset, nor metric stays of it."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        await stage.process(_batch(0))
        await stage.checkpoint()
        await stage.take_over(set())
        assert (stage.owners, stage.durable) == ({}, {})
        series = [one.labels for family in stage._parts.metrics.registry.collect() for one in family.samples]
        assert not [labels for labels in series if labels.get("partition") == "0"]

    _run(scene)


def test_state_of_another_profile_is_not_continued() -> None:
    """It restarts cold at the same offset, says so, and its next checkpoint is whole again."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        await stage.process(_batch(0, 1))
        await stage.make_durable()
        other = _stage(engine, topic)
        other._parts.factory.fingerprint = "fake/v2"  # type: ignore[misc]  # the fake's is a plain attribute
        await other.take_over({0})
        assert other._parts.metrics.cold._value.get() == 1
        await other.process(_batch(2, 3))
        await other.make_durable()
        assert _remembered(engine, topic) == (4, {"a": 2})

    _run(scene)


def test_no_metric_series_grows_with_agents() -> None:
    """Ten agents and a thousand make the same series."""

    def series(agents: int) -> int:
        counted: list[int] = []

        async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
            records = [fetched(n, event_bytes(f"a{n}", n, "bad"), f"a{n}".encode()) for n in range(agents)]
            await stage.process(MicroBatch(PLACE, 1, records))
            await stage.checkpoint()
            counted.append(sum(len(family.samples) for family in stage._parts.metrics.registry.collect()))

        _run(scene)
        return counted[0]

    assert series(10) == series(1_000)


def test_without_a_checkpoint_reading_begins_where_the_group_stands() -> None:
    """Nothing is remembered, so nothing is committed over what the group knows."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        assert engine.commits == []
        assert (stage.owners[0].next_offset, stage.owners[0].manifest.epoch) == (0, 0)
        await stage.process(_batch(0, 1))
        await stage.make_durable()
        await _stage(engine, topic).take_over({0})

    assert _run(scene).commits == [{PLACE: 0}, {PLACE: 2}]  # the fence, and where the restored state goes on


def test_state_is_written_only_after_the_outputs_were_acknowledged() -> None:
    """A crash in between would leave an offset past an alert nobody has."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        engine.held = {"agent.alerts"}
        await stage.process(_batch(0, name="bad"))
        saving = asyncio.create_task(stage.checkpoint())
        await settled()
        assert engine.keys("g.state") == []
        engine.acknowledge("agent.alerts")
        await saving
        assert stage.durable == {PLACE: 1}

    _run(scene)


def test_the_manifest_is_written_only_after_its_shards_were_acknowledged() -> None:
    """It names them: one that is missing would cost the whole state."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        engine.held = {"g.state"}
        await stage.process(_batch(0))
        saving = asyncio.create_task(stage.checkpoint())
        await settled()
        assert engine.keys("g.state") == [b"agents#0"]
        engine.acknowledge("g.state")
        await settled()
        assert engine.keys("g.state") == [b"agents#0", b"manifest"]
        assert stage.durable == {}
        engine.acknowledge("g.state")
        await saving
        assert stage.durable == {PLACE: 1}

    _run(scene)


def test_outputs_of_a_refused_checkpoint_are_awaited_by_the_next() -> None:
    """What the group refused once is not forgotten: the state waits for those alerts too."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        engine.held = {"agent.alerts"}
        await stage.process(_batch(0, name="bad"))
        engine.refuse_commits = True
        await stage.checkpoint()
        engine.refuse_commits = False
        await stage.process(_batch(1))
        saving = asyncio.create_task(stage.checkpoint())
        await settled()
        assert engine.keys("g.state") == []
        engine.acknowledge("agent.alerts")
        await saving
        assert _remembered(engine, topic) == (2, {"a": 2})

    _run(scene)


@pytest.mark.parametrize("is_second_refused", [False, True])
def test_a_refused_checkpoint_is_part_of_one_that_waits_behind_it(is_second_refused: bool) -> None:
    """A rebalance makes its own while the first still asks the group: newer shards win, no output is left out."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        engine.held, engine.refuse_commits, engine.slow_commits = {"agent.alerts"}, True, asyncio.Event()
        await stage.process(_batch(0, name="bad"))
        first = asyncio.create_task(stage.checkpoint())
        await settled()
        await stage.process(_batch(1))
        second = asyncio.create_task(stage.make_durable())
        await settled()
        engine.refuse_commits = is_second_refused
        engine.slow_commits.set()
        await first
        await settled()
        assert engine.keys("g.state") == []
        engine.refuse_commits = False
        engine.acknowledge("agent.alerts")
        await second
        await stage.checkpoint()
        assert _remembered(engine, topic) == (2, {"a": 2})

    _run(scene)


def test_a_failed_partition_is_read_back_at_a_rebalance() -> None:
    """Memory ahead of what is durable is not kept, though the worker never left the group."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        await stage.process(_batch(0, 1))
        await stage.checkpoint()
        engine.refuse_topic = "agent.alerts"
        with pytest.raises(PermissionError):
            await stage.process(_batch(2, name="bad"))
        engine.refuse_topic, engine.generation = None, 2
        await stage.take_over({0})
        assert stage.owners[0].next_offset == 2
        await stage.process(_batch(2, name="bad", generation=2))
        await stage.checkpoint()
        assert _remembered(engine, topic) == (3, {"a": 3})

    _run(scene)


@pytest.mark.parametrize("what", ["make_durable", "checkpoint", "take_over"])
def test_nothing_slips_between_a_batch_and_its_outputs(what: str) -> None:
    """While the producer is full the state is ahead of its outputs: no snapshot, no new owner, until they are out."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        engine.full = asyncio.Event()
        scoring = asyncio.create_task(stage.process(_batch(0, name="bad")))
        await settled()
        before = stage.owners[0]
        assert before.next_offset == 1
        if what == "take_over":
            slipping = asyncio.create_task(stage.take_over(set()))
        else:
            slipping = asyncio.create_task(getattr(stage, what)())
        await settled()
        assert not engine.commits
        assert stage.owners[0] is before
        engine.full.set()
        await asyncio.gather(scoring, slipping)
        assert len(engine.keys("agent.alerts")) == 1

    _run(scene)


@pytest.mark.parametrize("is_refused", [False, True])
def test_an_idle_worker_is_not_stale(is_refused: bool) -> None:
    """Nothing to write is durable too; what the group refuses is not."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        gauge = stage._parts.metrics.checkpoint_time
        assert gauge._value.get() == 1_767_225_600.0  # from the restore on
        gauge.set(0)
        if is_refused:
            engine.refuse_commits = True
            await stage.process(_batch(0))
        await stage.checkpoint()
        assert gauge._value.get() == (0 if is_refused else 1_767_225_600.0)

    _run(scene)


def test_outputs_that_pile_up_are_awaited_before_more_are_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A storm of alerts fills no memory: past the limit a batch ends only with every output acknowledged."""
    monkeypatch.setattr(scoring, "MOST_OUTSTANDING", 3)

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: dict[bytes, bytes]) -> None:
        engine.held = {"agent.alerts", "g.by-tenant"}
        await stage.process(_batch(0, name="bad"))  # two outputs: within the limit
        storm = asyncio.ensure_future(stage.process(_batch(1, name="bad")))
        await settled()
        assert not storm.done()
        assert len(stage.owners[0].outputs) == 4
        for name in engine.held:
            engine.acknowledge(name)
        await storm
        assert stage.owners[0].outputs == []

    _run(scene)
