"""A cluster of two brokers that loses one under load, and a password that is changed under load."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from detector.local.jars import kafka_jars
from detector.local.java import find_java
from detector.local.kafka import LocalKafka, free_port
from detector.local.ladder import Broker
from detector.worker.factory import ProfilePipelines
from tests.kafka.harness import Deployment, deployment, published, replayed, stream

pytestmark = [pytest.mark.kafka, pytest.mark.data, pytest.mark.timeout(240)]

EVENTS = 8_000
TWICE = """
group.min.session.timeout.ms=2000
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=2
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=2
transaction.state.log.min.isr=1
min.insync.replicas=1
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""
"""What is kept inside the cluster lies on both; a dead broker is missed within three seconds."""
SECOND = """\
process.roles=broker
node.id=2
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
"""
SCRAM = """
listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{secured},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{secured}
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
listener.name.sasl_plaintext.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={module} required;
"""
MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"


def _assert_equal_to_replay(deployed: Deployment, pipelines: ProfilePipelines) -> None:
    """Every alert of a replay of the topic, and no other."""
    expected = {(one.finding_uid, one.counter): one for one in replayed(deployed, pipelines)}
    assert len(expected) > 5, "the slice raises too few alerts to prove anything"
    assert {(one.finding_uid, one.counter): one for one in published(deployed)} == expected


def _property(node: LocalKafka, name: str) -> str:
    lines = (node.folder / "server.properties").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix(f"{name}=") for line in lines if line.startswith(f"{name}="))


def _joined(first: LocalKafka, folder: Path) -> LocalKafka:
    """Return a second broker of a running cluster, formatted and not started."""
    node = LocalKafka(folder, free_port())
    folder.mkdir()
    properties = folder / "server.properties"
    controller = _property(first, "controller.quorum.voters").rpartition(":")[2]
    properties.write_text(SECOND.format(controller=controller, port=node.port, folder=folder) + TWICE, "utf-8")
    (folder / "log4j2.properties").write_bytes((first.folder / "log4j2.properties").read_bytes())
    meta = (first.folder / "data" / "meta.properties").read_text(encoding="utf-8").splitlines()
    cluster = next(line.removeprefix("cluster.id=") for line in meta if line.startswith("cluster.id="))
    format_it = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    command = [str(find_java()), *node._java_options(kafka_jars(node.say)), *format_it]
    subprocess.run(command, capture_output=True, timeout=90, check=True)
    return node


@pytest.fixture
def two(kafka: Broker, tmp_path: Path) -> Iterator[tuple[LocalKafka, LocalKafka]]:
    """Two running brokers of one cluster; the first is its controller."""
    if kafka.kafka is None:
        pytest.skip("the broker is not ours (KAFKA_BOOTSTRAP)")
    with LocalKafka(tmp_path / "one", extra=TWICE) as first, _joined(first, tmp_path / "two") as second:
        yield first, second


def _leaders(deployed: Deployment) -> set[int]:
    """Brokers that lead a partition of the events; none until the metadata of a new topic have spread."""
    topic = AdminClient(deployed.client).list_topics(deployed.names.events).topics[deployed.names.events]
    return {place.leader for place in topic.partitions.values()}


@pytest.mark.chaos("kill -9 of one of two brokers under load")
def test_the_worker_goes_on_with_the_broker_that_is_left(
    two: tuple[LocalKafka, LocalKafka], group: str, tmp_path: Path, pipelines: ProfilePipelines
) -> None:
    """Half of all leaders die with events, outputs and checkpoints on their way; the same worker misses nothing."""
    first, second = two
    broker = Broker(f"{first.bootstrap},{second.bootstrap}", "kafka", first)
    events = stream(EVENTS)
    with deployment(broker, group, tmp_path, replication=2) as deployed:
        deployed.until(
            lambda: _leaders(deployed) == {1, 2}, "each broker leads some of the events: its death proves something"
        )
        worker = deployed.start()
        deployed.produce(events[: EVENTS // 2])
        deployed.until(lambda: sum(deployed.committed()) > 0, "a first checkpoint")
        second.kill()
        deployed.produce(events[EVENTS // 2 :])
        deployed.until_done()
        deployed.until_by_tenant_done()
        assert worker.poll() is None, deployed.logs()
        second.start()
        assert deployed.stop(worker) == 0, deployed.logs()
        _assert_equal_to_replay(deployed, pipelines)


def _set_password(client: dict[str, Any], password: str) -> None:
    """Give the worker's user a password; the one before is void for whoever comes from now on."""
    admin = AdminClient(client)
    known = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4_096)
    change = UserScramCredentialUpsertion("worker", known, password.encode())
    for future in admin.alter_user_scram_credentials([change]).values():
        future.result(15)


@pytest.mark.chaos("the password of SCRAM is changed under load")
def test_a_password_is_changed_under_load_without_a_gap(
    kafka: Broker, group: str, tmp_path: Path, pipelines: ProfilePipelines
) -> None:
    """The worker that is in goes on, the old password lets nobody else in, and the next worker takes over exactly."""
    if kafka.kafka is None:
        pytest.skip("the broker is not ours (KAFKA_BOOTSTRAP)")
    port, secured, controller = free_port(), free_port(), free_port()
    extra = SCRAM.format(port=port, secured=secured, controller=controller, module=MODULE)
    events = stream(EVENTS)
    with (
        LocalKafka(tmp_path / "k", port, extra=extra) as node,
        deployment(Broker(node.bootstrap, "kafka", node), group, tmp_path) as deployed,
    ):
        who = {
            "bootstrap": f"127.0.0.1:{secured}",
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_username": "worker",
            "allow_unkeyed_state": "true",
        }
        _set_password(deployed.client, "old-secret")
        old = deployed.start(**who, sasl_password="old-secret")
        deployed.produce(events[: EVENTS // 2])
        deployed.until(lambda: sum(deployed.committed()) > 0, "a first checkpoint")
        _set_password(deployed.client, "new-secret")
        late = deployed.start(**who, sasl_password="old-secret")
        assert late.wait(60) == 2
        assert "user and password" in deployed.logs()
        late.returncode = 0  # as it should be: the wait for facts below must not take it for an accident
        deployed.produce(events[EVENTS // 2 : 3 * EVENTS // 4])
        deployed.until_done()
        assert deployed.stop(old) == 0, deployed.logs()
        new = deployed.start(**who, sasl_password="new-secret")
        deployed.produce(events[3 * EVENTS // 4 :])
        deployed.until_done()
        deployed.until_by_tenant_done()
        assert deployed.stop(new) == 0, deployed.logs()
        assert "secret" not in deployed.logs()
        _assert_equal_to_replay(deployed, pipelines)
