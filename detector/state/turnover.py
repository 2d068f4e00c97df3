"""What is forgotten at the turn of a quarter of a day: agents silent for long, peer groups that nobody teaches.

The turn is a point of the input, where the walk over a batch stops: nobody's row is given up while an event of a
micro-batch still asks for it. Constants: ``docs/science.md``, *Who is remembered*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.memory import roster as ros
from detector.memory.clock import first_change
from detector.memory.eviction import evict_idle
from detector.memory.homes import YOUNG_GROUP
from detector.memory.layout import STRANGERS, TAUGHT, USED_AGENTS, USED_GROUPS, Memory
from detector.memory.sessions import groups_in_use, move_sessions
from detector.scorers.half_space import Masses
from detector.sketches.index import drop_row

TURN_S = 21_600.0
"""Event time between two turns."""
SILENT_S = 7_776_000.0
"""Established agents that were heard last so long ago leave: 90 days."""
UNTAUGHT_S = 604_800.0
"""A peer group that knows enough leaves if nobody taught it for so long: a week."""
ONE_IN = 8
"""Where all rows of groups are taken, at most one in so many is given up at one turn."""


@dataclass(slots=True)
class Turnover:
    """When memory was last gone through; `turn`: number of the period, None before any event."""

    turn: int | None = None

    def serve(self, clock: np.ndarray, first: int, memory: Memory, masses: Masses) -> tuple[int, list[int]]:
        """Return the event up to which nothing is forgotten from `first` on, and the rows of groups that left before.

        Parameters
        ----------
        clock : ndarray of float64, shape (n,)
            The watermark as each event of the batch finds it.
        first : int
            First event that is to be walked.
        memory, masses : Memory, Masses
            Changed where a turn has come.
        """
        turns, left = clock[first:] // TURN_S, []
        now = int(turns[0])
        if now != self.turn:
            if self.turn is not None:
                evict_idle(memory, float(clock[first]) - SILENT_S)
                left = evict_groups(memory, masses, float(clock[first]))
            self.turn = now
        return first_change(turns != now, first), left


def evict_groups(memory: Memory, masses: Masses, now: float) -> list[int]:
    """Return the rows of the groups that left, which are blank now; nobody leaves while a row is free.

    First those that know too little to tell anything, then those without an open session that nobody has taught for a
    week; of each, whose last lesson is longest ago. Sessions that are open in a young one go on among the strangers.
    """
    used, most = int(memory.used[USED_GROUPS]), len(memory.roster.free_groups)
    if memory.roster.tally[ros.FREE_GROUPS] or used < most:
        return []
    own = slice(STRANGERS + 1, used)
    taught, taught_at = memory.groups["totals"][own, TAUGHT], memory.groups["taught_at"][own]
    is_young = taught < YOUNG_GROUP
    may_leave = is_young | ((taught_at < now - UNTAUGHT_S) & ~groups_in_use(memory)[own])
    order = np.lexsort((taught_at, ~is_young))
    left = [int(at) + STRANGERS + 1 for at in order if may_leave[at]][: -(-most // ONE_IN)]
    for row in left:
        _evict_group(memory, masses, row)
    move_sessions(memory, np.isin(np.arange(len(memory.groups)), left))
    used = int(memory.used[USED_AGENTS])
    lost = np.isin(memory.agents["group"][:used], left)
    memory.agents["group"][:used][lost] = 0
    memory.roster.touched[np.unique(np.flatnonzero(lost) // ros.BLOCK)] = 1
    return left


def _evict_group(memory: Memory, masses: Masses, row: int) -> None:
    """Blank a group's row and put it on the stack of free ones."""
    with np.errstate(over="ignore"):
        drop_row(memory.group_index, memory.groups["name"][row])
    memory.groups[row] = np.zeros((), memory.groups.dtype)
    masses.reference[row], masses.latest[row], masses.seen[row] = 0, 0, 0
    tally = memory.roster.tally
    memory.roster.free_groups[tally[ros.FREE_GROUPS]] = row
    tally[ros.FREE_GROUPS] += 1
    tally[ros.GROUPS_EVICTED] += 1
