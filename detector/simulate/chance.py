"""Seeded chance for the simulator: one generator per thing that is made, so nothing depends on the order of making."""

from __future__ import annotations

from math import exp
from random import Random
from statistics import NormalDist

_BITS = 12
_NORMAL = tuple(NormalDist().inv_cdf((i + 0.5) / (1 << _BITS)) for i in range(1 << _BITS))


class Chance(Random):
    """Draws of one session or one agent; only :meth:`random` and :meth:`getrandbits` of the base are used.

    Those two are the draws Python keeps the same from version to version.

    Parameters
    ----------
    seed, *names : int
        What is being made: the fleet's seed, then numbers below 2**32 that name it.
    """

    def __new__(cls, *_names: int) -> Chance:  # noqa: PYI034 - Random has its own __new__
        """Return a generator; seeding happens in ``__init__``."""
        return super().__new__(cls)

    def __init__(self, *names: int) -> None:
        key = len(names)
        for name in names:
            key = key << 32 | (name & 0xFFFFFFFF)
        super().__init__(key)

    def below(self, count: int) -> int:
        """Return a whole number of ``[0, count)``."""
        return int(self.random() * count)

    def normal(self) -> float:
        """Return a standard normal draw out of 4,096 quantiles, within 3.7 of zero."""
        return _NORMAL[self.getrandbits(_BITS)]

    def around(self, median: float, sigma: float) -> float:
        """Return a log-normal draw with this median; one draw in 64 is two to ten times as large."""
        value = median * exp(sigma * _NORMAL[self.getrandbits(_BITS)])
        if not self.getrandbits(6):
            value *= 2.0 + 8.0 * self.random() ** 2
        return value

    def popular(self, count: int, exponent: float = 3.0) -> int:
        """Return a whole number of ``[0, count)``, small ones more often: a pool with favourites and a long tail."""
        return int(count * self.random() ** exponent)
