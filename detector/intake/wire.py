"""Readers of the MessagePack that msgspec writes: just the types an event can hold.

Events reach the kernels as MessagePack because it is what msgspec makes of a decoded event in a
fraction of the time of decoding it, and what a kernel can walk without ever doubting it: no
escapes, lengths in front, types marked. It is never read from outside.

References
----------
.. [1] MessagePack specification, https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import numpy as np

from detector.sketches.kernel import kernel

NIL, FALSE, TRUE, FLOAT64 = 0xC0, 0xC2, 0xC3, 0xCB


@kernel
def big_endian(buffer: np.ndarray, at: int, size: int) -> np.uint64:
    """Return ``size`` bytes from ``at`` as an unsigned number."""
    value = np.uint64(0)
    for k in range(size):
        value = (value << np.uint64(8)) | np.uint64(buffer[at + k])
    return value


@kernel
def text_span(buffer: np.ndarray, at: int) -> tuple[int, int]:
    """Return where the bytes of the string at ``at`` start and stop; equal if it is no string."""
    head = buffer[at]
    if 0xA0 <= head <= 0xBF:
        return at + 1, at + 1 + (head & 0x1F)
    if head == 0xD9:
        return at + 2, at + 2 + buffer[at + 1]
    if head == 0xDA:
        return at + 3, at + 3 + np.int64(big_endian(buffer, at + 1, np.int64(2)))
    if head == 0xDB:
        return at + 5, at + 5 + np.int64(big_endian(buffer, at + 1, np.int64(4)))
    return at, at


@kernel
def is_text(buffer: np.ndarray, at: int) -> bool:
    """Return whether a string starts at ``at``."""
    head = buffer[at]
    return 0xA0 <= head <= 0xBF or 0xD9 <= head <= 0xDB


@kernel
def container_size(buffer: np.ndarray, at: int) -> tuple[int, int]:
    """Return how many entries the array or map at ``at`` has, and where the first one starts."""
    head = buffer[at]
    if 0x80 <= head <= 0x9F:
        return np.int64(head & 0x0F), at + 1
    wide = 4 if head in (0xDD, 0xDF) else 2
    return np.int64(big_endian(buffer, at + 1, wide)), at + 1 + wide


@kernel
def float_at(buffer: np.ndarray, at: int) -> float:
    """Return the 64-bit float whose eight bytes start at ``at``."""
    return np.uint64(big_endian(buffer, at, np.int64(8))).view(np.float64)


@kernel
def seconds_at(buffer: np.ndarray, at: int) -> float:
    """Return the timestamp extension at ``at`` in seconds since the epoch."""
    head = buffer[at]
    if head == 0xD6:
        return np.float64(big_endian(buffer, at + 2, np.int64(4)))
    if head == 0xD7:
        packed = big_endian(buffer, at + 2, np.int64(8))
        whole = packed & ((np.uint64(1) << np.uint64(34)) - np.uint64(1))
        return np.float64(whole) + np.float64(packed >> np.uint64(34)) * 1e-9
    nanos = np.float64(big_endian(buffer, at + 3, np.int64(4)))
    return np.float64(np.int64(big_endian(buffer, at + 7, np.int64(8)))) + nanos * 1e-9


@kernel
def _scalar_size(head: int) -> int:
    """Return how many bytes a number, boolean, nil or timestamp takes, from its first byte."""
    if head in (0xCC, 0xD0):
        return 2
    if head in (0xCD, 0xD1):
        return 3
    if head in (0xCA, 0xCE, 0xD2):
        return 5
    if head in (0xCB, 0xCF, 0xD3):
        return 9
    if head == 0xD6:
        return 6
    if head == 0xD7:
        return 10
    return 15 if head == 0xC7 else 1


@kernel
def skip(buffer: np.ndarray, at: int) -> int:
    """Return where the value after the one at ``at`` starts."""
    pending = 1
    while pending:
        pending -= 1
        head = np.int64(buffer[at])
        if is_text(buffer, at):
            at = text_span(buffer, at)[1]
        elif 0x80 <= head <= 0x9F or 0xDC <= head <= 0xDF:
            entries, at = container_size(buffer, at)
            is_map = head <= 0x8F or head >= 0xDE
            pending += 2 * entries if is_map else entries
        else:
            at += _scalar_size(head)
    return at
