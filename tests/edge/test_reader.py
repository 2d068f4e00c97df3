"""The reader proves that it has read to the end, and says so only then; a scripted broker stands in for Kafka."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from detector.edge import reader as reading
from detector.edge.reader import PolicyReader

TOPIC = "agent.policy"


class Told:
    """Who is told: remembers, and can be waited for."""

    def __init__(self) -> None:
        self.why_not_read = ""
        self.records: list[tuple[bytes | None, bytes | None, float | None]] = []
        self.confirmed_at: list[float] = []
        self.happened = threading.Condition()

    def heard(self, key: bytes | None, value: bytes | None, written_at: float | None = None) -> None:
        if value == b"breaks us":
            raise ValueError
        with self.happened:
            self.records.append((key, value, written_at))
            self.happened.notify_all()

    def confirmed(self, asked_at: float) -> None:
        with self.happened:
            self.confirmed_at.append(asked_at)
            self.why_not_read = ""
            self.happened.notify_all()

    def until(self, is_so: Callable[[], bool]) -> None:
        """Return once it is so."""
        with self.happened:
            assert self.happened.wait_for(is_so, 20.0), (self.records, self.confirmed_at, self.why_not_read)


class Script:
    """What the broker holds and how it behaves, for all consumers that are made."""

    def __init__(self) -> None:
        self.logs: dict[int, list[bytes]] = {0: []}
        self.ends: dict[int, int] = {}
        self.refuses: KafkaError | None = None
        self.made = 0
        self.asked = threading.Event()

    def end(self, partition: int) -> int:
        """Return where a partition ends, or is said to."""
        return self.ends.get(partition, len(self.logs[partition]))


class Message:
    """One record, or the news of a partition's end."""

    def __init__(self, partition: int, offset: int, value: bytes | None, error: KafkaError | None = None) -> None:
        self._partition, self._offset, self._value, self._error = partition, offset, value, error

    def error(self) -> KafkaError | None:
        return self._error

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes | None:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return 1, 5_000


class ScriptedConsumer:
    """A consumer of the client's form that plays a script."""

    script: Script

    def __init__(self, options: dict[str, Any]) -> None:
        assert options["enable.auto.commit"] is False
        self.script.made += 1
        self._at = dict.fromkeys(self.script.logs, 0)
        self._has_told: set[tuple[int, int]] = set()

    def list_topics(self, topic: str, timeout: float) -> Any:
        if self.script.refuses is not None:
            raise KafkaException(self.script.refuses)
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=dict(self.script.logs))})

    def assign(self, places: list[Any]) -> None:
        assert {place.partition for place in places} == set(self.script.logs)

    def poll(self, timeout: float) -> Message | None:
        for partition, offset in self._at.items():
            log = self.script.logs[partition]
            if offset < len(log):
                self._at[partition] += 1
                return Message(partition, offset, log[offset])
            if (partition, offset) not in self._has_told:
                self._has_told.add((partition, offset))
                return Message(partition, offset, None, KafkaError(KafkaError._PARTITION_EOF))
        self.script.asked.wait(0.01)
        return None

    def get_watermark_offsets(self, place: Any, timeout: float, cached: bool) -> tuple[int, int]:
        assert cached is False, "what the client remembers proves nothing"
        if self.script.refuses is not None:
            raise KafkaException(self.script.refuses)
        return 0, self.script.end(place.partition)

    def close(self) -> None:
        """End."""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Return the broker's script; the reader asks and tries again at once."""
    made = Script()
    monkeypatch.setattr(ScriptedConsumer, "script", made, raising=False)
    monkeypatch.setattr(reading, "Consumer", ScriptedConsumer)
    monkeypatch.setattr(reading, "CHECK_S", 0.0)
    monkeypatch.setattr(reading, "RETRY_S", 0.01)
    return made


def _run(act: Callable[[Told], None]) -> Told:
    told = Told()
    reader = PolicyReader({}, TOPIC, told, monotonic=lambda: 7.0)
    reader.start()
    try:
        act(told)
    finally:
        reader.stop()
    return told


def test_everything_is_heard_before_it_is_confirmed(script: Script) -> None:
    """Of every partition; and what was there before has no time of its own."""
    script.logs = {0: [b"a", b"b"], 1: [b"c"]}
    told = _run(lambda told: told.until(lambda: bool(told.confirmed_at)))
    assert sorted(value or b"" for _, value, _ in told.records) == [b"a", b"b", b"c"]
    assert {written for _, _, written in told.records} == {None}
    assert told.confirmed_at[0] == 7.0


def test_an_empty_topic_is_whole(script: Script) -> None:
    """Nothing to hear is an answer."""
    assert _run(lambda told: told.until(lambda: bool(told.confirmed_at))).records == []


def test_a_topic_that_says_it_has_more_is_not_confirmed(script: Script) -> None:
    """A fetch that hangs is noticed: the broker's word of the end is the measure."""
    script.logs, script.ends = {0: [b"a"]}, {0: 2}

    def act(told: Told) -> None:
        told.until(lambda: len(told.records) == 1)
        script.asked.wait(0.3)
        assert told.confirmed_at == []
        script.logs[0].append(b"b")
        told.until(lambda: bool(told.confirmed_at))

    assert len(_run(act).records) == 2


def test_a_record_that_comes_later_has_its_time(script: Script) -> None:
    """From it the time to being in force is taken."""

    def act(told: Told) -> None:
        told.until(lambda: bool(told.confirmed_at))
        script.logs[0].append(b"live")
        told.until(lambda: bool(told.records))

    assert _run(act).records == [(b"k", b"live", 5.0)]


def test_a_broker_that_refuses_is_named_and_asked_again(script: Script) -> None:
    """Nothing is confirmed meanwhile."""
    script.refuses = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "no right")

    def act(told: Told) -> None:
        while "no right" not in told.why_not_read:
            script.asked.wait(0.01)
        assert told.confirmed_at == []
        script.refuses = None
        told.until(lambda: bool(told.confirmed_at))

    assert _run(act).why_not_read == ""


def test_a_topic_made_anew_is_read_from_its_beginning(script: Script) -> None:
    """Its end lies before what was read."""
    script.logs = {0: [b"a", b"b", b"c"]}

    def act(told: Told) -> None:
        told.until(lambda: bool(told.confirmed_at))
        script.logs = {0: [b"new"]}
        told.until(lambda: (b"k", b"new", None) in told.records)

    _run(act)
    assert script.made >= 2


def test_a_fault_of_ours_begins_anew_and_confirms_nothing(script: Script) -> None:
    """A record that breaks the hearer leaves the view to grow stale, which is seen and, closed, denies."""
    script.logs = {0: [b"a", b"breaks us"]}

    def act(told: Told) -> None:
        told.until(lambda: len(told.records) >= 3)
        assert told.confirmed_at == []
        assert "broke" in told.why_not_read
        script.logs = {0: [b"a"]}
        told.until(lambda: bool(told.confirmed_at))

    _run(act)


def test_partitions_that_are_added_are_read(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state may stand in any of them."""
    monkeypatch.setattr(reading, "LOOK_S", -1.0)

    def act(told: Told) -> None:
        told.until(lambda: bool(told.confirmed_at))
        script.logs = {0: [], 1: [b"other"]}
        told.until(lambda: (b"k", b"other", None) in told.records)

    _run(act)
