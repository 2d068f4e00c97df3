"""Bytes of records become events; what is no event is refused alone, with a named reason, and mended if it can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from detector.errors import EventError
from detector.schema.claims import Situation
from detector.schema.event import (
    FIRST_SURE_YEAR,
    LAST_SURE_YEAR,
    MAX_EVENT_BYTES,
    MAX_RECORD_BYTES,
    NOT_IN_UTC,
    Event,
    StrictEvent,
    is_in_utc,
)
from detector.schema.mend import mend
from detector.schema.past import Past
from detector.schema.record import Record
from detector.schema.refusal import examine

MAX_RAW_BYTES: Final = 64 * 1_024
MAX_UNKNOWN_NAMES: Final = 256
OTHER_NAMES: Final = "(others)"

_strict = msgspec.json.Decoder(StrictEvent).decode
_UNSCORED: Final = frozenset({"time_out_of_tolerance"})
"""Reasons for which an event is refused and no more: it can be read, only its clock is off."""
_REFUSED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Refusal(NamedTuple):
    """Why a record, or one line of it, is no event.

    Parameters
    ----------
    reason : str
        One of :data:`detector.schema.event.REASONS`.
    detail : str
        What was found, in words; never a value of the event.
    line : int or None
        Index of the line within an NDJSON record, blank lines counted; None if the whole record is meant.
    raw : bytes
        What was refused, the first 64 KiB of it.
    is_scored : bool
        Whether an event was made of it all the same, which stands among the events at the same record and line.
    """

    reason: str
    detail: str
    line: int | None
    raw: bytes
    is_scored: bool = False


class Decoded(NamedTuple):
    """Events of a batch of records, in input order, and what was refused of it.

    Parameters
    ----------
    events : list of Event
        The events, in the order they stand in the input, those among them that were made of refused lines.
    source : list of int
        For each event the index of its record in the batch.
    line : list of int
        For each event its line within the record; 0 if the record holds one event.
    refusals : list of (int, Refusal)
        Index of the record and why, in input order.
    unknown : Counter of str
        Names of unknown fields that were ignored. At most 256 names a batch, the rest under ``(others)``,
        so that a flood of invented names fills no memory.
    """

    events: list[Event]
    source: list[int]
    line: list[int]
    refusals: list[tuple[int, Refusal]]
    unknown: Counter[str]


class _Rules(NamedTuple):
    """What a line is held against."""

    tolerance_s: float | None
    past: Past


def decode(records: Sequence[Record], tolerance_s: float | None = None, past: Past | None = None) -> Decoded:
    """Return the events in `records` and the refusals, each with its record's index.

    A record whose bytes are one JSON document is one event; otherwise, if it has line feeds, it is NDJSON and each
    line stands for itself. Nothing that a producer writes raises here. Of a refused line whose agent and time are known
    an event is made all the same (``detector/schema/mend.py``): who cannot be read is not hidden.

    Parameters
    ----------
    records : sequence of Record
        What is waiting, in order.
    tolerance_s : float or None
        Most an event's time may differ from its record's timestamp, in seconds; None (replay) asks nothing, and
        neither does a record without timestamp.
    past : Past or None
        What came before these records, which are added to it: it places refused lines that do not say where they
        belong. None is an empty one.

    Returns
    -------
    Decoded
        Everything that was in the records, in order.
    """
    rules = _Rules(tolerance_s, Past() if past is None else past)
    events = _plain(records) if tolerance_s is None else None
    if events is not None:
        rules.past.note(events)
        return Decoded(events, list(range(len(records))), [0] * len(records), [], Counter())
    batch = Decoded([], [], [], [], Counter())
    for index, record in enumerate(records):
        _record(batch, index, record, rules)
    return batch


def _plain(records: Sequence[Record]) -> list[Event] | None:
    """Return the events of a batch in which every record is one well-formed event, else None.

    The hot path: three passes over a batch cost less than one pass that asks every question of every record. One odd
    record sends its whole batch the long way, which costs about double: that is all a poisoner can buy.
    """
    values = [record[0] for record in records]
    try:
        events: list[Event] = list(map(_strict, values))
    except _REFUSED:
        return None
    if max(map(len, values), default=0) > MAX_EVENT_BYTES:
        return None
    keys = [record[1] for record in records]
    if keys.count(None) < len(keys) and _disagree(keys, [event.agent_id.encode() for event in events]):
        return None
    years = {event.ts.year for event in events}
    is_sure = not years or (min(years) >= FIRST_SURE_YEAR and max(years) <= LAST_SURE_YEAR)
    return events if is_sure or all(is_in_utc(event.ts) for event in events) else None


def _disagree(keys: list[bytes | None], names: list[bytes]) -> bool:
    """Tell whether a record has a key that is not its event's agent; lists are compared whole before one by one."""
    return keys != names and any(key not in {None, name} for key, name in zip(keys, names, strict=True))


def _record(batch: Decoded, index: int, record: Record, rules: _Rules) -> None:
    """Take one record apart: one event, or NDJSON, or too large, or nothing at all."""
    value = record.value
    if len(value) > MAX_RECORD_BYTES:
        detail = f"size of record must be at most {MAX_RECORD_BYTES} bytes, got {len(value)}"
        _refuse(batch, (index, None), record, EventError("too_large", detail), rules)
    elif not value.strip():
        error = EventError("empty", "record must hold an event, got nothing")
        _refuse(batch, (index, None), record, error, rules)
    elif b"\n" not in value:
        _one(batch, (index, None), record, rules)
    elif rules.tolerance_s is None and _plain_lines(batch, index, record, rules.past):
        return
    elif b"\n" not in value.rstrip() or _is_one_document(value):
        _one(batch, (index, None), record, rules)
    else:
        for number, part in enumerate(value.split(b"\n")):
            if part.strip():
                _one(batch, (index, number), record._replace(value=part), rules)


def _plain_lines(batch: Decoded, index: int, record: Record, past: Past) -> bool:
    """Take a record of which every line is one well-formed event of the key's agent; return whether it was one.

    An event written over several lines is none, as its lines are no events.
    """
    lines = [(number, part) for number, part in enumerate(record.value.split(b"\n")) if part and not part.isspace()]
    try:
        events = [_strict(part) for _, part in lines]
        owner = None if record.key is None else record.key.decode()
    except _REFUSED:
        return False
    if max((len(part) for _, part in lines), default=0) > MAX_EVENT_BYTES:
        return False
    if any(owner not in {None, event.agent_id} or not is_in_utc(event.ts) for event in events):
        return False
    past.note(events)
    batch.events.extend(events)
    batch.source.extend([index] * len(events))
    batch.line.extend([number for number, _ in lines])
    return True


def _is_one_document(value: bytes) -> bool:
    """Return whether the bytes are one JSON value, written over several lines."""
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except _REFUSED:
        return False
    return True


def _one(batch: Decoded, place: tuple[int, int | None], record: Record, rules: _Rules) -> None:
    """Take one event, or refuse it alone; `place`: index of its record, and line."""
    try:
        event, unknown = _event(record.value)
        _agree(event, record, rules.tolerance_s)
    except EventError as error:
        _refuse(batch, place, record, error, rules)
        return
    _take(batch, place, event, rules.past)
    for name in unknown:
        counted = name in batch.unknown or len(batch.unknown) < MAX_UNKNOWN_NAMES
        batch.unknown[name if counted else OTHER_NAMES] += 1


def _take(batch: Decoded, place: tuple[int, int | None], event: Event, past: Past) -> None:
    past.note((event,))
    batch.events.append(event)
    batch.source.append(place[0])
    batch.line.append(place[1] or 0)


def _refuse(batch: Decoded, place: tuple[int, int | None], record: Record, error: EventError, rules: _Rules) -> None:
    """Refuse one line, or a record as a whole, and take the event that can be made of it."""
    found = Situation(record, place[1] or 0, error.reason, rules.past, rules.tolerance_s)
    event = None if error.reason in _UNSCORED else mend(found)
    if event is not None:
        _take(batch, place, event, rules.past)
    raw = record.value[:MAX_RAW_BYTES]
    batch.refusals.append((place[0], Refusal(error.reason, error.detail, place[1], raw, event is not None)))


def _event(raw: bytes) -> tuple[StrictEvent, list[str]]:
    """Return the event in one line, strictly if that works, and its unknown fields."""
    found = _strictly(raw) or examine(raw)
    if not is_in_utc(found[0].ts):
        raise EventError("bad_time", f"ts of event must be {NOT_IN_UTC}")
    return found


def _strictly(raw: bytes) -> tuple[StrictEvent, list[str]] | None:
    """Return the event in one line if it is well formed and has no unknown fields."""
    if len(raw) > MAX_EVENT_BYTES:
        return None
    try:
        return _strict(raw), []
    except _REFUSED:
        return None


def _agree(event: Event, record: Record, tolerance_s: float | None) -> None:
    """Refuse an event that contradicts the record it came in."""
    if record.key is not None and record.key != event.agent_id.encode():
        raise EventError("key_mismatch", "agent_id of event must be the record's key, got another")
    if tolerance_s is None or record.timestamp_ms is None:
        return
    away_s = abs(event.ts.timestamp() - record.timestamp_ms / 1_000)
    if away_s > tolerance_s:
        detail = f"ts of event must be within {tolerance_s:g} s of its record's time, got {away_s:.0f} s away"
        raise EventError("time_out_of_tolerance", detail)
