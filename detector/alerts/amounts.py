"""Amounts in words: sizes with their units, and the range that is usual."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from detector.channels.context import COUNT, DEVIATION, MEAN
from detector.sketches.numbers import YOUTH

SPREAD: Final = 2.0
"""Standard deviations of the logarithm around its mean that are told as usual: 19 of 20 where it is normal."""
_MOST_BITS: Final = 1_000.0
_BYTES: Final = ("bytes_in", "bytes_out")
_THOUSANDS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_SECOND_MS: Final = 1_000.0


class UsualRange(NamedTuple):
    """From where to where an amount usually lies, and its middle."""

    low: float
    middle: float
    high: float


def amount(name: str, value: float) -> str:
    """Return an amount in words: a size of an event with its unit, any other number as it is.

    Parameters
    ----------
    name : str
        Field of the event, or name of an argument.
    value : float
        The amount.

    Examples
    --------
    >>> amount("bytes_in", 8_388_608.0), amount("duration_ms", 1_500.0), amount("cost_usd", 0.02), amount("n", 3.0)
    ('8.39 MB', '1.5 s', '0.02 USD', '3')
    """
    if name in _BYTES:
        step = 0
        while abs(value) >= 999.5 and step < len(_THOUSANDS) - 1:
            value, step = value / 1_000.0, step + 1
        return f"{value:.3g} {_THOUSANDS[step]}"
    if name == "duration_ms":
        return f"{value / _SECOND_MS:.4g} s" if abs(value) >= _SECOND_MS else f"{value:.3g} ms"
    return f"{value:.6g} USD" if name == "cost_usd" else f"{value:.6g}"


def usual_range(value: float, row: np.ndarray, *, is_size: bool) -> UsualRange:
    """Return the range an amount was held against: its mean and spread out of the deviation it was found to have.

    Parameters
    ----------
    value : float
        The amount.
    row : ndarray of float64, shape (4,)
        Its deviation, the mean of log2(1 + x), and the observations behind it, at least 8.
    is_size : bool
        Whether it is a size, which is never below 0.
    """
    found = math.copysign(math.log2(1.0 + abs(value)), value)
    mean, n, far = float(row[MEAN]), float(row[COUNT]), float(row[DEVIATION])
    spread = (found - mean) / far * math.sqrt(n / (n + YOUTH)) if far and n else 0.0
    low, middle, high = (_back(mean + step * abs(spread)) for step in (-SPREAD, 0.0, SPREAD))
    return UsualRange(max(low, 0.0) if is_size else low, middle, high)


def _back(bits: float) -> float:
    return math.copysign(2.0 ** min(abs(bits), _MOST_BITS) - 1.0, bits)
