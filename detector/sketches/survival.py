"""Histograms that answer *how many were at least this large* at once: counts kept from the right.

Formulas and constants: ``docs/science.md``, *Calibration*.
"""

from __future__ import annotations

import numpy as np

from detector.sketches.kernel import kernel

BINS = 160
"""Bins of a histogram; a bin must fit one byte of a session's notes."""
PER_UNIT = 4.0
"""Bins to a unit (a bit, a standard deviation); the last bin takes all beyond 40 units."""
HALF = 0.5
"""What a value in the same bin counts for, and what keeps a share off 0 and 1 (``docs/science.md``, *Calibration*)."""
UNKNOWN_P = 0.5
"""The p-value while nothing has been learned."""


def allocate_survival(channels: int) -> np.ndarray:
    """Return empty histograms: int32, shape (channels, 161); column b counts values in bin b or higher."""
    return np.zeros((channels, BINS + 1), np.int32)


@kernel
def bin_of(x: float) -> int:
    """Return the bin of a value."""
    return min(max(np.int64(x * PER_UNIT), 0), BINS - 1)


@kernel
def tail_p(survival: np.ndarray, place: int) -> float:
    """Return the mid-p-value of a bin: the share of values beyond it and half of those in it.

    Never below ``.5 / (n + 1)``; one half while nothing has been learned.
    """
    total = survival[0]
    if total == 0:
        return UNKNOWN_P
    beyond = survival[place + 1]
    return (beyond + HALF * (survival[place] - beyond) + HALF) / (total + 1.0)


@kernel
def note_bin(survival: np.ndarray, place: int) -> None:
    """Count a value in its bin."""
    for b in range(place + 1):
        survival[b] += 1
