"""Findings by agent: alerts as they stand on `agent.alerts` or in a file of them, the newest record of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

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


class Open(NamedTuple):
    """Findings that nobody closed or called harmless, by (tenant, agent): how many by severity, and their sessions.

    `left_out` counts records that are no alert, or did not fit.
    """

    severities: dict[tuple[str, str], Counter[str]]
    sessions: dict[tuple[str, str], frozenset[str]]
    left_out: int


class _Told(NamedTuple):
    counter: int
    whose: tuple[str, str]
    severity: str
    sessions: frozenset[str]
    is_open: bool
    is_harmless: bool


def open_findings(records: Iterable[bytes]) -> Open:
    """Return what is open among records of alerts; the newest record of a finding says what became of it."""
    newest: dict[str, _Told] = {}
    left_out = 0
    for record in records:
        try:
            alert = decode(record)
        except (ValueError, KeyError, TypeError):
            left_out += 1
            continue
        before = newest.get(alert.finding_uid)
        if before is None and len(newest) >= MOST_FINDINGS:
            left_out += 1
        elif before is None or alert.counter >= before.counter:
            newest[alert.finding_uid] = _told(alert, before)
    severities: dict[tuple[str, str], Counter[str]] = {}
    sessions: dict[tuple[str, str], frozenset[str]] = {}
    for one in newest.values():
        if one.is_open:
            severities.setdefault(one.whose, Counter())[one.severity] += 1
        if not one.is_harmless:
            sessions[one.whose] = sessions.get(one.whose, frozenset()) | one.sessions
    return Open(severities, sessions, left_out)


def _told(alert: Alert, before: _Told | None) -> _Told:
    is_harmless = alert.verdict is not None and alert.verdict.verdict in HARMLESS
    # each record of an incident speaks of the session it was made for
    named = frozenset({alert.session_id} - {None, ""})
    sessions = (before.sessions if before else frozenset()) | frozenset(map(str, named))
    whose = (alert.tenant, alert.agent_id)
    is_open = alert.activity != "close" and not is_harmless
    return _Told(alert.counter, whose, alert.severity, sessions, is_open, is_harmless)
