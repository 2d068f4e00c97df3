"""What a scored micro-batch becomes on Kafka: alerts, the same alerts by tenant, and dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import structlog

from detector.schema.alert import Alert
from detector.schema.decode import Refusal
from detector.schema.record import Record
from detector.schema.suppression import DETECTION
from detector.schema.tiding import Tiding, encode_tiding, in_order
from detector.schema.topics import TopicNames
from detector.sinks.ocsf import encode

if TYPE_CHECKING:  # numba comes with it, and help must not wait for it
    from detector.state.report import Outcome

log = structlog.get_logger("detector.alerts")

MAX_DEAD_LETTER_BYTES = 64 * 1_024
"""A refused record of a megabyte must not become an output the broker refuses."""
KIND = "kind"
KIND_ALERT = b"alert"
KIND_FEEDBACK = b"feedback"
KIND_TIDING = b"tiding"


class Output(NamedTuple):
    """One record to be written."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


def alert_outputs(alert: Alert, names: TopicNames) -> list[Output]:
    """Return an alert twice: as an OCSF finding for the SOC, and whole for the response stage."""
    kind = [(KIND, KIND_ALERT)]
    return [
        Output(names.alerts, alert.agent_id.encode(), encode(alert), []),
        Output(names.by_tenant, alert.tenant.encode(), alert.model_dump_json().encode(), kind),
    ]


def tiding_output(tiding: Tiding, names: TopicNames) -> Output:
    """Return a tiding for the stage where its tenant is whole."""
    return Output(names.by_tenant, tiding.tenant.encode(), encode_tiding(tiding), [(KIND, KIND_TIDING)])


def said_in(outcome: Outcome) -> list[Alert | Tiding]:
    """Return the alerts and tidings of a micro-batch as they arose."""
    return list(in_order(outcome.alerts, outcome.tidings))


def dead_letter(record: Record, refusal: Refusal, names: TopicNames) -> Output:
    """Return a refused record: its bytes (capped), and headers that say why, whether it was scored, and its place."""
    headers = [
        ("reason", refusal.reason.encode()),
        ("detail", refusal.detail.encode()),
        ("topic", record.topic.encode()),
        ("partition", str(record.partition).encode()),
        ("offset", str(record.offset).encode()),
        ("scored", b"true" if refusal.is_scored else b"false"),
    ]
    if refusal.line is not None:
        headers.append(("line", str(refusal.line).encode()))
    return Output(names.deadletter, record.key, refusal.raw[:MAX_DEAD_LETTER_BYTES], headers)


def outputs_of(
    said: Sequence[Alert | Tiding],
    refusals: Sequence[tuple[int, Refusal]],
    records: Sequence[Record],
    names: TopicNames,
) -> list[Output]:
    """Return everything a micro-batch writes, in a fixed order: alerts and tidings as they arose, then dead letters.

    A suppression that is over is said in the log as well: from there on what it hid is told.

    Parameters
    ----------
    said : sequence of Alert or Tiding
        As the pipeline raised them.
    refusals : sequence of (int, Refusal)
        Index of the record, and why.
    records : sequence of Record
        The micro-batch.
    names : TopicNames
        Names of the deployment.
    """
    for one in said:
        if isinstance(one, Alert) and one.detection == DETECTION and one.activity == "close":
            hid = {"acts": one.events, "sessions": one.events_over}
            log.warning("suppression is over", id=one.event_id, what=one.title, partition=one.partition, **hid)
    outputs: list[Output] = []
    for one in said:
        outputs += [tiding_output(one, names)] if isinstance(one, Tiding) else alert_outputs(one, names)
    outputs += [dead_letter(records[index], refusal, names) for index, refusal in refusals]
    return outputs
