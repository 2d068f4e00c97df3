"""The lines of an untrusted file, one after another: each is a JSON object, or a countable reason why it is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

import msgspec

from detector.backfill.record import Record

MAX_LINE: Final = 16 * 1_024 * 1_024
"""Bytes of a line that is read, and of a file that is one JSON document; pictures within a line take megabytes."""
_CHUNK: Final = 1_024 * 1_024
_decode = msgspec.json.Decoder().decode

TOO_LONG, NOT_JSON, NOT_OBJECT, TOO_DEEP, CUT_OFF = "too_long", "not_json", "not_an_object", "too_deep", "cut_off"
FAULTS: Final = {
    TOO_LONG: f"more than {MAX_LINE} bytes",
    NOT_JSON: "no JSON",
    NOT_OBJECT: "JSON, but no object",
    TOO_DEEP: "nested too deep",
    CUT_OFF: "the last line ends in the middle: a session that still runs, or was killed",
}
"""Why a line could not be read."""


def lines_of(file: IO[bytes], progress: Callable[[int], None]) -> Iterator[Record | str]:
    """Yield what each line of a file holds: an object, or the word for its fault. Blank lines are none.

    Parameters
    ----------
    file : binary file
        From where it stands.
    progress : callable
        Told how many bytes were read, a line or a stretch of one at a time.
    """
    while line := file.readline(MAX_LINE + 1):
        progress(len(line))
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            _skip(file, progress)
            yield TOO_LONG
        elif bare := line.strip():
            found = parsed(bare)
            yield CUT_OFF if found == NOT_JSON and not line.endswith(b"\n") else found


def _skip(file: IO[bytes], progress: Callable[[int], None]) -> None:
    """Read to the end of a line without keeping it."""
    while chunk := file.readline(_CHUNK):
        progress(len(chunk))
        if chunk.endswith(b"\n"):
            return


def parsed(raw: bytes) -> Record | str:
    r"""Return the object that bytes hold, or the word for their fault.

    Examples
    --------
    >>> parsed(b'{"a": 1}'), parsed(b"[]"), parsed(b"{")
    ({'a': 1}, 'not_an_object', 'not_json')
    """
    try:
        found: Any = _decode(raw)
    except RecursionError:
        return TOO_DEEP
    except (msgspec.DecodeError, UnicodeDecodeError):
        # half a pair of surrogates, which JavaScript writes and msgspec refuses, is no reason to lose a line
        found = _again(raw) if b"\\u" in raw else NOT_JSON
    if isinstance(found, dict):
        return found
    return found if found in (NOT_JSON, TOO_DEEP) else NOT_OBJECT


def _again(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except RecursionError:
        return TOO_DEEP
    except ValueError:
        return NOT_JSON
