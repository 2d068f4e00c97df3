"""Records of `agent.registry` on their way into a partition: one or several of them are one control of the input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from detector.schema.event import MAX_STRING
from detector.schema.registry import MAX_ENTRY_BYTES
from detector.schema.zones import tenant_of_key, zones_key

MOST_BYTES: Final = 64 * 1_024
"""What the records of one control take together: the journal keeps them whole."""

MOST_NESTED: Final = 16
"""Levels of lists and objects in an entry; a whole one has four. Deeper ones are read only while the stack lasts."""
_SIGNS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)

Subject = Literal["agent", "zones"]


class _Packed(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A record in a control; who wrote one before zones were declared wrote three fields."""

    offset: int
    key: str
    value: msgspec.Raw
    subject: Subject = "agent"


_packed = msgspec.json.Decoder(list[_Packed])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOTHING: Final = b"null"


class Declaration(NamedTuple):
    """One record of the registry's topic: its offset, whose it is, the entry as JSON; None: removed.

    `key` is an agent's id; where `subject` says that these are zones, the tenant's.
    """

    offset: int
    key: str
    value: bytes | None
    subject: Subject = "agent"

    @property
    def record_key(self) -> bytes:
        """The key it has on its topic."""
        return zones_key(self.key) if self.subject == "zones" else self.key.encode()


def declaration_of(offset: int, key: bytes | None, value: bytes | None) -> Declaration:
    """Return a record as it goes into a control.

    Raises
    ------
    ValueError
        It cannot: too long, no JSON object, or no key that names an agent or a tenant's zones. What else may be wrong
        with it is found where it takes effect, so that a replay finds it too.
    """
    tenant = tenant_of_key(key)
    subject: Subject = "agent" if tenant is None else "zones"
    try:
        name = tenant or (key or b"").decode()
    except UnicodeDecodeError as error:
        raise ValueError("key must be an agent's id in UTF-8, got other bytes") from error
    if not 0 < len(name) <= MAX_STRING:
        raise ValueError(f"key must be an agent's id of 1 to {MAX_STRING} characters, got {len(name)}")
    if value is None:
        return Declaration(offset, name, None, subject)
    if len(value) > MAX_ENTRY_BYTES:
        raise ValueError(f"size of an entry must be at most {MAX_ENTRY_BYTES} bytes, got {len(value)}")
    if value.count(b"[") + value.count(b"{") > MOST_NESTED and _depth(value) > MOST_NESTED:
        raise ValueError(f"an entry must have at most {MOST_NESTED} levels of lists and objects")
    try:
        _object.decode(value)
        value.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"an entry must be a JSON object, got other bytes: {error}") from error
    return Declaration(offset, name, value.strip(), subject)


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
    return msgspec.json.encode([_fields(one) for one in records])


def _fields(one: Declaration) -> tuple[int | str | msgspec.Raw, ...]:
    value = msgspec.Raw(_NOTHING if one.value is None else one.value)
    # of an agent three, as ever: journals of one version are read by the other
    return (one.offset, one.key, value) if one.subject == "agent" else (one.offset, one.key, value, one.subject)


def unpack_declarations(value: bytes) -> list[Declaration]:
    """Return the records of one control.

    Raises
    ------
    msgspec.DecodeError
        It is no control of the registry.
    """
    found = [(one, bytes(one.value)) for one in _packed.decode(value)]
    return [Declaration(one.offset, one.key, None if raw == _NOTHING else raw, one.subject) for one, raw in found]


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
