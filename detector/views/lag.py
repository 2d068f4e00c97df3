"""Where the workers' group stands in the events, and who holds each partition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from detector.schema.topics import TopicNames
from detector.views.reading import ASK_S, TopicReader
from detector.views.shown import count_of, shown


class PartitionLag(NamedTuple):
    """Where the group stands in one partition of the events.

    Attributes
    ----------
    partition, begin, end : int
        Which, and the offsets it holds.
    committed : int or None
        Next offset of the group; None if it never committed.
    owner : str or None
        Client and host that hold it; None if nobody does or nobody may say.
    """

    partition: int
    begin: int
    end: int
    committed: int | None
    owner: str | None

    @property
    def lag(self) -> int:
        """Records that wait."""
        return self.end - max(self.begin, self.committed or 0)

    @property
    def gone(self) -> int:
        """Records that were removed before the group read them."""
        return max(0, self.begin - self.committed) if self.committed is not None else 0


class Members(NamedTuple):
    """Who holds which partition of the events; `unknown` says why that is not known, empty if it is."""

    owners: dict[int, str]
    unknown: str = ""


def lags_of(kafka: Mapping[str, Any], names: TopicNames, members: Members) -> list[PartitionLag]:
    """Return where the group stands in each partition.

    Raises
    ------
    SetupError
        The topic cannot be seen.
    KafkaException
        The group's offsets may not be read.
    """
    with TopicReader(kafka, names.events) as reader:
        places = reader.partitions()
    consumer = Consumer({**kafka, "group.id": names.group, "enable.auto.commit": False})
    try:
        found = []
        for place in consumer.committed(places, timeout=ASK_S):
            begin, end = consumer.get_watermark_offsets(place, timeout=ASK_S)
            committed = place.offset if place.offset >= 0 else None
            found.append(PartitionLag(place.partition, begin, end, committed, members.owners.get(place.partition)))
        return found
    finally:
        consumer.close()


def members_of(kafka: Mapping[str, Any], names: TopicNames) -> Members:
    """Return who holds the partitions, as far as the broker says."""
    try:
        admin = AdminClient(dict(kafka))  # named: a client that is gone leaves its futures unanswered for ever
        asked = admin.describe_consumer_groups([names.group], request_timeout=ASK_S)
        group = asked[names.group].result(2 * ASK_S)
    except KafkaException as error:
        return Members({}, error.args[0].str())
    except TimeoutError:
        return Members({}, f"the broker did not answer within {2 * ASK_S:.0f} s")
    owners: dict[int, str] = {}
    for member in group.members:
        assignment = member.assignment
        for one in assignment.topic_partitions if assignment is not None else ():
            if one.topic == names.events:
                owners[one.partition] = f"{member.client_id} at {member.host.lstrip('/')}"
    if group.members and not owners:
        return Members({}, f"{count_of(len(group.members), 'member')}, whose assignment the broker does not tell")
    return Members(owners)


def lag_lines(group: str, lags: list[PartitionLag], members: Members) -> list[str]:
    """Return where the group stands, as `detector status` shows it."""
    waits = sum(one.lag for one in lags)
    head = f"events     {count_of(len(lags), 'partition')}, {count_of(waits, 'record')} wait for group {shown(group)}"
    lines = [head]
    for one in lags:
        at = "nothing committed" if one.committed is None else f"at {one.committed:,}"
        gone = f", {one.gone:,} gone unread" if one.gone else ""
        owner = "not known who" if members.unknown else "nobody holds it" if one.owner is None else shown(one.owner)
        lines.append(f"  partition {one.partition:<4} {at} of {one.end:,}, lag {one.lag:,}{gone}  {owner}")
    if members.unknown:
        lines.append(f"  who holds them is not known: {shown(members.unknown, 200)}")
    return lines
