"""Bytes of a record or file become items: compressed or not, JSON or protobuf, one export request or many."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from detector.otlp import read_export, read_json, read_protobuf
from detector.otlp.item import Item, broken

MAX_BYTES: Final = 256 * 1_024 * 1_024
"""Most bytes of one file, unpacked: a small file must not unpack into all of the memory."""
_GZIP: Final = b"\x1f\x8b"
_SPACE: Final = b" \t\r\n"
_MARK: Final = b"\xef\xbb\xbf"
_FIRST_TAG: Final = 0x0A
"""First byte of every export request in protobuf; also a line feed."""


def read(raw: bytes) -> Iterator[Item]:
    """Yield the records in `raw`, in order; what could not be read is an item with a fault. Never raises.

    Told apart by content: gzip by its first bytes; JSON by its first bracket (one document, a list, or a document a
    line); else protobuf (requests one after another, or each behind a length of four bytes).

    Examples
    --------
    >>> [item.fault for item in read(b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, 7]}]}]}')]
    ['', 'wrong_type']
    """
    if raw.startswith(_GZIP):
        unpacked = _unpacked(raw)
        if unpacked is None:
            yield broken("not_gzip")
            return
        raw = unpacked
    if len(raw) > MAX_BYTES:
        yield broken("too_large")
    elif not raw.strip():
        yield broken("empty")
    elif raw.removeprefix(_MARK).lstrip(_SPACE)[:1] in {b"{", b"["}:
        yield from _json(raw)
    else:
        yield from read_protobuf.items_of(raw)


def _unpacked(raw: bytes) -> bytes | None:
    """Return what was compressed, one byte over the limit at most; None if it is broken."""
    found, at = b"", raw
    try:
        while at.startswith(_GZIP) and len(found) <= MAX_BYTES:
            unpacker = zlib.decompressobj(wbits=31)
            found += unpacker.decompress(at, MAX_BYTES + 1 - len(found))
            at = unpacker.unused_data
    except zlib.error:
        return None
    return found


def _json(raw: bytes) -> Iterator[Item]:
    """Yield the records of a JSON document, or of the documents in its lines."""
    exact = read_export.export_of(raw)
    if exact is not None:
        yield from exact
        return
    try:
        document = read_json.parse(raw)
    except ValueError:
        document = None
    if document is not None:
        yield from read_json.items_of(document)
        return
    if raw[0] == _FIRST_TAG:  # a length that looks like a bracket
        items = list(read_protobuf.items_of(raw))
        if any(not item.fault for item in items):
            yield from items
            return
    for line in raw.split(b"\n"):
        if line.strip():
            exact = read_export.export_of(line)
            if exact is not None:
                yield from exact
                continue
            try:
                document = read_json.parse(line)
            except ValueError:
                yield broken("not_json")
                continue
            yield from read_json.items_of(document)
