"""Words for a terminal: what others wrote is escaped, times are UTC, lines to paste are quoted for a shell."""

from __future__ import annotations

import re
import shlex
import unicodedata
from datetime import UTC, datetime, timedelta

from detector.errors import SetupError

MOST_NAME = 80
"""Characters of a name that are shown; the whole of it stands in ``--json``."""
MOST_TEXT = 200
"""Characters of a sentence that are shown."""
RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
AGO = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd])")


def shown(text: str, most: int = MOST_NAME) -> str:
    r"""Return a text that others wrote, as it may stand on a terminal, cut to a number of characters of its own.

    Control characters, line and paragraph separators, invisible characters and whatever changes the direction of a
    line (marks, overrides, letters written from right to left) become escapes, a backslash becomes two: no name moves
    the cursor, hides a part of itself or reorders its neighbours, and what is shown is unambiguous.

    >>> shown("a" + chr(27) + "[2Jb" + chr(0x202E) + "\\")
    'a\\x1b[2Jb\\u202e\\\\'
    """
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(map(_one, cut))


def _one(char: str) -> str:
    if char == "\\":
        return "\\\\"
    if char.isprintable() and unicodedata.bidirectional(char) not in RIGHT_TO_LEFT:
        return char
    return char.encode("unicode_escape").decode("ascii")


def quoted(text: str) -> str | None:
    r"""Return a text as one word of a shell's line, in printable ASCII; None if no command line can carry it.

    What is not printable ASCII is written byte by byte in the form ``$'\xe2'`` of bash, zsh and ksh.
    """
    if "\0" in text:
        return None
    if text.isascii() and text.isprintable():
        return shlex.quote(text)
    plain = (chr(one) if 32 <= one < 127 and one not in b"\\'" else f"\\x{one:02x}" for one in text.encode())
    return f"$'{''.join(plain)}'"


def moment(at: float | None) -> str:
    """Return a time (epoch seconds) in UTC to the second; what no calendar has as a number.

    >>> moment(1_772_442_847.9)
    '2026-03-02 09:14:07Z'
    """
    if at is None:
        return "no end"
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
    except (OverflowError, ValueError, OSError):
        return f"{at:g} s"


def since_of(text: str, now: float) -> float:
    """Return the time (epoch seconds) that `text` names: so long ago (``90m``, ``24h``, ``7d``), or RFC 3339.

    Raises
    ------
    SetupError
        It names none.
    """
    if ago := AGO.fullmatch(text):
        return max(0.0, now - timedelta(**{UNITS[ago[2]]: float(ago[1])}).total_seconds())
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise SetupError(
            f"since must be a time ago like 90m, 24h or 7d, or RFC 3339 with an offset, got {shown(text)!r}"
        )
    return at.timestamp()


def span_of(text: str, name: str) -> float:
    """Return the seconds of a span of time: ``90m``, ``24h``, ``7d``.

    >>> span_of("14d", "within of the command")
    1209600.0

    Raises
    ------
    SetupError
        It names none, or one that no calendar has; `name` is what it was given as.
    """
    try:
        found = AGO.fullmatch(text)
        seconds = timedelta(**{UNITS[found[2]]: float(found[1])}).total_seconds() if found else None
    except OverflowError:
        seconds = None
    if seconds is None:
        raise SetupError(f"{name} must be a span of time like 90m, 24h or 7d, got {shown(text)!r}")
    return seconds


def count_of(number: int, what: str) -> str:
    """Return a number and its noun, plural where it must be.

    >>> count_of(1, "agent"), count_of(1_200, "agent"), count_of(2, "dead letter")
    ('1 agent', '1,200 agents', '2 dead letters')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"
