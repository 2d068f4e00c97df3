"""The least rights of every component on Kafka, and the commands that grant them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from detector.schema.topics import TopicNames
from detector.worker.settings import WorkerSettings

ADMIN = "admin.properties"
"""Stands for an administrator's credentials in a command; the worker's own grant nothing."""


class Right(NamedTuple):
    """One operation on one resource.

    Attributes
    ----------
    kind : str
        ``topic`` or ``group``.
    name : str
        Of the topic or the group.
    operation : str
        As ``kafka-acls.sh`` spells it: Read, Write, Create, DescribeConfigs. Read and Write contain Describe.
    """

    kind: str
    name: str
    operation: str


class Component(NamedTuple):
    """Who connects to Kafka.

    Attributes
    ----------
    name : str
        Of its user in the commands.
    what : str
        What it does there.
    rights : callable
        Its least rights in a deployment.
    """

    name: str
    what: str
    rights: Callable[[TopicNames], list[Right]]


def topic_rights(name: str, *operations: str) -> list[Right]:
    """Return operations on one topic."""
    return [Right("topic", name, operation) for operation in operations]


def worker_rights(names: TopicNames) -> list[Right]:
    """Return what a worker cannot do without."""
    return [
        *topic_rights(names.events, "Read"),
        *topic_rights(names.feedback, "Read", "Write"),
        *topic_rights(names.registry, "Read"),
        *topic_rights(names.by_tenant, "Read", "Write"),
        *topic_rights(names.state, "Read", "Write"),
        *topic_rights(names.policy, "Read", "Write"),
        *topic_rights(names.policy_log, "Read", "Write"),
        *topic_rights(names.acks, "Read"),
        *topic_rights(names.alerts, "Write"),
        *topic_rights(names.deadletter, "Write"),
        Right("group", names.group, "Read"),
    ]


def examined(names: TopicNames) -> list[str]:
    """Return the topics whose settings `detector doctor` reads."""
    return [
        names.events,
        names.feedback,
        names.registry,
        names.alerts,
        names.policy,
        names.policy_log,
        names.acks,
        names.deadletter,
        names.by_tenant,
        names.state,
    ]


COMPONENTS = (
    Component("producer", "writes the events of agents", lambda names: topic_rights(names.events, "Write")),
    Component(
        "worker",
        "`detector worker`; without DescribeConfigs it starts and cannot say whose clock dates the events",
        lambda names: [*worker_rights(names), *topic_rights(names.events, "DescribeConfigs")],
    ),
    Component(
        "worker",
        "`detector doctor`, run as the worker's user: these besides the worker's own, to see how topics are kept",
        lambda names: [Right("topic", name, "DescribeConfigs") for name in examined(names)],
    ),
    Component(
        "deployer",
        "`detector topics`",
        lambda names: [Right("topic", name, "Create") for name in [*examined(names), names.registry_log]],
    ),
    Component(
        "siem",
        "`detector siem`",
        lambda names: [*topic_rights(names.alerts, "Read"), Right("group", f"{names.group}.siem", "Read")],
    ),
    Component(
        "closer",
        "`detector closing`; a SIEM that writes closed cases itself needs Write alone. It decides what alerts, as an "
        "analyst does",
        lambda names: [*topic_rights(names.feedback, "Write"), *topic_rights(names.alerts, "Read")],
    ),
    Component(
        "analyst",
        "`detector release` and `detector verdict`",
        lambda names: [
            *topic_rights(names.feedback, "Write"),
            *topic_rights(names.policy, "Read"),
            *topic_rights(names.policy_log, "Read"),
        ],
    ),
    Component(
        "analyst",
        "`detector alerts`, `detector deadletters` and `detector status`: these besides; Describe of events and of the "
        "group shows the lag, no event is read",
        lambda names: [
            *topic_rights(names.alerts, "Read"),
            *topic_rights(names.deadletter, "Read"),
            *topic_rights(names.acks, "Read"),
            *topic_rights(names.events, "Describe"),
            Right("group", names.group, "Describe"),
        ],
    ),
    Component(
        "analyst",
        "`detector suppress` and `detector suppressions`: this besides, and what they need of the above",
        lambda names: topic_rights(names.feedback, "Read"),
    ),
    Component(
        "registrar",
        "`detector registry`, whoever may change it: entries and the log of changes are read and written",
        lambda names: [
            *topic_rights(names.registry, "Read", "Write"),
            *topic_rights(names.registry_log, "Read", "Write"),
        ],
    ),
    Component(
        "auditor",
        "`detector journal`; it needs the workers' DETECTOR_STATE_KEY",
        lambda names: topic_rights(names.state, "Read"),
    ),
    Component(
        "gateway",
        "`detector edge`, or another enforcement point: follows states, acknowledges; its group is its own choice",
        lambda names: [
            *topic_rights(names.policy, "Read"),
            *topic_rights(names.acks, "Write"),
            Right("group", "gateway", "Read"),
        ],
    ),
)
"""Everybody who connects, in the order of an event's way."""


def principal_of(settings: WorkerSettings) -> str:
    """Return whom the broker takes a worker for, as far as the settings tell."""
    if settings.security_protocol.startswith("SASL"):
        return f"User:{settings.sasl_username}"
    if settings.ssl_certificate is not None:
        return "User:CN-OF-THE-CERTIFICATE"
    return "User:ANONYMOUS"


def grants(bootstrap: str, principal: str, rights: Iterable[Right], config: str | None = ADMIN) -> list[str]:
    """Return the commands that grant rights, one a resource.

    Parameters
    ----------
    bootstrap : str
        Brokers.
    principal : str
        For example ``User:worker``.
    rights : iterable of Right
        What to grant.
    config : str, optional
        File with an administrator's credentials; None on a broker that asks nobody who they are.
    """
    wanted: dict[tuple[str, str], list[str]] = {}
    for kind, name, operation in rights:
        wanted.setdefault((kind, name), []).append(operation)
    who = f"kafka-acls.sh --bootstrap-server {bootstrap}" + (f" --command-config {config}" if config else "")
    return [
        f"{who} --add --allow-principal {principal} {' '.join(f'--operation {one}' for one in operations)} "
        f"--{kind} {name}"
        for (kind, name), operations in wanted.items()
    ]


def chapter(names: TopicNames, bootstrap: str = "kafka:9092") -> str:
    """Return the least rights of every component as a document's chapter."""
    parts = []
    for component in COMPONENTS:
        commands = "\n".join(grants(bootstrap, f"User:{component.name}", component.rights(names)))
        parts.append(f"### {component.name}: {component.what}\n\n```\n{commands}\n```\n")
    return "\n".join(parts)
