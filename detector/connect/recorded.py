"""A check of a file: recorded telemetry, or native events, instead of what stands on Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from detector.connect.check import SourceCheck
from detector.errors import SetupError
from detector.otlp.explain import explain
from detector.otlp.tables import Table
from detector.schema.event import BRIDGED, Event


def take_file(check: SourceCheck, path: Path, tables: Sequence[Table] | None = None) -> SourceCheck:
    """Return the check with what a file holds.

    Raises
    ------
    SetupError
        The file cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SetupError(f"FILE of connect must be a file that can be read, got {path}: {error.strerror}") from None
    events = _native(raw)
    if events:
        for event in events:
            if check.is_of(str(event.attributes.get(BRIDGED, ""))):
                check.take_event(event)
        check.on_events = sum(check.events.values())
    else:
        check.take(explain(raw, tables))
    return check


def _native(raw: bytes) -> list[Event]:
    """Return the native events of a file, one a line; none if its first line is no such event."""
    found: list[Event] = []
    decoder = msgspec.json.Decoder(Event)
    for line in raw.splitlines():
        with suppress(msgspec.MsgspecError):
            found.append(decoder.decode(line))
        if not found:
            break
    return found
