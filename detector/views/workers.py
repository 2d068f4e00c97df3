"""What a worker says of itself over HTTP: its gauges, and whether it is ready."""

from __future__ import annotations

import math
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from prometheus_client.parser import text_string_to_metric_families

from detector.errors import SetupError
from detector.views.shown import count_of, moment, shown

WITHIN_S: Final = 5.0
MOST_BYTES_READ: Final = 4 * 1_024 * 1_024
STALE_S: Final = 60.0
"""Age of a checkpoint from which on a worker calls itself not ready; see :mod:`detector.worker.health`."""
TALLIES: Final = {
    "detector_cold_starts_total": "partitions started without their state",
    "detector_missing_records_total": "records were gone before they were scored",
    "detector_fenced_checkpoints_total": "checkpoints were fenced: partitions moved meanwhile",
    "detector_manifests_beyond_end_total": "checkpoints stood beyond the end of the events",
}
"""Counters that should be nought, and what they say if they are not."""

Series = dict[tuple[str, str, str], float]
"""Values by sample's name, ``name`` and ``partition``."""


class WorkerSays(NamedTuple):
    """What one worker answered.

    Attributes
    ----------
    url : str
        Where it was asked.
    series : dict
        Its samples.
    not_ready : str
        Why it is not ready; empty if it is.
    unknown : str
        Why it could not be asked; empty if it was.
    """

    url: str
    series: Series
    not_ready: str = ""
    unknown: str = ""

    def value(self, sample: str) -> float | None:
        """Return a sample without labels, None if there is none."""
        return self.series.get((sample, "", ""))

    def gauges(self, name: str) -> dict[int, float]:
        """Return a gauge of the pipeline by partition."""
        return {
            int(partition): value
            for (sample, which, partition), value in self.series.items()
            if sample == "detector_pipeline" and which == name and partition.isdigit()
        }

    @property
    def started_at(self) -> float | None:
        """When it began to count."""
        return self.value("detector_records_created")


def ask(url: str) -> WorkerSays:
    """Return what the worker at the address of its ``/metrics`` says.

    Raises
    ------
    SetupError
        The address is none of HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise SetupError(f"metrics of status must be an address like http://127.0.0.1:9464/metrics, got {shown(url)!r}")
    path = parts.path if parts.path.strip("/") else "/metrics"
    try:
        status, text = _get(urlunsplit(parts._replace(path=path)))
        if status != 200:
            return WorkerSays(url, {}, unknown=f"HTTP {status}")
        series = series_of(text)
        ready, why = _get(urlunsplit(parts._replace(path="/readyz", query="")))
    except (OSError, ValueError) as error:
        return WorkerSays(url, {}, unknown=f"{type(error).__name__}: {error}")
    return WorkerSays(url, series, "" if ready == 200 else why.strip() or f"HTTP {ready}")


def _get(url: str) -> tuple[int, str]:
    """Return status and text of a page; an error's page is its text, too."""
    try:
        with urllib.request.urlopen(url, timeout=WITHIN_S) as answer:  # noqa: S310 - http and https only, see `ask`
            return answer.status, answer.read(MOST_BYTES_READ).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(1_024).decode("utf-8", "replace")


def series_of(text: str) -> Series:
    """Return the samples of a page of Prometheus text.

    Raises
    ------
    ValueError
        It is none.
    """
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            found[one.name, one.labels.get("name", ""), one.labels.get("partition", "")] = one.value
    return found


def degraded_of(one: WorkerSays, now: float) -> Iterator[str]:
    """Yield what is degraded at a worker, since when as far as it says."""
    who = shown(one.url)
    if one.unknown:
        return
    since = f" since it started {moment(one.started_at)}" if one.started_at is not None else ""
    if one.not_ready:
        yield f"{who}: not ready: {shown(one.not_ready, 200)}"
    saved = one.value("detector_checkpoint_timestamp_seconds")
    if saved and now - saved > STALE_S:
        yield f"{who}: nothing was made durable since {moment(saved)}"
    for sample, says in TALLIES.items():
        if value := one.value(sample):
            yield f"{who}: {value:,.0f} {says}{since}"
    if one.value("detector_senders_own_the_clock") == 1.0:
        yield f"{who}: senders own the clock: agent.events is CreateTime (docs/operations.md)"
    if gone := sum(one.gauges("agents_evicted_established").values()):
        yield f"{who}: {gone:,.0f} established agents made room for others: raise memory.agents, or add partitions"
    yield from _waits(one)


def _waits(one: WorkerSays) -> Iterator[str]:
    """Yield what is degraded in the taking of verdicts."""
    who = shown(one.url)
    pending = [value for (sample, _, _), value in one.series.items() if sample == "detector_journal_pending"]
    if waits := sum(pending):
        yield f"{who}: {waits:,.0f} verdicts wait for their place"
    for partition, balance in sorted(one.gauges("balance").items()):
        if abs(balance) >= 2.0:
            yield f"{who}: partition {partition}: balance {balance:+.2f} is at its end (docs/verdicts.md)"


def _group_budgets(one: WorkerSays, partition: int) -> Iterator[str]:
    """Yield what each named peer group of a partition was promised and spent, and the others together."""
    head = "group_promised_"
    names = {name for sample, name, _ in one.series if sample == "detector_pipeline" and name.startswith(head)}
    for name in sorted(name.removeprefix(head) for name in names):
        promised, spent, sessions = (
            one.gauges(f"group_{what}_{name}").get(partition) for what in ("promised", "spent", "sessions")
        )
        if promised is not None and spent is not None and sessions is not None:
            told = f"{sessions:,.0f} sessions closed; promised {promised:.2%}, spent {spent:.2%}"
            yield f"group {shown(name)}: {told}"


def worker_lines(workers: Iterable[WorkerSays]) -> Iterator[str]:
    """Yield what the workers say, as `detector status` shows it."""
    for one in workers:
        if one.unknown:
            yield f"worker     {shown(one.url)}  no answer: {shown(one.unknown, 200)}"
            continue
        agents, known = (sum(one.gauges(name).values()) for name in ("agents", "agents_established"))
        held = one.value("detector_partitions") or 0.0
        ready = "not ready" if one.not_ready else "ready"
        counts = f"{count_of(int(held), 'partition')}, {count_of(int(agents), 'agent')}, {int(known):,} established"
        yield f"worker     {shown(one.url)}  {ready}, {counts}"
        for partition in sorted(one.gauges("promised")):
            yield f"  partition {partition:<4} {_budget(one, partition)}"
            yield from (f"    {line}" for line in _class_budgets(one, partition))
            yield from (f"    {line}" for line in _group_budgets(one, partition))


def _budget(one: WorkerSays, partition: int) -> str:
    """Return sessions, budget and threshold of a partition in a line."""

    def gauge(name: str) -> float:
        return one.gauges(name).get(partition, math.nan)

    learning = "; learning" if gauge("learning") == 1.0 else ""
    return (
        f"sessions {gauge('sessions_open'):,.0f} open, {gauge('sessions_closed'):,.0f} closed; "
        f"incidents {gauge('incidents_open'):,.0f} open; budget promised {gauge('promised'):.2%}, "
        f"spent {gauge('spent'):.2%}, balance {gauge('balance'):+.2f}; "
        f"{_threshold(gauge('threshold'), gauge('threshold_evidence'))}{learning}"
    )


def _threshold(score: float, evidence: float | None = None) -> str:
    """Return from which score on a session alerts, as one in so many, and which evidence has that score now."""
    if math.isnan(score) or (evidence is not None and math.isnan(evidence)):
        return "threshold untold: a worker of before"  # its gauge of that name was evidence
    if math.isinf(score):
        return "no threshold before enough sessions have closed"
    now = f", now evidence {evidence:.2f}" if evidence is not None and math.isfinite(evidence) else ""
    return f"threshold {score:.2f} (1 in {10.0**score:,.0f}{now})"


_PROMISED: Final = "class_promised_"


def _class_budgets(one: WorkerSays, partition: int) -> Iterator[str]:
    """Yield what each risk class was promised and spent in a partition."""
    names = {name for sample, name, _ in one.series if sample == "detector_pipeline" and name.startswith(_PROMISED)}
    for name in sorted(name.removeprefix(_PROMISED) for name in names):
        promised, spent, sessions, balance, score = (
            one.gauges(f"class_{what}_{name}").get(partition, math.nan)
            for what in ("promised", "spent", "sessions", "balance", "threshold")
        )
        yield (
            f"class {shown(name)}: {sessions:,.0f} sessions closed; promised {promised:.2%}, spent {spent:.2%}, "
            f"balance {balance:+.2f}; {_threshold(score)}"
        )


def worker_body(one: WorkerSays) -> dict[str, Any]:
    """Return what a worker says as plain JSON values; what is no number is null."""
    names = sorted({name for sample, name, _ in one.series if sample == "detector_pipeline"})
    gauges = {name: {str(at): _finite(value) for at, value in one.gauges(name).items()} for name in names}
    return {
        "url": one.url,
        "unknown": one.unknown,
        "not_ready": one.not_ready,
        "started_at": one.started_at,
        "pipeline": gauges,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
