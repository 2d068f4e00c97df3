"""A worker with a user of its own on a broker with access control: its rights, and what happens when they go."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from detector.local.kafka import LocalKafka
from detector.local.ladder import Broker
from detector.profile.load import load_profile
from detector.worker.factory import ProfilePipelines
from detector.worker.settings import WorkerSettings
from detector.worker.startup import needed_rights
from tests.kafka.harness import Deployment, deployment, published, replayed, stream

pytestmark = [pytest.mark.kafka, pytest.mark.data, pytest.mark.timeout(150)]

PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{secured},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{secured}
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={module} required user_worker="worker-secret";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:ANONYMOUS
"""
MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def secured(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, str]]:
    """A second node: everything is allowed without a user, nothing but what is granted with one."""
    if kafka.kafka is None:
        pytest.skip("the broker is not ours (KAFKA_BOOTSTRAP)")
    port, sasl, controller = _free_ports(3)
    extra = PROPERTIES.format(port=port, secured=sasl, controller=controller, module=MODULE)
    with LocalKafka(tmp_path_factory.mktemp("secured") / "k", port, extra=extra) as node:
        yield Broker(node.bootstrap, "kafka", node), f"127.0.0.1:{sasl}"


class Rights:
    """Grants and withdraws rights of the worker's user."""

    def __init__(self, deployed: Deployment) -> None:
        self._admin = AdminClient(deployed.client)
        self._names, self._group = deployed.names, deployed.group

    def grant_all(self) -> None:
        """Grant what the worker says it needs, and nothing else."""
        wanted = [
            (name, operation) for name, operations in needed_rights(self._names).items() for operation in operations
        ]
        bindings = [self._binding(AclBinding, ResourceType.TOPIC, name, operation) for name, operation in wanted]
        bindings.append(self._binding(AclBinding, ResourceType.GROUP, self._group, AclOperation.READ))
        self._done(self._admin.create_acls(bindings))

    def grant(self, name: str, operation: AclOperation) -> None:
        self._done(self._admin.create_acls([self._binding(AclBinding, ResourceType.TOPIC, name, operation)]))

    def withdraw(self, name: str, operation: AclOperation) -> None:
        self._done(self._admin.delete_acls([self._binding(AclBindingFilter, ResourceType.TOPIC, name, operation)]))

    def _binding(self, kind: Any, resource: ResourceType, name: str, operation: AclOperation) -> Any:
        literal, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
        return kind(resource, name, literal, "User:worker", "*", operation, allow)

    def _done(self, futures: dict[Any, Any]) -> None:
        for future in futures.values():
            future.result(15)


@pytest.fixture
def deployed(secured: tuple[Broker, str], group: str, tmp_path: Path) -> Iterator[Deployment]:
    with deployment(secured[0], group, tmp_path) as made:
        yield made


def _credentials(secured: tuple[Broker, str], known: str = "worker-secret") -> dict[str, str]:
    return {
        "bootstrap": secured[1],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "worker",
        "sasl_password": known,
        "state_key": "a secret of the group",
    }


def test_the_rights_the_worker_names_are_enough(secured: tuple[Broker, str], deployed: Deployment) -> None:
    """Least rights: no CREATE, no CLUSTER, no IDEMPOTENT_WRITE; it scores, checkpoints and stops."""
    Rights(deployed).grant_all()
    worker = deployed.start(**_credentials(secured))
    deployed.produce(stream(2_000))
    deployed.until_done()
    assert deployed.stop(worker) == 0, deployed.logs()


@pytest.mark.parametrize("operation", ["READ", "WRITE"])
def test_a_missing_right_is_named_before_the_group_is_joined(
    secured: tuple[Broker, str], deployed: Deployment, operation: str
) -> None:
    """Without READ on the events Faust alone hangs in silence; without WRITE on the alerts it dies much later."""
    name = deployed.names.events if operation == "READ" else deployed.names.alerts
    rights = Rights(deployed)
    rights.grant_all()
    rights.withdraw(name, AclOperation[operation])
    worker = deployed.start(**_credentials(secured))
    assert worker.wait(60) == 2
    logs = deployed.logs()
    assert f"no {operation} on topic {name}" in logs or f"none named {name}" in logs


def test_a_wrong_password_is_said(secured: tuple[Broker, str], deployed: Deployment) -> None:
    """It does not look like a broker that is slow."""
    worker = deployed.start(**_credentials(secured, "wrong"))
    assert worker.wait(60) == 2
    assert "user and password" in deployed.logs()
    assert "wrong" not in deployed.logs().replace("wrong password", "")


def test_nothing_is_lost_when_a_right_is_withdrawn_under_load(
    secured: tuple[Broker, str], deployed: Deployment
) -> None:
    """WRITE on the outputs goes: the worker ends, writes no state past it, and goes on exactly when it is back."""
    rights = Rights(deployed)
    rights.grant_all()
    events = stream(8_000)
    worker = deployed.start(**_credentials(secured))
    deployed.produce(events[:4_000])
    deployed.until(lambda: sum(deployed.committed()) > 0, "a first checkpoint")
    for name in (deployed.names.alerts, deployed.names.by_tenant, deployed.names.deadletter):
        rights.withdraw(name, AclOperation.WRITE)
    deployed.produce([*events[4_000:], (b"poison", b"{broken")])
    assert worker.wait(90) != 0
    assert "start it again once the broker and its rights are in order" in deployed.logs()
    deployed.workers.remove(worker)
    rights.grant_all()
    worker = deployed.start(**_credentials(secured))
    deployed.until_done()
    deployed.until_by_tenant_done()
    assert deployed.stop(worker) == 0, deployed.logs()
    pipelines = ProfilePipelines(load_profile(), WorkerSettings())
    expected = {(one.finding_uid, one.counter): one for one in replayed(deployed, pipelines)}
    assert {(one.finding_uid, one.counter): one for one in published(deployed)} == expected
    assert {one.value for one in deployed.read(deployed.names.deadletter)} == {b"{broken"}
