"""A topic read from its beginning to its end, outside every consumer group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.cimpl import TopicPartition

from detector.errors import SetupError

KAFKA_WAIT_S = 15.0
POLL_S = 0.2

PartitionsOf = Callable[[str], list[TopicPartition]]


class FeedbackReader:
    """A consumer outside every group, closed on leaving."""

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        own = {"group.id": "detector-feedback", "enable.auto.commit": False, "enable.auto.offset.store": False}
        self._consumer = Consumer({**kafka, **own})

    def __enter__(self) -> tuple[Any, PartitionsOf]:
        return self._consumer, self._partitions_of

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def _partitions_of(self, topic: str) -> list[TopicPartition]:
        try:
            found = self._consumer.list_topics(topic, timeout=KAFKA_WAIT_S).topics[topic]
        except KafkaException as error:
            raise SetupError(f"Kafka must answer, got {error}: see bootstrap and credentials") from error
        if found.error is not None:
            raise SetupError(f"topic {topic} must be there, got {found.error.str()}: run `detector topics`")
        return [TopicPartition(topic, partition) for partition in found.partitions]


def to_the_end(consumer: Any, partitions: list[TopicPartition], key: bytes | None) -> Iterator[bytes]:  # noqa: ANN401
    """Yield the values of one key, of all without, from the beginning to what the end was when the reading began."""
    left: dict[int, int] = {}
    starts = []
    for one in partitions:
        low, high = consumer.get_watermark_offsets(one, timeout=KAFKA_WAIT_S)
        if high > low:
            left[one.partition] = high
            starts.append(TopicPartition(one.topic, one.partition, low))
    consumer.assign(starts)
    deadline = time.monotonic() + 4 * KAFKA_WAIT_S
    while left:
        if time.monotonic() > deadline:
            raise SetupError(f"topic {partitions[0].topic} must be readable to its end, got no further: see the broker")
        record = consumer.poll(POLL_S)
        # Compaction may have taken the last offsets, so the position counts, not the records seen.
        for reached in consumer.position(starts):
            if reached.offset >= left.get(reached.partition, reached.offset + 1):
                del left[reached.partition]
        if record is not None and record.error() is None and key in (None, record.key()) and record.value():
            yield record.value()
