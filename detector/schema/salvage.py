"""What can still be read of the bytes of an event, whole JSON or broken: bounded work, never an error."""

from __future__ import annotations

import json
import re
from json import decoder
from typing import Any, Final, NamedTuple

MAX_READ_BYTES: Final = 256 * 1_024
"""Four times the largest event; what stands further back is not read: a mebibyte of brackets takes half a second."""
MAX_MEMBERS: Final = 4_096
"""Of an object that breaks somewhere; they are read one by one."""
MAX_NESTING: Final = 64
"""Deeper values are not read. Far from where the interpreter gives up, which depends on who called: the same bytes must
be read alike everywhere."""

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_LONGEST_INTEGER: Final = 20


class Salvaged(NamedTuple):
    """What could be read of an event: plain JSON values by name, and whether that is the whole object."""

    fields: dict[str, Any]
    is_whole: bool


def salvage(raw: bytes) -> Salvaged:
    """Return the fields of the JSON object that `raw` begins with, as far as they can be read.

    Kinder than the decoder of events: NaN, numbers of any size, control characters, bytes that are no UTF-8 (as lone
    surrogates), depth up to 64, and whatever comes behind the object. Of a name that stands twice the last one counts.
    An object that breaks off gives what stands before the break, of ``attributes`` too.

    Parameters
    ----------
    raw : bytes
        What was refused; its first 256 KiB are read. The work grows with its length and no faster.

    Returns
    -------
    Salvaged
        Without fields if `raw` is no object, or not one field of it can be read.

    Examples
    --------
    >>> salvage(b'{"agent_id": "a1", "attributes": {"to": "x", "body": "cut o').fields
    {'agent_id': 'a1', 'attributes': {'to': 'x', 'body': 'cut o'}}
    """
    text = raw[:MAX_READ_BYTES].decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    at = _skip(text, 0)
    if not text.startswith("{", at):
        return Salvaged({}, is_whole=False)
    value = _value(text, at)
    if value is not None and isinstance(value[0], dict):
        return Salvaged(value[0], is_whole=True)
    return Salvaged(_members(text, at + 1, is_inner=False), is_whole=False)


def _integer(digits: str) -> float:
    """Return a whole number; a long one as a double, perhaps infinite: its digits cost no more than their number."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


# not in the type stubs: a value, or a text behind its quote, at a place of the text, and where it ends
_scan: Final = json.JSONDecoder(strict=False, parse_int=_integer).scan_once  # type: ignore[attr-defined]
_scan_text: Final = decoder.scanstring  # type: ignore[attr-defined]


def _skip(text: str, at: int) -> int:
    """Return where the white space at a place ends."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int) -> tuple[Any, int] | None:
    """Return the JSON value at a place and where it ends; None if it is broken or too deep."""
    try:
        value, end = _scan(text, at)
    except (StopIteration, ValueError, RecursionError):
        return None
    return None if _is_deep(value) else (value, end)


def _is_deep(value: object) -> bool:
    """Return whether a value is nested more than :data:`MAX_NESTING` levels deep."""
    level = [value]
    for _ in range(MAX_NESTING):
        below: list[object] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
        if not below:
            return False
        level = below
    return True


def _members(text: str, at: int, *, is_inner: bool) -> dict[str, Any]:
    """Return the members of an object that breaks somewhere, up to the break.

    A text that does not end is kept only within ``attributes``: half an ``agent_id`` would be another agent's. A number
    that the bytes end with is not.
    """
    found: dict[str, Any] = {}
    for _ in range(MAX_MEMBERS):
        named = _name(text, _skip(text, at))
        if named is None:
            return found
        name, at = named
        value = _value(text, at)
        if value is None:
            broken = _broken(text, at, name, is_inner=is_inner)
            return found if broken is None else {**found, name: broken}
        if value[1] == len(text) and isinstance(value[0], int | float):
            break  # perhaps it went on
        found[name], at = value
        at = _skip(text, at)
        if not text.startswith(",", at):
            break
        at += 1
    return found


def _name(text: str, at: int) -> tuple[str, int] | None:
    """Return the name of the member at a place and where its value begins; None if there is none."""
    if not text.startswith('"', at):
        return None
    try:
        name, at = _scan_text(text, at + 1, False)
    except ValueError:
        return None
    at = _skip(text, at)
    return (name, _skip(text, at + 1)) if text.startswith(":", at) else None


def _broken(text: str, at: int, name: str, *, is_inner: bool) -> dict[str, Any] | str | None:
    """Return what is left of the value that breaks off: of attributes, and of a text within them."""
    if is_inner:
        return text[at + 1 :] if text.startswith('"', at) else None
    if name == "attributes" and text.startswith("{", at):
        return _members(text, at + 1, is_inner=True)
    return None
