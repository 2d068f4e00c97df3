"""What a value looks like with its particulars taken away: its shape, and the coarse place it names."""

from __future__ import annotations

import numpy as np

from detector.sketches.hashing import PUBLIC_KEY, HashKey, hash_bytes, mix
from detector.sketches.kernel import kernel

SHAPE_LENGTH = 14
"""Signs of a shape that count (``docs/science.md``, *Values*)."""
_IP, _DOMAIN, _FOLDER, _HOST, _SHAPE, _NOTHING = (np.uint64(n) for n in range(1, 7))
_AT, _DOT, _SLASH, _COMMA, _SPACE, _TILDE, _COLON = (np.int64(ord(c)) for c in "@./, ~:")


@kernel
def _class(byte: int) -> int:
    """Return the letter that stands for a byte's class; the byte itself if it has none."""
    if 65 <= byte <= 90:
        return 65
    if 97 <= byte <= 122:
        return 97
    if 48 <= byte <= 57:
        return 57
    return byte


@kernel
def shape_hash(buffer: np.ndarray, start: int, stop: int, room: np.ndarray, key: HashKey) -> np.uint64:
    """Return the hash of a value's shape: runs of capitals, small letters and digits become A, a and 9.

    Only the first 14 signs of the shape count. ``room`` is scratch of at least 1,024 bytes.
    """
    length = 0
    previous = -1
    for at in range(start, stop):
        kind = _class(np.int64(buffer[at]))
        if kind == previous and kind in (65, 97, 57):
            continue
        if length == SHAPE_LENGTH:
            break
        room[length] = kind
        length += 1
        previous = kind
    return hash_bytes(room, np.int64(0), length, key)


@kernel
def _find(buffer: np.ndarray, start: int, stop: int, byte: int) -> int:
    """Return where a byte first stands, or -1."""
    for at in range(start, stop):
        if buffer[at] == byte:
            return at
    return -1


@kernel
def _find_last(buffer: np.ndarray, start: int, stop: int, byte: int) -> int:
    """Return where a byte last stands, or -1."""
    for at in range(stop - 1, start - 1, -1):
        if buffer[at] == byte:
            return at
    return -1


@kernel
def _is_ip(buffer: np.ndarray, start: int, stop: int) -> bool:
    """Return whether a value is four dotted numbers."""
    dots, digits = 0, 0
    for at in range(start, stop):
        byte = buffer[at]
        if byte == _DOT:
            if digits == 0:
                return False
            dots += 1
            digits = 0
        elif 48 <= byte <= 57:
            digits += 1
        else:
            return False
    return dots == 3 and digits > 0


@kernel
def _small_hash(buffer: np.ndarray, start: int, stop: int, room: np.ndarray, key: HashKey) -> np.uint64:
    """Return the hash of a value in small letters."""
    for at in range(start, stop):
        byte = np.int64(buffer[at])
        room[at - start] = byte + 32 if 65 <= byte <= 90 else byte
    return hash_bytes(room, np.int64(0), stop - start, key)


@kernel
def _folder_stop(buffer: np.ndarray, start: int, stop: int) -> int:
    """Return where the first two components of a path end (the first one, if it has no third)."""
    slashes = 0
    second = stop
    for at in range(start, stop):
        if buffer[at] == _SLASH:
            slashes += 1
            if slashes == 2:
                second = at
            elif slashes == 3:
                return at
    return second


@kernel
def _host_span(buffer: np.ndarray, start: int, stop: int) -> tuple[int, int]:
    """Return where a URL's or a host's last two labels start and stop; equal if it names no host."""
    first = start
    while first < stop and 97 <= buffer[first] <= 122:
        first += 1
    has_scheme = start < first < stop - 2 and buffer[first] == _COLON
    if has_scheme and buffer[first + 1] == _SLASH and buffer[first + 2] == _SLASH:
        first += 3
    else:
        first = start
    end = _find(buffer, first, stop, _SLASH)
    end = stop if end < 0 else end
    last = _find_last(buffer, first, end, _DOT)
    if last < 0 or _find(buffer, first, end, _SPACE) >= 0:
        return start, start
    before = _find_last(buffer, first, last, _DOT)
    return (first if before < 0 else before + 1), end


@kernel
def coarse_hash(buffer: np.ndarray, start: int, stop: int, room: np.ndarray, key: HashKey) -> np.uint64:
    """Return the hash of the coarse place a target names.

    An address's network (/24), a mail address's domain, a path's first two components, a URL's or
    host's last two labels; for anything else its shape and first character.
    """
    if start == stop:
        return _NOTHING
    if _is_ip(buffer, start, stop):
        return mix(hash_bytes(buffer, start, _find_last(buffer, start, stop, _DOT), key), _IP)
    at = _find_last(buffer, start, stop, _AT)
    if at >= 0:
        comma = _find(buffer, at, stop, _COMMA)
        return mix(_small_hash(buffer, at + 1, stop if comma < 0 else comma, room, key), _DOMAIN)
    first = buffer[start]
    is_dot_slash = first == _DOT and stop - start > 1 and buffer[start + 1] == _SLASH
    if first in (_SLASH, _TILDE) or is_dot_slash:
        return mix(hash_bytes(buffer, start, _folder_stop(buffer, start, stop), key), _FOLDER)
    host, end = _host_span(buffer, start, stop)
    if host != end:
        return mix(_small_hash(buffer, host, end, room, key), _HOST)
    return mix(shape_hash(buffer, start, stop, room, key), mix(np.uint64(first), _SHAPE))


def place_of(target: str) -> int:
    """Return the hash of the coarse place a part of a target names, under the key that everybody has: for alerts."""
    buffer = np.frombuffer(target.encode(), np.uint8).copy()
    return int(coarse_hash(buffer, 0, len(buffer), np.empty(2048, np.uint8), PUBLIC_KEY))
