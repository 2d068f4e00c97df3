"""A worker with a user of its own on a broker with access control: its rights, and what happens when they go."""

from __future__ import annotations

import json
import re
import shlex
import socket
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
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
from pydantic import SecretStr

from detector.local.kafka import LocalKafka
from detector.local.ladder import Broker
from detector.profile.load import load_profile
from detector.schema.topics import TopicNames
from detector.worker.factory import ProfilePipelines
from detector.worker.rights import COMPONENTS, Right
from detector.worker.settings import WorkerSettings
from detector.worker.startup import needed_rights
from detector.worker.topics import create_topics, delete_topics, topic_specs
from tests.kafka.edge_scene import edge_scene, isolation
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
CASES = Path(__file__).with_name("closed-case.ndjson")
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

    def give(self, rights: Iterable[Right]) -> None:
        """Grant what a table or a command says."""
        bindings = [
            self._binding(AclBinding, ResourceType[right.kind.upper()], right.name, _operation(right.operation))
            for right in rights
        ]
        self._done(self._admin.create_acls(bindings))

    def withdraw(self, name: str, operation: AclOperation) -> None:
        self._done(self._admin.delete_acls([self._binding(AclBindingFilter, ResourceType.TOPIC, name, operation)]))

    def _binding(self, kind: Any, resource: ResourceType, name: str, operation: AclOperation) -> Any:
        literal, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
        return kind(resource, name, literal, "User:worker", "*", operation, allow)

    def _done(self, futures: dict[Any, Any]) -> None:
        for future in futures.values():
            future.result(15)


def _operation(name: str) -> AclOperation:
    """Return an operation as the client spells it, from how ``kafka-acls.sh`` does."""
    return AclOperation[re.sub("(?<=[a-z])(?=[A-Z])", "_", name).upper()]


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


@pytest.mark.chaos("a wrong password")
def test_a_wrong_password_is_said(secured: tuple[Broker, str], deployed: Deployment) -> None:
    """It does not look like a broker that is slow."""
    worker = deployed.start(**_credentials(secured, "wrong"))
    assert worker.wait(60) == 2
    assert "user and password" in deployed.logs()
    assert "wrong" not in deployed.logs().replace("wrong password", "")


@pytest.mark.chaos("rights on the outputs withdrawn under load")
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
    pipelines = ProfilePipelines(load_profile(), WorkerSettings(state_key=SecretStr("a secret of the group")))
    expected = {(one.finding_uid, one.counter): one for one in replayed(deployed, pipelines)}
    assert {(one.finding_uid, one.counter): one for one in published(deployed)} == expected
    assert {one.value for one in deployed.read(deployed.names.deadletter)} == {b"{broken"}


def _doctor(deployed: Deployment, **settings: str) -> tuple[int, list[dict[str, str]]]:
    """Return the exit status and the remarks of the doctor."""
    done = deployed.run("doctor", "--json", **settings)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == done.returncode
    assert "worker-secret" not in done.stdout
    return done.returncode, report["findings"]


def _wrong(findings: list[dict[str, str]]) -> dict[str, str]:
    return {f"{one['chapter']}: {one['what']}": one["do"] for one in findings if one["status"] == "wrong"}


def _granted_by(commands: Iterable[str]) -> Iterator[Right]:
    """Yield what commands of ``kafka-acls.sh`` grant; they must be for the worker's user."""
    for command in commands:
        words = shlex.split(command)
        pairs = list(pairwise(words))
        assert ("--allow-principal", "User:worker") in pairs
        ((kind, name),) = [(one[2:], other) for one, other in pairs if one in {"--topic", "--group"}]
        yield from (Right(kind, name, other) for one, other in pairs if one == "--operation")


def test_the_doctor_finds_nothing_wrong_where_all_is_in_order(
    secured: tuple[Broker, str], deployed: Deployment
) -> None:
    """With the least rights and those to look; clock, key and every partition are told."""
    rights = Rights(deployed)
    for component in COMPONENTS:
        if component.name == "worker":
            rights.give(component.rights(deployed.names))
    worker = deployed.start(**_credentials(secured))
    deployed.produce(stream(500))
    deployed.until_done()
    assert deployed.stop(worker) == 0, deployed.logs()
    status, findings = _doctor(deployed, **_credentials(secured))
    assert (status, _wrong(findings)) == (0, {})
    said = {(one["chapter"], one["what"]): one for one in findings}
    assert said["clock", "offset"]["status"] == "good"
    assert [said["state", f"partition {at}"]["status"] for at in range(4)] == ["good"] * 4
    assert said["topics", deployed.names.events]["says"].startswith("4 partitions, delete, 7 days, LogAppendTime")
    text = deployed.run("doctor", **_credentials(secured))
    assert text.returncode == 0
    assert re.search(r"sasl_password +\*{8}\n", text.stdout)
    assert "0 wrong, 0 to know" in text.stdout
    # the next worker reads its state past the doctor's tombstone
    worker = deployed.start(**_credentials(secured))
    deployed.produce(stream(1_000)[500:])
    deployed.until_done()
    assert deployed.stop(worker) == 0, deployed.logs()
    assert "restarts cold" not in deployed.logs()


def test_the_doctors_commands_grant_what_is_missing(secured: tuple[Broker, str], deployed: Deployment) -> None:
    """Each missing right comes with a command; run as it stands, it heals, and nothing else is needed."""
    rights = Rights(deployed)
    rights.grant_all()
    rights.withdraw(deployed.names.policy, AclOperation.WRITE)
    status, findings = _doctor(deployed, **_credentials(secured))
    (command,) = _wrong(findings).values()
    assert list(_granted_by([command])) == [Right("topic", deployed.names.policy, "Write")]
    rights.give(_granted_by([command]))
    rights.withdraw(deployed.names.alerts, AclOperation.WRITE)
    rights.withdraw(deployed.names.events, AclOperation.READ)
    status, findings = _doctor(deployed, **_credentials(secured))
    wrong = _wrong(findings)
    assert status == 1
    # a topic without any right cannot be told from one that is not there
    assert {f"topics: {deployed.names.alerts}", f"topics: {deployed.names.events}"} == wrong.keys()
    commands = [line for do in wrong.values() for line in do.splitlines()]
    rights.give(_granted_by(line for line in commands if line.startswith("kafka-acls.sh")))
    status, findings = _doctor(deployed, **_credentials(secured))
    assert (status, _wrong(findings)) == (0, {})
    assert any("DescribeConfigs" in one["do"] for one in findings), "how topics are kept is not known, and said so"


def test_the_doctor_says_that_a_broker_cannot_be_reached(deployed: Deployment) -> None:
    """Its own exit status, so that a script can tell."""
    status, findings = _doctor(deployed, bootstrap="127.0.0.1:1")
    assert (status, list(_wrong(findings))) == (2, ["broker: 127.0.0.1:1"])


def test_the_doctor_finds_what_is_amiss_with_topics_and_state(
    secured: tuple[Broker, str], deployed: Deployment
) -> None:
    """Another key, and a topic that is not there."""
    worker = deployed.start()
    deployed.produce(stream(500))
    deployed.until_done()
    assert deployed.stop(worker) == 0, deployed.logs()
    admin = AdminClient(deployed.client)  # held: a client that is collected takes its calls with it
    for future in admin.delete_topics([deployed.names.deadletter]).values():
        future.result(30)
    status, findings = _doctor(deployed, state_key="another")
    wrong = _wrong(findings)
    assert status == 1
    assert "detector topics" in wrong[f"topics: {deployed.names.deadletter}"]
    assert {f"state: partition {at}" for at in range(4)} <= wrong.keys()
    create_topics(deployed.client, topic_specs(deployed.names))


@pytest.mark.parametrize(
    ("component", "words", "says"),
    [
        ("analyst", ("verdict", "f" * 32, "dismiss", "--agent", "a", "--by", "kim", "--reason", "r"), "written"),
        ("analyst", ("release", "a", "--by", "kim", "--reason", "r"), "no command names it"),
        ("closer", ("closing", str(CASES)), "no alert on"),
        ("auditor", ("journal", "--out", "audit"), "must hold a group's state"),
        ("deployer", ("topics",), "made"),
    ],
)
def test_a_command_runs_with_the_rights_of_the_table(
    secured: tuple[Broker, str], deployed: Deployment, component: str, words: tuple[str, ...], says: str
) -> None:
    """What the page of rights grants is enough: nothing is refused for want of a right."""
    names = TopicNames(f"{deployed.group}.new.", f"{deployed.group}-new") if component == "deployer" else deployed.names
    settings = {"topic_prefix": names.prefix, "group": names.group}
    rights = Rights(deployed)
    for one in COMPONENTS:
        if one.name == component:
            rights.give(one.rights(names))
    done = deployed.run(*words, **_credentials(secured), **settings)
    assert says in done.stdout + done.stderr
    assert "uthoriz" not in done.stdout + done.stderr
    if component == "deployer":
        delete_topics(deployed.client, topic_specs(names))


def test_a_forwarder_runs_with_the_rights_of_the_table(
    secured: tuple[Broker, str], deployed: Deployment, tmp_path: Path
) -> None:
    """`detector siem` reads the alerts and keeps its own place."""
    (siem,) = [one for one in COMPONENTS if one.name == "siem"]
    Rights(deployed).give(siem.rights(deployed.names))
    worker = deployed.start()  # on the open listener
    deployed.produce(stream(12_000))
    deployed.until_done()
    assert deployed.stop(worker) == 0, deployed.logs()
    to = tmp_path / "alerts.jsonl"
    command = (sys.executable, "-m", "detector", "siem", "--to", f"file://{to}")
    forwarder = deployed.start(*command, **_credentials(secured))
    deployed.until(lambda: to.exists() and bool(to.read_text()), "a forwarded alert")
    assert deployed.stop(forwarder) == 0, deployed.logs()


def test_an_edge_runs_with_the_rights_of_the_table(secured: tuple[Broker, str], deployed: Deployment) -> None:
    """`detector edge` follows the policy and acknowledges; when its right to read goes, nobody passes."""
    (gateway,) = [one for one in COMPONENTS if one.name == "gateway"]
    rights = Rights(deployed)
    rights.give(gateway.rights(deployed.names))
    with edge_scene(deployed) as scene:
        scene.start("edge", "--stale-after", "3", settings=_credentials(secured))
        scene.publish(isolation("ci-7"))
        scene.until("ci-7", is_denied=True)
        assert not scene.ask("ci-8").is_denied
        deployed.until(lambda: len(scene.acks()) >= 2, "acknowledgements")
        rights.withdraw(deployed.names.policy, AclOperation.READ)
        scene.until("ci-8", is_denied=True, says="could not be read")
        rights.grant(deployed.names.policy, AclOperation.READ)
        scene.until("ci-8", is_denied=False)
        assert scene.ask("ci-7").is_denied
    assert "worker-secret" not in deployed.logs()
