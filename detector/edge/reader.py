"""The policy topic, followed from its beginning by a thread of its own; it alone knows how current the view is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka.cimpl import TopicPartition

log = structlog.get_logger("detector.edge")

POLL_S: Final = 0.1
CHECK_S: Final = 1.0
"""How often the broker is asked where the topic ends."""
LOOK_S: Final = 30.0
"""How often the number of partitions is looked at."""
ASK_S: Final = 2.0
RETRY_S: Final = 1.0


class PolicyHearer(Protocol):
    """Who is told what the topic says."""

    why_not_read: str

    def heard(self, key: bytes | None, value: bytes | None, written_at: float | None = None) -> None:
        """Take a record."""

    def confirmed(self, asked_at: float) -> None:
        """Take note that everything written before was heard."""


class PolicyReader:
    """Reads the policy topic to its end and on, and proves again and again that it has.

    Proof: the broker is asked where each partition ends; if everything before that has been heard, the view was whole
    at the moment of asking. A broker that does not answer, a fetch that hangs and a partition that is added all make
    the proof fail, and the view grows stale by its own clock.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    topic : str
        The policy topic.
    hearer : PolicyHearer
        Is told.
    group : str
        Sent to the broker because a consumer must name one; nothing is committed.
    monotonic : callable
        The clock of the view's freshness.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topic: str,
        hearer: PolicyHearer,
        *,
        group: str = "gateway",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = {
            **kafka,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "fetch.error.backoff.ms": 100,
            "reconnect.backoff.max.ms": 1_000,
            "topic.metadata.refresh.interval.ms": 10_000,
        }
        self._topic, self._hearer, self._monotonic = topic, hearer, monotonic
        self._stop = threading.Event()
        self._reached: dict[int, int] = {}
        self._whole: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End reading, and wait until it has."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except KafkaException as exc:
                self._amiss(str(exc.args[0]))
            except Exception:
                log.exception("policy reader broke and begins again")
                self._hearer.why_not_read = "policy reader broke: see the log"
            self._stop.wait(RETRY_S)

    def _read(self) -> None:
        """Follow the topic until something is wrong or the end has come."""
        consumer = Consumer(self._options)
        try:
            count = self._partitions(consumer)
            self._reached, self._whole = {}, {}
            consumer.assign([TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in range(count)])
            checked = looked = self._monotonic()
            while not self._stop.is_set():
                message = consumer.poll(POLL_S)
                if message is not None:
                    self._take(message)
                now = self._monotonic()
                if now - checked >= CHECK_S or (len(self._whole) < count and message is None):
                    checked = now
                    self._check(consumer, count, now)
                if now - looked >= LOOK_S:
                    looked = now
                    if self._partitions(consumer) != count:
                        log.warning("policy topic has other partitions: it is read anew", before=count)
                        return
        finally:
            with contextlib.suppress(KafkaException, RuntimeError):
                consumer.close()

    def _partitions(self, consumer: Consumer) -> int:
        """Return how many partitions the topic has; KafkaException if it cannot be asked."""
        found = consumer.list_topics(self._topic, timeout=ASK_S).topics[self._topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return len(found.partitions)

    def _take(self, message: Message) -> None:
        error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
        if error is None:
            _, written_ms = message.timestamp()
            is_new = partition in self._whole
            self._hearer.heard(message.key(), message.value(), written_ms / 1_000 if is_new else None)
            self._reached[partition] = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the name librdkafka gives it
            self._reached[partition] = max(offset, self._reached.get(partition, 0))
            self._whole.setdefault(partition, offset)
        else:
            self._amiss(error.str())

    def _check(self, consumer: Consumer, count: int, asked_at: float) -> None:
        """Confirm the view if everything was heard that the topic has."""
        for number in range(count):
            place = TopicPartition(self._topic, number)
            try:
                _, end = consumer.get_watermark_offsets(place, timeout=ASK_S, cached=False)
            except KafkaException as exc:
                self._amiss(str(exc.args[0]))
                return
            reached = self._reached.get(number, -1)
            if reached > end:
                raise KafkaException(KafkaError(KafkaError.OFFSET_OUT_OF_RANGE, "policy topic was made anew"))
            if reached < end:
                return
        self._hearer.confirmed(asked_at)

    def _amiss(self, why: str) -> None:
        """Say what keeps the topic from being read; it is logged when it changes."""
        said = f"policy topic {self._topic} cannot be read: {why}"
        if self._hearer.why_not_read != said:
            log.warning("policy topic cannot be read", topic=self._topic, why=why)
        self._hearer.why_not_read = said
