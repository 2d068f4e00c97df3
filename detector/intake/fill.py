"""Filling the columns: events go over as MessagePack, and one kernel walks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numba import njit

from detector.intake import wire
from detector.intake.columns import (
    AGENT,
    ATTRIBUTE,
    BYTES_OUT,
    EVENT_ID,
    GROUP,
    KINDS,
    LLM_CALL,
    MAX_ITEMS,
    MAX_NUMBERS,
    MAX_PARTS,
    MAX_TARGETS,
    MAX_VALUE,
    NONE,
    PLACE,
    SESSION,
    SIZE,
    SIZES,
    TARGET,
    TOOL,
    TOOL_NAME,
    UNKNOWN,
    USER,
    WHOLE_TARGET,
    Columns,
    Ignored,
)
from detector.intake.text import coarse_hash, shape_hash
from detector.schema.event import Event
from detector.sketches.hashing import SEED, hash_bytes, hash_text, mix

_TEXTS = ("event_id", "agent_id", "kind", "name", "agent_type", "tenant", "session_id", "target", "outcome")
_EVENT_ID, _AGENT, _KIND, _NAME, _TYPE, _TENANT, _SESSION, _TARGET, _OUTCOME = range(len(_TEXTS))
_FIRST_SIZE = len(_TEXTS)
_BYTES_OUT = _FIRST_SIZE + SIZES.index("bytes_out")
_TS, _ATTRIBUTES, _ORIGIN = 40, 41, 42
_SIZE_NAMES = np.array([hash_text(name) for name in SIZES])
_LLM_TOOL = hash_text("llm_call")
_DEFAULTS = np.array([hash_text("default"), hash_text("default")])
_FREE, _UNUSED = 62, 63
_COMMA, _SLASH, _SPACE = (ord(c) for c in ",/ ")


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
    codes |= {"ts": _TS, "attributes": _ATTRIBUTES, "arg_origin": _ORIGIN}
    table = np.full(4096, _FREE, np.uint8)
    for name in Event.__struct_fields__:
        place = _place_of(name)
        if table[place] != _FREE:
            msg = f"field names must fall into places of their own, got a second one at {place} for {name}"
            raise ValueError(msg)
        table[place] = codes.get(name, _UNUSED)
    return table


@njit(cache=True)
def _place(buffer: np.ndarray, start: int, stop: int) -> int:
    third = np.int64(buffer[start + 2]) if stop - start > 2 else 0
    return ((stop - start) * 131 + np.int64(buffer[start]) * 29 + third * 7 + np.int64(buffer[stop - 1]) * 211) % 4096


def _place_of(name: str) -> int:
    """Return the place of a name; plain Python, so that an import compiles nothing."""
    plain = getattr(_place, "py_func", _place)  # the bare function itself where NUMBA_DISABLE_JIT=1
    return int(plain(np.frombuffer(name.encode(), np.uint8), 0, len(name)))


_KEYS = _key_table()
_KIND_OF = np.zeros(4096, np.uint8)
for _code, _name in enumerate(KINDS):
    _KIND_OF[_place_of(_name)] = _code


_encode = msgspec.msgpack.Encoder().encode


def fill_columns(events: Sequence[Event], ignored: Ignored, columns: Columns) -> Columns:
    """Return the columns of at most :data:`BATCH` events, written into `columns`."""
    packed: Any = _encode(events)
    _fill(np.frombuffer(packed, np.uint8), ignored, columns)
    return columns


@njit(cache=True)
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


@njit(cache=True)
def _trim(buffer: np.ndarray, start: int, stop: int) -> tuple[int, int]:
    while start < stop and buffer[start] <= _SPACE:
        start += 1
    while stop > start and buffer[stop - 1] <= _SPACE:
        stop -= 1
    return start, stop


@njit(cache=True)
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


@njit(cache=True)
def _has(buffer: np.ndarray, start: int, stop: int, byte: int) -> bool:
    for at in range(start, stop):
        if buffer[at] == byte:
            return True
    return False


@njit(cache=True)
def _item_stop(buffer: np.ndarray, start: int, stop: int) -> int:
    at = start
    while at < stop and buffer[at] != _COMMA:
        at += 1
    return at


@njit(cache=True)
def _add_targets(buffer: np.ndarray, start: int, stop: int, columns: Columns, m: int, room: np.ndarray) -> int:
    """Write the parts of a target; return the next free part."""
    whole = _has(buffer, start, stop, _SLASH)
    for _ in range(MAX_TARGETS):
        end = stop if whole else _item_stop(buffer, start, stop)
        first, last = (start, end) if whole else _trim(buffer, start, end)
        columns.part[m, 0] = TARGET
        columns.part[m, 1] = hash_bytes(buffer, first, last, SEED)
        columns.part[m, 2] = coarse_hash(buffer, first, last, room) & PLACE
        columns.origin[m] = UNKNOWN
        columns.is_target[m] = True
        m += 1
        start = end + 1
        if end >= stop:
            break
    return m


@njit(cache=True)
def _add_items(
    buffer: np.ndarray,
    span: tuple[int, int],
    name: np.uint64,
    whole: np.uint64,
    columns: Columns,
    m: int,
    room: np.ndarray,
) -> int:
    """Write the items of a string argument, less any that repeats the target; return the next free part."""
    start, stop = span
    for _ in range(MAX_ITEMS):
        end = _item_stop(buffer, start, stop)
        first, last = _trim(buffer, start, end)
        last = _shorten(buffer, first, last)
        value = hash_bytes(buffer, first, last, SEED)
        if value != whole:
            columns.part[m, 0] = name
            columns.part[m, 1] = value
            columns.part[m, 2] = shape_hash(buffer, first, last, room) & PLACE
            columns.origin[m] = UNKNOWN
            columns.is_target[m] = False
            m += 1
        start = end + 1
        if end >= stop:
            break
    return m


@njit(cache=True)
def _signed_log(x: float) -> float:
    return np.log2(1.0 + x) if x >= 0 else -np.log2(1.0 - x)


@njit(cache=True)
def _add_attributes(
    buffer: np.ndarray,
    at: int,
    ignored: Ignored,
    columns: Columns,
    counts: tuple[int, int, int, int],
    whole: np.uint64,
    room: np.ndarray,
) -> tuple[int, int, int]:
    """Write an event's attributes; return where they stop, the next free part and the next free number."""
    first_part, first_number, m, k = counts
    entries, at = wire.container_size(buffer, at)
    for _ in range(entries):
        start, stop = wire.text_span(buffer, at)
        value_at = stop
        at = wire.skip(buffer, value_at)
        if _is_ignored(buffer, start, stop, ignored) or buffer[value_at] == wire.NIL:
            continue
        name = hash_bytes(buffer, start, stop, SEED)
        if buffer[value_at] == wire.FLOAT64:
            if k - first_number < MAX_NUMBERS:
                columns.field[k] = name
                columns.amount[k] = _signed_log(wire.float_at(buffer, value_at + 1))
                columns.family[k] = ATTRIBUTE
                k += 1
            else:
                columns.cut[0] += 1
        elif m - first_part <= MAX_PARTS - MAX_ITEMS:
            span = wire.text_span(buffer, value_at)
            if span[0] == span[1] and not wire.is_text(buffer, value_at):
                span = (value_at, value_at + 1)
            m = _add_items(buffer, span, name, whole, columns, m, room)
        else:
            columns.cut[0] += 1
    return at, m, k


@njit(cache=True)
def _set_origins(buffer: np.ndarray, at: int, columns: Columns, first: int, stop_part: int) -> int:
    """Write where an event's values came from; return where the map stops."""
    entries, at = wire.container_size(buffer, at)
    for _ in range(entries):
        start, stop = wire.text_span(buffer, at)
        name = hash_bytes(buffer, start, stop, SEED)
        start, at = wire.text_span(buffer, stop)
        letter = buffer[start]
        origin = USER if letter == 117 else (TOOL if letter == 116 else NONE)
        for part in range(first, stop_part):
            if columns.part[part, 0] == name:
                columns.origin[part] = origin
    return at


@njit(cache=True)
def _identify(buffer: np.ndarray, spans: np.ndarray, columns: Columns, i: int) -> None:
    """Write who and what an event is about from the spans of its texts."""
    hashes = np.zeros(len(spans), np.uint64)
    for code in range(len(spans)):
        if spans[code, 1] > 0:
            hashes[code] = hash_bytes(buffer, spans[code, 0], spans[code, 1], SEED)
    tenant = hashes[_TENANT] if spans[_TENANT, 1] > 0 else _DEFAULTS[0]
    group = hashes[_TYPE] if spans[_TYPE, 1] > 0 else _DEFAULTS[1]
    agent = mix(hashes[_AGENT], tenant)
    kind = _KIND_OF[_place(buffer, spans[_KIND, 0], spans[_KIND, 1])]
    columns.ident[i, EVENT_ID] = hashes[_EVENT_ID]
    columns.ident[i, AGENT] = agent
    columns.ident[i, GROUP] = mix(group, tenant)
    columns.ident[i, SESSION] = mix(agent, hashes[_SESSION] + np.uint64(1))
    columns.ident[i, TOOL_NAME] = _LLM_TOOL if kind == LLM_CALL else hashes[_NAME]
    columns.ident[i, WHOLE_TARGET] = hashes[_TARGET] & PLACE
    columns.kind[i] = kind
    columns.outcome[i] = 1 if spans[_OUTCOME, 1] > 0 else 0


@njit(cache=True)
def _fill(buffer: np.ndarray, ignored: Ignored, columns: Columns) -> None:
    room = np.empty(2048, np.uint8)
    spans = np.zeros((_FIRST_SIZE, 2), np.int64)
    events, at = wire.container_size(buffer, np.int64(0))
    m = k = np.int64(0)
    for i in range(events):
        spans[:, :] = 0
        first_part, first_number = m, k
        whole = np.uint64(0)
        fields, at = wire.container_size(buffer, at)
        for _ in range(fields):
            start, stop = wire.text_span(buffer, at)
            code = np.int64(_KEYS[_place(buffer, start, stop)])
            if code < _FIRST_SIZE:
                start, at = wire.text_span(buffer, stop)
                spans[code, 0] = start
                spans[code, 1] = at
                if code == _TARGET:
                    whole = hash_bytes(buffer, start, at, SEED)
                    m = _add_targets(buffer, start, at, columns, m, room)
            elif code < _TS:
                at = wire.skip(buffer, stop)
                if buffer[stop] == wire.FLOAT64:
                    columns.field[k] = _SIZE_NAMES[code - _FIRST_SIZE]
                    columns.amount[k] = np.log2(1.0 + wire.float_at(buffer, stop + 1))
                    columns.family[k] = BYTES_OUT if code == _BYTES_OUT else SIZE
                    k += 1
            elif code == _TS:
                columns.ts[i] = wire.seconds_at(buffer, stop)
                at = wire.skip(buffer, stop)
            elif code == _ATTRIBUTES:
                counts = (first_part, first_number, m, k)
                at, m, k = _add_attributes(buffer, stop, ignored, columns, counts, whole, room)
            elif code == _ORIGIN:
                at = _set_origins(buffer, stop, columns, first_part, m)
            else:
                at = wire.skip(buffer, stop)
        _identify(buffer, spans, columns, i)
        columns.parts_end[i + 1] = m
        columns.numbers_end[i + 1] = k
