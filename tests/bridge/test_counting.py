"""Counts for Prometheus, samples for the log."""

from __future__ import annotations

from collections import Counter

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from detector.bridge import counting
from detector.bridge.counting import UNKNOWN_SOURCE, Counting
from detector.otlp.mapper import RecordVerdict


def _unknown(name: str) -> RecordVerdict:
    return RecordVerdict("mystery", name, None, "no_table", "why")


def test_lost_numbers_are_counted_once() -> None:
    """What was taken over is emptied."""
    registry, counts = CollectorRegistry(), Counter({"lost": 3, "withheld": 1})
    counted = Counting(frozenset(), registry)
    counted.followed(counts)
    counted.followed(counts)
    found = [registry.get_sample_value("detector_otlp_numbers_total", {"what": what}) for what in ("lost", "withheld")]
    assert (found, counts) == ([3.0, 1.0], Counter())


def test_a_sample_is_logged_at_once_then_at_most_hourly_with_how_many() -> None:
    """By source, name and reason; no payload."""
    now = [0.0]
    counted = Counting(frozenset({"codex"}), CollectorRegistry(), lambda: now[0])
    with capture_logs() as lines:
        counted.note([_unknown("a")] * 3 + [_unknown("b")])
        now[0] = 3_599.0
        counted.note([_unknown("a")])
        now[0] = 3_601.0
        counted.note([_unknown("a")])
    told = [(line["source"], line["record"], line["reason"], line["records"]) for line in lines]
    assert told == [
        ("mystery", "a", "no_table", 1), ("mystery", "b", "no_table", 1), ("mystery", "a", "no_table", 4),
    ]  # fmt: skip


def test_names_that_senders_make_up_grow_neither_metric_nor_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """One label for all that is unknown; a cap on what is sampled."""
    monkeypatch.setattr(counting, "MAX_SAMPLES", 3)
    registry = CollectorRegistry()
    counted = Counting(frozenset({"codex"}), registry)
    with capture_logs() as lines:
        counted.note([_unknown(str(number)) for number in range(10)])
        counted.note([RecordVerdict("codex", "x", None, "no_rule", "why")])
    assert len(lines) == len(counted._told) == 3
    labels = {"source": UNKNOWN_SOURCE, "reason": "no_table"}
    assert registry.get_sample_value("detector_otlp_records_total", labels) == 10
    known = {"source": "codex", "reason": "no_rule"}
    assert registry.get_sample_value("detector_otlp_records_total", known) == 1
