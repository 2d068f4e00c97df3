"""Whose row is whose: agents, peer groups, and the event ids an agent sent lately."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.memory import layout as mem
from detector.memory.layout import Memory
from detector.sketches.index import find_row, put_row


@njit(cache=True)
def group_row(memory: Memory, name: np.uint64) -> int:
    """Return the row of a peer group; the last row is shared by all that came too late for one of their own."""
    row = find_row(memory.group_index, name)
    if row >= 0:
        return row
    row = np.int64(memory.used[mem.USED_GROUPS])
    if row >= len(memory.groups):
        return len(memory.groups) - 1
    memory.used[mem.USED_GROUPS] += 1
    memory.groups[row]["name"] = name
    put_row(memory.group_index, name, row)
    return row


@njit(cache=True)
def agent_row(memory: Memory, name: np.uint64) -> int:
    """Return the row of an agent; room for new ones has been made before the batch."""
    row = find_row(memory.agent_index, name)
    if row < 0:
        row = np.int64(memory.used[mem.USED_AGENTS])
        memory.used[mem.USED_AGENTS] += 1
        memory.agents[row]["name"] = name
        put_row(memory.agent_index, name, row)
    return row


@njit(cache=True)
def is_repeated(agent: np.void, event_id: np.uint64) -> bool:
    """Return whether an agent sent this event id lately; remember it if not."""
    recent, tally = agent["recent"], agent["tally"]
    mark = np.uint32(event_id >> np.uint64(32)) | np.uint32(1)
    for k in range(len(recent)):
        if recent[k] == mark:
            return True
    place = np.int64(tally[mem.RING])
    recent[place] = mark
    tally[mem.RING] = (place + 1) % len(recent)
    return False
