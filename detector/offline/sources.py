"""Recorded events as batches of lines: plain or gzipped files, or standard input."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec

from detector.errors import SetupError
from detector.offline.labels import open_binary

STDIN = Path("-")
BATCH = 512
"""Events handed on at a time: the size of a micro-batch of the worker."""


class _Origin(msgspec.Struct, gc=False):
    event_id: str
    arg_origin: msgspec.Raw


class _Named(msgspec.Struct, gc=False):
    event_id: str


_origin = msgspec.json.Decoder(_Origin)
_named = msgspec.json.Decoder(_Named)


def size_of(paths: Iterable[Path]) -> int | None:
    """Return the bytes of all files as they lie on disk, or None if standard input is one of them."""
    total = 0
    for path in paths:
        if path == STDIN:
            return None
        total += path.stat().st_size if path.exists() else 0
    return total


def lines_of(path: Path, progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Yield the lines of one file without their ends, leaving out blank ones.

    Parameters
    ----------
    path : Path
        A file, plain or gzip, or ``-`` for standard input (plain).
    progress : callable, optional
        Told now and then how many bytes of the file on disk were read since the last time.

    Raises
    ------
    SetupError
        The file cannot be opened.
    """
    if path == STDIN:
        yield from _stripped(sys.stdin.buffer)
        return
    with open_binary(path) as file:
        told = 0
        raw = getattr(file, "fileobj", None) or file
        for number, line in enumerate(_stripped(file)):
            if progress is not None and number % BATCH == 0:
                now = raw.tell()
                progress(now - told)
                told = now
            yield line
        if progress is not None:
            progress(path.stat().st_size - told)


def _stripped(file: IO[bytes]) -> Iterator[bytes]:
    try:
        for line in file:
            bare = line.strip()
            if bare:
                yield bare
    except (EOFError, OSError, zlib.error) as error:
        message = f"content of {file.name} must be readable to its end, got: {error}; is the file cut off?"
        raise SetupError(message) from error


def batches(lines: Iterable[bytes], size: int = BATCH) -> Iterator[list[bytes]]:
    """Yield the lines in lists of `size`, the last one shorter."""
    walk = iter(lines)
    while batch := list(islice(walk, size)):
        yield batch


def read_origins(path: Path) -> dict[str, bytes]:
    """Return event id -> origins of its arguments, as JSON bytes, from a file of one object a line.

    Lines without ``event_id`` or ``arg_origin`` are left out.
    """
    out: dict[str, bytes] = {}
    for line in lines_of(path):
        try:
            one = _origin.decode(line)
        except msgspec.DecodeError:
            continue
        out[one.event_id] = bytes(one.arg_origin)
    return out


def with_origins(lines: Iterable[bytes], origins: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield the events with the origins of their arguments joined to them, as an instrumented agent would send them."""
    for line in lines:
        try:
            joined = origins.get(_named.decode(line).event_id)
        except msgspec.DecodeError:
            joined = None
        # of a key that stands twice the last one counts, so the joined one wins
        yield line if joined is None else line[:-1] + b',"arg_origin":' + joined + b"}"
