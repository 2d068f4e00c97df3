"""Texts that whoever acts has chosen, as they may be shown: capped, and without what a terminal would obey."""

from __future__ import annotations

import hashlib
from typing import Final

_DIGITS: Final = 8


def cut(text: str, most: int) -> str:
    """Return a text no longer than it may be, as it arrived: of a longer one a digest says which it was."""
    if len(text) <= most:
        return text
    return f"{text[:most]}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:_DIGITS]}"


def shown(text: str, most: int) -> str:
    r"""Return a text of which nothing moves a cursor, turns a line around or hides, no longer than it may be.

    Parameters
    ----------
    text : str
        Chosen by whoever wrote the event.
    most : int
        Letters that are kept; of a longer text a digest says which it was.

    Returns
    -------
    str
        Control, format and separator characters are written as their escapes, each of which takes up to ten letters.

    Examples
    --------
    >>> shown("pay now", 64), shown("a" * 9, 4)
    ('pay now', 'aaaa~f2aca93b')
    >>> print(shown("red\x1b[31m", 64))
    red\x1b[31m
    """
    text = cut(text, most)
    if text.isprintable():
        return text
    for one in {one for one in text if not one.isprintable()}:
        text = text.replace(one, one.encode("unicode_escape").decode())
    return text
