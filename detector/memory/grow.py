"""Room for what is to come: memories double before a batch needs it, so that kernels never run out.

The rows of agents do not: they are there from the beginning, and take memory as they are used. To double half a
gigabyte would take as much again for a moment.
"""

from __future__ import annotations

import numpy as np

from detector.memory.layout import (
    AFTER,
    CHUNK,
    FIRST_FREE,
    FREE,
    FREE_CHUNKS,
    OLDEST,
    OPEN,
    USED_GROUPS,
    Chunks,
    Memory,
    Sizes,
    allocate_chunks,
    blank_sessions,
)
from detector.memory.observations import MOST_OF_ONE_EVENT
from detector.sketches.index import Index, allocate_index, rebuild_index

CHUNKS_PER_EVENT = -(-MOST_OF_ONE_EVENT // CHUNK) + 1
"""Chunks one event can touch: its observations, and one chunk begun."""


def _grown(need: int, have: int) -> int:
    while have < need:
        have *= 2
    return have


def _longer(rows: np.ndarray, length: int, used: int) -> np.ndarray:
    """Return a longer array with the same first `used` rows; the rest takes no memory until it is used."""
    new = np.zeros(length, rows.dtype)
    new[:used] = rows[:used]
    return new


def home_index_of(agents: np.ndarray, capacity: int, used: int) -> Index:
    """Return the index of the bare ids of the agents that stand for them."""
    index = allocate_index(capacity)
    names = np.where(agents["is_home"][:used] != 0, agents["bare"][:used], np.uint64(0))
    with np.errstate(over="ignore"):
        rebuild_index(index, names, used)
    return index


def index_of(rows: np.ndarray, capacity: int, first: int, used: int) -> Index:
    """Return the index of the names of rows `first` to ``used - 1``."""
    index = allocate_index(capacity)
    names = np.zeros(used, np.uint64)
    names[first:] = rows["name"][first:used]
    with np.errstate(over="ignore"):
        rebuild_index(index, names, used)
    return index


def room_for_groups(memory: Memory, need: int, most: int) -> Memory:
    """Return a memory with tables for at least `need` groups, up to the cap."""
    need = min(need, most)
    if need <= len(memory.groups):
        return memory
    used = int(memory.used[USED_GROUPS])
    length = min(_grown(need, len(memory.groups)), most)
    groups = _longer(memory.groups, length, used)
    return memory._replace(groups=groups, group_index=index_of(groups, _grown(4 * length, 16), 2, used))


def room_for_sessions(memory: Memory, need: int) -> Memory:
    """Return a memory with slots for at least `need` open sessions; slots keep their numbers."""
    old = len(memory.sessions)
    if need <= old:
        return memory
    slots = _grown(need, old)
    added = blank_sessions(slots - old, old)
    added["order"][-1, AFTER] = memory.ends[FREE]
    sessions = np.concatenate([memory.sessions, added])
    ends = memory.ends.copy()
    ends[FREE] = old
    index = allocate_index(4 * slots)
    names = np.zeros(slots, np.uint64)
    slot = int(ends[OLDEST])
    while slot >= 0:
        names[slot] = sessions["name"][slot]
        slot = int(sessions["order"][slot, AFTER])
    with np.errstate(over="ignore"):
        rebuild_index(index, names, slots)
    return memory._replace(sessions=sessions, session_index=index, ends=ends)


def room_for_chunks(chunks: Chunks, need: int) -> Chunks:
    """Return a pool with at least `need` free chunks."""
    free = int(chunks.free[FREE_CHUNKS])
    if need <= free:
        return chunks
    old = len(chunks.following)
    total = _grown(old - free + need, old)
    new = allocate_chunks(total)
    new.cells[:old] = chunks.cells
    new.following[:old] = chunks.following
    new.following[-1] = chunks.free[FIRST_FREE]
    new.free[:] = (old, free + total - old)
    return new


def room_for_batch(memory: Memory, sizes: Sizes, events: int, new_groups: int) -> Memory:
    """Return a memory in which `events` more events find room, `new_groups` unknown peer groups among them."""
    memory = room_for_groups(memory, int(memory.used[USED_GROUPS]) + new_groups, sizes.groups)
    memory = room_for_sessions(memory, int(memory.ends[OPEN]) + events)
    return memory._replace(chunks=room_for_chunks(memory.chunks, CHUNKS_PER_EVENT * events))
