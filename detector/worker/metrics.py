"""What the worker counts, for Prometheus; no label's number of values grows with agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from detector.worker.owner import PartitionOwner, Snapshot
from detector.worker.receipt import receipt_of
from detector.worker.standing import Standing

if TYPE_CHECKING:
    from detector.state.report import Outcome

BATCH_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
CHECKPOINT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)

PIPELINE = (
    "The pipeline's gauges. threshold: score from which a session alerts (-log10 of a share); "
    "threshold_evidence: evidence that has this score now (decades)."
)
"""What Prometheus says of them; docs/operations.md, *Health and metrics*."""


class WorkerMetrics:
    """The worker's counters, gauges and histograms, in a registry of their own.

    Labels: ``partition`` (as many as the topic has), ``reason`` (the closed list of refusals), ``severity``,
    ``activity``, ``decision``, ``kind`` and ``outcome`` (of controls), ``why`` (of connections to the port: excess,
    late, broken), ``name`` (the pipeline's gauges and counts): all bounded by the code, none by the fleet.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.records = Counter("detector_records", "Records taken from the event topic.", registry=registry)
        self.lines = Counter("detector_lines", "Lines of those records: scored or refused.", registry=registry)
        self.events = Counter("detector_events", "Events taken, refused ones that were scored too.", registry=registry)
        self.refused = Counter("detector_refused", "Events refused, scored or not.", ["reason"], registry=registry)
        self.refused_scored = Counter(
            "detector_refused_scored",
            "Events refused of which one was made all the same.",
            ["reason"],
            registry=registry,
        )
        self.counts = Counter("detector_counts", "What the pipeline counts.", ["name"], registry=registry)
        self.skipped = Counter(
            "detector_skipped_records", "Records the restored state already contains.", registry=registry
        )
        self.alerts = Counter("detector_alerts", "Alert records.", ["activity", "severity"], registry=registry)
        self.decisions = Counter(
            "detector_decisions", "Decisions of the response stage.", ["decision"], registry=registry
        )
        self.batch_s = Histogram("detector_batch_seconds", "Scoring a micro-batch.", buckets=BATCH_S, registry=registry)
        self.latency_s = Histogram(
            "detector_latency_seconds", "From Kafka's time to scored.", buckets=LATENCY_S, registry=registry
        )
        self.checkpoint_s = Histogram(
            "detector_checkpoint_seconds", "Making a checkpoint durable.", buckets=CHECKPOINT_S, registry=registry
        )
        self.checkpoint_bytes = Counter("detector_checkpoint_bytes", "State bytes before packing.", registry=registry)
        self.checkpoint_time = Gauge(
            "detector_checkpoint_timestamp_seconds", "When all that was scored was last durable.", registry=registry
        )
        self.fenced = Counter("detector_fenced_checkpoints", "Checkpoints the group did not accept.", registry=registry)
        self.cold = Counter("detector_cold_starts", "Partitions that restarted without their state.", registry=registry)
        self.missing = Counter(
            "detector_missing_records", "Records that were gone before they were scored.", registry=registry
        )
        self.lag = Gauge("detector_lag_records", "Records still to be read.", ["partition"], registry=registry)
        self.offset = Gauge(
            "detector_durable_offset", "Offset of the last checkpoint.", ["partition"], registry=registry
        )
        self.pipeline = Gauge("detector_pipeline", PIPELINE, ["name", "partition"], registry=registry)
        self.controls = Counter(
            "detector_controls",
            "Records of the topics of feedback and registry.",
            ["kind", "outcome"],
            registry=registry,
        )
        self.pending = Gauge(
            "detector_journal_pending", "Controls that wait for their place.", ["partition"], registry=registry
        )
        self.partitions = Gauge("detector_partitions", "Event partitions held.", registry=registry)
        self._of_surroundings(registry)

    def _of_surroundings(self, registry: CollectorRegistry) -> None:
        """Make what tells of the probes, the checkpoints' standing and the broker's clock."""
        self.probes_closed = Counter(
            "detector_probe_connections_closed", "Connections closed without an answer.", ["why"], registry=registry
        )
        self.beyond = Counter(
            "detector_manifests_beyond_end", "Checkpoints that stand beyond the end of the events.", registry=registry
        )
        self.ahead = Counter(
            "detector_manifest_ahead_records",
            "Records a checkpoint claims and the group had not committed.",
            registry=registry,
        )
        self.undated = Counter(
            "detector_records_undated", "Records that carry their sender's time, not the broker's.", registry=registry
        )
        self.senders_clock = Gauge(
            "detector_senders_own_the_clock", "1: the events topic is CreateTime; NaN: not known.", registry=registry
        )

        self.in_force = Gauge(
            "detector_commands_in_force", "Enforced commands whose term is not over; NaN: not known.", registry=registry
        )
        self.unacknowledged = Gauge(
            "detector_commands_unacknowledged",
            "Those that no enforcement point has acknowledged by their deadline; NaN: not known.",
            registry=registry,
        )
        self.acknowledged_s = Histogram(
            "detector_acknowledged_seconds",
            "From a command's begin to its first acknowledgement.",
            buckets=LATENCY_S,
            registry=registry,
        )

    def hold(self, partitions: int, now: float) -> None:
        """Say how many event partitions are held from now on; what was restored is durable."""
        self.partitions.set(partitions)
        self.checkpoint_time.set(now)

    def fetched(self, records: Sequence[Any], now: float) -> None:
        """Count what a fetch says of time: how long its last record took, and how many the broker did not date."""
        self.latency_s.observe(max(0.0, now - records[-1].timestamp / 1_000))
        self.undated.inc(sum(receipt_of(one) is None for one in records))

    def restored(self, standing: Standing, *, is_cold: bool) -> None:
        """Count what was amiss where a partition goes on."""
        self.cold.inc(is_cold or standing.is_forgotten)
        self.missing.inc(standing.missing)
        self.beyond.inc(standing.is_beyond)
        self.ahead.inc(standing.ahead)

    def count(self, outcome: Outcome, n_records: int) -> None:
        """Count what came of a micro-batch."""
        self.records.inc(n_records)
        self.lines.inc(len(outcome.scores))
        self.events.inc(len(outcome.scores) - sum(not refusal.is_scored for _, refusal in outcome.refusals))
        self.told(outcome)

    def told(self, outcome: Outcome) -> None:
        """Count what an outcome says, of a micro-batch or of a control."""
        for _, refusal in outcome.refusals:
            self.refused.labels(refusal.reason).inc()
            if refusal.is_scored:
                self.refused_scored.labels(refusal.reason).inc()
        for name, count in outcome.counts.items():
            self.counts.labels(name).inc(count)
        for alert in outcome.alerts:
            self.alerts.labels(alert.activity, alert.severity).inc()

    def saved(self, owner: PartitionOwner, snapshot: Snapshot, seconds: float) -> None:
        """Count a checkpoint that became durable."""
        self.checkpoint_s.observe(seconds)
        self.checkpoint_bytes.inc(sum(map(len, snapshot.shards.values())))
        self.offset.labels(owner.partition).set(snapshot.offset)
        self.show(owner.partition, owner.pipeline.gauges())

    def forget(self, partition: int) -> None:
        """Drop the series of a partition that is no longer ours."""
        for gauge in (self.lag, self.offset, self.pending):
            if (str(partition),) in gauge._metrics:  # noqa: SLF001 - remove() raises for one never set
                gauge.remove(partition)
        for name, held in list(self.pipeline._metrics):  # noqa: SLF001
            if held == str(partition):
                self.pipeline.remove(name, held)

    def show(self, partition: int, gauges: Mapping[str, float]) -> None:
        """Set the pipeline's gauges of a partition."""
        for name, value in gauges.items():
            self.pipeline.labels(name, partition).set(value)
