"""Filling the columns: events go over as MessagePack, and one kernel walks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from detector.intake import wire
from detector.intake.columns import (
    AGENT,
    ATTRIBUTE,
    BARE,
    BYTES_OUT,
    CALL,
    DEALING,
    DEFAULT_WORD,
    DENIED,
    END_WORD,
    EVENT_ID,
    EXTRA_PARTS,
    FAILED,
    FINE,
    GROUP,
    KINDS,
    LEAST_ID,
    LLM_CALL,
    LLM_WORD,
    MAX_ITEMS,
    MAX_NUMBERS,
    MAX_PARTS,
    MAX_TARGETS,
    MAX_VALUE,
    MORE,
    NONE,
    PLACE,
    SESSION,
    SESSION_END,
    SIZE,
    SIZES,
    STANDING,
    TARGET_WORD,
    TOOL,
    TOOL_NAME,
    UNKNOWN,
    UNREAD,
    USER,
    WHOLE_TARGET,
    Columns,
    Ignored,
    Keyed,
)
from detector.intake.pieces import Pieces, has_piece
from detector.intake.text import coarse_hash, shape_hash
from detector.schema import marks as mark
from detector.schema.event import Event
from detector.sketches.hashing import HashKey, hash_bytes, mix
from detector.sketches.kernel import allocating_kernel, kernel

_TEXTS = (
    "event_id", "agent_id", "kind", "name", "agent_type", "tenant", "session_id", "target", "outcome",
    "zone", "peer_zone", "data_class", "peer_agent_id", "on_behalf_of",
)  # fmt: skip
_EVENT_ID, _AGENT, _KIND, _NAME, _TYPE, _TENANT, _SESSION, _TARGET, _OUTCOME = range(9)
_ZONE, _PEER_ZONE, _DATA_CLASS, _PEER, _BEHALF = range(9, len(_TEXTS))
_FIRST_SIZE = len(_TEXTS)
_BYTES_OUT = _FIRST_SIZE + SIZES.index("bytes_out")
_TS, _ATTRIBUTES, _ORIGIN, _CREDENTIAL = 40, 41, 42, 43
_FREE, _UNUSED = 62, 63
_COMMA, _SLASH, _SPACE, _I, _D = (ord(c) for c in ",/ id")
_HIGH, _HALF, _ONE = np.uint64(0xFFFFFFFF00000000), np.uint64(32), np.uint64(1)


_LEANED_ON = (
    (("target",), ("attributes", "arg_origin")),  # an argument that repeats the target is left out; origins name parts
    (("attributes",), ("arg_origin",)),
    (SIZES, ("attributes",)),  # attributes alone are held to MAX_NUMBERS: the sizes must have been counted
)
_OMITTED = {"agent_type": "default", "tenant": None, "outcome": "ok", "session_id": None, "target": None}
"""Fields that are absent from the wire when they hold their default; the kernel reads an absent one as just that."""


def check_event(event: type[msgspec.Struct]) -> None:
    """Return if an event's fields stand in the order, and with the defaults, that the kernel leans on.

    Raises
    ------
    TypeError
        Naming what moved: the kernel would read events askew without a sound.
    """
    order = list(event.__struct_fields__)
    for before, after in _LEANED_ON:
        if max(map(order.index, before)) > min(map(order.index, after)):
            msg = f"{', '.join(before)} of an event must stand before {', '.join(after)}, got {order}"
            raise TypeError(msg)
    if not event.__struct_config__.omit_defaults:
        raise TypeError("defaults of an event must be left out on the wire, got a struct that writes them")
    fields = {field.name: field.default for field in msgspec.structs.fields(event)}
    moved = [name for name, default in _OMITTED.items() if fields[name] != default]
    if moved:
        msg = f"defaults of an event must be {_OMITTED}, got others for {', '.join(moved)}"
        raise TypeError(msg)


check_event(Event)


def _key_table() -> np.ndarray:
    """Return which field a map key stands for, by length, first and last byte; 63 = not used here."""
    codes = {name: code for code, name in enumerate(_TEXTS)}
    codes |= {name: _FIRST_SIZE + k for k, name in enumerate(SIZES)}
    codes |= {"ts": _TS, "attributes": _ATTRIBUTES, "arg_origin": _ORIGIN, "credential": _CREDENTIAL}
    table = np.full(4096, _FREE, np.uint8)
    for name in Event.__struct_fields__:
        place = _place_of(name)
        if table[place] != _FREE:
            msg = f"field names must fall into places of their own, got a second one at {place} for {name}"
            raise ValueError(msg)
        table[place] = codes.get(name, _UNUSED)
    return table


@kernel
def _place(buffer: np.ndarray, start: int, stop: int) -> int:
    third = np.int64(buffer[start + 2]) if stop - start > 2 else 0
    return ((stop - start) * 131 + np.int64(buffer[start]) * 29 + third * 7 + np.int64(buffer[stop - 1]) * 211) % 4096


def _place_of(name: str) -> int:
    """Return the place of a name; plain Python, so that an import compiles nothing."""
    plain = getattr(_place, "py_func", _place)  # the bare function itself where NUMBA_DISABLE_JIT=1
    return int(plain(np.frombuffer(name.encode(), np.uint8), 0, len(name)))


_KEYS = _key_table()
_BITS = np.zeros(4096, np.uint64)
"""The mark of the field a map key stands for, by the same place."""
for _name, _bit in mark.OF_FIELD.items():
    _BITS[_place_of(_name)] = _bit
_FIRST_KIND, _FIRST_OUTCOME = (np.uint64(next(iter(bits.values()))) for bits in (mark.OF_KIND, mark.OF_OUTCOME))
_WATCHED = np.uint64(mark.WATCHED)
_KIND_OF = np.zeros(4096, np.uint8)
for _code, _name in enumerate(KINDS):
    _KIND_OF[_place_of(_name)] = _code


_encode = msgspec.msgpack.Encoder().encode


class Reading(NamedTuple):
    """How events are read: attributes that are left out, what texts are hashed with, pieces of text that are watched.

    `pieces`: of an event whose target or attributes have one, the marks say so.
    """

    ignored: Ignored
    keyed: Keyed
    pieces: Pieces


def fill_columns(events: Sequence[Event], reading: Reading, columns: Columns, marks: np.ndarray) -> Columns:
    """Return the columns of at most :data:`BATCH` events, written into `columns`.

    `marks`: ndarray of uint64 that gets what each event has, in the bits of :mod:`detector.schema.marks`.
    """
    packed: Any = _encode(events)
    _fill(np.frombuffer(packed, np.uint8), reading, columns, marks)
    return columns


@kernel
def _is_ignored(buffer: np.ndarray, start: int, stop: int, ignored: Ignored) -> bool:
    for k in range(len(ignored.is_prefix)):
        first, end = ignored.ends[k], ignored.ends[k + 1]
        length = end - first
        if stop - start < length or (stop - start > length and not ignored.is_prefix[k]):
            continue
        same = True
        for at in range(length):
            if buffer[start + at] != ignored.names[first + at]:
                same = False
                break
        if same:
            return True
    return False


@kernel
def _trim(buffer: np.ndarray, start: int, stop: int) -> tuple[int, int]:
    while start < stop and buffer[start] <= _SPACE:
        start += 1
    while stop > start and buffer[stop - 1] <= _SPACE:
        stop -= 1
    return start, stop


@kernel
def _shorten(buffer: np.ndarray, start: int, stop: int) -> int:
    """Return where the first 80 characters end."""
    if stop - start <= MAX_VALUE:
        return stop
    characters = 0
    for at in range(start, stop):
        if buffer[at] & 0xC0 != 0x80:
            if characters == MAX_VALUE:
                return at
            characters += 1
    return stop


@kernel
def _has(buffer: np.ndarray, start: int, stop: int, byte: int) -> bool:
    for at in range(start, stop):
        if buffer[at] == byte:
            return True
    return False


@kernel
def _item_stop(buffer: np.ndarray, start: int, stop: int) -> int:
    at = start
    while at < stop and buffer[at] != _COMMA:
        at += 1
    return at


@kernel
def _add_targets(
    buffer: np.ndarray, start: int, stop: int, columns: Columns, m: int, room: np.ndarray, keyed: Keyed
) -> int:
    """Write the parts of a target; return the next free part."""
    whole = _has(buffer, start, stop, _SLASH)
    for item in range(MAX_TARGETS):
        end = stop if whole or item == MAX_TARGETS - 1 else _item_stop(buffer, start, stop)
        first, last = (start, end) if whole else _trim(buffer, start, end)
        columns.part[m, 0] = keyed.words[TARGET_WORD]
        columns.part[m, 1] = hash_bytes(buffer, first, last, keyed.key)
        columns.part[m, 2] = coarse_hash(buffer, first, last, room, keyed.key) & PLACE
        columns.origin[m] = UNKNOWN
        columns.is_target[m] = True
        m += 1
        start = end + 1
        if end >= stop:
            break
    return m


@kernel
def _add_items(
    buffer: np.ndarray,
    span: tuple[int, int],
    name: np.uint64,
    whole: np.uint64,
    columns: Columns,
    m: int,
    room: np.ndarray,
    key: HashKey,
) -> int:
    """Write the items of a string argument, less any that repeats the target; return the next free part."""
    start, stop = span
    for item in range(MAX_ITEMS):
        end = stop if item == MAX_ITEMS - 1 else _item_stop(buffer, start, stop)
        first, last = _trim(buffer, start, end)
        value = hash_bytes(buffer, first, last, key)
        last = _shorten(buffer, first, last)
        if value != whole:
            columns.part[m, 0] = name
            columns.part[m, 1] = value
            columns.part[m, 2] = shape_hash(buffer, first, last, room, key) & PLACE
            columns.origin[m] = UNKNOWN
            columns.is_target[m] = False
            m += 1
        start = end + 1
        if end >= stop:
            break
    return m


@kernel
def _add_part(columns: Columns, m: int, name: np.uint64, value: np.uint64, place: np.uint64) -> int:
    """Write one part of nowhere in particular; return the next free part."""
    columns.part[m, 0] = name
    columns.part[m, 1] = value
    columns.part[m, 2] = place & PLACE
    columns.origin[m] = UNKNOWN
    columns.is_target[m] = False
    return m + 1


@kernel
def _signed_log(x: float) -> float:
    return np.log2(1.0 + x) if x >= 0 else -np.log2(1.0 - x)


@kernel
def _add_number(
    buffer: np.ndarray,
    span: tuple[int, int],
    name: np.uint64,
    columns: Columns,
    room: tuple[int, int, int, int],
    key: HashKey,
) -> tuple[int, int, bool]:
    """Write a numeric attribute; return the next free part and number, and whether anything of it was cut.

    ``room``: the next free part and number, how many more numbers may be written, whether one more part may.
    """
    m, k, left, has_room = room
    x = wire.float_at(buffer, span[0] + 1)
    if left > 0:
        columns.field[k] = name
        columns.amount[k] = _signed_log(x)
        columns.family[k] = ATTRIBUTE
        k += 1
    else:
        columns.cut[0] += 1
    if left <= 0 or not has_room:
        return m, k, True
    if abs(x) >= LEAST_ID and x == np.floor(x):
        value = hash_bytes(buffer, span[0], span[1], key)
        m = _add_part(columns, m, name, value, value)
    return m, k, False


@kernel
def _add_attributes(
    buffer: np.ndarray,
    at: int,
    ignored: Ignored,
    columns: Columns,
    counts: tuple[int, int, int, int],
    whole: np.uint64,
    room: np.ndarray,
    key: HashKey,
) -> tuple[int, int, int, tuple[np.uint64, np.uint64]]:
    """Write an event's attributes; return where they stop, the next free part and number, what went unread."""
    first_part, first_number, m, k = counts
    entries, at = wire.container_size(buffer, at)
    more = unread = unread_sizes = np.uint64(0)
    for _ in range(entries):
        start, stop = wire.text_span(buffer, at)
        value_at = stop
        at = wire.skip(buffer, value_at)
        if buffer[value_at] == wire.NIL:
            continue
        name = hash_bytes(buffer, start, stop, key)
        if _is_ignored(buffer, start, stop, ignored):
            is_text = np.uint64(buffer[value_at] != wire.FLOAT64)
            unread += is_text * mix(name, _ONE)
            unread_sizes += is_text * mix(name, np.uint64(np.log2(at - value_at)))
            continue
        has_room = m - first_part <= MAX_PARTS - MAX_ITEMS - EXTRA_PARTS
        if buffer[value_at] == wire.FLOAT64:
            left = MAX_NUMBERS - (k - first_number)
            m, k, is_cut = _add_number(buffer, (value_at, at), name, columns, (m, k, left, np.int64(has_room)), key)
            if is_cut:
                more = mix(more, mix(name, hash_bytes(buffer, value_at, at, key)))
        elif has_room:
            span = wire.text_span(buffer, value_at)
            if span[0] == span[1] and not wire.is_text(buffer, value_at):
                span = (value_at, value_at + 1)
            m = _add_items(buffer, span, name, whole, columns, m, room, key)
        else:
            columns.cut[0] += 1
            more = mix(more, mix(name, hash_bytes(buffer, value_at, at, key)))
    if more != 0:
        m = _add_part(columns, m, MORE, more, more)
    return at, m, k, (unread, unread_sizes)


@kernel
def _set_origins(buffer: np.ndarray, at: int, columns: Columns, first: int, stop_part: int, key: HashKey) -> int:
    """Write where an event's values came from; return where the map stops."""
    entries, at = wire.container_size(buffer, at)
    for _ in range(entries):
        start, stop = wire.text_span(buffer, at)
        name = hash_bytes(buffer, start, stop, key)
        start, at = wire.text_span(buffer, stop)
        letter = buffer[start]
        origin = USER if letter == 117 else (TOOL if letter == 116 else NONE)
        for part in range(first, stop_part):
            if columns.part[part, 0] == name:
                columns.origin[part] = origin
    return at


@kernel
def _credential_id(buffer: np.ndarray, at: int, key: HashKey) -> tuple[np.uint64, int]:
    """Return the hash of a credential's handle, and where the credential stops."""
    found = np.uint64(0)
    entries, at = wire.container_size(buffer, at)
    for _ in range(entries):
        start, stop = wire.text_span(buffer, at)
        at = wire.skip(buffer, stop)
        if stop - start == 2 and buffer[start] == _I and buffer[start + 1] == _D:
            found = hash_bytes(buffer, stop, at, key)
    return found, at


@kernel
def _add_circumstances(hashes: np.ndarray, credential: np.uint64, columns: Columns, m: int) -> int:
    """Write who acts, and with whom, as one part each, if the event says; return the next free part."""
    if hashes[_ZONE] | credential:
        m = _add_part(columns, m, STANDING, mix(hashes[_ZONE], credential), hashes[_ZONE])
    place = mix(hashes[_PEER_ZONE], hashes[_DATA_CLASS])
    if hashes[_PEER_ZONE] | hashes[_DATA_CLASS] | hashes[_PEER] | hashes[_BEHALF]:
        m = _add_part(columns, m, DEALING, mix(place, mix(hashes[_PEER], hashes[_BEHALF])), place)
    return m


@allocating_kernel
def _identify(
    buffer: np.ndarray, spans: np.ndarray, content: np.uint64, columns: Columns, i: int, keyed: Keyed
) -> np.ndarray:
    """Write who and what an event is about from the spans of its texts; return their hashes."""
    words, hashes = keyed.words, np.zeros(len(spans), np.uint64)
    for code in range(len(spans)):
        if spans[code, 1] > 0:
            hashes[code] = hash_bytes(buffer, spans[code, 0], spans[code, 1], keyed.key)
    tenant = hashes[_TENANT] if spans[_TENANT, 1] > 0 else words[DEFAULT_WORD]
    group = hashes[_TYPE] if spans[_TYPE, 1] > 0 else words[DEFAULT_WORD]
    agent = mix(hashes[_AGENT], tenant)
    kind = _KIND_OF[_place(buffer, spans[_KIND, 0], spans[_KIND, 1])]
    columns.ident[i, EVENT_ID] = (hashes[_EVENT_ID] & _HIGH) | (content >> _HALF)
    columns.ident[i, AGENT] = agent
    columns.ident[i, GROUP] = mix(group, tenant)
    columns.ident[i, SESSION] = mix(agent, hashes[_SESSION] + np.uint64(1))
    tool = words[LLM_WORD] if kind == LLM_CALL else hashes[_NAME]
    columns.ident[i, TOOL_NAME] = SESSION_END if tool == words[END_WORD] else tool
    columns.ident[i, WHOLE_TARGET] = hashes[_TARGET] & PLACE
    columns.ident[i, CALL] = hashes[_NAME]
    columns.ident[i, BARE] = hashes[_AGENT]
    columns.kind[i] = kind
    columns.outcome[i] = FINE
    if spans[_OUTCOME, 1] > 0:
        columns.outcome[i] = DENIED if buffer[spans[_OUTCOME, 0]] == _D else FAILED
    return hashes


@allocating_kernel
def _fill(  # noqa: C901 - one branch a kind of field
    buffer: np.ndarray, reading: Reading, columns: Columns, marks: np.ndarray
) -> None:
    ignored, keyed, pieces = reading
    key, room = keyed.key, np.empty(2048, np.uint8)
    spans = np.zeros((_FIRST_SIZE, 2), np.int64)
    events, at = wire.container_size(buffer, np.int64(0))
    m = k = np.int64(0)
    for i in range(events):
        spans[:, :] = 0
        first_part, first_number = m, k
        whole = credential = has = np.uint64(0)
        unread = (np.uint64(0), np.uint64(0))
        begin = at
        fields, at = wire.container_size(buffer, at)
        for _ in range(fields):
            start, stop = wire.text_span(buffer, at)
            place = _place(buffer, start, stop)
            code = np.int64(_KEYS[place])
            has |= _BITS[place]
            if code < _FIRST_SIZE:
                start, at = wire.text_span(buffer, stop)
                spans[code, 0] = start
                spans[code, 1] = at
                if code == _TARGET:
                    whole = hash_bytes(buffer, start, at, key)
                    has |= _WATCHED * np.uint64(has_piece(buffer, start, at, pieces))
                    m = _add_targets(buffer, start, at, columns, m, room, keyed)
            elif code < _TS:
                at = wire.skip(buffer, stop)
                if buffer[stop] == wire.FLOAT64:
                    columns.field[k] = keyed.words[code - _FIRST_SIZE]
                    columns.amount[k] = np.log2(1.0 + wire.float_at(buffer, stop + 1))
                    columns.family[k] = BYTES_OUT if code == _BYTES_OUT else SIZE
                    k += 1
            elif code == _TS:
                columns.ts[i] = wire.seconds_at(buffer, stop)
                at = wire.skip(buffer, stop)
            elif code == _ATTRIBUTES:
                counts = (first_part, first_number, m, k)
                at, m, k, unread = _add_attributes(buffer, stop, ignored, columns, counts, whole, room, key)
                has |= _WATCHED * np.uint64(has_piece(buffer, stop, at, pieces))
            elif code == _CREDENTIAL:
                credential, at = _credential_id(buffer, stop, key)
            elif code == _ORIGIN:
                at = _set_origins(buffer, stop, columns, first_part, m, key)
            else:
                at = wire.skip(buffer, stop)
        hashes = _identify(buffer, spans, hash_bytes(buffer, begin, at, key), columns, i, keyed)
        if unread[0] != 0 and columns.outcome[i] == FINE:  # why a call failed is said in fields nobody looks at
            m = _add_part(columns, m, UNREAD, unread[1], unread[0])
        m = _add_circumstances(hashes, credential, columns, m)
        # both are numbered in the order of the schema
        marks[i] = has | _FIRST_KIND << np.uint64(columns.kind[i]) | _FIRST_OUTCOME << np.uint64(columns.outcome[i])
        columns.parts_end[i + 1] = m
        columns.numbers_end[i + 1] = k
