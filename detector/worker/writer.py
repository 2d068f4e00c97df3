"""Records on their way into a Kafka topic, keyed: for tools that produce and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaException, Producer

from detector.errors import DeliveryError, SetupError

FLUSH_S = 30.0


class KafkaWriter:
    """Write keyed records to one topic, in order per key; `close` waits until the broker has them all.

    Parameters
    ----------
    bootstrap : str
        Brokers, ``host:port``, several separated by commas.
    topic : str
        Where records go.
    options : mapping of str to str, optional
        Further settings of confluent-kafka, such as ``security.protocol``.
    """

    def __init__(self, bootstrap: str, topic: str, options: Mapping[str, Any] | None = None) -> None:
        self._topic = topic
        self._fault: str | None = None
        settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 10,
            "compression.type": "lz4",
            # as Java's producers place keys; librdkafka's own default places them elsewhere
            "partitioner": "murmur2_random",
            **(options or {}),
        }
        try:
            self._producer = Producer(settings)
        except KafkaException as error:
            message = f"options of the Kafka writer must be settings confluent-kafka knows, got {error}"
            raise SetupError(message) from error

    def send(self, key: str, value: bytes) -> None:
        """Hand over one record; waits while the client's queue is full.

        Raises
        ------
        DeliveryError
            The client refused it, or the broker an earlier one.
        """
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._heard)
            except BufferError:
                # a full queue empties as the broker answers; poll waits for that
                self._producer.poll(1.0)
                self._complain()
            except KafkaException as error:
                self._fault = str(error)
                self._complain()
            else:
                self._producer.poll(0)
                return

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Wait until the broker has every record.

        Raises
        ------
        DeliveryError
            It refused one, or has not all of them in time.
        """
        left = self._producer.flush(timeout_s)
        self._complain()
        if left:
            message = f"{left} records were not taken by Kafka topic {self._topic} within {timeout_s:g} s"
            raise DeliveryError(message, retry_after=timeout_s)

    def _heard(self, error: object, _message: object) -> None:
        if error is not None:
            self._fault = str(error)

    def _complain(self) -> None:
        if self._fault is not None:
            message = f"Kafka topic {self._topic} refused a record: {self._fault}"
            raise DeliveryError(message)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()
