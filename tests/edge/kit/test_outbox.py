"""The queue between an agent and where its events go."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from detector.edge.kit.outbox import JsonLines, KafkaEvents, Outbox
from detector.errors import SetupError


def test_events_reach_the_sink_in_their_order() -> None:
    """One thread, one order."""
    seen: list[bytes] = []
    box = Outbox(lambda _, value: seen.append(value))
    for number in range(100):
        assert box.put(b"a", str(number).encode())
    assert box.close()
    assert seen == [str(number).encode() for number in range(100)]
    assert (box.written, box.dropped, box.failed) == (100, 0, 0)


def test_a_full_queue_drops_and_counts_and_never_waits() -> None:
    """A sink that hangs costs the agent nothing but telemetry; it is said once."""
    taken, free = threading.Event(), threading.Event()

    def hang(key: bytes, value: bytes) -> None:
        taken.set()
        free.wait()

    with capture_logs() as logs:
        box = Outbox(hang, most=2)
        assert box.put(b"a", b"0")
        assert taken.wait(10)
        assert [box.put(b"a", b"x") for _ in range(5)] == [True, True, False, False, False]
        assert not box.close(timeout_s=0.05)
        free.set()
    assert box.dropped == 3
    assert [entry["event"] for entry in logs] == ["kit_event_dropped"]


def test_a_sink_that_fails_is_counted_and_said_once_without_its_text() -> None:
    """An error's text may hold what the sink was given."""

    def fail(key: bytes, value: bytes) -> None:
        raise OSError("s3cret")

    with capture_logs() as logs:
        box = Outbox(fail)
        for _ in range(3):
            box.put(b"a", b"x")
        assert box.close()
    assert (box.written, box.failed) == (0, 3)
    assert [(entry["event"], entry["error"]) for entry in logs] == [("kit_sink_failed", "OSError")]
    assert "s3cret" not in str(logs)


def test_after_the_close_events_are_dropped_and_counted() -> None:
    """An agent that goes on after its recorder does not notice."""
    box = Outbox(lambda *_: None)
    assert box.close()
    assert box.close()
    assert not box.put(b"a", b"x")
    assert box.dropped == 1


def test_an_outbox_without_room_is_refused() -> None:
    """A queue of no length would be one without bound."""
    with pytest.raises(SetupError, match="most of the outbox"):
        Outbox(lambda *_: None, most=0)


def test_a_file_gets_a_line_each_and_is_its_owners(tmp_path: Path) -> None:
    """Digests are no content, and still nobody else's business."""
    path = tmp_path / "events.jsonl"
    for number in (b"1", b"2"):
        box = Outbox(JsonLines(path))
        box.put(b"a", b'{"n":' + number + b"}")
        assert box.close()
    assert path.read_bytes() == b'{"n":1}\n{"n":2}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


class FullProducer:
    """Producer whose queue is full until it was polled; delivers nothing until flushed, and then not all."""

    def __init__(self) -> None:
        self.has_room = False
        self.sent: list[tuple[str, bytes, bytes]] = []
        self.told: list[Callable[..., None]] = []

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Callable[..., None]) -> None:
        if not self.has_room:
            raise BufferError
        self.sent.append((topic, key, value))
        self.told.append(on_delivery)

    def poll(self, timeout: float) -> int:
        self.has_room = True
        return 0

    def flush(self, timeout: float) -> int:
        for at, told in enumerate(self.told[:-1]):
            told("refused" if at == 0 else None, None)
        return 1


def test_kafka_gets_events_by_agent_and_what_is_not_delivered_is_counted() -> None:
    """A full producer is polled until it takes the event; refused and unsent ones are counted."""
    producer = FullProducer()
    sink = KafkaEvents({}, prefix="staging.", producer=producer)
    box = Outbox(sink)
    for number in range(3):
        box.put(b"support-1", str(number).encode())
    assert box.close()
    assert producer.sent[0] == ("staging.agent.events", b"support-1", b"0")
    assert (box.written, sink.undelivered) == (3, 2)


def test_settings_that_kafka_does_not_know_are_refused_at_once() -> None:
    """Not when the first event is lost."""
    settings: dict[str, Any] = {"bootstrap.servers": "localhost:1", "no.such.setting": "x"}
    with pytest.raises(SetupError, match=r"no\.such\.setting"):
        KafkaEvents(settings)
