"""How much newcomers of a partition tell in an hour, all together: invented agents flood no other stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MOST_OF_NEWCOMERS: Final = 1_000
"""Tidings of newcomers of a partition in an hour of its time; established agents are bounded one by one."""
HOUR_S: Final = 3_600.0


class NewcomerPace:
    """Counts what newcomers told in the present hour: two whole numbers, part of the state."""

    def __init__(self) -> None:
        self._hour = self._told = 0

    def has_room(self, now: float) -> bool:
        """Tell whether one more may be told at `now`, epoch seconds; if so, it is counted."""
        hour = int(now // HOUR_S)
        if hour != self._hour:
            self._hour, self._told = hour, 0
        if self._told >= MOST_OF_NEWCOMERS:
            return False
        self._told += 1
        return True

    def facts(self) -> list[int]:
        """Return the state as plain values."""
        return [self._hour, self._told]

    def restore(self, facts: Sequence[int]) -> None:
        """Go on where facts left off."""
        self._hour, self._told = map(int, facts)
