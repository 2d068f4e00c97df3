"""A record that breaks the pipeline is left out, alone; too many of them end the worker with a sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from detector.errors import PipelineError
from detector.worker.scoring import ScoringStage
from detector.worker.transport import MicroBatch
from tests.worker.fakes import FakeEngine, FakePipeline, FetchedRecord, event_bytes, fetched
from tests.worker.test_scoring import PLACE, _remembered, _stage


class Log:
    """The event topic's one partition, read again when asked."""

    def __init__(self, names: Sequence[str]) -> None:
        self.records = [fetched(at, event_bytes("a", at, name), b"a") for at, name in enumerate(names)]

    async def read(
        self, topic: str, partition: int, span: tuple[int, int], client: Mapping[str, Any]
    ) -> AsyncIterator[list[FetchedRecord]]:
        assert (topic, partition) == ("agent.events", 0)
        yield self.records[slice(*span)]

    def batch(self, start: int, stop: int | None = None) -> MicroBatch:
        return MicroBatch(PLACE, 1, self.records[start:stop])


def _names(count: int, **odd: str) -> list[str]:
    return [odd.get(f"at{number}", "search") for number in range(count)]


def _letters(engine: FakeEngine) -> list[tuple[bytes, bytes]]:
    headers = [dict(one.headers) for one in engine.sent if one.topic == "agent.deadletter"]
    return [(one["reason"], one["offset"]) for one in headers]


def _agents(stage: ScoringStage) -> dict[str, int]:
    pipeline: Any = stage.owners[0].pipeline
    assert isinstance(pipeline, FakePipeline)
    return dict(pipeline.agents)


@given(
    names=st.lists(st.sampled_from(["search", "bad", "poison"]), min_size=1, max_size=14),
    durable=st.integers(0, 14),
    micro_batch=st.integers(1, 6),
)
@settings(max_examples=40, deadline=None)
def test_what_breaks_the_pipeline_is_left_out_and_nothing_else(
    names: list[str], durable: int, micro_batch: int
) -> None:
    """Wherever poison and the last checkpoint stand: state and alerts are as if it had never been there."""
    log, engine = Log(names), FakeEngine()
    topic: dict[bytes, bytes] = {}

    async def run() -> None:
        stage = _stage(engine, topic, micro_batch=micro_batch, poison_per_hour=99, reread=log.read)
        await stage.take_over({0})
        for start, stop in ((0, durable), (durable, None)):
            if log.batch(start, stop).records:
                await stage.process(log.batch(start, stop))
                await stage.checkpoint()
        assert stage._parts.metrics.refused.labels("poison")._value.get() == names.count("poison")

    with capture_logs():  # a traceback drawn for each of a thousand faults would take minutes
        asyncio.run(run())
    sound = [name for name in names if name != "poison"]
    assert _remembered(engine, topic) == (len(names), {"a": len(sound)} if sound else {})
    assert set(_letters(engine)) == {(b"poison", b"%d" % at) for at, name in enumerate(names) if name == "poison"}
    alerts = {json.loads(one.value)["score"] for one in engine.sent if one.topic == "g.by-tenant"}
    assert alerts == {float(at) for at, name in enumerate(sound, start=1) if name == "bad"}
    assert not engine.crashes


def test_a_restart_after_poison_finds_it_again() -> None:
    """Nothing was durable when the process was killed: the same record is left out, the same state comes of it."""
    log, engine = Log(_names(9, at4="poison", at6="bad")), FakeEngine()
    topic: dict[bytes, bytes] = {}

    async def run() -> None:
        for cut in (5, 9):  # after a kill -9 the fetch is cut otherwise
            stage = _stage(engine, topic, reread=log.read)
            await stage.take_over({0})
            await stage.process(log.batch(0, cut))
        assert _agents(stage) == {"a": 8}

    asyncio.run(run())
    assert _letters(engine) == [(b"poison", b"4")] * 2


def test_too_much_poison_within_an_hour_ends_the_worker_and_a_restart_does_not_forget() -> None:
    """The limit is counted in the checkpoint; the sentence names the place and the setting."""
    log, engine = Log(_names(9, at1="poison", at3="poison", at7="poison")), FakeEngine()
    topic: dict[bytes, bytes] = {}

    async def run() -> None:
        stage = _stage(engine, topic, poison_per_hour=2, reread=log.read)
        await stage.take_over({0})
        await stage.process(log.batch(0, 6))
        await stage.checkpoint()
        again = _stage(engine, topic, poison_per_hour=2, reread=log.read)
        await again.take_over({0})
        with pytest.raises(PipelineError, match=r"poison_per_hour .* agent.events/0 .* offset 7"):
            await again.process(log.batch(6))
        await again.make_durable()
        assert again.owners[0].has_failed

    asyncio.run(run())
    assert _remembered(engine, topic) == (6, {"a": 4})


def test_poison_of_more_than_an_hour_ago_does_not_count() -> None:
    """A worker that meets one a day runs for ever."""
    log, engine = Log(_names(9, at1="poison", at3="poison", at7="poison")), FakeEngine()

    async def run() -> None:
        now = [1_767_225_600.0]
        stage = _stage(engine, {}, poison_per_hour=2, reread=log.read)
        object.__setattr__(stage._parts, "clock", lambda: now[0])
        await stage.take_over({0})
        await stage.process(log.batch(0, 6))
        now[0] += 3_601.0
        await stage.process(log.batch(6))
        assert _agents(stage) == {"a": 6}

    asyncio.run(run())
    assert {offset for _, offset in _letters(engine)} == {b"1", b"3", b"7"}


def test_what_broke_is_told_with_its_place() -> None:
    """The log names topic, partition and offsets before anything is mended; the error does not blame the broker."""
    log, engine = Log(_names(6, at5="poison")), FakeEngine()

    async def run() -> None:
        stage = _stage(engine, {}, reread=log.read)
        await stage.take_over({0})
        broken: list[Any] = [one._replace(value=event_bytes("a", 5, "poison")) for one in log.records[5:]]
        with pytest.raises(PipelineError, match=r"agent.events/0 .* ValueError at offsets 5 to 5: the broker is well"):
            stage.owners[0].process(broken)
        await stage.process(log.batch(0))

    with capture_logs() as said:
        asyncio.run(run())
    (broke,) = [one for one in said if one["event"] == "records broke the pipeline"]
    assert (broke["place"], broke["offsets"]) == ("agent.events/0", (4, 5))


def test_a_refused_commit_while_poison_is_sorted_out_scores_nothing() -> None:
    """The partition is somebody else's by now: it is left to them."""
    log, engine = Log(_names(6, at5="poison")), FakeEngine()

    async def run() -> None:
        stage = _stage(engine, {}, reread=log.read)
        await stage.take_over({0})
        await stage.process(log.batch(0, 2))
        await stage.checkpoint()
        engine.refuse_commits = True
        await stage.process(log.batch(2))
        assert stage.owners[0].has_failed

    asyncio.run(run())
    assert _letters(engine) == []
