"""Numbers: sizes, durations, tokens, counts and gaps against the agent's own mean, else its peers'.

Formulas and constants: ``docs/science.md``, *Numbers*.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from detector.channels.catalogue import position
from detector.channels.context import (
    COUNT,
    DEVIATION,
    GAP_SIZE,
    IS_OWN,
    MEAN,
    OF_ATTRIBUTE,
    OF_SIZE,
    SIZE_NUMBER,
    Context,
    Surroundings,
)
from detector.intake.columns import ATTRIBUTE, BYTES_OUT, TOOL_NAME, WHOLE_TARGET, Columns
from detector.memory import layout as mem
from detector.memory.observations import note_quantity
from detector.sketches.hashing import mix
from detector.sketches.kernel import kernel
from detector.sketches.numbers import deviation, find_cell, is_ready

NUMBER, VOLUME, READING = (position(name) for name in ("number", "volume", "read_size"))
NOT_READY = -1.0
"""In place of a deviation, which is at least 0: no cell knows enough."""
GAP = np.uint64(0x243F6A8885A308D3)
_READ = np.uint64(0x13198A2E03707344)


class Deviation(NamedTuple):
    """A deviation, the mean it was held against, and the observations behind it: a count of 0 says *not ready*.

    `is_own`: 1 if the mean is the agent's own, 0 if it is its peers'.
    """

    size: float
    mean: float
    count: float
    is_own: float


@kernel
def field_key(tool: np.uint64, field: np.uint64) -> np.uint64:
    """Return the key of a number a tool reports."""
    return mix(tool, field)


@kernel
def read_key(tool: np.uint64, target: np.uint64) -> np.uint64:
    """Return the key of how much reading a target with a tool brings."""
    return mix(mix(tool, target), _READ)


@kernel
def read_any_key(tool: np.uint64) -> np.uint64:
    """Return the key of how much reading with a tool brings."""
    return mix(tool, _READ)


@kernel
def deviation_of(agent: np.void, group: np.void, key: np.uint64, x: float) -> Deviation:
    """Return the deviation from the agent's own mean, else from its peers'."""
    moments = agent["number_moments"]
    cell = find_cell(agent["number_tags"], key)
    if is_ready(moments, cell):
        return Deviation(deviation(moments, cell, x), np.float64(moments[cell, 1]), np.float64(moments[cell, 0]), 1.0)
    moments = group["number_moments"]
    cell = find_cell(group["number_tags"], key)
    if is_ready(moments, cell):
        return Deviation(deviation(moments, cell, x), np.float64(moments[cell, 1]), np.float64(moments[cell, 0]), 0.0)
    return Deviation(0.0, 0.0, 0.0, 0.0)


@kernel(inline="always")
def _find_deviations(at: Surroundings, columns: Columns, out: Context, i: int) -> None:
    """Write which size and which numeric attribute deviate most, and how; bytes_out is left to read size."""
    tool = columns.ident[i, TOOL_NAME]
    which, number, ready = out.which[i], out.number[i], out.ready[i]
    number[:, :] = 0.0
    for k in range(columns.numbers_end[i], columns.numbers_end[i + 1]):
        family = columns.family[k]
        if family == BYTES_OUT:
            continue
        found = deviation_of(at.agent, at.group, field_key(tool, columns.field[k]), columns.amount[k])
        row = OF_ATTRIBUTE if family == ATTRIBUTE else OF_SIZE
        ready[VOLUME if family == ATTRIBUTE else NUMBER] |= found.count > 0.0
        if abs(found.size) > abs(number[row, DEVIATION]):
            which[SIZE_NUMBER + row] = k
            number[row, DEVIATION] = found.size
            number[row, MEAN] = found.mean
            number[row, COUNT] = found.count
            number[row, IS_OWN] = found.is_own


@kernel
def gap_log(now: float, before: float) -> float:
    """Return log2(1 + seconds since the agent's event before); NaN for its first one."""
    return math.log2(1.0 + max(now - before, 0.0)) if before > 0.0 else math.nan


@kernel
def read_deviation(group: np.void, tool: np.uint64, target: np.uint64, x: float) -> float:
    """Return how much more than usual a read brought, in deviations, at least 0; NOT_READY if none is known."""
    tags, moments = group["number_tags"], group["number_moments"]
    cell = find_cell(tags, read_key(tool, target))
    if not is_ready(moments, cell):
        cell = find_cell(tags, read_any_key(tool))
        if not is_ready(moments, cell):
            return NOT_READY
    return max(deviation(moments, cell, x), 0.0)


@kernel(inline="always")
def measure_numbers(at: Surroundings, columns: Columns, out: Context, i: int) -> None:
    """Write an event's deviations and its gap, note its numbers, and when its agent was last seen."""
    tool = columns.ident[i, TOOL_NAME]
    _find_deviations(at, columns, out, i)
    out.bits[i, NUMBER] = abs(out.number[i, OF_SIZE, DEVIATION])
    out.bits[i, VOLUME] = abs(out.number[i, OF_ATTRIBUTE, DEVIATION])
    for k in range(columns.numbers_end[i], columns.numbers_end[i + 1]):
        key = field_key(tool, columns.field[k])
        note_quantity(at.session, at.chunks, key, key, columns.amount[k])
    gap = gap_log(columns.ts[i], at.agent["seen"])
    if not math.isnan(gap):
        out.measures[i, GAP_SIZE] = abs(deviation_of(at.agent, at.group, GAP, gap).size)
        note_quantity(at.session, at.chunks, GAP, GAP, gap)
    at.agent["seen"] = columns.ts[i]


@kernel(inline="always")
def measure_earlier_reads(at: Surroundings, out: Context, i: int) -> None:
    """Write how much more than usual the session has read before this action."""
    level = at.session["level"]
    out.bits[i, READING] = level[mem.READ]
    out.ready[i, READING] = level[mem.HAS_READ] != 0.0


@kernel(inline="always")
def note_reading(at: Surroundings, columns: Columns, i: int) -> None:
    """Note in the session how much more than usual an action read: it weighs on the session's later events."""
    tool, target = columns.ident[i, TOOL_NAME], columns.ident[i, WHOLE_TARGET]
    for k in range(columns.numbers_end[i], columns.numbers_end[i + 1]):
        if columns.family[k] == BYTES_OUT:
            x = columns.amount[k]
            level = at.session["level"]
            found = read_deviation(at.group, tool, target, x)
            if found >= 0.0:
                level[mem.HAS_READ] = 1.0
                level[mem.READ] = max(level[mem.READ], found)
            note_quantity(at.session, at.chunks, np.uint64(0), read_key(tool, target), x)
            note_quantity(at.session, at.chunks, np.uint64(0), read_any_key(tool), x)
