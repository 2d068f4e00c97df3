"""Records on their way into a topic: in order per key, and refusals said."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from confluent_kafka import Consumer, Message

from detector.errors import DeliveryError, SetupError
from detector.local.embedded import EmbeddedBroker
from detector.offline.partition import partition_of
from detector.simulate.fleet import Fleet
from detector.simulate.render import Simulated
from detector.worker.writer import KafkaWriter


@pytest.fixture
def events() -> list[Simulated]:
    """Return some events of a small fleet."""
    return list(islice(Fleet(agents=20, seed=1).stream(), 300))


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    """Return a broker in this process."""
    with EmbeddedBroker() as running:
        yield running


@pytest.mark.integration
def test_records_reach_the_partition_of_their_key_in_order(broker: EmbeddedBroker, events: list[Simulated]) -> None:
    """Keyed by agent with Kafka's own partitioner, so that a replay can shard alike."""
    with KafkaWriter(broker.bootstrap, "agent.events") as writer:
        for event in events:
            writer.send(event.agent_id, event.value)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["agent.events"])
    read: list[Message] = []
    while len(read) < len(events):
        message = consumer.poll(10.0)
        assert message is not None, "the broker did not hand back what it acknowledged"
        assert message.error() is None
        read.append(message)
    consumer.close()
    for agent_id in {event.agent_id for event in events}:
        mine = [message for message in read if message.key() == agent_id.encode()]
        assert [message.value() for message in mine] == [e.value for e in events if e.agent_id == agent_id]
        assert {message.partition() for message in mine} == {partition_of(agent_id, 4)}


def test_a_broker_that_is_not_there_is_said() -> None:
    """Held records are no success."""
    writer = KafkaWriter("127.0.0.1:9", "agent.events", {"log_level": 0})
    writer.send("a", b"{}")
    with pytest.raises(DeliveryError, match=r"were not taken by Kafka topic agent\.events"):
        writer.flush(0.2)


def test_a_record_that_is_refused_is_said(broker: EmbeddedBroker) -> None:
    """Too large for the topic: the client's own words come out."""
    writer = KafkaWriter(broker.bootstrap, "agent.events")
    with pytest.raises(DeliveryError, match=r"agent\.events refused a record: .*too large"):
        writer.send("a", b"x" * 2_000_000)


def test_a_setting_that_confluent_does_not_know_is_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(SetupError, match="options of the Kafka writer"):
        KafkaWriter("127.0.0.1:9", "t", {"no.such.setting": "1"})
