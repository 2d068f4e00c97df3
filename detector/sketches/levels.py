"""How unusual a level of novelty is where it was met: counts of ordinal levels per context.

Formulas and constants: ``docs/science.md``, *Values*.
"""

from __future__ import annotations

import numpy as np

from detector.sketches.kernel import kernel

LEVELS = 6
PROBES = 8
"""Slots a context may stand in, from its home on."""
PRIOR_WEIGHT = 2.0
"""Observations that the coarser context's answer weighs as."""
COLUMNS = LEVELS + 2
"""Tag, six levels, total; of uint32."""
_TOTAL = LEVELS + 1


@kernel
def _slot(levels: np.ndarray, context: np.uint64) -> int:
    """Return the slot of a context, or minus one less than the slot it would take."""
    slots = len(levels)
    tag = np.uint32(context >> np.uint64(32)) | np.uint32(1)
    home = np.int64(context % np.uint64(slots))
    best = home
    for probe in range(PROBES):
        slot = (home + probe) % slots
        if levels[slot, 0] == tag:
            return slot
        if levels[slot, 0] == 0:
            return -1 - slot
        if levels[slot, _TOTAL] < levels[best, _TOTAL]:
            best = slot
    return -1 - best


@kernel
def back_off(levels: np.ndarray, context: np.uint64, level: int, prior: float) -> float:
    """Return P(level or higher) in a context; `prior`, the coarser context's, weighs as two observations."""
    slot = _slot(levels, context)
    if slot < 0:
        return prior
    above = 0
    for other in range(level, LEVELS):
        above += levels[slot, 1 + other]
    return (above + PRIOR_WEIGHT * prior) / (levels[slot, _TOTAL] + PRIOR_WEIGHT)


@kernel
def root(level: int) -> float:
    """Return P(level or higher) where nothing is known: all levels alike."""
    return (LEVELS - level) / LEVELS


@kernel
def note_level(levels: np.ndarray, context: np.uint64, level: int) -> None:
    """Count a level in a context; takes the least used neighbour's place where there is no room."""
    slot = _slot(levels, context)
    if slot < 0:
        slot = -1 - slot
        levels[slot, :] = 0
        levels[slot, 0] = np.uint32(context >> np.uint64(32)) | np.uint32(1)
    levels[slot, 1 + level] += 1
    levels[slot, _TOTAL] += 1
