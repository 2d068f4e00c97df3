"""Whose clock dates the events: the broker's, which nobody who sends can set, or each sender's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from prometheus_client import Gauge

from detector.schema.record import Record
from detector.worker.topics import BROKERS_TIME, TIME_SETTING

log = structlog.get_logger("detector.worker")

LOG_APPEND_TIME = 1
"""Timestamp type of a record whose time is the broker's; a broker refuses a producer that claims it."""
ASK_S = 5.0
"""Asked beside the work, at each rebalance; a broker that is slow to answer must not hold up a stop."""


def receipt_of(message: Any) -> int | None:  # noqa: ANN401 - aiokafka's ConsumerRecord
    """Return the broker's time of a fetched record in milliseconds, None if it carries its sender's.

    Each record says so itself. The topic's setting is not asked: it may have changed since, and the same record must
    be judged the same by whoever reads it again.
    """
    return int(message.timestamp) if message.timestamp_type == LOG_APPEND_TIME else None


def record_of(message: Any) -> Record:  # noqa: ANN401 - aiokafka's ConsumerRecord
    """Return a fetched record as the pipeline takes it."""
    value = message.value if message.value is not None else b""
    place = (message.topic, message.partition, message.offset)
    return Record(value, message.key, *place, message.timestamp, receipt_of(message))


def time_setting(client: Mapping[str, Any], topic: str) -> str | None:
    """Return whose time records of a topic carry from now on, None if it cannot be known.

    Parameters
    ----------
    client : mapping
        Settings of a confluent-kafka client; it needs DESCRIBE_CONFIGS on the topic.
    topic : str
        Topic.

    Returns
    -------
    str or None
        ``LogAppendTime`` or ``CreateTime``.
    """
    wanted = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient(dict(client))  # held: a client that is collected takes its calls with it
    try:
        found = admin.describe_configs([wanted], request_timeout=ASK_S)[wanted].result()
    except KafkaException:
        return None
    return str(found[TIME_SETTING].value)


def broker_time_command(bootstrap: str, topic: str) -> str:
    """Return the command that makes the broker date the records of a topic from now on."""
    entity = f"--alter --entity-type topics --entity-name {topic}"
    return f"kafka-configs.sh --bootstrap-server {bootstrap} {entity} --add-config {TIME_SETTING}={BROKERS_TIME}"


class ClockWatch:
    """Says whose clock dates the events, when the worker starts and whenever that has changed.

    Parameters
    ----------
    ask : callable
        Returns the topic's setting, None if it cannot be known.
    gauge : Gauge
        1: the senders own the clock. 0: the broker does. NaN: not known.
    bootstrap, topic : str
        For the command that changes it.
    """

    def __init__(self, ask: Callable[[], str | None], gauge: Gauge, bootstrap: str, topic: str) -> None:
        self._ask, self._gauge, self._bootstrap, self._topic = ask, gauge, bootstrap, topic
        self._said: str | None = ""

    def look(self) -> None:
        """Ask once more; a line is logged if the answer is another."""
        found = self._ask()
        self._gauge.set(float("nan") if found is None else found != BROKERS_TIME)
        if found == self._said:
            return
        self._said = found
        if found is None:
            log.warning("whose clock dates the events is not known: grant DESCRIBE_CONFIGS", topic=self._topic)
        elif found == BROKERS_TIME:
            log.info("the broker dates the events", topic=self._topic)
        else:
            log.warning(
                "senders own the clock: event time moves by steps only",
                topic=self._topic,
                setting=f"{TIME_SETTING}={found}",
                do=broker_time_command(self._bootstrap, self._topic),
            )
