"""Records written to `agent.feedback`, beside an agent's events or to a partition, and acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Producer

from detector.desk.reading import KAFKA_WAIT_S
from detector.errors import DeliveryError

ANYWHERE = -1
"""Partition of a record that its key places."""


class Addressed(NamedTuple):
    """A record and where it goes: beside the events of an agent, or to a partition."""

    value: bytes
    agent: str | None = None
    partition: int | None = None


class FeedbackPlace(NamedTuple):
    """Where a record stands on `agent.feedback`."""

    partition: int
    offset: int


def write_all(kafka: Mapping[str, Any], topic: str, records: Iterable[Addressed], what: str) -> list[FeedbackPlace]:
    """Return where records stand that Kafka has acknowledged, in the order of acknowledgement.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    topic : str
        The feedback topic.
    records : iterable of Addressed
        What is written.
    what : str
        What they are, for whoever reads that they are not there.

    Raises
    ------
    DeliveryError
        Kafka did not take all of them; written again they do no harm.
    """
    faults: list[str] = []
    written: list[FeedbackPlace] = []

    def heard(error: Any, message: Any) -> None:  # noqa: ANN401 - untyped C classes
        if error is not None:
            faults.append(error.str())
        else:
            written.append(FeedbackPlace(message.partition(), message.offset()))

    # as Java's producers place keys, so that it lies beside the agent's events; librdkafka's default does not
    own = {"message.timeout.ms": int(KAFKA_WAIT_S * 1_000), "partitioner": "murmur2_random"}
    producer = Producer({**own, **kafka, "acks": "all"})
    for one in records:
        key = None if one.agent is None else one.agent.encode()
        place = ANYWHERE if one.partition is None else one.partition
        producer.produce(topic, key=key, value=one.value, partition=place, on_delivery=heard)
    left = producer.flush(KAFKA_WAIT_S + 5.0)
    if left or faults:
        fault = faults[0] if faults else "no acknowledgement"
        raise DeliveryError(f"{what} must reach Kafka, got {fault}; write it again", 5.0)
    return written
