"""Reading a topic for somebody who looks: from a time on to its end, and on from there; no group, no commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.cimpl import TopicPartition

from detector.errors import SetupError

ASK_S = 15.0
POLL_S = 0.2
LACKING = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - its public name
)
"""What a broker answers of a topic that is not there, or not for this user."""
NO_FURTHER_S = 60.0
"""A reading that has not come further for so long is given up, aloud."""
BUFFER_KB = 16_384
"""What the client fetches ahead, at most: a view on a topic of gigabytes stays small."""


class StoredRecord(NamedTuple):
    """One record, and where it stands; `at` is its own time (epoch seconds), `headers` those that have a value."""

    partition: int
    offset: int
    at: float
    key: bytes
    value: bytes
    headers: dict[str, bytes]


class TopicReader:
    """Reads one topic outside every consumer group; what it read stays where it was for everybody else.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    topic : str
        Name of the topic.
    stop : threading.Event, optional
        Ends every reading after the record that was taken last, which is still given out.
    """

    def __init__(self, kafka: Mapping[str, Any], topic: str, stop: threading.Event | None = None) -> None:
        own = {
            "group.id": "detector-views",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": BUFFER_KB,
        }
        self._consumer = Consumer({**kafka, **own})
        self._topic = topic
        self._stop = threading.Event() if stop is None else stop

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def to_the_end(self, since: float = 0.0) -> Iterator[StoredRecord]:
        """Yield the records written at `since` (epoch seconds) or later, to what the end is when the reading begins.

        Raises
        ------
        SetupError
            The topic is not there, may not be read, or the broker does not answer.
        """
        try:
            places, left = self._begin(since)
            self._consumer.assign(places)
            last_step = time.monotonic()
            while left and not self._stop.is_set():
                record: Any = self._consumer.poll(POLL_S)
                if record is not None:
                    last_step = time.monotonic()
                    reached = record.offset() if record.error() else record.offset() + 1
                    if reached >= left.get(record.partition(), reached + 1):
                        del left[record.partition()]
                    if (taken := self._taken(record)) is not None and taken.at >= since:
                        yield taken
                if time.monotonic() - last_step > NO_FURTHER_S:
                    raise SetupError(f"topic {self._topic} must be readable to its end, got no further: see the broker")
        except KafkaException as error:
            raise self._refused(error.args[0]) from error

    def onward(self) -> Iterator[StoredRecord]:
        """Yield what comes behind the last reading, until told to stop; nothing in between is missed.

        Raises
        ------
        SetupError
            The topic may no longer be read.
        """
        while not self._stop.is_set():
            record = self._consumer.poll(POLL_S)
            if record is not None and (taken := self._taken(record)) is not None:
                yield taken

    def partitions(self) -> list[TopicPartition]:
        """Return the partitions of the topic.

        Raises
        ------
        SetupError
            It is not there, may not be seen, or the broker does not answer.
        """
        try:
            found = self._consumer.list_topics(self._topic, timeout=ASK_S).topics[self._topic]
        except KafkaException as error:
            raise self._refused(error.args[0]) from error
        if found.error is not None:
            raise self._refused(found.error)
        return [TopicPartition(self._topic, partition) for partition in sorted(found.partitions)]

    def _begin(self, since: float) -> tuple[list[TopicPartition], dict[int, int]]:
        """Return where each partition is read from, and the ends of those that hold something to be read."""
        places, left = [], {}
        wanted = [TopicPartition(one.topic, one.partition, int(since * 1_000)) for one in self.partitions()]
        asked = self._consumer.offsets_for_times(wanted, timeout=ASK_S) if since > 0.0 else wanted
        for one in asked:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(one.topic, one.partition), timeout=ASK_S)
            begin = max(low, min(one.offset, high)) if since > 0.0 and one.offset >= 0 else low
            # "none so young" is also what a broker answers that keeps no index of times: the last record tells
            if since > 0.0 and one.offset < 0 and low < high and self._is_older(one.partition, high - 1, since):
                begin = high
            places.append(TopicPartition(one.topic, one.partition, begin))
            if begin < high:
                left[one.partition] = high
        return places, left

    def _is_older(self, partition: int, offset: int, since: float) -> bool:
        self._consumer.assign([TopicPartition(self._topic, partition, offset)])
        deadline = time.monotonic() + ASK_S
        while time.monotonic() < deadline:
            record = self._consumer.poll(POLL_S)
            if record is not None:
                taken = self._taken(record)
                return taken is not None and taken.at < since
        return False

    def _taken(self, record: Any) -> StoredRecord | None:  # noqa: ANN401 - untyped C class
        error = record.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF and not error.retriable():  # noqa: SLF001 - its public name
                raise self._refused(error)
            return None
        headers = {name: value for name, value in record.headers() or [] if isinstance(value, bytes)}
        at = record.timestamp()[1] / 1_000
        return StoredRecord(
            record.partition(), record.offset(), at, record.key() or b"", record.value() or b"", headers
        )

    def _refused(self, error: KafkaError) -> SetupError:
        if error.code() in LACKING:
            return SetupError(
                f"topic {self._topic} must be there and readable, got {error.str()}: run `detector topics`, or grant "
                "what docs/rights.md lists for the analyst"
            )
        return SetupError(f"Kafka must answer, got {error.str()}: see bootstrap and credentials")
