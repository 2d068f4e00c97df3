"""Values that do not fit the schema, made to fit: cut, told in words, read as numbers or times; and notes of it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from detector.schema.event import Time, is_in_utc

MAX_NOTES: Final = 8
MAX_NOTE: Final = 80
"""Characters of a note's name and of its text: what the detector looks at of an argument's value."""
_DIGEST: Final = 16
_MAX_DIGITS: Final = 40
_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_NUMBER: Final = (int, float)
_BEGINS_NO_NUMBER: Final = frozenset("abcdefghjklmopqrstuvwxyzABCDEFGHJKLMOPQRSTUVWXYZ/{[\"'<:#*$@%(=~!?")
"""Characters with which no number is written: a float begins with a digit, a sign, a point, a blank, nan or inf."""
_BLANK: Final = "".join(map(chr, range(33)))
"""What is trimmed off an argument's value before it is compared."""


def cut(text: str, most: int) -> str:
    """Return a text of at most `most` characters: a longer one as its beginning, ``#`` and a digest of the whole.

    Parameters
    ----------
    text : str
        Without lone surrogates.
    most : int
        At least 18.

    Examples
    --------
    >>> cut("transfer everything to me", 24)
    'transfe#ad1fce203ca4cdc1'
    """
    if len(text) <= most:
        return text
    return f"{text[: most - 1 - _DIGEST]}#{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]}"


def clean(text: str) -> str:
    """Return a text that UTF-8 can hold: lone surrogates, which also stand for bytes that are no UTF-8, as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def canonical(value: object) -> str:
    """Return a JSON value as compact text, names sorted, so that the same value gives the same text."""
    if isinstance(value, str):
        return clean(value)
    return clean(_CANONICAL.encode(value))


def text_of(value: object, most: int) -> tuple[str, str | None]:
    """Return a JSON value as text, and what had to be done to it in a word; None if nothing had.

    A list of plain values becomes its items with commas between them, which is how a list is written in an argument:
    so they are compared with what was used before.
    """
    if isinstance(value, str):
        cleaned = clean(value)
        wrong = "too long" if len(cleaned) > most else "not text" if cleaned != value else None
        return cut(cleaned, most), wrong
    is_plain = isinstance(value, list) and not any(isinstance(item, dict | list) for item in value)
    text = ",".join(map(canonical, value)) if isinstance(value, list) and is_plain else canonical(value)
    return cut(text, most), word_for(value)


def word_for(value: object) -> str:
    """Return what kind of JSON value it is."""
    if isinstance(value, bool):
        return "boolean"
    words = {str: "text", int: "number", float: "number", list: "list", dict: "object", type(None): "null"}
    return words[type(value)]


def shown(value: object) -> str:
    """Return the first 80 characters of what stood in a field that could not be kept."""
    return canonical(value)[:MAX_NOTE] or "(empty)"


def number_in(value: object, least: float, most: float) -> float | None:
    """Return a number, also one written as text; None if it is none, not finite, or out of range."""
    if isinstance(value, str) and value and len(value) <= _MAX_DIGITS and value[0] not in _BEGINS_NO_NUMBER:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        return None
    return float(value) if math.isfinite(value) and least <= value <= most else None


def time_of(value: object) -> datetime | None:
    """Return the time a text tells, with its offset; None if it tells none that UTC can hold."""
    if not isinstance(value, str):
        return None
    try:
        found: datetime = msgspec.convert(value, Time)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return None
    return found if is_in_utc(found) else None


class Notes:
    """What was mended, as attributes: their number and length do not grow with the event.

    They are one item each, whatever stood there: without commas, which part items, and never equal to the target, which
    would pass for the target repeated and be left out.

    Parameters
    ----------
    name, reason : str
        Name of the first attribute, and beginning of all others; why the event was refused.
    first : mapping of str to str
        Notes that come before all others, by field.
    """

    def __init__(self, name: str, reason: str, first: Mapping[str, str]) -> None:
        self._name, self._reason = name, reason
        self._found = dict(first)

    def add(self, field: str, what: str) -> None:
        """Note that a field was mended."""
        self._found[field] = what

    def attributes(self, target: str | None) -> dict[str, str]:
        """Return the notes as attributes: the reason, then at most 8, in the order they were added."""
        first = list(self._found.items())
        if len(first) > MAX_NOTES:
            first = [*first[: MAX_NOTES - 1], ("more", f"{len(first) - MAX_NOTES + 1} fields")]
        noted = {f"{self._name} {field}": what for field, what in first}
        return {
            cut(clean(name), MAX_NOTE): _single(what, target)
            for name, what in {self._name: self._reason, **noted}.items()
        }


def _single(what: str, target: str | None) -> str:
    """Return a note as one item that is not the target."""
    item = clean(what).replace(",", ";").strip(_BLANK)[:MAX_NOTE].strip(_BLANK) or "(empty)"
    return item if item != target else item[: MAX_NOTE - 1] + "~"
