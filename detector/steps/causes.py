"""Causes: what an act is told by, so that sessions which did the same can be counted as one.

What a cause is, and what it is for: ``docs/science.md``, *Reference*.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from detector.channels.known import value_key
from detector.intake.columns import TOOL_NAME, WHOLE_TARGET, Columns
from detector.sketches.hashing import mix
from detector.sketches.kernel import allocating_kernel, kernel

NO_CAUSE: Final = np.uint64(0)
"""Of an act with neither target nor arguments: nothing to tell it by, so all count."""
_WITH_TARGET: Final = np.uint64(0x91D4E35AB80C67F2)


@kernel
def cause_of_act(columns: Columns, i: int) -> np.uint64:
    """Return what an act is told by: its tool with its target, or, without one, with its arguments."""
    cause = columns.ident[i, TOOL_NAME]
    target = columns.ident[i, WHOLE_TARGET]
    if target != NO_CAUSE:
        return mix(mix(cause, _WITH_TARGET), target)
    first, stop = columns.parts_end[i], columns.parts_end[i + 1]
    for k in range(first, stop):
        cause = mix(mix(cause, columns.part[k, 0]), columns.part[k, 1])
    return cause if stop > first else NO_CAUSE


@allocating_kernel
def causes_of(columns: Columns, rows: np.ndarray) -> np.ndarray:
    """Return what each of the acts `rows` is told by, shape (n,)."""
    causes = np.zeros(len(rows), np.uint64)
    for k in range(len(rows)):
        causes[k] = cause_of_act(columns, rows[k])
    return causes


@allocating_kernel
def uses_any(columns: Columns, rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return which of the acts `rows` has a value whose key is among the ascending `keys`, shape (n,) of bool."""
    found = np.zeros(len(rows), np.bool_)
    for k in range(len(rows)):
        i = rows[k]
        for m in range(columns.parts_end[i], columns.parts_end[i + 1]):
            key = value_key(columns.ident[i, TOOL_NAME], columns.part[m, 0], columns.part[m, 1])
            at = np.searchsorted(keys, key)
            if at < len(keys) and keys[at] == key:
                found[k] = True
                break
    return found
