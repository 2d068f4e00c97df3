"""What every calibration must keep: p-values lie in (0, 1], fall as values rise, and are spread evenly.

Each check returns faults, a sentence each; none if it holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np


def faults_of_p_value(p_of: Callable[[float], float], values: Sequence[float]) -> list[str]:
    """Return where a p-value leaves (0, 1] or rises with its value.

    Parameters
    ----------
    p_of : callable
        Returns the share of values at least as large.
    values : sequence of float
        Ascending; the law is checked at these.

    Examples
    --------
    >>> faults_of_p_value(lambda x: 1.0 / (1.0 + x), [0.0, 1.0, 2.0])
    []
    >>> faults_of_p_value(lambda x: x, [0.5, 0.7])
    ['p-value of 0.7 must be at most that of 0.5, got 0.7 > 0.5']
    """
    found = [(value, p_of(value)) for value in values]
    faults = [
        f"p-value of {value:g} must be above 0 and at most 1, got {p!r}"
        for value, p in found
        if not (math.isfinite(p) and 0.0 < p <= 1.0)
    ]
    faults += [
        f"p-value of {larger:g} must be at most that of {smaller:g}, got {q:g} > {p:g}"
        for (smaller, p), (larger, q) in pairwise(found)
        if q > p
    ]
    return faults


def faults_of_uniformity(
    learn: Callable[[float], None], p_of: Callable[[float], float], slack: float, n: int = 2_000, seed: int = 0
) -> list[str]:
    """Return where values like those learned get p-values that are not spread evenly.

    Parameters
    ----------
    learn, p_of : callable
        Take a value between 0 and 1 into the calibration; return its p-value.
    slack : float
        By how much the share of p-values below a level may differ from that level.
    n : int, default=2000
        Values learned, and as many others judged.
    seed : int, default=0
        Of the values.
    """
    chance = np.random.default_rng(seed)
    for value in chance.random(n):
        learn(float(value))
    found = np.array([p_of(float(value)) for value in chance.random(n)])
    return [
        f"share of p-values below {level:g} must be within {slack:g} of it, got {share:.3f}"
        for level in (0.05, 0.1, 0.25, 0.5, 0.75)
        if abs((share := float((found <= level).mean())) - level) > slack
    ]
