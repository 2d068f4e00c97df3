"""What is checked before the worker joins says how to mend it without losing the memory."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AclOperation
from pydantic import SecretStr
from structlog.testing import capture_logs

from detector.errors import SetupError
from detector.schema.topics import TopicNames
from detector.worker.settings import WorkerSettings
from detector.worker.startup import _check_widths, _has_group, check_state_key

NAMES = TopicNames(group="g")


@pytest.mark.parametrize(
    ("events", "state", "command"),
    [(6, 4, "--alter --topic g.state --partitions 6"), (4, 6, "--alter --topic agent.events --partitions 6")],
)
def test_a_state_topic_of_another_width_is_to_be_widened_not_recreated(events: int, state: int, command: str) -> None:
    """Checkpoints are the memory: partitions are added to the narrower topic."""
    with pytest.raises(SetupError, match="the memory is lost") as told:
        _check_widths("b:9092", NAMES, {NAMES.events: events, NAMES.state: state})
    assert f"kafka-topics.sh --bootstrap-server b:9092 {command}" in str(told.value)


def test_a_feedback_topic_of_another_width_is_to_be_widened() -> None:
    """As earlier versions made it, with one partition: verdicts would reach the wrong worker."""
    with pytest.raises(SetupError, match=r"partitions of agent.feedback must be as many .*, got 1: .*only records"):
        _check_widths("b:9092", NAMES, {NAMES.events: 4, NAMES.state: 4, NAMES.feedback: 1})


def test_as_many_partitions_everywhere_are_in_order() -> None:
    """Nothing is said."""
    _check_widths("b:9092", NAMES, {NAMES.events: 4, NAMES.state: 4, NAMES.feedback: 4, NAMES.registry: 4})


def _settings(protocol: str, **more: Any) -> WorkerSettings:
    known: dict[str, Any] = {"sasl_username": "worker", "sasl_password": "secret"} if "SASL" in protocol else {}
    return WorkerSettings(security_protocol=protocol, **known, **more)


@pytest.mark.parametrize("protocol", ["SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_state_without_a_key_is_refused_where_the_broker_asks_who_comes(protocol: str) -> None:
    """A forged manifest without a key skipped 1,500 events unseen; whoever secures the broker means the state too."""
    with pytest.raises(SetupError, match="set DETECTOR_STATE_KEY"):
        check_state_key(_settings(protocol))


@pytest.mark.parametrize(
    ("protocol", "more", "warnings"),
    [
        ("SASL_SSL", {"state_key": SecretStr("k")}, 0),
        ("PLAINTEXT", {"state_key": SecretStr("k")}, 0),
        ("SASL_SSL", {"allow_unkeyed_state": True}, 1),
        ("PLAINTEXT", {}, 1),
    ],
)
def test_state_without_a_key_is_warned_of_where_it_was_said_aloud(
    protocol: str, more: dict[str, Any], warnings: int
) -> None:
    """One line each start; with a key none."""
    with capture_logs() as said:
        check_state_key(_settings(protocol, **more))
    assert [one["log_level"] for one in said] == ["warning"] * warnings


def admin(answer: Any) -> Any:
    """Return an admin client whose broker describes every group so, or refuses to."""
    future: Future[Any] = Future()
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(SimpleNamespace(authorized_operations=answer))
    return SimpleNamespace(describe_consumer_groups=lambda groups, **_: dict.fromkeys(groups, future))


@pytest.mark.parametrize(
    ("answer", "is_faulty"),
    [
        ({AclOperation.READ}, False),
        ({AclOperation.DESCRIBE}, True),
        (set(), True),
        (None, False),  # a broker without access control names no rights
        (KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)), True),
        (KafkaException(KafkaError(KafkaError.GROUP_ID_NOT_FOUND)), False),
    ],
)
def test_a_group_that_may_not_be_read_is_told_before_the_worker_joins(answer: Any, is_faulty: bool) -> None:
    """A group nobody has used is not described, and that is no fault."""
    assert _has_group(admin(answer), "g") == (not is_faulty)
