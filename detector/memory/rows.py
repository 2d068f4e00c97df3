"""Whose row is whose: agents, peer groups, and the event ids an agent sent lately."""

from __future__ import annotations

import numpy as np

from detector.memory import layout as mem
from detector.memory import roster as ros
from detector.memory.eviction import admit
from detector.memory.homes import claim_home
from detector.memory.layout import Memory
from detector.sketches.index import find_row, put_row
from detector.sketches.kernel import kernel

FRESH, SAME, ANOTHER = range(3)
"""What was sent under an id before: nothing, the very event, another event."""
_HALF = np.uint64(32)


@kernel
def group_row(memory: Memory, name: np.uint64) -> int:
    """Return the row of a peer group; where none is free it is STRANGERS, until groups that nobody teaches left."""
    row = find_row(memory.group_index, name)
    if row >= 0:
        return row
    tally, row = memory.roster.tally, np.int64(memory.used[mem.USED_GROUPS])
    if tally[ros.FREE_GROUPS] > 0:
        tally[ros.FREE_GROUPS] -= 1
        row = np.int64(memory.roster.free_groups[tally[ros.FREE_GROUPS]])
    elif row < len(memory.groups):
        memory.used[mem.USED_GROUPS] += 1
    else:
        return mem.STRANGERS
    memory.groups[row]["name"] = name
    put_row(memory.group_index, name, row)
    return row


@kernel
def agent_row(memory: Memory, name: np.uint64, bare: np.uint64) -> int:
    """Return the row of an agent that sends an event; the least useful agent leaves where a new one finds no row."""
    row = find_row(memory.agent_index, name)
    if row < 0:
        row = admit(memory, name)
        memory.agents[row]["bare"] = bare
    claim_home(memory, row)
    return row


@kernel
def seen_before(agent: np.void, event: np.uint64) -> int:
    """Return what an agent sent under this id lately: FRESH, SAME or ANOTHER; remember it if it is not the same.

    The upper half of `event` is of the id, the lower one of the content: an id alone repeats nothing, for whoever
    writes the next event chooses its id.
    """
    recent, tally = agent["recent"], agent["tally"]
    mark = event | np.uint64(1)
    found = FRESH
    for k in range(len(recent)):
        if recent[k] == mark:
            return SAME
        if recent[k] >> _HALF == mark >> _HALF and recent[k] != 0:
            found = ANOTHER
    place = np.int64(tally[mem.RING])
    recent[place] = mark
    tally[mem.RING] = (place + 1) % len(recent)
    return found
