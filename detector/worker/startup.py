"""What is checked before the worker joins its group: topics and rights, because missing ones hang silently later."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclOperation

from detector.errors import SetupError
from detector.schema.topics import TopicNames
from detector.worker.rights import Right, worker_rights
from detector.worker.settings import WorkerSettings

log = structlog.get_logger("detector.worker")

ASK_S = 15.0

READ = AclOperation.READ


def needed_rights(names: TopicNames) -> dict[str, set[AclOperation]]:
    """Return the operations a worker needs on each topic; on its group it needs READ."""
    needed: dict[str, set[AclOperation]] = {}
    for kind, name, operation in worker_rights(names):
        if kind == "topic":
            needed.setdefault(name, set()).add(AclOperation[operation.upper()])
    return needed


def check_broker(client: Mapping[str, Any], names: TopicNames, *, has_admin: bool) -> None:
    """Return if every topic is there, fits, and may be used.

    Parameters
    ----------
    client : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Names of the deployment.
    has_admin : bool
        False for the embedded broker, which answers metadata only.

    Raises
    ------
    SetupError
        Names every fault found and what to do about it.
    """
    admin = AdminClient(dict(client))
    partitions = _partitions(admin, str(client["bootstrap.servers"]))
    needed = needed_rights(names)
    if not has_admin:
        for name in needed:
            admin.list_topics(name, timeout=ASK_S)  # the embedded broker makes a topic when it is asked for
        return
    missing = [name for name in needed if name not in partitions]
    if missing:
        raise SetupError(
            f"topics of the broker must exist and be visible, got none named {', '.join(missing)}: "
            "make them with `detector topics`, or grant DESCRIBE, or correct topic_prefix and group"
        )
    _check_widths(str(client["bootstrap.servers"]), names, partitions)
    faults = [_fault(right) for right in missing_rights(admin, names)]
    if faults:
        told = "; ".join(faults)
        raise SetupError(
            f"rights of the worker must cover what it does, got: {told}; `detector doctor` has the commands"
        )


def check_state_key(settings: WorkerSettings) -> None:
    """Return if state is guarded by a secret, or it was said aloud that it is not; without one a warning is logged.

    Raises
    ------
    SetupError
        The broker asks who comes, and yet nothing tells a worker's state from a forger's.
    """
    if settings.state_key is not None:
        return
    if settings.security_protocol != "PLAINTEXT" and not settings.allow_unkeyed_state:
        raise SetupError(
            f"state_key of the settings must be set on a broker with authentication ({settings.security_protocol}), "
            "got none: whoever may write the state topic could plant a memory or skip events; set DETECTOR_STATE_KEY "
            "to a secret of your own (state written without it starts cold), or say allow_unkeyed_state = true"
        )
    log.warning(
        "state_key is not set: checkpoints are guarded against accidents, not against forgers, and who has this code "
        "can search for names that collide"
    )


def widened(bootstrap: str, topic: str, partitions: int) -> str:
    """Return the command that gives a topic more partitions; nothing in it is lost by that."""
    return f"kafka-topics.sh --bootstrap-server {bootstrap} --alter --topic {topic} --partitions {partitions}"


def _check_widths(bootstrap: str, names: TopicNames, partitions: Mapping[str, int]) -> None:
    """Raise unless each partition of the events has one for its checkpoints, and one for what people say of it."""
    events = partitions[names.events]
    for name, why in (
        (names.state, "recreated, the memory is lost"),
        (names.feedback, "a verdict must reach the worker that holds its agent; only records to come matter"),
        (names.registry, "an entry must reach the worker that holds its agent; write entries and zones again"),
    ):
        if partitions[name] == events:
            continue
        narrow = name if partitions[name] < events else names.events
        raise SetupError(
            f"partitions of {name} must be as many as of {names.events} ({events}), got {partitions[name]}: add "
            f"partitions to {narrow} with `{widened(bootstrap, narrow, max(events, partitions[name]))}`; {why}"
        )


def _partitions(admin: AdminClient, bootstrap: str) -> dict[str, int]:
    try:
        found = admin.list_topics(timeout=ASK_S).topics
    except KafkaException as exc:
        raise SetupError(
            f"bootstrap of the settings must be brokers that answer, got {bootstrap} ({exc.args[0].str()}): "
            "check the address, security_protocol, user and password"
        ) from exc
    return {name: len(topic.partitions) for name, topic in found.items() if topic.error is None}


def missing_rights(admin: AdminClient, names: TopicNames) -> list[Right]:
    """Return the rights a worker needs and its principal does not have; the broker is asked, nothing is tried."""
    needed = needed_rights(names)
    asked = admin.describe_topics(
        TopicCollection(list(needed)), include_authorized_operations=True, request_timeout=ASK_S
    )
    granted = {name: _granted(future) for name, future in asked.items()}

    def is_granted(right: Right) -> bool:
        if right.kind == "group":
            return _has_group(admin, right.name)
        return AclOperation[right.operation.upper()] in granted[right.name]

    return [right for right in worker_rights(names) if not is_granted(right)]


def _fault(right: Right) -> str:
    return f"no {right.operation.upper()} on {right.kind} {right.name}: grant it to the worker's principal"


def _has_group(admin: AdminClient, group: str) -> bool:
    asked = admin.describe_consumer_groups([group], include_authorized_operations=True, request_timeout=ASK_S)
    try:
        granted = asked[group].result().authorized_operations
    except KafkaException as exc:
        # a group that has never been used is not described; the watchdog speaks if its READ is missing
        return bool(exc.args[0].code() != KafkaError.GROUP_AUTHORIZATION_FAILED)
    return granted is None or READ in granted


def _granted(future: Future[Any]) -> set[AclOperation]:
    try:
        return set(future.result().authorized_operations or ())
    except KafkaException:
        return set()
