"""What the edge service counts, for Prometheus; no label's number of values grows with agents."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CONTAINMENT_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)
APPLY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
ANSWER_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)


class EdgeMetrics:
    """Counters, gauges and histograms in a registry of their own.

    Labels: ``applied`` (what became of a record), ``why`` and ``product`` of answers, ``why`` of connections closed,
    ``became`` of certificates:
    all bounded by the code.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.records = Counter("detector_edge_records", "Records of the policy topic.", ["applied"], registry=registry)
        self.newer = Counter(
            "detector_edge_newer_fields", "States with fields this version does not know.", registry=registry
        )
        self.answers = Counter(
            "detector_edge_answers", "Calls answered.", ["product", "why", "denied"], registry=registry
        )
        self.containment_s = Histogram(
            "detector_edge_containment_seconds",
            "From the event behind a command to the first call denied under it.",
            buckets=CONTAINMENT_S,
            registry=registry,
        )
        self.apply_s = Histogram(
            "detector_edge_apply_seconds",
            "From a state's record on Kafka to its being in force here.",
            buckets=APPLY_S,
            registry=registry,
        )
        self.answer_s = Histogram(
            "detector_edge_answer_seconds", "Answering a call, in the service.", buckets=ANSWER_S, registry=registry
        )
        self.bound = Gauge("detector_edge_bound_subjects", "Subjects that a state binds.", registry=registry)
        self.age_s = Gauge(
            "detector_edge_policy_age_seconds", "Since the topic was read to its end; NaN: never.", registry=registry
        )
        self.acks = Counter("detector_edge_acks", "Acknowledgements handed to Kafka.", registry=registry)
        self.acks_lost = Counter("detector_edge_acks_lost", "Acknowledgements Kafka did not take.", registry=registry)
        self.certificates = Counter(
            "detector_edge_certificates", "Changes of the files of TLS, by what became of them.", ["became"],
            registry=registry,
        )  # fmt: skip
        self.copies_failed = Counter("detector_edge_copies_failed", "Copies not written.", registry=registry)
        self.closed = Counter(
            "detector_edge_connections_closed", "Connections closed without an answer.", ["why"], registry=registry
        )
