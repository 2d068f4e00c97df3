"""The roster: in which order agents would have to leave, which rows are free, and who left.

Agents without an open session stand in four queues, the least useful first: *fresh* (taught nothing yet),
*seasoned* (taught, on too few days), *held* (newcomers that alerted lately), *established*. Newcomers with an
open session stand in a fifth, *busy*, whose front gives a session up when the pool of sessions is full. All are
linked lists over the rows of the agents, so that every move is O(1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.intake.columns import BATCH
from detector.sketches.index import Index, allocate_index

NOWHERE, FRESH, SEASONED, HELD, ESTABLISHED, BUSY = range(6)
"""Queues an agent's row may stand in; nowhere: free, or established and with an open session."""
QUEUE, DAYS, LAST_DAY = range(3)
"""Columns of an agent's standing: its queue, days on which it taught, the last of them (epoch: 1)."""
(
    LIVE, KNOWN_WELL, EVENT, LINK, EVICTED, EVICTED_ESTABLISHED, RETURNED, LOST, GROUPS_EVICTED, FREE_FIRST, FREE_NEXT,
    FREE_GROUPS,
) = range(12)  # fmt: skip
"""Columns of the tally: agents with a row; the established among them; events that are no repeats, and moves, so far;
agents evicted, the established among them, returned to a tombstone; tombstones that were overwritten; groups evicted;
ends of the ring of free rows; free rows of groups."""
FRONT, BACK = range(2)
"""Columns of a queue's ends, and of a row's neighbours: who leaves earlier, who later."""
NEWCOMERS, WELL_KNOWN = range(2)
"""Rings of tombstones: of newcomers that had taught, of established agents."""
MOST_AGENTS, HELD_S = range(2)
"""Columns of the limits: agents with a row; how long an alert holds its agent, seconds of event time."""

ESTABLISHED_DAYS = 3
"""Days on which an agent must have taught before it is established."""
SPARE = BATCH
"""Rows beyond the cap: one that was given up is used again after as many others, so not within its own micro-batch,
of which the judge still asks for it."""
BLOCK = 8
"""Agents in one shard of a snapshot."""
GRAVES_A_SHARD = 4_096
"""Tombstones in one shard of a snapshot: 64 KiB."""

GRAVE = np.dtype([("name", np.uint64), ("days", np.int32), ("last_day", np.int32)])
"""The layout of a tombstone: whose it is, and on how many days it had taught."""


class Roster(NamedTuple):
    """Order and room of the agents' rows.

    Parameters
    ----------
    near : ndarray of int32, shape (rows, 2)
        Neighbours of each row in its queue; made anew from the rows when state is restored.
    ends : ndarray of int32, shape (6, 2)
        Front and back of each queue, -1 where it is empty.
    tally : ndarray of int64, shape (12,)
    limits : ndarray of float64, shape (2,)
    free : ndarray of int32, shape (rows,)
        Ring of the rows that were given up, the longest free first.
    free_groups : ndarray of int32, shape (groups,)
        Stack of rows that peer groups gave up.
    touched : ndarray of uint8, shape (blocks,)
        Blocks of agents changed here since they were last asked for.
    graves : structured ndarray, shape (2 * agents,)
        Two rings of tombstones.
    buried : ndarray of int64, shape (2,)
        How many were ever put into each ring.
    touched_graves : ndarray of uint8
    grave_index : Index
    """

    near: np.ndarray
    ends: np.ndarray
    tally: np.ndarray
    limits: np.ndarray
    free: np.ndarray
    free_groups: np.ndarray
    touched: np.ndarray
    graves: np.ndarray
    buried: np.ndarray
    touched_graves: np.ndarray
    grave_index: Index


def allocate_roster(agents: int, groups: int, held_s: float) -> Roster:
    """Return an empty roster of at most `agents` agents; its memory is taken only as it is used."""
    rows = agents + SPARE
    return Roster(
        near=np.zeros((rows, 2), np.int32),
        ends=np.full((6, 2), -1, np.int32),
        tally=np.zeros(12, np.int64),
        limits=np.array([agents, held_s]),
        free=np.zeros(rows, np.int32),
        free_groups=np.zeros(groups, np.int32),
        touched=np.zeros(-(-rows // BLOCK), np.uint8),
        graves=np.zeros(2 * agents, GRAVE),
        buried=np.zeros(2, np.int64),
        touched_graves=np.zeros(-(-2 * agents // GRAVES_A_SHARD), np.uint8),
        grave_index=allocate_index(1 << (4 * agents - 1).bit_length()),
    )
