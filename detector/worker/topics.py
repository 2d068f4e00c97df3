"""The topics: their names, how each is kept, and how missing ones are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from detector.errors import SetupError
from detector.schema.topics import TopicNames

ADMIN_S = 30.0
DAY_MS = 86_400_000
TIME_SETTING = "message.timestamp.type"
"""Kafka's setting of a topic that says whose time its records carry."""
BROKERS_TIME = "LogAppendTime"
"""The broker's; the other value, CreateTime, is the sender's."""


class TopicSpec(NamedTuple):
    """How one topic is made: partitions and Kafka's topic settings."""

    name: str
    partitions: int
    config: dict[str, str]


def topic_specs(names: TopicNames, partitions: int = 4, *, event_days: int = 7) -> list[TopicSpec]:
    """Return what every topic of a deployment must look like.

    ``<group>.state`` has as many partitions as the events, because a checkpoint lies in the partition it stands for;
    so have ``agent.feedback`` and ``agent.registry``, because what is said and declared of an agent must reach the
    worker that holds it. Events and state carry the
    broker's time (LogAppendTime): the clock of the events is nobody's who sends, the age of a checkpoint is certain.

    Parameters
    ----------
    names : TopicNames
        Names of the deployment.
    partitions : int, default=4
        Partitions of the events; they are the shards, so choose for the largest fleet to come.
    event_days : int, default=7
        Days the events are kept: how far back a restore or a replay can reach.
    """
    kept = {"cleanup.policy": "delete", "retention.ms": str(event_days * DAY_MS)}
    received = {TIME_SETTING: BROKERS_TIME}
    long = {"cleanup.policy": "delete", "retention.ms": str(365 * DAY_MS)}
    compact = {"cleanup.policy": "compact"}
    # checkpoints are rewritten every few seconds: without these the log grows by gigabytes between two compactions
    often = {"segment.bytes": "67108864", "min.cleanable.dirty.ratio": "0.2", "segment.ms": "600000"}
    state = {**compact, **often, **received}
    return [
        TopicSpec(names.events, partitions, {**kept, **received}),
        TopicSpec(names.feedback, partitions, long),
        TopicSpec(names.registry, partitions, compact),
        TopicSpec(names.alerts, partitions, long),
        TopicSpec(names.policy, 1, compact),
        TopicSpec(names.policy_log, 1, long),
        TopicSpec(names.acks, 1, long),
        TopicSpec(names.deadletter, 1, kept),
        TopicSpec(names.by_tenant, partitions, kept),
        TopicSpec(names.state, partitions, state),
    ]


def registry_log_specs(names: TopicNames) -> list[TopicSpec]:
    """Return what the log of the inventory must look like: the people at the desk write it, no worker reads it."""
    return [TopicSpec(names.registry_log, 1, {"cleanup.policy": "delete", "retention.ms": str(365 * DAY_MS)})]


def otlp_specs(names: TopicNames, partitions: int = 4, *, days: int = 2) -> list[TopicSpec]:
    """Return what the topics of the bridge must look like; their partitions need not be those of the events.

    Records hold what programs were told and answered where somebody left content on: they are kept for `days` only.
    """
    kept = {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}
    return [TopicSpec(name, partitions, kept) for name in (names.otlp_spans, names.otlp_logs)]


def create_topics(client: Mapping[str, Any], specs: Iterable[TopicSpec], replication: int = 1) -> list[str]:
    """Return the names of the topics that were made; those that exist are left as they are.

    Parameters
    ----------
    client : mapping
        Settings of a confluent-kafka client, at least ``bootstrap.servers``.
    specs : iterable of TopicSpec
        What to make.
    replication : int, default=1
        Copies of each partition.

    Raises
    ------
    SetupError
        The broker refused one.
    """
    options: dict[str, Any] = {"log_level": 0, "error_cb": lambda _: None, **client}
    admin = AdminClient(options)
    wanted = [NewTopic(spec.name, spec.partitions, replication, config=spec.config) for spec in specs]
    made = []
    for name, future in admin.create_topics(wanted, operation_timeout=ADMIN_S, request_timeout=ADMIN_S).items():
        try:
            future.result()
            made.append(name)
        except KafkaException as exc:
            error: KafkaError = exc.args[0]
            if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                msg = (
                    f"topic {name} of the broker must be creatable, got {error.str()}: make it by hand or grant CREATE"
                )
                raise SetupError(msg) from exc
    return made


def delete_topics(client: Mapping[str, Any], specs: Iterable[TopicSpec]) -> None:
    """Remove topics; one that is not there, or may not be removed, is left."""
    options: dict[str, Any] = {"log_level": 0, "error_cb": lambda _: None, **client}
    admin = AdminClient(options)
    asked = admin.delete_topics([spec.name for spec in specs], operation_timeout=ADMIN_S, request_timeout=ADMIN_S)
    for future in asked.values():
        with suppress(KafkaException):
            future.result()
