"""Numbers: sizes, durations, tokens, counts and gaps against the agent's own mean, else its peers'."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from detector.features.columns import ATTRIBUTE, BYTES_OUT, Columns
from detector.features.memory import Agents, Groups
from detector.sketches.hashing import mix
from detector.sketches.numbers import deviation, find_cell, is_ready

GAP = np.uint64(0x243F6A8885A308D3)
_READ = np.uint64(0x13198A2E03707344)


class Deviations(NamedTuple):
    """Largest deviations of one event: of sizes, of numeric attributes; which number each was, -1 for none."""

    number: float
    volume: float
    which_number: int
    which_volume: int


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
def signed_deviation(agents: Agents, groups: Groups, agent: int, group: int, key: np.uint64, x: float) -> float:
    """Return the deviation from the agent's own mean, else its peers'; 0 where neither has seen enough."""
    cell = find_cell(agents.numbers, agent, key)
    if is_ready(agents.numbers, agent, cell):
        return deviation(agents.numbers, agent, cell, x)
    cell = find_cell(groups.numbers, group, key)
    if is_ready(groups.numbers, group, cell):
        return deviation(groups.numbers, group, cell, x)
    return 0.0


@njit(cache=True)
def largest_deviations(
    agents: Agents, groups: Groups, agent: int, group: int, columns: Columns, i: int, tool: np.uint64
) -> Deviations:
    """Return the largest absolute deviations among an event's numbers; bytes_out is left to read size."""
    number = volume = 0.0
    which_number = which_volume = -1
    for k in range(columns.numbers_end[i], columns.numbers_end[i + 1]):
        family = columns.family[k]
        if family == BYTES_OUT:
            continue
        size = abs(signed_deviation(agents, groups, agent, group, field_key(tool, columns.field[k]), columns.amount[k]))
        if family == ATTRIBUTE:
            if size > volume:
                volume, which_volume = size, k
        elif size > number:
            number, which_number = size, k
    return Deviations(number, volume, which_number, which_volume)


@njit(cache=True)
def gap_log(now: float, before: float) -> float:
    """Return log2(1 + seconds since the agent's event before); NaN for its first one."""
    return math.log2(1.0 + max(now - before, 0.0)) if before == before else math.nan  # noqa: PLR0124


@njit(cache=True)
def read_deviation(groups: Groups, group: int, tool: np.uint64, target: np.uint64, x: float) -> float:
    """Return how much more than usual a read brought, in standard deviations; never below 0."""
    cell = find_cell(groups.numbers, group, read_key(tool, target))
    if not is_ready(groups.numbers, group, cell):
        cell = find_cell(groups.numbers, group, read_any_key(tool))
        if not is_ready(groups.numbers, group, cell):
            return 0.0
    return max(deviation(groups.numbers, group, cell, x), 0.0)
