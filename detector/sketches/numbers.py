"""Exponentially weighted mean and variance of logarithms, winsorised, one cell a quantity.

The cells of one owner are two arrays: `tags` (uint16 or uint32) and `moments` (float32, three a
cell: count, capped at `MEMORY`; mean; variance). Formulas and constants: ``docs/science.md``, *Numbers*.
"""

from __future__ import annotations

import math

import numpy as np

from detector.sketches.kernel import kernel

PROBES = 8
"""Cells a key may stand in, from its home on."""
MEMORY = 500.0
"""Observations the mean remembers."""
LEAST = 8.0
"""Observations before a cell's deviation is used."""
VARIANCE_FLOOR = 0.15**2
"""Added to the variance a deviation is measured by: what never varied must not make an alarm of a tenth of a bit."""
YOUTH = 4.0
"""Observations at which a deviation counts for the root of a half of itself."""
WINSOR = 4.0
"""Standard deviations beyond which a value teaches no more."""
WINSOR_FLOOR = 0.02
"""Added to the variance that limits a lesson, so that a mean that never moved still can."""
FIRST_VARIANCE = 1.0
"""Variance after the first value."""


@kernel
def _tag(tags: np.ndarray, key: np.uint64) -> int:
    return np.int64(key >> (np.uint64(64) - np.uint64(8 * tags.itemsize))) | 1


@kernel
def find_cell(tags: np.ndarray, key: np.uint64) -> int:
    """Return the cell of a quantity, or -1."""
    cells = len(tags)
    tag = _tag(tags, key)
    home = np.int64(key % np.uint64(cells))
    for probe in range(PROBES):
        cell = (home + probe) % cells
        if tags[cell] == tag:
            return cell
        if tags[cell] == 0:
            return -1
    return -1


@kernel
def is_ready(moments: np.ndarray, cell: int) -> bool:
    """Return whether a cell (or -1) has seen enough to judge by."""
    return cell >= 0 and moments[cell, 0] >= LEAST


@kernel
def deviation(moments: np.ndarray, cell: int, x: float) -> float:
    """Return the deviation of `x` in standard deviations, shrunk while the cell is young."""
    count = np.float64(moments[cell, 0])
    mean = np.float64(moments[cell, 1])
    variance = np.float64(moments[cell, 2])
    return (x - mean) / math.sqrt(max(variance, 0.0) + VARIANCE_FLOOR) * math.sqrt(count / (count + YOUTH))


@kernel
def _claim(tags: np.ndarray, moments: np.ndarray, key: np.uint64) -> int:
    cells = len(tags)
    home = np.int64(key % np.uint64(cells))
    best = home
    for probe in range(PROBES):
        cell = (home + probe) % cells
        if tags[cell] == 0:
            best = cell
            break
        if moments[cell, 0] < moments[best, 0]:
            best = cell
    tags[best] = _tag(tags, key)
    moments[best, 0] = 0.0
    return best


@kernel
def note_number(tags: np.ndarray, moments: np.ndarray, key: np.uint64, x: float) -> None:
    """Learn a value; one beyond four standard deviations teaches as if it were at four."""
    cell = find_cell(tags, key)
    if cell < 0:
        cell = _claim(tags, moments, key)
    count = np.float64(moments[cell, 0])
    if count == 0.0:
        moments[cell, 0] = 1.0
        moments[cell, 1] = x
        moments[cell, 2] = FIRST_VARIANCE
        return
    count = min(count + 1.0, MEMORY)
    variance = np.float64(moments[cell, 2])
    limit = WINSOR * math.sqrt(variance + WINSOR_FLOOR)
    step = min(max(x - np.float64(moments[cell, 1]), -limit), limit)
    moments[cell, 0] = count
    moments[cell, 1] += step / count
    moments[cell, 2] = (1.0 - 1.0 / count) * (variance + step * step / count)
