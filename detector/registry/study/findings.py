"""Open findings by agent: alerts as they stand on `agent.alerts` or in a file of them, the newest record of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from detector.offline.sources import lines_of
from detector.schema.alert import Alert
from detector.sinks.ocsf_read import decode
from detector.views.reading import TopicReader

MOST_FINDINGS: Final = 100_000
"""Findings whose newest record is held; later ones are counted as left out."""
HARMLESS: Final = frozenset({"dismiss", "safe", "disable"})
"""Verdicts after which a finding is no longer open."""


def alerts_in(paths: Iterable[Path]) -> Iterator[bytes]:
    """Yield the records of files of alerts, one a line."""
    for path in paths:
        yield from lines_of(path)


def alerts_on(kafka: Mapping[str, Any], topic: str) -> Iterator[bytes]:
    """Yield the records of the topic of alerts.

    Raises
    ------
    SetupError
        It cannot be read.
    """
    with TopicReader(kafka, topic) as reader:
        for record in reader.to_the_end():
            yield record.value


def open_findings(records: Iterable[bytes]) -> tuple[dict[tuple[str, str], Counter[str]], int]:
    """Return (tenant, agent) -> findings that nobody closed or called harmless, by severity; and records left out."""
    newest: dict[str, tuple[int, tuple[str, str], str, bool]] = {}
    left_out = 0
    for record in records:
        try:
            alert = decode(record)
        except (ValueError, KeyError, TypeError):
            left_out += 1
            continue
        if alert.finding_uid not in newest and len(newest) >= MOST_FINDINGS:
            left_out += 1
        elif alert.counter >= newest.get(alert.finding_uid, (0,))[0]:
            newest[alert.finding_uid] = (alert.counter, (alert.tenant, alert.agent_id), alert.severity, _is_open(alert))
    found: dict[tuple[str, str], Counter[str]] = {}
    for _, agent, severity, is_open in newest.values():
        if is_open:
            found.setdefault(agent, Counter())[severity] += 1
    return found, left_out


def _is_open(alert: Alert) -> bool:
    return alert.activity != "close" and (alert.verdict is None or alert.verdict.verdict not in HARMLESS)
