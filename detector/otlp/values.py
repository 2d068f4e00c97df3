"""Lenient types, once, in one place: the same quantity comes as a number, a text, or an empty value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from detector.schema.amends import canonical, clean, cut, number_in, text_of
from detector.schema.event import FIRST_SURE_YEAR, LAST_SURE_YEAR, MAX_AMOUNT, MAX_STRING

MAX_ATTRIBUTE: Final = 256
"""Characters of an attribute of a native event; longer ones are cut, with a digest of the whole."""
REDACTED: Final = frozenset({"__REDACTED__", "<REDACTED>", "[REDACTED]", "<not specified>"})
"""What libraries write where something was left out: absent."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EMPTY: Final[tuple[object, ...]] = ([], {})
_SHORT: Final = 1 << 64
_WORDS: Final = {True: "true", False: "false"}
_YEAR_MARK: Final = "T"
_LONGEST_TIME: Final = 40


def text(value: object, most: int = MAX_STRING) -> str | None:
    """Return a value as text of at most `most` characters, a longer one with a digest; None for an empty one.

    Examples
    --------
    >>> text(True), text(2.0), text(""), text(["a", "b"])
    ('true', '2', None, 'a,b')
    """
    if type(value) is str:
        if value.isascii() and len(value) <= most:
            return value if value and value not in REDACTED else None
        return cut(clean(value), most)
    if value is None:
        return None
    if value in _EMPTY:
        return None
    if isinstance(value, bool):
        return _WORDS[value]
    if type(value) is int and abs(value) < _SHORT:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return text_of(value, most)[0] if isinstance(value, list) else cut(canonical(value), most)


def amount(value: object) -> float | None:
    """Return a number from 0 to 1e15, also one written as text; None for anything else, 0 and not ready told apart.

    Examples
    --------
    >>> amount("234"), amount(-1), amount({}), amount(0)
    (234.0, None, None, 0.0)
    """
    kind = type(value)
    if value is None or (kind is str and not value):
        return None
    if (kind is int or kind is float) and 0 <= value <= MAX_AMOUNT:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    return number_in(value, 0.0, MAX_AMOUNT)


def whole(value: object) -> int | None:
    """Return a whole number that the schema's ``seq`` can hold, also one written as text."""
    if type(value) is str and value.isdecimal() and value.isascii() and len(value) < _LONGEST_TIME:
        value = int(value)
    return value if type(value) is int and 0 <= value < 1 << 63 else None


def time_of(value: object) -> datetime | None:
    """Return the time a text tells (RFC 3339, any offset); None for a date alone, or a time that UTC cannot hold."""
    if type(value) is not str or len(value) > _LONGEST_TIME or _YEAR_MARK not in value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None and FIRST_SURE_YEAR <= found.year <= LAST_SURE_YEAR else None


def time_at(nanoseconds: int) -> datetime | None:
    """Return the time so many nanoseconds after the epoch, to the microsecond; None for 0."""
    if nanoseconds <= 0 or nanoseconds >= 1 << 63:
        return None
    return _EPOCH + timedelta(0, 0, nanoseconds // 1_000)
