"""The envelope of remembered bytes: verified by a keyed digest before anything parses them."""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from typing import NamedTuple

from detector.errors import StateError

MAGIC = b"ABDS"
VERSION = 1
DIGEST_BYTES = 32
HEADER = struct.Struct(">4sBBQI")
"""Magic, version, is compressed, epoch, length of the payload once it is unpacked."""
MAX_PAYLOAD = 64 * 1_024 * 1_024
"""No shard comes near it (0.9 MB at most); it bounds what a forged length can cost."""
WORTH_IT = 0.9
"""Compressed bytes are kept when they are at most this share of the plain ones."""


class Place(NamedTuple):
    """What the digest binds a blob to, so that none can be moved to another place.

    Attributes
    ----------
    group : str
        Consumer group.
    partition : int
        Input partition.
    shard : str
        Name of the shard.
    """

    group: str
    partition: int
    shard: str


class Opened(NamedTuple):
    """A verified blob: its epoch and its payload."""

    epoch: int
    payload: bytes


def seal(key: bytes, place: Place, epoch: int, payload: bytes) -> bytes:
    """Return the payload in an envelope, compressed where that helps.

    Parameters
    ----------
    key : bytes
        Key of the digest, at most 64 bytes.
    place : Place
        What the blob belongs to.
    epoch : int
        Number of the checkpoint it was written for.
    payload : bytes
        At most 64 MiB.
    """
    packed = zlib.compress(payload, 1)
    is_packed = len(packed) <= WORTH_IT * len(payload)
    body = packed if is_packed else payload
    header = HEADER.pack(MAGIC, VERSION, is_packed, epoch, len(payload))
    return header + _digest(key, place, header, body) + body


def unseal(key: bytes, place: Place, blob: bytes) -> Opened:
    """Return epoch and payload of an envelope, after its digest was found right.

    Raises
    ------
    StateError
        Too short, another magic or version, or a digest that differs: damaged, moved from another place, or
        written with another ``state_key``.
    """
    start = HEADER.size + DIGEST_BYTES
    if len(blob) < start:
        raise _refused(place, f"at least {start} bytes", f"{len(blob)}")
    header, digest, body = blob[: HEADER.size], blob[HEADER.size : start], blob[start:]
    magic, version, is_packed, epoch, length = HEADER.unpack(header)
    if magic != MAGIC or version != VERSION:
        raise _refused(place, f"{MAGIC!r} version {VERSION}", f"{magic!r} version {version}")
    if not hmac.compare_digest(digest, _digest(key, place, header, body)):
        raise _refused(place, "the one its digest was made for", "another (damaged, moved, or another state_key)")
    payload = _unpack(body, length) if is_packed else body
    if len(payload) != length:
        raise _refused(place, f"{length} bytes long", f"{len(payload)}")
    return Opened(epoch, payload)


def _unpack(body: bytes, length: int) -> bytes:
    return zlib.decompressobj().decompress(body, min(length, MAX_PAYLOAD) + 1)


def _digest(key: bytes, place: Place, header: bytes, body: bytes) -> bytes:
    digest = hashlib.blake2b(key=key, digest_size=DIGEST_BYTES)
    names = (place.group.encode(), str(place.partition).encode(), place.shard.encode())
    for part in (*names, header):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    digest.update(body)
    return digest.digest()


def _refused(place: Place, rule: str, got: str) -> StateError:
    return StateError(
        f"shard {place.shard} of partition {place.partition} of {place.group} must be {rule}, got {got}: "
        "it restarts cold from here"
    )
