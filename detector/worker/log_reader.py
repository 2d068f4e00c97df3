"""Reading a topic from its beginning to what its end was when the reading began."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

FETCH_BYTES = 4 * 1_024 * 1_024
POLL_MS = 500


async def read_to_end(
    topic: str, partitions: list[int] | None, client: Mapping[str, Any], last: int | None = None
) -> AsyncIterator[Any]:
    """Yield every record of some partitions, in order within each.

    Parameters
    ----------
    topic : str
        Topic.
    partitions : list of int, optional
        All of the topic's if None.
    client : mapping
        Settings of an aiokafka client.
    last : int, optional
        Of one partition only the last so many offsets; several are read whole, because their ends are of different age.
    """
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=100,
        **client,
    )
    await consumer.start()
    try:
        if partitions is None:
            await consumer._client.set_topics([topic])  # noqa: SLF001 - the public call asks for a subscription
            partitions = sorted(consumer.partitions_for_topic(topic) or [])
        places = [TopicPartition(topic, partition) for partition in partitions]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        begins = await consumer.beginning_offsets(places)
        if last is not None and len(places) == 1:
            begins = {place: max(begins[place], ends[place] - last) for place in places}
        for place in places:
            consumer.seek(place, begins[place])
        left = {place for place in places if ends[place] > begins[place]}
        while left:
            for records in (await consumer.getmany(*left, timeout_ms=POLL_MS)).values():
                for record in records:
                    yield record
            left = {place for place in left if await consumer.position(place) < ends[place]}
    finally:
        await consumer.stop()


async def read_span(
    topic: str, partition: int, span: tuple[int, int], client: Mapping[str, Any]
) -> AsyncIterator[list[Any]]:
    """Yield the records of one partition from the first offset of a span up to, not including, the second.

    Parameters
    ----------
    topic : str
        Topic.
    partition : int
        Its partition.
    span : (int, int)
        First offset, and the one before which to stop.
    client : mapping
        Settings of an aiokafka client.
    """
    from aiokafka import AIOKafkaConsumer, TopicPartition

    start, stop = span
    if start >= stop:
        return
    consumer = AIOKafkaConsumer(group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", **client)
    await consumer.start()
    try:
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        consumer.seek(place, start)
        while await consumer.position(place) < stop:
            for records in (await consumer.getmany(place, timeout_ms=POLL_MS)).values():
                yield [record for record in records if record.offset < stop]
    finally:
        await consumer.stop()
