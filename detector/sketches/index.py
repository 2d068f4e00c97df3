"""An open-addressing index from 64-bit hashes to row numbers.

Linear probing at a load of at most one half; removal shifts the cluster back, so that no
tombstones pile up. Key 0 marks a free cell.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.sketches.kernel import kernel


class Index(NamedTuple):
    """Keys and rows of one index; capacity is a power of two.

    Parameters
    ----------
    key : ndarray of uint64, shape (capacity,)
    row : ndarray of int32, shape (capacity,)
    """

    key: np.ndarray
    row: np.ndarray


def allocate_index(capacity: int) -> Index:
    """Return an empty index; `capacity` must be a power of two, twice what it is to hold."""
    return Index(np.zeros(capacity, np.uint64), np.full(capacity, -1, np.int32))


@kernel
def find_row(index: Index, key: np.uint64) -> int:
    """Return the row of `key`, or -1."""
    keys = index.key
    mask = np.uint64(len(keys) - 1)
    at = key & mask
    while keys[at] != 0:
        if keys[at] == key:
            return np.int64(index.row[at])
        at = (at + np.uint64(1)) & mask
    return -1


@kernel
def put_row(index: Index, key: np.uint64, row: int) -> None:
    """Enter a key that is not there yet."""
    keys = index.key
    mask = np.uint64(len(keys) - 1)
    at = key & mask
    while keys[at] != 0:
        at = (at + np.uint64(1)) & mask
    keys[at] = key
    index.row[at] = row


@kernel
def drop_row(index: Index, key: np.uint64) -> None:
    """Take a key out, if it is there."""
    keys, rows = index.key, index.row
    mask = np.uint64(len(keys) - 1)
    one = np.uint64(1)
    hole = key & mask
    while keys[hole] != key:
        if keys[hole] == 0:
            return
        hole = (hole + one) & mask
    at = (hole + one) & mask
    while keys[at] != 0:
        home = keys[at] & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            keys[hole] = keys[at]
            rows[hole] = rows[at]
            hole = at
        at = (at + one) & mask
    keys[hole] = 0
    rows[hole] = -1


@kernel
def rebuild_index(index: Index, keys: np.ndarray, count: int) -> None:
    """Enter ``keys[:count]`` with their positions as rows; a key of 0 is skipped."""
    for row in range(count):
        if keys[row] != 0:
            put_row(index, keys[row], row)
