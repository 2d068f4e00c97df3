"""Protobuf taken apart by hand, for what the parser refuses: one bad record must not hide the others of its batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5
_MOST_VARINT_BYTES: Final = 10
_LENGTH_PREFIX: Final = 4


def varint(raw: memoryview, at: int) -> tuple[int, int]:
    """Return the varint at a place and where it ends.

    Raises
    ------
    ValueError
        If it does not end within ten bytes.
    """
    value = shift = 0
    for byte in raw[at : at + _MOST_VARINT_BYTES]:
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("varint does not end")


def parts(raw: memoryview, field: int) -> Iterator[memoryview]:
    r"""Yield the contents of every length-delimited occurrence of a field; stops at the first byte that is none.

    Examples
    --------
    >>> [bytes(one) for one in parts(memoryview(b"\x0a\x02hi\x10\x01\x0a\x01!"), 1)]
    [b'hi', b'!']
    """
    at = 0
    while at < len(raw):
        try:
            tag, at = varint(raw, at)
            kind = tag & 7
            if kind == _VARINT:
                _, at = varint(raw, at)
            elif kind in {_EIGHT, _FOUR}:
                at += 8 if kind == _EIGHT else 4
            elif kind == _LENGTH:
                length, at = varint(raw, at)
                if at + length > len(raw):
                    return
                if tag >> 3 == field:
                    yield raw[at : at + length]
                at += length
            else:
                return
        except ValueError:
            return


def frames(raw: bytes) -> list[bytes] | None:
    """Return the messages of a file with a length of four bytes before each, as the Collector's file exporter writes.

    None if the lengths do not add up to the file.
    """
    found, at = [], 0
    while at + _LENGTH_PREFIX <= len(raw):
        length = int.from_bytes(raw[at : at + _LENGTH_PREFIX], "big")
        at += _LENGTH_PREFIX
        found.append(raw[at : at + length])
        at += length
    return found if at == len(raw) and found else None
