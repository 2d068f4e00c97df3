"""Exponentially weighted mean and variance of logarithms, winsorised, one cell a quantity."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

PROBES = 8
MEMORY = 500.0
"""Observations the mean remembers (reference: the numeric channel of the study)."""
LEAST = 8.0
"""Observations before a cell's deviation is used."""
_FLOOR = 0.15**2
_CAP = 4.0


class Numbers(NamedTuple):
    """Cells of many owners.

    Parameters
    ----------
    tag : ndarray of uint16 or uint32, shape (owners, cells)
    moments : ndarray of float32, shape (owners, cells, 3)
        Count (capped at `MEMORY`), mean, variance.
    """

    tag: np.ndarray
    moments: np.ndarray


def allocate_numbers(owners: int, cells: int, *, wide: bool) -> Numbers:
    """Return empty cells: 14 bytes each, or 16 if `wide`."""
    tag = np.zeros((owners, cells), np.uint32 if wide else np.uint16)
    return Numbers(tag, np.zeros((owners, cells, 3), np.float32))


@njit(cache=True)
def _tag(numbers: Numbers, key: np.uint64) -> int:
    return np.int64(key >> (np.uint64(64) - np.uint64(8 * numbers.tag.itemsize))) | 1


@njit(cache=True)
def find_cell(numbers: Numbers, owner: int, key: np.uint64) -> int:
    """Return the cell of a quantity, or -1."""
    tags = numbers.tag
    cells = tags.shape[1]
    tag = _tag(numbers, key)
    home = np.int64(key % np.uint64(cells))
    for probe in range(PROBES):
        cell = (home + probe) % cells
        if tags[owner, cell] == tag:
            return cell
        if tags[owner, cell] == 0:
            return -1
    return -1


@njit(cache=True)
def is_ready(numbers: Numbers, owner: int, cell: int) -> bool:
    """Return whether a cell (or -1) has seen enough to judge by."""
    return cell >= 0 and numbers.moments[owner, cell, 0] >= LEAST


@njit(cache=True)
def deviation(numbers: Numbers, owner: int, cell: int, x: float) -> float:
    """Return the deviation of `x` in standard deviations, shrunk while the cell is young."""
    count = float(numbers.moments[owner, cell, 0])
    mean = float(numbers.moments[owner, cell, 1])
    variance = float(numbers.moments[owner, cell, 2])
    return (x - mean) / math.sqrt(max(variance, 0.0) + _FLOOR) * math.sqrt(count / (count + 4.0))


@njit(cache=True)
def _claim(numbers: Numbers, owner: int, key: np.uint64) -> int:
    tags, moments = numbers.tag, numbers.moments
    cells = tags.shape[1]
    home = np.int64(key % np.uint64(cells))
    best = home
    for probe in range(PROBES):
        cell = (home + probe) % cells
        if tags[owner, cell] == 0:
            best = cell
            break
        if moments[owner, cell, 0] < moments[owner, best, 0]:
            best = cell
    tags[owner, best] = _tag(numbers, key)
    moments[owner, best, 0] = 0.0
    return best


@njit(cache=True)
def note_number(numbers: Numbers, owner: int, key: np.uint64, x: float) -> None:
    """Learn a value; one beyond four standard deviations teaches as if it were at four."""
    cell = find_cell(numbers, owner, key)
    if cell < 0:
        cell = _claim(numbers, owner, key)
    moments = numbers.moments
    count = float(moments[owner, cell, 0])
    if count == 0.0:
        moments[owner, cell, 0] = 1.0
        moments[owner, cell, 1] = x
        moments[owner, cell, 2] = 1.0
        return
    count = min(count + 1.0, MEMORY)
    variance = float(moments[owner, cell, 2])
    limit = _CAP * math.sqrt(variance + 0.02)
    step = min(max(x - float(moments[owner, cell, 1]), -limit), limit)
    moments[owner, cell, 0] = count
    moments[owner, cell, 1] += step / count
    moments[owner, cell, 2] = (1.0 - 1.0 / count) * (variance + step * step / count)
