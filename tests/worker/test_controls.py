"""A control takes effect at a place of the input that is durable before anything depends on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from detector.schema.control import MAX_CONTROL_BYTES
from detector.schema.feedback import Release, Verdict
from detector.schema.topics import TopicNames
from detector.worker import journal
from detector.worker.checkpoint import CheckpointStore, Remembered, key_of
from detector.worker.controls import both
from detector.worker.health import Health
from detector.worker.kinds import kind_of
from detector.worker.metrics import WorkerMetrics
from detector.worker.ports import Bounds, Stage
from detector.worker.responding import Message, RespondingParts, ResponseProcessor
from detector.worker.scoring import ScoringParts, ScoringStage
from detector.worker.transport import MicroBatch
from tests.schema.cases import case
from tests.worker.fakes import FakeEngine, FakePipelines, event_bytes, fetched, settled

NAMES = TopicNames(group="g")
PLACE = TP("agent.events", 0)


class Topic(dict[bytes, bytes]):
    """The state topic; it can lose its broker at a write, before or after the write is there."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.dies_at: int | None = None
        self.is_written = True


class Killed(Exception):  # noqa: N818 - what happened, not what went wrong
    """The process ended here."""


class Store(CheckpointStore):
    """The real store over a dict instead of a topic."""

    def __init__(self, engine: FakeEngine, topic: Topic) -> None:
        async def send(name: str, key: bytes, value: bytes, partition: int) -> Awaitable[Any]:
            topic.writes += 1
            dies = topic.writes == topic.dies_at
            if not dies or topic.is_written:
                topic[key] = value
            if dies:
                raise Killed
            return await engine.send(name, key, value, partition, [])

        super().__init__("g.state", "g", key_of(None, "g"), send)
        self._topic = topic

    async def load(self, partitions: list[int], client: Mapping[str, Any]) -> dict[int, Remembered]:
        return {partition: self._verified(partition, self._topic) for partition in partitions}


def _stage(engine: FakeEngine, topic: Topic, **more: Any) -> ScoringStage:
    async def put(batch: MicroBatch) -> None:
        raise AssertionError("not used here")

    store = Store(engine, topic)
    parts = ScoringParts(
        NAMES, engine, FakePipelines(), store, WorkerMetrics(), Health(5.0), lambda: 0.0, {}, micro_batch=4, **more
    )
    return ScoringStage(parts, put)


def _batch(*offsets: int, generation: int = 1) -> MicroBatch:
    return MicroBatch(PLACE, generation, [fetched(at, event_bytes("a", at), b"a") for at in offsets])


def _verdict(offset: int = 0, generation: int = 1, partition: int = 0, agent: str = "a") -> Message:
    act = Verdict(
        agent_id=agent, by="Ada", reason="known job", at=5.0, id=f"v{offset}", finding_uid="f" * 32, verdict="dismiss"
    )
    source = f"agent.feedback/{partition}/{offset}"
    return Message(agent.encode(), act.model_dump_json().encode(), {}, source, partition, offset, generation)


def _release(offset: int) -> Message:
    act = Release(agent_id="a", by="Ada", reason="known job", at=5.0, id=f"r{offset}")
    return Message(b"a", act.model_dump_json().encode(), {}, f"agent.feedback/0/{offset}", 0, offset, 1)


def _remembered(topic: Topic) -> Remembered:
    return Store(FakeEngine(), topic)._verified(0, topic)


def _state(topic: Topic) -> dict[str, int]:
    return dict(json.loads(_remembered(topic).shards.get("agents", b"{}")))


def _alerts(engine: FakeEngine) -> list[tuple[str, float]]:
    sent = [json.loads(one.value) for one in engine.sent if one.topic == "g.by-tenant"]
    return [(one["event_id"], one["score"]) for one in sent]


def _run(scene: Callable[[FakeEngine, ScoringStage, Topic], Awaitable[None]]) -> FakeEngine:
    engine, topic = FakeEngine(), Topic()

    async def run() -> None:
        stage = _stage(engine, topic)
        await stage.take_over({0})
        await scene(engine, stage, topic)

    asyncio.run(run())
    return engine


async def _restarted(engine: FakeEngine, topic: Topic) -> ScoringStage:
    topic.dies_at = None
    engine.generation += 1
    stage = _stage(engine, topic)
    await stage.take_over({0})
    return stage


def _metrics(stage: ScoringStage) -> str:
    return generate_latest(stage._parts.metrics.registry).decode()


def test_a_verdict_is_fenced_then_journaled_then_takes_effect() -> None:
    """The fence is a commit, the entry is on the state topic, only then its output appears."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1, 2))
        engine.commits.clear()
        assert await stage.controls.take(_verdict(), is_act=True)
        assert engine.commits == [{PLACE: 0}]
        assert [one.topic for one in engine.sent] == ["g.state", "agent.alerts", "g.by-tenant"]
        (entry,) = _remembered(topic).journal
        assert (entry.input_offset, entry.control_offset, entry.sequence) == (3, 0, 0)
        assert 'detector_controls_total{kind="verdict",outcome="applied"} 1.0' in _metrics(stage)

    assert _alerts(_run(scene)) == [("a-0", 3.0)]


def test_a_verdict_waits_for_what_another_worker_may_have_told() -> None:
    """Killed behind its checkpoint it had told of events up to the end: a verdict before them would tell them anew."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        engine.log[PLACE] = Bounds(0, 3, None, read_by_others=3)
        again = await _restarted(engine, topic)
        assert await again.controls.take(_verdict(0, 2), is_act=True)
        (entry,) = _remembered(topic).journal
        assert (entry.input_offset, _alerts(engine)) == (3, [])
        await again.process(_batch(0, 1, 2, generation=2))
        assert _alerts(engine) == [("a-0", 3.0)]

    _run(scene)


def test_a_verdict_whose_entry_is_not_acknowledged_takes_no_effect() -> None:
    """Nothing may depend on a place that is not durable."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1))
        engine.refuse_topic = "g.state"
        with pytest.raises(PermissionError):
            await stage.controls.take(_verdict(), is_act=True)
        assert stage.owners[0].has_failed
        assert stage.owners[0].pipeline.gauges() == {"agents": 1.0}

    assert _alerts(_run(scene)) == []


def test_a_verdict_read_again_is_known() -> None:
    """Unacknowledged over a restart: the journal tells that it took effect."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1, 2))
        await stage.controls.take(_verdict(), is_act=True)
        assert await stage.controls.take(_verdict(), is_act=True)
        assert 'detector_controls_total{kind="verdict",outcome="repeated"} 1.0' in _metrics(stage)
        await stage.checkpoint()
        again = await _restarted(engine, topic)
        assert await again.controls.take(_verdict(0, 2), is_act=True)
        await again.make_durable()
        assert _state(topic) == {"a": 30}

    assert _alerts(_run(scene)) == [("a-0", 3.0)]


def test_a_checkpoint_contains_the_controls_that_took_effect() -> None:
    """Also where no event came: the next owner finds nothing to repeat, and reads on behind them."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1))
        await stage.checkpoint()
        await stage.controls.take(_release(4), is_act=True)
        await stage.checkpoint()
        found = _remembered(topic)
        assert (found.manifest.next_control, found.manifest.sequence, found.journal) == (5, 1, ())
        engine.commits.clear()
        await _restarted(engine, topic)
        assert {TP("agent.feedback", 0): 5} in engine.commits

    _run(scene)


@pytest.mark.parametrize("events_first", [0, 3])
@pytest.mark.parametrize("is_written", [True, False])
def test_a_kill_at_the_journal_leaves_the_control_in_one_place(events_first: int, is_written: bool) -> None:
    """Entry written or not, acknowledged to nobody: it takes effect once, where the first durable entry says."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        if events_first:
            await stage.process(_batch(*range(events_first)))
        topic.dies_at, topic.is_written = topic.writes + 1, is_written
        with pytest.raises(Killed):
            await stage.controls.take(_verdict(), is_act=True)
        again = await _restarted(engine, topic)
        # the next fetch is larger: the place must not move to its end
        await again.process(_batch(*range(6), generation=2))
        assert await again.controls.take(_verdict(0, 2), is_act=True)
        await again.make_durable()
        place = events_first if is_written else 6
        assert _state(topic) == {"a": place * 10 + 6 - place}

    _run(scene)


def test_a_kill_between_journal_and_checkpoint_sends_the_same_output_again() -> None:
    """At least once, and at the same place: after event 3, although the batch is cut elsewhere now."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1))
        await stage.checkpoint()
        await stage.process(_batch(2))
        await stage.controls.take(_verdict(7), is_act=True)
        await stage.process(_batch(3, 4))
        again = await _restarted(engine, topic)
        assert len(again.owners[0].pending) == 1
        await again.process(_batch(2, 3, 4, 5, generation=2))
        await again.make_durable()
        assert _state(topic) == {"a": 33}

    assert _alerts(_run(scene)) == [("a-7", 3.0), ("a-7", 3.0)]


def test_a_control_that_is_due_takes_effect_at_the_takeover() -> None:
    """No event has to come first; its output is not held up by a quiet partition."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1))
        await stage.checkpoint()
        await stage.controls.take(_verdict(), is_act=True)
        engine.sent.clear()
        again = await _restarted(engine, topic)
        assert _alerts(engine) == [("a-0", 2.0)]
        await again.make_durable()
        assert _state(topic) == {"a": 20}

    _run(scene)


def test_a_new_control_waits_behind_those_that_wait() -> None:
    """After a restart the input is behind: order of the controls is kept, each at its place."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1, 2))
        await stage.controls.take(_verdict(0), is_act=True)
        again = await _restarted(engine, topic)
        assert await again.controls.take(_verdict(1, 2, agent="b"), is_act=True)
        assert [entry.input_offset for entry in again.owners[0].pending] == [3, 3]
        assert 'detector_journal_pending{partition="0"} 2.0' in _metrics(again)
        engine.sent.clear()
        await again.process(_batch(0, 1, generation=2))
        await again.checkpoint()  # what waits is not in the state
        manifest = _remembered(topic).manifest
        assert (manifest.sequence, manifest.next_control) == (0, 0)
        await again.process(_batch(2, 3, generation=2))
        assert _alerts(engine) == [("a-0", 3.0), ("b-1", 0.0)]

    _run(scene)


def test_a_hole_in_the_input_does_not_hold_a_control_up() -> None:
    """Offsets may be missing: it takes effect before the first record behind its place."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1))
        await stage.controls.take(_verdict(), is_act=True)
        again = await _restarted(engine, topic)
        await again.process(_batch(0, 5, 6, generation=2))
        await again.make_durable()
        assert _state(topic) == {"a": 12}

    _run(scene)


@pytest.mark.parametrize(("partition", "generation"), [(1, 1), (0, 2), (0, 0)])
def test_a_control_of_another_owner_or_generation_is_left(partition: int, generation: int) -> None:
    """It is not acknowledged: whoever holds the partition reads it again; only one nobody here holds is a fault."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0))
        assert not await stage.controls.take(_verdict(0, generation, partition), is_act=True)
        assert topic == {}

    with capture_logs() as lines:
        assert _alerts(_run(scene)) == []
    said = [line for line in lines if "not beside its events" in line["event"]]
    assert len(said) == (partition == 1 and generation == 1)


def test_a_zombie_journals_nothing() -> None:
    """The fence is refused, a rebalance is under way: the record is left, nothing is written."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0))
        engine.refuse_commits = engine.is_moving = True
        assert not await stage.controls.take(_verdict(), is_act=True)
        assert topic == {}

    assert _alerts(_run(scene)) == []


def test_a_fence_that_only_failed_for_a_moment_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker restarts: the verdict waits and is not lost."""
    monkeypatch.setattr("detector.worker.controls.AGAIN_S", 0.0)

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0))
        engine.refuse_commits = True
        taking = asyncio.create_task(stage.controls.take(_verdict(), is_act=True))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not taking.done()
        engine.refuse_commits = False
        assert await taking

    assert _alerts(_run(scene)) == [("a-0", 1.0)]


def test_a_late_entry_of_a_zombie_does_not_displace_the_owners() -> None:
    """Stopped between fence and write: of one number the later generation's entry stands."""
    old, new = FakeEngine(), FakeEngine()
    new.generation = 3

    async def run() -> None:
        first, second = Topic(), Topic()
        for engine, topic, events in ((old, first, 1), (new, second, 4)):
            stage = _stage(engine, topic)
            await stage.take_over({0})
            await stage.process(_batch(*range(events), generation=engine.generation))
            assert await stage.controls.take(_verdict(0, engine.generation), is_act=True)
        ring, name = journal.Ring(key_of(None, "g"), "g", 0), journal.slot_of(0)
        late, owners = first[name], second[name]
        assert journal.newer(ring, name, owners, late) == owners
        assert journal.newer(ring, name, late, owners) == owners
        assert journal.newer(ring, name, None, late) == late

    asyncio.run(run())


def test_a_full_ring_waits_for_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """More verdicts than the ring holds between two checkpoints: none overwrites one that recovery needs."""
    monkeypatch.setattr("detector.worker.controls.AGAIN_S", 0.0)
    monkeypatch.setattr("detector.worker.controls.RING", 4)
    monkeypatch.setattr(journal, "RING", 4)

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0))
        for offset in range(6):
            assert await stage.controls.take(_verdict(offset, agent="b"), is_act=True)
        assert (_remembered(topic).manifest.sequence, len(_remembered(topic).journal)) == (4, 2)
        await _restarted(engine, topic)

    _run(scene)


def test_a_missing_entry_restarts_the_partition_cold_and_says_so() -> None:
    """Without it the state would be another one than the outputs came from."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1))
        await stage.checkpoint()
        for offset in range(3):
            await stage.controls.take(_verdict(offset), is_act=True)
        del topic[journal.slot_of(1)]
        assert "journal of partition 0 must go on with entry 1, got 2" in (_remembered(topic).refusal or "")
        again = await _restarted(engine, topic)
        assert again._parts.metrics.cold._value.get() == 1
        assert (again.owners[0].sequence, again.owners[0].next_offset) == (3, 2)
        assert again.owners[0].pipeline.gauges() == {"agents": 0.0}

    _run(scene)


@pytest.mark.parametrize("fault", ["damaged", "another key", "moved"])
def test_an_entry_that_cannot_be_trusted_restarts_the_partition_cold(fault: str) -> None:
    """And the numbers go on, so that the next start is clean."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1))
        await stage.checkpoint()
        await stage.controls.take(_verdict(0), is_act=True)
        name = journal.slot_of(0)
        ring = journal.Ring(key_of("other" if fault == "another key" else None, "g"), "g", 0)
        entry = _remembered(topic).journal[0]
        if fault == "damaged":
            topic[name] = topic[name][:-1] + b"x"
        elif fault == "another key":
            topic[name] = journal.seal_entry(ring, entry)
        else:
            topic[name] = journal.seal_entry(ring._replace(partition=1), entry)
        assert _remembered(topic).refusal is not None
        again = await _restarted(engine, topic)
        await again.process(_batch(2, generation=2))
        await again.controls.take(_verdict(1, 2), is_act=True)
        await again.make_durable()
        assert (_remembered(topic).refusal, _state(topic)) == (None, {"a": 10})

    _run(scene)


def test_an_entry_whose_control_was_exchanged_is_refused() -> None:
    """The digest is held against the bytes, although the envelope is in order."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.controls.take(_verdict(0), is_act=True)
        (entry,) = _remembered(topic).journal
        forged = type(entry)(entry.partition, entry.input_offset, 0, entry.digest, (entry.value or "") + " ", 0, 1)
        topic[journal.slot_of(0)] = journal.seal_entry(journal.Ring(key_of(None, "g"), "g", 0), forged)
        assert "must have the digest" in (_remembered(topic).refusal or "")

    _run(scene)


def _no_stage() -> Stage:
    raise AssertionError("no decision is asked for here")


def test_what_is_no_act_is_dead_lettered_once_and_not_journaled() -> None:
    """Broken or too large: the dead letters have it, no partition stops."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        parts = RespondingParts(NAMES, engine, _no_stage, stage._parts.metrics, Health(5.0), lambda: 0.0, {})
        take = both(ResponseProcessor(parts), stage.controls)
        for offset, value in enumerate((b'{"kind":"pardon"}', b'{"kind":"verdict"}' + b" " * MAX_CONTROL_BYTES)):
            assert await take(Message(b"a", value, {}, f"agent.feedback/0/{offset}", 0, offset, 1))
        assert topic == {}
        assert await take(_verdict(2))
        assert 'detector_controls_total{kind="other",outcome="refused"} 1.0' in _metrics(stage)

    sent = [one.topic for one in _run(scene).sent]
    assert sent == ["agent.deadletter", "agent.deadletter", "g.by-tenant", "g.state", "agent.alerts", "g.by-tenant"]


@pytest.mark.parametrize("place", [2, 3, 5, 6])
def test_a_record_that_breaks_the_pipeline_moves_no_control(place: int) -> None:
    """What is scored again to find it meets the controls at their places again."""
    records = [fetched(at, event_bytes("a", at, "poison" if at == 5 else "search"), b"a") for at in range(8)]

    async def reread(
        topic: str, partition: int, span: tuple[int, int], client: Mapping[str, Any]
    ) -> AsyncIterator[list[Any]]:
        yield records[slice(*span)]

    async def run() -> None:
        engine, topic = FakeEngine(), Topic()
        stage = _stage(engine, topic, reread=reread)
        await stage.take_over({0})
        await stage.process(MicroBatch(PLACE, 1, records[:1]))
        await stage.checkpoint()
        await stage.process(MicroBatch(PLACE, 1, records[1:place]))
        assert await stage.controls.take(_verdict(), is_act=True)
        await stage.process(MicroBatch(PLACE, 1, records[place:]))
        await stage.checkpoint()
        before = place - (place > 5)
        assert _state(topic) == {"a": before * 10 + 7 - before}
        assert (_remembered(topic).manifest.sequence, _remembered(topic).journal) == (1, ())

    with capture_logs():
        asyncio.run(run())


def test_a_feedback_topic_made_anew_is_read_from_its_beginning() -> None:
    """Its offsets begin again: none of its records is a repeat."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0))
        await stage.controls.take(_verdict(40), is_act=True)
        await stage.checkpoint()
        engine.log[TP("agent.feedback", 0)] = Bounds(0, 3, 41)
        again = await _restarted(engine, topic)
        assert await again.controls.take(_verdict(0, 2), is_act=True)
        assert (await _restarted(engine, topic)).owners[0].next_control == 1

    with capture_logs() as lines:
        assert _alerts(_run(scene)) == [("a-40", 1.0), ("a-0", 10.0), ("a-0", 10.0)]
    assert any("was it made anew?" in line["event"] for line in lines)


def test_an_entry_that_waits_for_its_acknowledgement_holds_the_control() -> None:
    """Handed over is not durable."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0))
        engine.held.add("g.state")
        taking = asyncio.create_task(stage.controls.take(_verdict(), is_act=True))
        await settled()
        assert (list(topic), _alerts(engine), taking.done()) == ([b"journal#0"], [], False)
        engine.acknowledge("g.state")
        assert await taking

    assert _alerts(_run(scene)) == [("a-0", 1.0)]


steps = st.lists(st.sampled_from(["event", "verdict", "checkpoint", "kill"]), min_size=1, max_size=24)


@given(script=steps, size=st.integers(1, 7))
@settings(max_examples=120, deadline=None)
def test_wherever_it_is_killed_the_journal_tells_what_was_done(script: list[str], size: int) -> None:
    """Crash anywhere, any number of times, refetch in other cuts: the state is that of the journal's order, once."""
    engine, topic = FakeEngine(), Topic()

    async def run() -> None:
        stage = _stage(engine, topic)
        await stage.take_over({0})
        events = controls = 0
        truth = 0
        for step in script:
            if step == "event":
                await stage.process(_batch(events, generation=engine.generation))
                events, truth = events + 1, truth + 1
            elif step == "verdict":
                assert await stage.controls.take(_verdict(controls, engine.generation), is_act=True)
                controls, truth = controls + 1, truth * 10
            elif step == "checkpoint":
                await stage.checkpoint()
            else:
                stage = await _restarted(engine, topic)
                for at in range(0, events, size):
                    await stage.process(_batch(*range(at, min(at + size, events)), generation=engine.generation))
                for offset in range(controls):
                    assert await stage.controls.take(_verdict(offset, engine.generation), is_act=True)
        await stage.make_durable()
        assert _state(topic).get("a", 0) == truth

    asyncio.run(run())


def test_the_number_after_an_entry_that_claims_none_is_the_first() -> None:
    """A stub is passed over; it neither takes a number nor makes a hole."""
    assert journal.next_number({}) == 0
    assert journal.next_number({journal.PREFIX + b"0": b"stub"}) == 0


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (_verdict().value, "verdict"),
        (case(["f" * 32]), "closing"),
        (b'{"class_uid":2004}', "other"),
        (b'{"kind":"x"}', "other"),
        (b"{", "other"),
        (b'{"kind":"verdict","x":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "other"),
    ],
)
def test_controls_are_counted_by_kind(value: bytes, kind: str) -> None:
    """Kinds are ours: what a record says otherwise makes no series of its own."""
    assert kind_of(value) == kind
