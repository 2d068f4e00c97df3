"""Records of the registry: what is read together is one entry of the journal, and takes effect where it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from faust.types import TP
from structlog.testing import capture_logs

from detector.schema.declaration import MOST_BYTES, unpack_declarations
from detector.schema.registry import MAX_ENTRY_BYTES
from detector.worker.declarations import Declarations, gathered
from detector.worker.ports import Bounds
from detector.worker.responding import Message
from detector.worker.scoring import ScoringStage
from tests.worker.fakes import FakeEngine
from tests.worker.test_controls import (
    PLACE,
    Killed,
    Topic,
    _batch,
    _metrics,
    _remembered,
    _restarted,
    _run,
    _state,
    _verdict,
)

REGISTRY = TP("agent.registry", 0)


def _entry(offset: int, agent: str = "a", generation: int = 1, **more: Any) -> Message:
    value = json.dumps({"agent_id": agent, "revision": offset + 1, **more}).encode()
    return _message(offset, agent.encode(), value, generation)


def _message(offset: int, key: bytes | None, value: bytes, generation: int = 1, partition: int = 0) -> Message:
    return Message(key, value, {}, f"agent.registry/{partition}/{offset}", partition, offset, generation)


async def _take(stage: ScoringStage, *messages: Message) -> list[bool]:
    return await Declarations(stage.controls).take(messages)


def _offsets(topic: Topic) -> list[list[int]]:
    entries = _remembered(topic).journal
    return [[one.offset for one in unpack_declarations((entry.value or "").encode())] for entry in entries]


def test_records_that_were_read_together_are_one_journal_entry() -> None:
    """One fence and one acknowledged write for all of them; offsets may have holes, the topic is compacted."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1, 2))
        engine.commits.clear()
        assert await _take(stage, _entry(0), _entry(4, "b"), _entry(9)) == [True] * 3
        assert engine.commits == [{PLACE: 0}]
        (entry,) = _remembered(topic).journal
        assert (entry.input_offset, entry.control_offset, entry.source, entry.sequence) == (3, 9, "registry", 0)
        assert _offsets(topic) == [[0, 4, 9]]
        assert 'detector_controls_total{kind="registry",outcome="applied"} 3.0' in _metrics(stage)
        await stage.make_durable()
        found = _remembered(topic)
        assert (found.manifest.next_registry, found.manifest.next_control, found.journal) == (10, 0, ())
        assert _state(topic) == {"a": 300, "b": 0}

    _run(scene)


def test_an_entry_of_the_journal_stays_small() -> None:
    """A record of Kafka is at most a megabyte; many long entries are several of the journal."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        long = [_entry(number, purpose="x" * 30_000) for number in range(5)]
        assert await _take(stage, *long) == [True] * 5
        assert _offsets(topic) == [[0, 1], [2, 3], [4]]
        assert all(len(entry.value or "") <= MOST_BYTES for entry in _remembered(topic).journal)

    _run(scene)


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"a", b"no json"), (b"a", b""), (b"a", b"[]"), (b"a", b"null"), (b"a", b'{"a":' * 5_000), (b"a", b'{"a":"\xff"}'),
     (b"a", b"{" + b" " * MAX_ENTRY_BYTES + b"}"), (None, b"{}"), (b"", b"{}"), (b"\xff", b"{}"),
     (b"x" * 1_025, b"{}")],
)  # fmt: skip
def test_what_is_no_entry_becomes_a_dead_letter_and_stops_nobody(key: bytes | None, value: bytes) -> None:
    """It is said aloud and counted; those beside it take effect."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        assert await _take(stage, _entry(0), _message(1, key, value), _entry(2, "b")) == [True] * 3
        assert _offsets(topic) == [[0, 2]]
        (letter,) = [one for one in engine.sent if one.topic == "agent.deadletter"]
        headers = dict(letter.headers)
        assert (headers["reason"], headers["topic"], headers["offset"]) == (b"bad_registry", b"agent.registry", b"1")
        assert 'detector_refused_total{reason="bad_registry"} 1.0' in _metrics(stage)

    with capture_logs() as lines:
        _run(scene)
    assert [line["reason"] for line in lines if "registry is refused" in line["event"]] == ["bad_registry"]


def test_a_partition_of_bad_records_alone_is_read_on() -> None:
    """They are not read again for ever."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        assert await _take(stage, _message(0, b"a", b"x"), _message(1, b"a", b"y")) == [True, True]
        assert stage.owners[0].next_registry == 2
        await stage.checkpoint()
        assert _remembered(topic).manifest.next_registry == 2

    _run(scene)


def test_records_read_again_are_known() -> None:
    """Unacknowledged over a restart: journal or manifest tell how far it was read, and the group is told."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await _take(stage, _entry(0), _entry(1))
        again = await _restarted(engine, topic)
        assert {REGISTRY: 2} in engine.commits
        assert await _take(again, _entry(1, generation=2), _entry(2, generation=2)) == [True, True]
        assert _offsets(topic) == [[0, 1], [2]]
        assert 'outcome="repeated"} 1.0' in _metrics(again)
        await again.make_durable()
        engine.commits.clear()
        await _restarted(engine, topic)
        assert {REGISTRY: 3} in engine.commits

    _run(scene)


@pytest.mark.parametrize("events_first", [0, 3])
@pytest.mark.parametrize("is_written", [True, False])
def test_a_kill_at_the_journal_leaves_the_records_in_one_place(events_first: int, is_written: bool) -> None:
    """Entry written or not, acknowledged to nobody: they take effect once, where the first durable entry says."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        if events_first:
            await stage.process(_batch(*range(events_first)))
        topic.dies_at, topic.is_written = topic.writes + 1, is_written
        with pytest.raises(Killed):
            await _take(stage, _entry(0))
        again = await _restarted(engine, topic)
        await again.process(_batch(*range(6), generation=2))
        assert await _take(again, _entry(0, generation=2)) == [True]
        await again.make_durable()
        place = events_first if is_written else 6
        assert _state(topic) == {"a": place * 10 + 6 - place}

    _run(scene)


def test_entries_and_verdicts_keep_their_order_over_a_restart() -> None:
    """Both topics have one journal; each is read on behind its own last record, and what waits is in no state yet."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0, 1))
        await stage.controls.take(_verdict(4), is_act=True)
        await _take(stage, _entry(7))
        await stage.controls.take(_verdict(5), is_act=True)
        again = await _restarted(engine, topic)
        owner = again.owners[0]
        assert [entry.source for entry in owner.pending] == ["feedback", "registry", "feedback"]
        assert (owner.next_control, owner.next_registry, owner.sequence) == (6, 8, 3)
        await again.process(_batch(0, generation=2))
        await again.checkpoint()
        manifest = _remembered(topic).manifest
        assert (manifest.next_control, manifest.next_registry, manifest.sequence) == (4, 0, 0)
        await again.process(_batch(1, generation=2))
        await again.make_durable()
        manifest = _remembered(topic).manifest
        assert (manifest.next_control, manifest.next_registry, manifest.sequence) == (6, 8, 3)
        assert _state(topic) == {"a": 2_000}

    _run(scene)


def test_a_partition_that_starts_cold_reads_the_whole_registry_again() -> None:
    """What is declared is no history: the topic still has it. Numbers of the journal go on."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await _take(stage, _entry(0))
        await stage.process(_batch(0, 1))
        await stage.checkpoint()
        await _take(stage, _entry(1))
        for name in [name for name in topic if name.startswith(b"agents#")]:
            topic[name] = b"damaged"
        engine.log[REGISTRY] = Bounds(0, 2, 2)
        again = await _restarted(engine, topic)
        owner = again.owners[0]
        assert (owner.next_registry, owner.sequence, list(owner.pending)) == (0, 2, [])
        assert {REGISTRY: 0} in engine.commits
        assert engine.seeks[-1] == (REGISTRY, 0)
        assert owner.manifest.sequence == 1
        assert await _take(again, _entry(0, generation=2), _entry(1, generation=2)) == [True, True]
        assert _remembered(topic).journal[-1].sequence == 2

    _run(scene)


def test_a_registry_topic_made_anew_is_read_from_its_beginning() -> None:
    """None of its records is a repeat."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await _take(stage, _entry(40))
        await stage.make_durable()
        engine.log[REGISTRY] = engine.log.get(REGISTRY, (await engine.bounds([REGISTRY]))[REGISTRY])._replace(end=3)
        again = await _restarted(engine, topic)
        assert again.owners[0].next_registry == 0

    _run(scene)


def test_a_zombie_journals_nothing() -> None:
    """The fence is refused, a rebalance is under way: records are left, nothing is written."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        await stage.process(_batch(0))
        engine.refuse_commits = engine.is_moving = True
        assert await _take(stage, _entry(0), _entry(1)) == [False, False]
        assert topic == {}

    _run(scene)


@pytest.mark.parametrize(("partition", "generation"), [(1, 1), (0, 2)])
def test_records_of_another_owner_or_generation_are_left(partition: int, generation: int) -> None:
    """Whoever holds the partition reads them again; those of others, read together with them, take effect."""

    async def scene(engine: FakeEngine, stage: ScoringStage, topic: Topic) -> None:
        other = _message(0, b"b", b"{}", generation, partition)
        assert await _take(stage, other) == [False]
        assert topic == {}
        if partition:
            assert await _take(stage, other, _entry(0)) == [False, True]

    _run(scene)


async def _one_by_one(values: Sequence[int], pauses: Sequence[int]) -> AsyncIterator[int]:
    for value in values:
        await asyncio.sleep(0.2 if value in pauses else 0)
        yield value


@pytest.mark.parametrize(("pauses", "expected"), [((), [[0, 1, 2], [3, 4]]), ((1,), [[0], [1, 2, 3], [4]])])
def test_what_is_there_is_gathered_and_nothing_is_waited_for_long(pauses: Sequence[int], expected: list[Any]) -> None:
    """At most so many at once; a record does not wait for one that was not fetched with it."""

    async def run() -> list[list[int]]:
        return [found async for found in gathered(_one_by_one(range(5), pauses), most=3)]

    assert asyncio.run(run()) == expected
