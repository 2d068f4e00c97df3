"""Numbers: sizes, durations, tokens, counts and gaps against the agent's own mean, else its peers'."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from detector.intake.columns import ATTRIBUTE, BYTES_OUT, Columns
from detector.sketches.hashing import mix
from detector.sketches.numbers import deviation, find_cell, is_ready

GAP = np.uint64(0x243F6A8885A308D3)
_READ = np.uint64(0x13198A2E03707344)


class Deviation(NamedTuple):
    """A deviation, the mean it was held against, and the observations behind that mean; 0 where there are too few."""

    size: float
    mean: float
    count: float


@njit(cache=True)
def field_key(tool: np.uint64, field: np.uint64) -> np.uint64:
    """Return the key of a number a tool reports."""
    return mix(tool, field)


@njit(cache=True)
def read_key(tool: np.uint64, target: np.uint64) -> np.uint64:
    """Return the key of how much reading a target with a tool brings."""
    return mix(mix(tool, target), _READ)


@njit(cache=True)
def read_any_key(tool: np.uint64) -> np.uint64:
    """Return the key of how much reading with a tool brings."""
    return mix(tool, _READ)


@njit(cache=True)
def deviation_of(agent: np.void, group: np.void, key: np.uint64, x: float) -> Deviation:
    """Return the deviation from the agent's own mean, else from its peers'."""
    moments = agent["number_moments"]
    cell = find_cell(agent["number_tags"], key)
    if is_ready(moments, cell):
        return Deviation(deviation(moments, cell, x), np.float64(moments[cell, 1]), np.float64(moments[cell, 0]))
    moments = group["number_moments"]
    cell = find_cell(group["number_tags"], key)
    if is_ready(moments, cell):
        return Deviation(deviation(moments, cell, x), np.float64(moments[cell, 1]), np.float64(moments[cell, 0]))
    return Deviation(0.0, 0.0, 0.0)


@njit(cache=True)
def note_deviations(
    agent: np.void, group: np.void, columns: Columns, i: int, tool: np.uint64, which: np.ndarray, number: np.ndarray
) -> None:
    """Write which size and which numeric attribute deviate most, and how; bytes_out is left to read size.

    ``which`` (2) takes their places in the columns, -1 for none; ``number`` (2, 3) deviation, mean and count.
    """
    number[:, :] = 0.0
    for k in range(columns.numbers_end[i], columns.numbers_end[i + 1]):
        family = columns.family[k]
        if family == BYTES_OUT:
            continue
        found = deviation_of(agent, group, field_key(tool, columns.field[k]), columns.amount[k])
        row = 1 if family == ATTRIBUTE else 0
        if abs(found.size) > abs(number[row, 0]):
            which[row] = k
            number[row, 0] = found.size
            number[row, 1] = found.mean
            number[row, 2] = found.count


@njit(cache=True)
def gap_log(now: float, before: float) -> float:
    """Return log2(1 + seconds since the agent's event before); NaN for its first one."""
    return math.log2(1.0 + max(now - before, 0.0)) if before > 0.0 else math.nan


@njit(cache=True)
def read_deviation(group: np.void, tool: np.uint64, target: np.uint64, x: float) -> float:
    """Return how much more than usual a read brought, in standard deviations; never below 0."""
    tags, moments = group["number_tags"], group["number_moments"]
    cell = find_cell(tags, read_key(tool, target))
    if not is_ready(moments, cell):
        cell = find_cell(tags, read_any_key(tool))
        if not is_ready(moments, cell):
            return 0.0
    return max(deviation(moments, cell, x), 0.0)
