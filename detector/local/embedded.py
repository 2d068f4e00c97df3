"""The embedded broker: librdkafka's mock cluster, in this process, for machines that cannot have the real one."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from confluent_kafka import Producer

LIMITS = "one worker, four partitions a topic, 5 MB a partition, nothing kept"
"""What the mock cluster holds (librdkafka, src/rdkafka_mock.h: experimental, for tests)."""


class EmbeddedBroker:
    """A Kafka-protocol broker on loopback that lives inside this process; nothing is kept.

    Topics appear with four partitions when they are asked for. There is no compaction, no security and no admin
    interface, and older records are dropped beyond 5 MB a partition: good for a demo, not for data that matter.
    """

    def __init__(self) -> None:
        self._client: Producer | None = None
        self.bootstrap = ""

    def start(self) -> Self:
        """Return itself once the broker answers."""
        self._client = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "embedded", "log_level": 0})
        brokers = self._client.list_topics(timeout=10).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        return self

    def stop(self) -> None:
        """End the broker with everything in it."""
        self._client = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
