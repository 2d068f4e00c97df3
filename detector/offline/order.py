"""Whether recorded events come in the order they happened: sessions and gaps are made of that order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class OrderCheck:
    """Counts events that come long after younger ones; each stream that is scored alone has one of its own.

    Parameters
    ----------
    limit_s : float
        Seconds an event may be older than the newest before it: the profile's ``sessions.idle_s``.
    step_s : float
        Most seconds one event counts as newer, as the pipeline's clock has it (``time.step_s``): one event with a
        wrong year does not make all others late.

    Attributes
    ----------
    late : int
        Events that were older by more than the limit.
    largest_s : float
        The largest such step back, seconds.

    Examples
    --------
    >>> check = OrderCheck(1_800.0)
    >>> for at in (10_000.0, 9_000.0, 5_000.0):
    ...     check.note(at)
    >>> check.late, check.largest_s
    (1, 5000.0)
    """

    limit_s: float
    step_s: float = math.inf
    late: int = 0
    largest_s: float = 0.0
    _newest: float = field(default=-math.inf, repr=False)

    def note(self, at: float) -> None:
        """Take down the time of the next event, epoch seconds; 0 stands for an event without a time."""
        if at <= 0.0:
            return
        back = self._newest - at
        if back > self.limit_s:
            self.late += 1
            self.largest_s = max(self.largest_s, back)
        self._newest = at if math.isinf(self._newest) else max(self._newest, min(at, self._newest + self.step_s))


def order_warning(late: int, largest_s: float, limit_s: float) -> str:
    """Return one sentence about events out of order, for people."""
    return (
        f"warning: {late} events come more than {limit_s:g} s after younger ones, the largest step back is "
        f"{largest_s:.0f} s: sort the input by time, or sessions and gaps are not those that happened"
    )
