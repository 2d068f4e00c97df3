"""Which broker a run gets."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, Producer

from detector.errors import SetupError
from detector.local import ladder
from detector.local.embedded import EmbeddedBroker
from detector.local.ladder import open_broker


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "KAFKA_HOME", "DETECTOR_BROKER", "REQUIRE_KAFKA"):
        monkeypatch.delenv(name, raising=False)


def _no_jars(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise SetupError("jars cannot be had")

    monkeypatch.setattr(ladder, "_real", refuse)


def test_without_jars_the_embedded_broker_serves_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on, but nobody can take it for the real thing."""
    _no_jars(monkeypatch)
    said: list[str] = []
    with open_broker(said.append) as broker:
        assert broker.rung == "embedded"
    assert "jars cannot be had" in said[-1]
    assert "nothing kept" in said[-1]


def test_require_kafka_makes_a_missing_real_broker_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """CI cannot pass without it."""
    _no_jars(monkeypatch)
    monkeypatch.setenv("REQUIRE_KAFKA", "1")
    with pytest.raises(SetupError, match="jars cannot be had"), open_broker(lambda _: None):
        raise AssertionError


def test_a_forced_real_broker_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """DETECTOR_BROKER=kafka means it."""
    _no_jars(monkeypatch)
    monkeypatch.setenv("DETECTOR_BROKER", "kafka")
    with pytest.raises(SetupError), open_broker(lambda _: None):
        raise AssertionError


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"DETECTOR_BROKER": "rabbit"}, "must be kafka or embedded, got 'rabbit'"),
        ({"DETECTOR_BROKER": "embedded", "REQUIRE_KAFKA": "1"}, "unset one of them"),
    ],
)
def test_settings_that_contradict_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sentence: str
) -> None:
    """Nothing is started on a guess."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=sentence), open_broker(lambda _: None):
        raise AssertionError


def test_a_named_broker_is_used_when_it_answers_and_refused_when_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """KAFKA_BOOTSTRAP stands above all rungs, and is never silently left."""
    with EmbeddedBroker() as running:
        monkeypatch.setenv("KAFKA_BOOTSTRAP", running.bootstrap)
        with open_broker(lambda _: None) as broker:
            assert (broker.rung, broker.bootstrap) == ("external", running.bootstrap)
    monkeypatch.setattr(ladder, "answering_cluster", lambda *_: None)
    with pytest.raises(SetupError, match="start it or unset it"), open_broker(lambda _: None):
        raise AssertionError


@pytest.mark.integration
def test_the_embedded_broker_carries_records() -> None:
    """What is written is read back, on four partitions."""
    with EmbeddedBroker() as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        producer.produce("t", b"value", b"key")
        assert producer.flush(10) == 0
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
        assert len(consumer.list_topics("t", timeout=10).topics["t"].partitions) == 4
        consumer.subscribe(["t"])
        message = consumer.poll(20)
        assert message is not None
        assert message.value() == b"value"
        consumer.close()
