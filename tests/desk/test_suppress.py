"""`detector suppress`: an exception reaches the partitions it is about, or is refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.cimpl import TopicPartition
from typer.testing import CliRunner

from detector.desk.suppress import app
from detector.desk.suppressing import SuppressionClient
from detector.errors import DeliveryError, SetupError
from detector.local.embedded import EmbeddedBroker
from detector.offline.partition import partition_of
from detector.schema.feedback import feedback_adapter
from detector.schema.suppression import Suppression, SuppressionEnd
from detector.schema.topics import TopicNames

WAIT_S = 20.0
PARTITIONS = 4


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """Return the address of an embedded broker."""
    with EmbeddedBroker() as running:
        yield running.bootstrap


def names_of(bootstrap: str, prefix: str) -> TopicNames:
    """Return the names of a deployment whose feedback topic is there."""
    names = TopicNames(prefix, "g")
    Producer({"bootstrap.servers": bootstrap}).list_topics(names.feedback, timeout=WAIT_S)
    return names


def written(bootstrap: str, topic: str) -> list[tuple[int, Any]]:
    """Return partition and act of each record."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "t", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    found, ends = [], 0
    while ends < PARTITIONS:
        record = consumer.poll(WAIT_S)
        assert record is not None
        if record.error() is not None:
            ends += 1
        else:
            found.append((record.partition() or 0, feedback_adapter.validate_json(record.value() or b"")))
    consumer.close()
    return sorted(found, key=lambda one: one[0])


def test_one_for_everyone_stands_in_every_partition_and_so_does_its_end(broker: str) -> None:
    """The same record, by one id; dated by the desk's clock."""
    names = names_of(broker, "all.")
    client = SuppressionClient({"bootstrap.servers": broker}, names, clock=lambda: 1_000.0)
    said = client.add("kim", "known job", tool="backup", everyone=True, until=9_000.0)
    ended = client.end(said.uid, "ada", "over")
    assert said.partitions == ended.partitions == tuple(range(PARTITIONS))
    acts = written(broker, names.feedback)
    begins = [(at, act) for at, act in acts if isinstance(act, Suppression)]
    assert [at for at, _ in begins] == list(range(PARTITIONS))
    assert {(act.id, act.owner, act.tool, act.at) for _, act in begins} == {(said.uid, "kim", "backup", 1_000.0)}
    assert {act.id for _, act in acts if isinstance(act, SuppressionEnd)} == {said.uid}


def test_one_for_an_agent_lies_beside_its_events(broker: str) -> None:
    """And nowhere else."""
    names = names_of(broker, "one.")
    client = SuppressionClient({"bootstrap.servers": broker}, names, clock=lambda: 1_000.0)
    for number in range(6):
        said = client.add("kim", "known job", tool="backup", agent_id=f"agent-{number}")
        assert said.partitions == (partition_of(f"agent-{number}", PARTITIONS),)
    assert len(written(broker, names.feedback)) == 6


def test_the_command_says_its_id_or_why_not(broker: str) -> None:
    """What has no bound is refused before anything is written."""
    names_of(broker, "cli.")
    where = ["--bootstrap", broker, "--topic-prefix", "cli."]
    who = ["--owner", "kim", "--reason", "known job"]
    done = CliRunner().invoke(app, ["add", *who, "--tool", "x", "--agent", "a", *where])
    assert done.exit_code == 0
    (uid,) = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("id ")]
    done = CliRunner().invoke(app, ["end", uid, "--by", "ada", "--reason", "over", *where])
    assert done.stdout == "written   cli.agent.feedback, partitions 0, 1, 2, 3\n"
    unbounded = {"--tool": "is for everyone, and must say so", "--agent": "until must be there"}
    for option, says in unbounded.items():
        done = CliRunner().invoke(app, ["add", *who, option, "a", *where])
        assert isinstance(done.exception, SetupError)
        assert says in str(done.exception)


def test_a_broker_that_takes_nothing_is_told(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an acknowledgement nobody is told that it stands."""
    names = names_of(broker, "gone.")
    monkeypatch.setattr("detector.desk.writing.KAFKA_WAIT_S", 0.05)
    monkeypatch.setattr("detector.desk.suppressing.FeedbackReader", _Nothing)
    client = SuppressionClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, names)
    with pytest.raises(DeliveryError, match="suppression must reach Kafka, got"):
        client.add("kim", "known job", tool="x", agent_id="a")


class _Nothing:
    """A reader that knows of one partition without asking."""

    def __init__(self, kafka: dict[str, Any]) -> None:
        self.kafka = kafka

    def __enter__(self) -> tuple[None, Any]:
        return None, lambda topic: [TopicPartition(topic, 0)]

    def __exit__(self, *_: object) -> None:
        pass
