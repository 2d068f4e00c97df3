"""`detector closing`: a SIEM's closed cases reach the partitions of the agents they are about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.cimpl import TopicPartition
from typer.testing import CliRunner

from detector.desk.closing import ClosingClient
from detector.desk.commands import app
from detector.local.embedded import EmbeddedBroker
from detector.offline.partition import partition_of
from detector.schema.topics import TopicNames
from detector.sinks.ocsf import encode
from tests.schema.cases import case
from tests.sinks.alerts import make

WAIT_S = 20.0
ALERTS = [make(f"agent-{number}") for number in range(6)]
UIDS = [alert.finding_uid for alert in ALERTS]


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """Return the address of an embedded broker whose topics hold alerts of six agents, and something else."""
    with EmbeddedBroker() as running:
        producer = Producer({"bootstrap.servers": running.bootstrap, "log_level": 0})
        names = TopicNames("", "g")
        producer.list_topics(names.feedback, timeout=WAIT_S)
        for value in (b"not ours", *(encode(alert) for alert in ALERTS)):
            producer.produce(names.alerts, value)
        assert producer.flush(WAIT_S) == 0
        yield running.bootstrap


def written(bootstrap: str) -> list[tuple[int, bytes, bytes]]:
    """Return partition, key and value of what stands on the feedback topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "t", "log_level": 0, "enable.partition.eof": True})
    consumer.assign([TopicPartition("agent.feedback", partition, 0) for partition in range(4)])
    found, ends = [], 0
    while ends < 4:
        record = consumer.poll(WAIT_S)
        assert record is not None
        if record.error() is not None:
            ends += 1
        else:
            found.append((record.partition() or 0, record.key() or b"", record.value() or b""))
    consumer.close()
    return found


def test_a_case_lies_beside_the_events_of_each_agent_it_is_about(broker: str) -> None:
    """Once for each agent; what no alert has is named, what is not closed or decides nothing is refused."""
    lines = [case(UIDS, 2), b"", case([UIDS[0], "0" * 32], 1), case(UIDS, 10), case(UIDS, 2, status_id=2), b"{"]
    client = ClosingClient({"bootstrap.servers": broker, "log_level": 0}, TopicNames("", "g"))
    one, two, undecided, still_open, broken = client.write(lines)
    assert one == (1, tuple(alert.agent_id for alert in ALERTS), (), "")
    assert two == (3, ("agent-0",), ("0" * 32,), "")
    assert "which decides nothing" in undecided.why_not
    assert "the case is not closed" in still_open.why_not
    assert broken.why_not
    agents = [*(alert.agent_id for alert in ALERTS), "agent-0"]
    wanted = [(partition_of(agent, 4), agent.encode(), line) for agent, line in zip(agents, [lines[0]] * 6 + [lines[2]],
                                                                                   strict=True)]  # fmt: skip
    assert sorted(written(broker)) == sorted(wanted)


def test_the_command_says_what_it_wrote_and_what_not(broker: str, tmp_path: Path) -> None:
    """From a file or from standard input; a script reads the exit status."""
    where = ["--bootstrap", broker]
    (tmp_path / "cases").write_bytes(case(UIDS[:1], 1) + b"\n")
    done = CliRunner().invoke(app, ["closing", str(tmp_path / "cases"), *where])
    assert (done.exit_code, done.stdout) == (0, "written   line 1, beside agent-0\n")
    done = CliRunner().invoke(app, ["closing", *where], input=case(["0" * 32], 1) + b"\n" + case([UIDS[0], "1" * 32]))
    assert (done.exit_code, done.stdout) == (1, "written   line 2, beside agent-0\n")
    assert "refused   line 1: no alert on agent.alerts has a finding that it names" in done.stderr
    assert f"missing   line 2: no alert has finding {'1' * 32}" in done.stderr


def test_nothing_is_asked_of_a_broker_for_lines_that_say_nothing() -> None:
    """No case, nothing to look up and nothing to write."""
    kafka: dict[str, Any] = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    assert ClosingClient(kafka, TopicNames("", "g")).write([b"  "]) == []
