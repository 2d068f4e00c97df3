"""The broker's time of a record is carried where it is the broker's, and nowhere else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from detector.schema.record import Record
from detector.worker.metrics import WorkerMetrics
from detector.worker.receipt import LOG_APPEND_TIME, ClockWatch, record_of
from detector.worker.transport import MicroBatch
from tests.worker.fakes import FakeEngine, FakeOutcome, FakePipeline, event_bytes, fetched
from tests.worker.test_scoring import PLACE, _stage

CREATE_TIME = 0
NOW_MS = 1_767_225_600_000


def test_a_record_the_broker_dated_carries_its_receipt() -> None:
    """Its time is one nobody who sends can set."""
    dated = fetched(5, b"{}", b"a")._replace(timestamp_type=LOG_APPEND_TIME)
    assert record_of(dated) == Record(b"{}", b"a", "agent.events", 0, 5, NOW_MS, NOW_MS)


@pytest.mark.parametrize("kind", [CREATE_TIME, None])
def test_a_record_its_sender_dated_carries_none(kind: int | None) -> None:
    """Its time is whatever the sender says; an old format says nothing of whose it is."""
    assert record_of(fetched(5, b"{}")._replace(timestamp_type=kind)).receipt_ms is None
    assert record_of(fetched(5, None)._replace(timestamp_type=kind)).timestamp_ms == NOW_MS


def test_what_comes_from_no_broker_has_no_receipt() -> None:
    """A replay of files keeps to event times."""
    assert Record(b"{}").receipt_ms is None


def test_receipts_reach_the_pipeline_also_when_poison_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that are read again and halved keep the time the broker gave them, each its own."""
    seen: list[tuple[int, int | None]] = []
    process = FakePipeline.process

    def noting(self: FakePipeline, records: Sequence[Record], tolerance_s: float | None = None) -> FakeOutcome:
        seen.extend((record.offset, record.receipt_ms) for record in records)
        return process(self, records, tolerance_s)

    monkeypatch.setattr(FakePipeline, "process", noting)
    records = [
        fetched(at, event_bytes("a", at, "poison" if at == 2 else "search"), b"a")._replace(
            timestamp=NOW_MS + at, timestamp_type=at % 2
        )
        for at in range(5)
    ]

    async def reread(topic: str, partition: int, span: tuple[int, int], client: Any) -> AsyncIterator[list[Any]]:
        assert (topic, partition) == ("agent.events", 0)
        yield records[slice(*span)]

    async def run() -> None:
        stage = _stage(FakeEngine(), {}, reread=reread)
        await stage.take_over({0})
        await stage.process(MicroBatch(PLACE, 1, records))
        assert stage.owners[0].next_offset == 5

    asyncio.run(run())
    assert {at for at, _ in seen} == {0, 1, 2, 3, 4}
    assert len(seen) > 5, "some were read again"
    assert all(receipt == (NOW_MS + at if at % 2 else None) for at, receipt in seen)


@pytest.mark.parametrize(
    ("setting", "level", "gauge"),
    [("CreateTime", "warning", 1.0), ("LogAppendTime", "info", 0.0), (None, "warning", None)],
)
def test_whose_clock_it_is_is_said_once_and_shown(setting: str | None, level: str, gauge: float | None) -> None:
    """At the start and when it has changed; a rebalance without news says nothing."""
    metrics, answers = WorkerMetrics(), [setting, setting, "other"]
    watch = ClockWatch(lambda: answers.pop(0), metrics.senders_clock, "b:9092", "agent.events")
    with capture_logs() as said:
        watch.look()
        shown = metrics.registry.get_sample_value("detector_senders_own_the_clock")
        watch.look()
    assert [one["log_level"] for one in said] == [level]
    assert shown is not None
    assert math.isnan(shown) if gauge is None else shown == gauge
    if setting == "CreateTime":
        assert said[0]["event"] == "senders own the clock: event time moves by steps only"
        assert "--entity-name agent.events --add-config message.timestamp.type=LogAppendTime" in said[0]["do"]
    with capture_logs() as said:
        watch.look()
    assert len(said) == 1


def test_records_without_a_receipt_are_counted() -> None:
    """What the setting cannot tell, the records do: how many came with their sender's time."""
    metrics = WorkerMetrics()
    metrics.fetched([fetched(at, b"{}")._replace(timestamp_type=at % 2) for at in range(5)], NOW_MS / 1_000)
    assert metrics.registry.get_sample_value("detector_records_undated_total") == 3
