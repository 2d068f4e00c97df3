"""Alerts on their way to a SIEM: sent before they are committed, again when it breaks off."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.cimpl import TopicPartition

from detector.desk.siem import Forwarder, SiemOptions, run_siem
from detector.errors import DeliveryError, SetupError
from detector.local.embedded import EmbeddedBroker
from detector.sinks import ecs
from detector.sinks.body import to_bytes
from detector.sinks.ocsf import encode
from detector.sinks.target import Target
from detector.sinks.transports import open_sender
from tests.sinks.alerts import make
from tests.sinks.rsyslog import Rsyslog, rsyslogd, wait_until

TCP = SiemOptions("agent.alerts", Target("syslog", "siem", 601))


def numbered(number: int) -> bytes:
    """Return an alert as it stands on the topic, with a number to know it by."""
    return encode(make(counter=number))


def number_of(sent: bytes) -> int:
    """Return the number of an alert that was sent as OCSF."""
    number: int = json.loads(sent[sent.index(b"{") :])["metadata"]["sequence"]
    return number


class Record:
    """A record as confluent-kafka hands it out."""

    def __init__(self, offset: int, value: bytes | None = None, error: KafkaError | None = None) -> None:
        self._offset = offset
        self._value = b"" if error else numbered(offset) if value is None else value
        self._error = error

    def partition(self) -> int:
        return offset_partition(self._offset)

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return self._value

    def error(self) -> KafkaError | None:
        return self._error


def offset_partition(offset: int) -> int:
    """Return 1 for offsets from 100 on, else 0."""
    return offset // 100


class World:
    """A consumer and a sender that write down what is asked of them, in one list."""

    def __init__(self, *batches: list[Record], refusals: int = 0, meanwhile: list[Record] | None = None) -> None:
        self.stop = threading.Event()
        self.acts: list[Any] = []
        self.batches = list(batches)
        self.refusals = refusals
        self.meanwhile = meanwhile or []
        self.moved: Callable[[object, object], None] | None = None
        self.moves_while_waiting = False
        self.commit_fails = False

    # the consumer
    def subscribe(self, topics: list[str], on_assign: Any, on_revoke: Any) -> None:
        assert topics == ["agent.alerts"]
        self.moved = on_revoke

    def consume(self, most: int, wait_s: float) -> list[Record]:
        if not self.batches:
            self.stop.set()
            return []
        return self.batches.pop(0)

    def poll(self, wait_s: float) -> Record | None:
        if self.moves_while_waiting and self.moved is not None:
            self.moved(None, None)
        return self.meanwhile.pop(0) if self.meanwhile else None

    def assignment(self) -> list[int]:
        return [0, 1]

    def pause(self, partitions: list[int]) -> None:
        self.acts.append("pause")

    def resume(self, partitions: list[int]) -> None:
        self.acts.append("resume")

    def commit(self, offsets: Any, asynchronous: bool) -> None:
        assert asynchronous is False
        if self.commit_fails:
            raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION))
        self.acts.append({one.partition: one.offset for one in offsets})

    # the sender
    def send(self, one: bytes) -> None:
        self.acts.append(number_of(one))

    def flush(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise DeliveryError("receiver is down", 0.01)
        self.acts.append("flushed")

    def close(self) -> None:
        self.acts.append("closed")


def _run(world: World, options: SiemOptions = TCP) -> Forwarder:
    forwarder = Forwarder(world, world, options)
    forwarder.run(world.stop)
    return forwarder


def test_offsets_are_committed_after_the_receiver_has_what_is_before_them() -> None:
    """Each partition's own; consumer and sender are closed at the end."""
    world = World([Record(7), Record(100), Record(8)], [Record(9)])
    forwarder = _run(world)
    assert world.acts == [7, 100, 8, "flushed", {0: 9, 1: 101}, 9, "flushed", {0: 10}, "closed", "closed"]
    assert forwarder.counts == {"sent": 4}


def test_what_breaks_off_is_sent_again_and_committed_once() -> None:
    """Between two tries it stays in its group: paused, and polling."""
    world = World([Record(1), Record(2)], refusals=2)
    forwarder = _run(world)
    assert world.acts == [1, 2, "pause", "resume", 1, 2, "pause", "resume", 1, 2, "flushed", {0: 3}, "closed", "closed"]
    assert forwarder.counts == {"sent": 2, "retried": 2}


def test_a_record_that_comes_while_waiting_is_not_lost() -> None:
    """A pause does not call back what is on its way."""
    world = World([Record(1)], [], refusals=1, meanwhile=[Record(2)])
    _run(world)
    assert world.acts[-7:] == ["flushed", {0: 2}, 2, "flushed", {0: 3}, "closed", "closed"]


def test_partitions_that_move_on_take_their_offsets_with_them() -> None:
    """Their new owner reads again from what was committed: nothing is committed here."""
    world = World([Record(1)], refusals=1)
    world.moves_while_waiting = True
    forwarder = _run(world)
    assert not [act for act in world.acts if isinstance(act, dict)]
    assert forwarder.counts == {"retried": 1}


def test_a_commit_that_fails_is_no_reason_to_stop() -> None:
    """The alerts are sent once more; receivers drop repeats."""
    world = World([Record(1)], [Record(2)])
    world.commit_fails = True
    assert _run(world).counts == {"sent": 2}


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff", b"[1]", b"3", b'{"count": NaN}', b"[" * 100_000, b'{"resources": 3}', b'{"class_uid": 2004}'],
)
def test_a_record_that_is_no_alert_is_counted_and_left_out(value: bytes) -> None:
    """Its offset is passed: it would never become one."""
    world = World([Record(1), Record(2, value), Record(3)])
    forwarder = _run(world)
    assert world.acts[:4] == [1, 3, "flushed", {0: 4}]
    assert forwarder.counts == {"sent": 2, "no_alert": 1}


def test_a_topic_that_is_not_there_is_told() -> None:
    """Waiting for it would look like silence."""
    world = World([Record(0, error=KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))])
    with pytest.raises(SetupError, match=r"topic agent\.alerts of siem must be readable"):
        _run(world)


def test_a_passing_fault_of_the_broker_is_waited_out() -> None:
    """The client connects again by itself."""
    world = World([Record(0, error=KafkaError(KafkaError._TRANSPORT)), Record(1)])
    assert _run(world).counts == {"sent": 1}


def test_an_alert_too_long_for_a_datagram_is_shortened() -> None:
    """The lists go, the finding arrives."""
    (evidence,) = make().evidence
    world = World([Record(1, encode(make(evidence=(evidence,) * 60)))])
    sent: list[bytes] = []
    world.send = sent.append  # type: ignore[method-assign,assignment]
    _run(world, SiemOptions("agent.alerts", Target("syslog+udp", "siem", 514)))
    (one,) = sent
    assert len(one) <= 8_192
    assert json.loads(one[one.index(b"{") :])["metadata"]["is_truncated"] is True


def test_an_alert_no_datagram_can_hold_is_counted() -> None:
    """What must stay is too long itself."""
    world = World([Record(1, encode(make(title="x" * 70_000)))])
    forwarder = _run(world, SiemOptions("agent.alerts", Target("syslog+udp", "siem", 514)))
    assert forwarder.counts == {"sent": 0, "too_large": 1}


def test_a_time_that_no_calendar_has_is_counted_and_left_out() -> None:
    """One crafted record does not stop the rest."""
    world = World([Record(1, encode(make(time=1e27, evidence=()))), Record(2)])
    sent: list[bytes] = []
    world.send = sent.append  # type: ignore[method-assign,assignment]
    forwarder = _run(world, SiemOptions("agent.alerts", Target("syslog", "siem", 601), "ecs"))
    assert [json.loads(one[one.index(b"{") :])["event"]["sequence"] for one in sent] == [2]
    assert world.acts[:2] == ["flushed", {0: 3}]
    assert forwarder.counts == {"sent": 1, "no_alert": 1}


@pytest.mark.parametrize(("scheme", "rendering"), [("relp", "ocsf"), ("syslog", "cef")])
def test_what_is_in_no_table_is_refused(scheme: str, rendering: str) -> None:
    """It is never taken for syslog, nor for OCSF."""
    with pytest.raises(SetupError, match=r"of siem must be .*, got .*: choose one of them"):
        SiemOptions("agent.alerts", Target(scheme, "siem", 601), rendering)


def test_a_file_gets_the_findings_as_lines(tmp_path: Path) -> None:
    """Without a syslog header, as they stand on the topic."""
    path = tmp_path / "alerts.jsonl"
    options = SiemOptions("agent.alerts", Target("file", str(path), 0))
    world = World([Record(1), Record(2)])
    Forwarder(world, open_sender(options.target), options).run(world.stop)
    assert path.read_bytes() == numbered(1) + b"\n" + numbered(2) + b"\n"
    assert {0: 3} in world.acts


def test_alerts_are_sent_in_the_form_that_was_asked_for(tmp_path: Path) -> None:
    """The topic carries OCSF; what is sent is made of the alert."""
    path = tmp_path / "alerts.jsonl"
    options = SiemOptions("agent.alerts", Target("file", str(path), 0), "ecs")
    world = World([Record(1)])
    Forwarder(world, open_sender(options.target), options).run(world.stop)
    assert path.read_bytes() == to_bytes(ecs.render(make(counter=1))) + b"\n"


# ── over a broker ─────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def kafka() -> Iterator[dict[str, Any]]:
    """Return client settings of an embedded broker."""
    with EmbeddedBroker() as broker:
        yield {"bootstrap.servers": broker.bootstrap, "log_level": 0, "session.timeout.ms": 6_000}


def _produce(kafka: dict[str, Any], topic: str, numbers: range) -> None:
    producer = Producer(kafka)
    for number in numbers:
        producer.produce(topic, numbered(number), key=str(number).encode())
    assert producer.flush(10.0) == 0


def _committed(kafka: dict[str, Any], topic: str, group: str) -> int:
    consumer = Consumer({**kafka, "group.id": group})
    places = consumer.committed([TopicPartition(topic, partition) for partition in range(4)], timeout=10.0)
    consumer.close()
    return sum(max(place.offset, 0) for place in places)


@pytest.mark.slow
def test_alerts_on_kafka_reach_a_real_rsyslog_that_is_killed_meanwhile(kafka: dict[str, Any], tmp_path: Path) -> None:
    """Kafka is the buffer: nothing is missing when the receiver is back."""
    _produce(kafka, "alerts-rsyslog", range(1, 101))
    stop = threading.Event()
    with Rsyslog(rsyslogd(), tmp_path) as server:
        options = SiemOptions("alerts-rsyslog", Target("syslog", "127.0.0.1", server.tcp), batch=20)

        def has(count: int) -> bool:
            return {number_of(line) for line in server.lines("body.log")} >= set(range(1, count + 1))

        thread = threading.Thread(target=run_siem, args=(kafka, options, stop), kwargs={"group": "siem"})
        thread.start()
        try:
            wait_until(lambda: has(100))
            server.stop(kill=True)
            _produce(kafka, "alerts-rsyslog", range(101, 201))
            server.start()
            wait_until(lambda: has(200))
        finally:
            stop.set()
            thread.join(30.0)
    assert _committed(kafka, "alerts-rsyslog", "siem") == 200
