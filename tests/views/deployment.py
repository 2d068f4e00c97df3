"""A deployment on the embedded broker, written to as workers do."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Producer

from detector.schema.alert import Alert
from detector.schema.command import Breaker, Constraints, Issuer, PolicyState, Reason
from detector.schema.topics import TopicNames
from detector.sinks.ocsf import encode

WAIT_S = 20.0


def names_of(kafka: dict[str, Any], prefix: str) -> TopicNames:
    """Return the names of a deployment whose topics are there: this broker makes what a producer asks for."""
    names = TopicNames(prefix, "g")
    producer = Producer(kafka)
    for topic in (names.events, names.alerts, names.policy, names.policy_log, names.acks, names.deadletter):
        producer.list_topics(topic, timeout=WAIT_S)
    return names


def put(kafka: dict[str, Any], topic: str, key: str, value: bytes | None, **more: Any) -> None:
    """Write one record; `more` may hold its timestamp (ms) and headers."""
    producer = Producer(kafka)
    producer.produce(topic, value, key=key.encode(), **more)
    assert producer.flush(WAIT_S) == 0


def tell(kafka: dict[str, Any], names: TopicNames, *alerts: Alert, at: float | None = None) -> None:
    """Write alerts as a worker does, dated `at`."""
    when = int((time.time() if at is None else at) * 1_000)
    for alert in alerts:
        put(kafka, names.alerts, alert.agent_id, encode(alert), timestamp=when)


def state_of(agent: str, now: float, **changes: object) -> PolicyState:
    """Return an isolation of an agent that began a minute ago."""
    values: dict[str, object] = {
        "command_id": "c-1",
        "revision": 1,
        "subject": f"acme/agent/{agent}",
        "state": "quarantined",
        "tier": "isolate",
        "mode": "enforce",
        "constraints": Constraints(deny_tools=("*",)),
        "effective_at": now - 60.0,
        "expires_at": now + 14_400.0,
        "on_expiry": "step_down",
        "steps_down_until": now + 18_000.0,
        "reason": Reason(finding_uid="f" * 32, detections=("behaviour.session",), risk=80, score=3.0),
        "issuer": Issuer(kind="detector", id="response", policy_version="default/v1"),
        "breaker": Breaker(fleet_share=0.01, limit_share=0.05),
        "ack_deadline_s": 5.0,
        "contained_since": now - 60.0,
    }
    return PolicyState.model_validate({**values, **changes})


def stand(kafka: dict[str, Any], names: TopicNames, state: PolicyState) -> None:
    """Write a state to the policy topic."""
    put(kafka, names.policy, state.subject, state.model_dump_json(by_alias=True).encode())
