"""Records of `agent.registry` on their way into a partition: one or several of them are one control of the input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from detector.schema.event import MAX_STRING
from detector.schema.registry import MAX_ENTRY_BYTES

MOST_BYTES: Final = 64 * 1_024
"""What the records of one control take together: the journal keeps them whole."""

MOST_NESTED: Final = 16
"""Levels of lists and objects in an entry; a whole one has four. Deeper ones are read only while the stack lasts."""
_SIGNS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)

_packed = msgspec.json.Decoder(list[tuple[int, str, msgspec.Raw]])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOTHING: Final = b"null"


class Declaration(NamedTuple):
    """One record of the registry's topic: its offset, the agent it is keyed by, the entry as JSON; None: removed."""

    offset: int
    key: str
    value: bytes | None


def declaration_of(offset: int, key: bytes | None, value: bytes | None) -> Declaration:
    """Return a record as it goes into a control.

    Raises
    ------
    ValueError
        It cannot: too long, no JSON object, or no key that names an agent. What else may be wrong with it is found
        where it takes effect, so that a replay finds it too.
    """
    try:
        name = (key or b"").decode()
    except UnicodeDecodeError as error:
        raise ValueError("key must be an agent's id in UTF-8, got other bytes") from error
    if not 0 < len(name) <= MAX_STRING:
        raise ValueError(f"key must be an agent's id of 1 to {MAX_STRING} characters, got {len(name)}")
    if value is None:
        return Declaration(offset, name, None)
    if len(value) > MAX_ENTRY_BYTES:
        raise ValueError(f"size of an entry must be at most {MAX_ENTRY_BYTES} bytes, got {len(value)}")
    if value.count(b"[") + value.count(b"{") > MOST_NESTED and _depth(value) > MOST_NESTED:
        raise ValueError(f"an entry must have at most {MOST_NESTED} levels of lists and objects")
    try:
        _object.decode(value)
        value.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"an entry must be a JSON object, got other bytes: {error}") from error
    return Declaration(offset, name, value.strip())


def _depth(value: bytes) -> int:
    """Return how deep lists and objects lie in each other, of JSON."""
    depth = deepest = 0
    for found in _SIGNS.finditer(value):
        sign = found.group()[:1]
        depth += (sign in b"[{") - (sign in b"]}")
        deepest = max(deepest, depth)
    return deepest


def pack_declarations(records: Sequence[Declaration]) -> bytes:
    """Return records as the value of one control; their own bytes stand in it unchanged.

    Examples
    --------
    >>> pack_declarations([Declaration(7, "a", b'{"agent_id": "a"}'), Declaration(9, "b", None)])
    b'[[7,"a",{"agent_id": "a"}],[9,"b",null]]'
    """
    return msgspec.json.encode(
        [(one.offset, one.key, msgspec.Raw(_NOTHING if one.value is None else one.value)) for one in records]
    )


def unpack_declarations(value: bytes) -> list[Declaration]:
    """Return the records of one control.

    Raises
    ------
    msgspec.DecodeError
        It is no control of the registry.
    """
    found = [(offset, key, bytes(raw)) for offset, key, raw in _packed.decode(value)]
    return [Declaration(offset, key, None if raw == _NOTHING else raw) for offset, key, raw in found]


def in_controls(records: Iterable[Declaration], most: int = MOST_BYTES) -> Iterator[list[Declaration]]:
    """Yield records in order, so many at a time as one control may hold."""
    held: list[Declaration] = []
    size = 0
    for one in records:
        length = len(one.value or b"") + len(one.key.encode()) + 32
        if held and size + length > most:
            yield held
            held, size = [], 0
        held.append(one)
        size += length
    if held:
        yield held
