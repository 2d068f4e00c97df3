"""State that is missing, and records that are, is said and counted; nothing is forgotten in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from detector.worker import scoring
from detector.worker.ports import Bounds
from detector.worker.scoring import ScoringStage
from tests.worker.fakes import FakeEngine
from tests.worker.test_scoring import PLACE, _batch, _stage


def _value(stage: ScoringStage, name: str) -> float:
    counter: Any = getattr(stage._parts.metrics, name)
    return float(counter._value.get())


async def _with_state(engine: FakeEngine, topic: dict[bytes, bytes]) -> None:
    """Leave a checkpoint at offset 3."""
    stage = _stage(engine, topic)
    await stage.take_over({0})
    await stage.process(_batch(0, 1, 2))
    await stage.make_durable()


@pytest.mark.chaos("the state topic is emptied")
@pytest.mark.parametrize(("committed", "cold"), [(7, 1), (0, 0), (None, 0)])
def test_a_missing_checkpoint_of_a_group_that_has_read_is_a_cold_start(committed: int | None, cold: int) -> None:
    """Somebody emptied the state topic: memory is gone, and it is said and counted; a new group says nothing."""
    engine = FakeEngine()
    engine.log = {PLACE: Bounds(0, 9, committed)}

    async def run() -> None:
        stage = _stage(engine, {})
        await stage.take_over({0})
        assert _value(stage, "cold") == cold

    with capture_logs() as said:
        asyncio.run(run())
    assert len([one for one in said if one["log_level"] == "error"]) == cold


@pytest.mark.chaos("retention takes events before they are scored")
@pytest.mark.parametrize(("begin", "missing"), [(10, 7), (3, 0), (0, 0)])
def test_records_that_retention_took_before_they_were_scored_are_counted(begin: int, missing: int) -> None:
    """The state stands at 3, the topic begins at 10: seven records nobody will ever score."""
    engine = FakeEngine()
    topic: dict[bytes, bytes] = {}

    async def run() -> None:
        await _with_state(engine, topic)
        engine.log = {PLACE: Bounds(begin, 20, 3)}
        stage = _stage(engine, topic)
        await stage.take_over({0})
        assert (stage.owners[0].next_offset, _value(stage, "missing")) == (3 + missing, missing)
        await stage.process(_batch(3 + missing, 4 + missing))
        assert _value(stage, "missing") == missing

    asyncio.run(run())


@pytest.mark.parametrize(("first", "missing"), [(9, 6), (4, 0), (3, 0)])
def test_a_hole_between_two_fetches_is_counted(first: int, missing: int) -> None:
    """A reader that retention overtakes jumps; the one offset a transaction's marker takes is no hole."""
    engine = FakeEngine()

    async def run() -> None:
        stage = _stage(engine, {})
        await stage.take_over({0})
        await stage.process(_batch(0, 1, 2))
        await stage.process(_batch(first))
        assert _value(stage, "missing") == missing

    asyncio.run(run())


@pytest.mark.chaos("the events topic is made anew")
def test_a_topic_made_anew_is_read_from_its_beginning() -> None:
    """It ends before the state: to wait for the old offset would score nothing for days."""
    engine = FakeEngine()
    topic: dict[bytes, bytes] = {}

    async def run() -> None:
        await _with_state(engine, topic)
        engine.log = {PLACE: Bounds(0, 2, 3)}
        stage = _stage(engine, topic)
        await stage.take_over({0})
        assert _value(stage, "beyond") == 1
        await stage.process(_batch(0, 1))
        assert stage.owners[0].next_offset == 2
        assert engine.commits[-1] == {PLACE: 0}

    with capture_logs() as said:
        asyncio.run(run())
    assert "made anew" in next(one["event"] for one in said if one["log_level"] == "error")


@pytest.mark.parametrize(("committed", "ahead"), [(3, 0), (9, 0), (1, 2), (0, 3), (None, 3)])
def test_a_state_ahead_of_what_the_group_committed_is_said_and_counted(committed: int | None, ahead: int) -> None:
    """A forged manifest skips records that way; after a kill it is what came between two checkpoints."""
    engine = FakeEngine()
    topic: dict[bytes, bytes] = {}

    async def run() -> None:
        await _with_state(engine, topic)
        engine.log = {PLACE: Bounds(0, 20, committed)}
        stage = _stage(engine, topic)
        with capture_logs() as said:
            await stage.take_over({0})
        assert (_value(stage, "ahead"), _value(stage, "beyond")) == (ahead, 0)
        assert [one["records"] for one in said if one["log_level"] == "warning"] == ([ahead] if ahead else [])

    asyncio.run(run())


def test_a_commit_refused_after_the_restore_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust would read from elsewhere: nothing is scored until a rebalance, and without one the worker ends."""
    engine = FakeEngine()
    topic: dict[bytes, bytes] = {}

    async def run() -> None:
        await _with_state(engine, topic)
        stage = _stage(engine, topic)
        engine.refuse_commits = True
        await stage.take_over({0})
        await stage.process(_batch(5))
        assert stage.owners[0].next_offset == 3
        await stage.checkpoint()
        assert not engine.crashes  # another rebalance may be on its way
        monkeypatch.setattr(scoring, "REFUSED_S", -1.0)
        await stage.checkpoint()
        assert "group must accept" in str(engine.crashes[0])
        engine.refuse_commits, engine.generation = False, 2
        await stage.take_over({0})
        assert not stage.owners[0].has_failed

    asyncio.run(run())
