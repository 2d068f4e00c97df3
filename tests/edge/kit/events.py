"""A recorder whose events are a list, decoded as the hot path decodes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from detector.edge.kit.keyed import Redactor
from detector.edge.kit.recorder import Recorder
from detector.edge.kit.writer import Actor
from detector.schema.event import MAX_EVENT_BYTES, Event, StrictEvent

KEY = "0123456789abcdef" * 2
REDACTOR = Redactor(KEY)


class Wire:
    """Sink of a test: what crossed the wire."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes]] = []

    def __call__(self, key: bytes, value: bytes) -> None:
        self.records.append((key, value))

    @property
    def clear(self) -> str:
        """All that crossed, as text to search in."""
        return b"\n".join(value for _, value in self.records).decode()

    def events(self, kind: str | None = None) -> list[Event]:
        """Return the events, each held against the schema and its key."""
        out = [msgspec.json.decode(value, type=StrictEvent) for _, value in self.records]
        assert [event.agent_id.encode() for event in out] == [key for key, _ in self.records]
        assert all(len(value) <= MAX_EVENT_BYTES for _, value in self.records)
        return [event for event in out if kind is None or event.kind == kind]


class Hands:
    """Clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def recording(wire: Wire, clock: Hands | None = None) -> Iterator[Recorder]:
    """Give a recorder to a test, and close it, so that all events are on the wire."""
    recorder = Recorder(
        wire,
        Actor("support-1", "support"),
        redactor=REDACTOR,
        kinds={"read_mail": "data_access"},
        clock=clock or Hands(),
    )
    try:
        yield recorder
    finally:
        assert recorder.close()
