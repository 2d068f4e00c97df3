"""The real broker that tests and demo start."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer

from detector.errors import SetupError
from detector.local.kafka import LocalKafka
from detector.local.ladder import Broker
from tests.kafka.harness import deployment

pytestmark = pytest.mark.kafka


def test_the_broker_is_a_real_one_and_takes_records(kafka: Broker, group: str, tmp_path: Path) -> None:
    """Topics with our settings, records in, records out, keys where Kafka's default partitioner puts them."""
    with deployment(kafka, group, tmp_path, partitions=3) as deployed:
        deployed.produce((f"a{n}".encode(), b"{}") for n in range(50))
        records = deployed.read(deployed.names.events)
        assert len(records) == 50
        assert {record.partition for record in records} == {0, 1, 2}


def test_a_folder_in_use_is_refused(kafka: Broker) -> None:
    """Two brokers on one folder would destroy it."""
    if kafka.kafka is None:
        pytest.skip("the broker is not ours (KAFKA_BOOTSTRAP)")
    with pytest.raises(SetupError, match="in use by"):
        LocalKafka(kafka.kafka.folder).start()


def test_the_cluster_goes_on_after_kill_9(kafka: Broker, tmp_path: Path) -> None:
    """Started again on its folder, address and data are the same, and stopping leaves nothing."""
    if kafka.kafka is None:
        pytest.skip("the broker is not ours (KAFKA_BOOTSTRAP)")
    with LocalKafka(tmp_path / "k") as node:
        before, pid = node.bootstrap, node.pid
        producer = Producer({"bootstrap.servers": before})
        producer.list_topics(timeout=20)
        node.kill()
        node.start()
        assert node.bootstrap == before
        assert node.pid != pid
    assert not (tmp_path / "k" / "broker.pid").exists()
    assert not Path(f"/proc/{node.pid}").exists() or node.pid is None
