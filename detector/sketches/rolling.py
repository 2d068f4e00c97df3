"""The last so many values in order: what share of them is at least as large, and a tail beyond.

Formulas and constants: ``docs/science.md``, *Judging*.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from detector.sketches.kernel import kernel
from detector.sketches.survival import HALF

LEAST_TAIL = 5
"""Values the tail is fitted to at least, however small the share."""
LEAST_EXCESS = 1e-6
"""Mean excess of a tail at least: values that are all alike have none."""
MOST_EXCESSES = 80.0
"""Mean excesses beyond the edge that count at most: 35 digits of rarity."""


class Rolling(NamedTuple):
    """Windows of several series.

    Parameters
    ----------
    ordered : ndarray of float64, shape (series, size)
        The remembered values, ascending; only the first ``used`` count.
    ring : ndarray of float64, shape (series, size)
        The same in order of arrival.
    used : ndarray of int64, shape (series, 2)
        How many are remembered; how many ever came.
    """

    ordered: np.ndarray
    ring: np.ndarray
    used: np.ndarray


def allocate_rolling(series: int, size: int) -> Rolling:
    """Return empty windows of `size` values each: 16 bytes a value."""
    return Rolling(np.zeros((series, size)), np.zeros((series, size)), np.zeros((series, 2), np.int64))


@kernel
def _below(ordered: np.ndarray, series: int, used: int, x: float) -> int:
    """Return how many remembered values are smaller than `x`."""
    low, high = 0, used
    while low < high:
        middle = (low + high) >> 1
        if ordered[series, middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def count_from(rolling: Rolling, series: int, x: float) -> int:
    """Return how many remembered values are at least as large as `x`."""
    used = np.int64(rolling.used[series, 0])
    return used - _below(rolling.ordered, series, used, x)


@kernel
def log_rarity(rolling: Rolling, series: int, x: float, top: float, least: int) -> float:
    """Return -log10 of the share of remembered values at least as large as `x`.

    Beyond the largest ``top`` share an exponential tail with their mean excess carries on, so
    that values past the largest one ever seen stay ordered. The tail needs ``least`` values; a
    ``top`` of 0 is none.
    """
    ordered = rolling.ordered
    used = np.int64(rolling.used[series, 0])
    share = (used - _below(ordered, series, used, x) + HALF) / (used + 1.0)
    result = -math.log10(share)
    if used >= least and top > 0.0:
        many = min(max(np.int64(top * used), LEAST_TAIL), used)
        edge = ordered[series, used - many]
        if x > edge:
            total = 0.0
            for k in range(used - many, used):
                total += ordered[series, k]
            excess = max(total / many - edge, LEAST_EXCESS)
            result = -math.log10(many / used) + min((x - edge) / excess, MOST_EXCESSES) / math.log(10.0)
    return max(result, 0.0)


@kernel
def upper_quantile(rolling: Rolling, series: int, share: float, top: float) -> float:
    """Return the level that a share of the remembered values reach; beyond the largest ``top`` share, by the tail."""
    ordered = rolling.ordered
    used = np.int64(rolling.used[series, 0])
    many = min(max(np.int64(top * used), LEAST_TAIL), used)
    if share * used >= many or top <= 0.0:
        return ordered[series, used - max(np.int64(share * used), 1)]
    edge = ordered[series, used - many]
    total = 0.0
    for k in range(used - many, used):
        total += ordered[series, k]
    return edge + max(total / many - edge, LEAST_EXCESS) * math.log(many / (used * share))


@kernel
def share_above(rolling: Rolling, series: int, x: float) -> float:
    """Return the share of remembered values at least as large as `x`; 0 of none."""
    used = np.int64(rolling.used[series, 0])
    return (used - _below(rolling.ordered, series, used, x)) / max(used, 1)


@kernel
def forget_oldest(rolling: Rolling, series: int) -> None:
    """Forget the value that came first of those remembered; there must be one."""
    ordered, used = rolling.ordered, np.int64(rolling.used[series, 0])
    oldest = np.int64((rolling.used[series, 1] - used) % ordered.shape[1])
    for k in range(_below(ordered, series, used, rolling.ring[series, oldest]), used - 1):
        ordered[series, k] = ordered[series, k + 1]
    rolling.used[series, 0] = used - 1


@kernel
def forget_value(rolling: Rolling, series: int, x: float) -> bool:
    """Forget one remembered value, the latest of those that equal `x`; return whether there was one."""
    ordered, ring = rolling.ordered, rolling.ring
    used, ever, size = np.int64(rolling.used[series, 0]), rolling.used[series, 1], ordered.shape[1]
    for back in range(1, used + 1):
        if ring[series, (ever - back) % size] != x:
            continue
        for k in range(back, used):
            ring[series, (ever - k) % size] = ring[series, (ever - k - 1) % size]
        for k in range(_below(ordered, series, used, x), used - 1):
            ordered[series, k] = ordered[series, k + 1]
        rolling.used[series, 0] = used - 1
        return True
    return False


@kernel
def note_value(rolling: Rolling, series: int, x: float) -> None:
    """Remember a value, forgetting the oldest where the window is full."""
    ordered, ring = rolling.ordered, rolling.ring
    size = ordered.shape[1]
    used = np.int64(rolling.used[series, 0])
    at = np.int64(rolling.used[series, 1] % size)
    if used == size:
        forget_oldest(rolling, series)
        used -= 1
    place = _below(ordered, series, used, x)
    for k in range(used, place, -1):
        ordered[series, k] = ordered[series, k - 1]
    ordered[series, place] = x
    ring[series, at] = x
    rolling.used[series, 0] = used + 1
    rolling.used[series, 1] += 1
