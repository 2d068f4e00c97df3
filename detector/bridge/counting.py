"""What becomes of records, counted: Prometheus by source and reason, the log by name, at most hourly each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client import Counter as Metric

from detector.otlp.mapper import MAPPED, RecordVerdict

SAMPLE_S: Final = 3_600.0
"""Between two lines of the log about the same source, name and reason."""
MAX_SAMPLES: Final = 1_024
"""Triples remembered for it; beyond them nothing is logged, and the metrics go on counting."""
UNKNOWN_SOURCE: Final = "(unknown)"
"""Label of every source that no table knows: senders invent names, and a metric must not grow with them."""

log = structlog.get_logger("detector.bridge")


class Counting:
    """Counts verdicts.

    Parameters
    ----------
    sources : set of str
        Names of the tables; every other source is one label.
    registry : CollectorRegistry, optional
        Where the metric is kept.
    monotonic : callable, optional
        Seconds that only go forward.
    """

    def __init__(
        self,
        sources: frozenset[str],
        registry: CollectorRegistry = REGISTRY,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = sources
        self._monotonic = monotonic
        self._told: dict[tuple[str, str, str], float] = {}
        self._since: Counter[tuple[str, str, str]] = Counter()
        self._records = Metric(
            "detector_otlp_records",
            "Log records, spans and metrics of OpenTelemetry, by the table that knew them and what became of them.",
            ["source", "reason"],
            registry=registry,
        )
        self._numbers = Metric(
            "detector_otlp_numbers",
            "Numbers of sessions' records: lost, of these withheld from events, and sessions that were forgotten.",
            ["what"],
            registry=registry,
        )

    def followed(self, counts: Counter[str]) -> None:
        """Count what following the numbers of sessions gave, and empty it."""
        for what, count in counts.items():
            self._numbers.labels(what).inc(count)
        counts.clear()

    def note(self, verdicts: Sequence[RecordVerdict]) -> None:
        """Count verdicts; say in the log what was no event, each kind at most hourly, with how many since."""
        for verdict in verdicts:
            source = verdict.source if verdict.source in self._sources else UNKNOWN_SOURCE
            self._records.labels(source, verdict.reason).inc()
            if verdict.reason != MAPPED:
                self._sample((verdict.source, verdict.name, verdict.reason))

    def _sample(self, key: tuple[str, str, str]) -> None:
        if key not in self._told and len(self._told) >= MAX_SAMPLES:
            return
        self._since[key] += 1
        now = self._monotonic()
        if now - self._told.get(key, -SAMPLE_S) >= SAMPLE_S:
            self._told[key] = now
            source, name, reason = key
            log.info("records of telemetry without event", source=source, record=name, reason=reason,
                     records=self._since.pop(key))  # fmt: skip
