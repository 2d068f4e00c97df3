"""The loop of the bridge against clients that break off where the test says so."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from prometheus_client import CollectorRegistry

from detector.bridge.counting import Counting
from detector.bridge.run import Bridge, BridgeOptions
from detector.errors import DeliveryError, SetupError
from detector.schema.topics import TopicNames
from tests.otlp.made import as_json, request, span

NAMES = TopicNames("", "g")
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}


class Message:
    def __init__(self, value: bytes, offset: int, partition: int = 0, error: KafkaError | None = None) -> None:
        self._value, self._offset, self._partition, self._error = value, offset, partition, error

    def error(self) -> KafkaError | None:
        return self._error

    def value(self) -> bytes:
        return self._value

    def key(self) -> None:
        return None

    def topic(self) -> str:
        return NAMES.otlp_spans

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return (1, 0)


class Place:
    def __init__(self, topic: str, partition: int) -> None:
        self.topic, self.partition = topic, partition


class FakeConsumer:
    """Hands out one message a time, from where it was sought; stops the bridge at the end."""

    def __init__(self, messages: list[Message], stop: threading.Event) -> None:
        self.messages, self.stop, self.at, self.is_closed = messages, stop, 0, False

    def subscribe(self, topics: list[str]) -> None:
        self.topics = topics

    def consume(self, most: int, wait_s: float) -> list[Message]:
        if self.at >= len(self.messages):
            self.stop.set()
            return []
        self.at += 1
        return [self.messages[self.at - 1]]

    def assignment(self) -> list[Place]:
        return [Place(NAMES.otlp_spans, 0)]

    def seek(self, place: Any) -> None:
        self.at = next(at for at, one in enumerate(self.messages) if one.offset() == place.offset)

    def consumer_group_metadata(self) -> object:
        return object()

    def close(self) -> None:
        self.is_closed = True


class FakeProducer:
    """Keeps what was committed; `failures` are raised by the next commits of offsets, one each."""

    def __init__(self, failures: list[KafkaException]) -> None:
        self.failures = failures
        self.open: list[tuple[str, bytes, bytes | None]] = []
        self.committed: list[tuple[str, bytes, bytes | None]] = []
        self.offsets: list[tuple[str, int, int]] = []
        self.aborted = 0

    def init_transactions(self, timeout: float) -> None:
        self.open = []

    def begin_transaction(self) -> None:
        self.open = []

    def produce(self, topic: str, value: bytes, key: bytes | None, headers: object) -> None:
        self.open.append((topic, value, key))

    def send_offsets_to_transaction(self, places: list[Any], group: object, timeout: float) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.offsets += [(place.topic, place.partition, place.offset) for place in places]

    def commit_transaction(self, timeout: float) -> None:
        self.committed += self.open
        self.open = []

    def abort_transaction(self, timeout: float) -> None:
        self.aborted += 1
        self.open = []


def _run(messages: list[Message], failures: list[KafkaException]) -> tuple[FakeConsumer, FakeProducer]:
    stop = threading.Event()
    consumer, producer = FakeConsumer(messages, stop), FakeProducer(failures)
    counting = Counting(frozenset(), CollectorRegistry())
    Bridge(consumer, producer, BridgeOptions(NAMES), counting).run(stop)
    return consumer, producer


def _messages(count: int) -> list[Message]:
    return [Message(as_json(request([span("t", at + 1, attributes=TOOL)])), at) for at in range(count)]


def test_events_and_the_offset_behind_them_are_committed_together() -> None:
    """Each batch is one transaction."""
    consumer, producer = _run(_messages(3), [])
    assert [(topic, key) for topic, _, key in producer.committed] == [("agent.events", b"svc")] * 3
    assert producer.offsets == [(NAMES.otlp_spans, 0, at) for at in (1, 2, 3)]
    assert consumer.is_closed


def test_what_was_aborted_is_read_again_and_is_no_repeat() -> None:
    """The memory of a batch that came to nothing is given up: nothing is lost."""
    broken = KafkaException(KafkaError(KafkaError.REBALANCE_IN_PROGRESS, "moved", False, True, True))
    _, producer = _run(_messages(3), [broken, broken])
    _, smooth = _run(_messages(3), [])
    assert producer.aborted == 2
    assert producer.committed == smooth.committed
    assert producer.offsets == smooth.offsets


def test_another_bridge_of_the_same_name_ends_this_one_with_a_sentence() -> None:
    """Who is fenced must not go on."""
    fenced = KafkaException(KafkaError(KafkaError._FENCED, "fenced", True, False, False))
    with pytest.raises(DeliveryError, match="only one of its name"):
        _run(_messages(1), [fenced])


def test_a_partition_that_moved_on_is_left_alone() -> None:
    """What was read of it is another bridge's to write."""
    other = Message(_messages(1)[0].value(), 0, partition=7)
    _, producer = _run([other], [])
    assert producer.committed == []
    assert producer.offsets == []


def test_a_topic_that_is_not_there_is_said() -> None:
    """And what to do about it."""
    missing = Message(b"", 0, error=KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    with pytest.raises(SetupError, match="--create-topics"):
        _run([missing], [])
