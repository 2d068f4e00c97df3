"""Which session an event belongs to, and what that session has seen so far."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.features.memory import CHUNK, SESSION_TOOLS, SESSION_VALUES, Agents, Chunks, Sessions, give_chunks, take_chunk
from detector.sketches.index import drop_row, put_row

OLDEST, NEWEST, FREE, OPEN = range(4)
EVENTS, NOVEL, TOOLS, VALUES, OBSERVED = range(5)
GATE, READ = range(2)
_TARGET_BIT = np.uint32(1)


@njit(cache=True)
def _link_newest(sessions: Sessions, slot: int) -> None:
    newest = np.int64(sessions.ends[NEWEST])
    sessions.order[slot, 0] = newest
    sessions.order[slot, 1] = -1
    if newest >= 0:
        sessions.order[newest, 1] = slot
    else:
        sessions.ends[OLDEST] = slot
    sessions.ends[NEWEST] = slot


@njit(cache=True)
def _unlink(sessions: Sessions, slot: int) -> None:
    before, after = np.int64(sessions.order[slot, 0]), np.int64(sessions.order[slot, 1])
    if before >= 0:
        sessions.order[before, 1] = after
    else:
        sessions.ends[OLDEST] = after
    if after >= 0:
        sessions.order[after, 0] = before
    else:
        sessions.ends[NEWEST] = before


@njit(cache=True)
def open_session(sessions: Sessions, agents: Agents, name: np.uint64, agent: int, ts: float) -> int:
    """Return the slot of a new session; the caller has made sure that one is free."""
    slot = np.int64(sessions.ends[FREE])
    sessions.ends[FREE] = sessions.order[slot, 1]
    sessions.ends[OPEN] += 1
    sessions.name[slot] = name
    sessions.agent[slot] = agent
    sessions.started[slot] = ts
    sessions.previous[slot, :] = 0
    sessions.count[slot, :] = 0
    sessions.level[slot, :] = 0.0
    sessions.chunk[slot, :] = -1
    sessions.sibling[slot] = agents.first_open[agent]
    agents.first_open[agent] = slot
    agents.tally[agent, 2] += 1
    put_row(sessions.index, name, slot)
    _link_newest(sessions, slot)
    return slot


@njit(cache=True)
def touch_session(sessions: Sessions, slot: int, watermark: float) -> None:
    """Note that a session has just been active."""
    sessions.seen[slot] = watermark
    if sessions.ends[NEWEST] != slot:
        _unlink(sessions, slot)
        _link_newest(sessions, slot)


@njit(cache=True)
def release_session(sessions: Sessions, agents: Agents, chunks: Chunks, slot: int) -> None:
    """Give a closed session's slot and observations back."""
    agent = np.int64(sessions.agent[slot])
    if agents.first_open[agent] == slot:
        agents.first_open[agent] = sessions.sibling[slot]
    else:
        at = np.int64(agents.first_open[agent])
        while sessions.sibling[at] != slot:
            at = np.int64(sessions.sibling[at])
        sessions.sibling[at] = sessions.sibling[slot]
    agents.tally[agent, 1] += 1
    agents.tally[agent, 2] -= 1
    drop_row(sessions.index, sessions.name[slot])
    _unlink(sessions, slot)
    give_chunks(chunks, np.int64(sessions.chunk[slot, 0]), np.int64(sessions.chunk[slot, 1]))
    sessions.order[slot, 1] = sessions.ends[FREE]
    sessions.ends[FREE] = slot
    sessions.ends[OPEN] -= 1


@njit(cache=True)
def least_active(sessions: Sessions, agents: Agents, agent: int) -> int:
    """Return the slot of an agent's least recently active open session."""
    best = np.int64(agents.first_open[agent])
    at = best
    while at >= 0:
        if sessions.seen[at] < sessions.seen[best]:
            best = at
        at = np.int64(sessions.sibling[at])
    return best


@njit(cache=True)
def has_tool(sessions: Sessions, slot: int, tool: np.uint64) -> bool:
    """Return whether a tool was used in this session."""
    for k in range(sessions.count[slot, TOOLS]):
        if sessions.tools[slot, k] == tool:
            return True
    return False


@njit(cache=True)
def note_tool(sessions: Sessions, slot: int, tool: np.uint64) -> None:
    """Remember the tool of an action, and that it came last."""
    sessions.previous[slot, 1] = sessions.previous[slot, 0]
    sessions.previous[slot, 0] = tool
    used = np.int64(sessions.count[slot, TOOLS])
    if used < SESSION_TOOLS and not has_tool(sessions, slot, tool):
        sessions.tools[slot, used] = tool
        sessions.count[slot, TOOLS] = used + 1


@njit(cache=True)
def value_seen(sessions: Sessions, slot: int, value: np.uint64) -> tuple[bool, bool]:
    """Return whether a value was used in this session at all, and whether as a target."""
    mark = np.uint32(value >> np.uint64(32)) | _TARGET_BIT
    used = min(np.int64(sessions.count[slot, VALUES]), SESSION_VALUES)
    at_all = as_target = False
    for k in range(used):
        held = sessions.values[slot, k]
        if held | _TARGET_BIT == mark:
            at_all = True
            as_target = as_target or held == mark
    return at_all, as_target


@njit(cache=True)
def note_value(sessions: Sessions, slot: int, value: np.uint64, is_target: bool) -> None:
    """Remember a value of this session, in place of the oldest where there is no room."""
    at_all, as_target = value_seen(sessions, slot, value)
    if as_target or (at_all and not is_target):
        return
    mark = np.uint32(value >> np.uint64(32)) | _TARGET_BIT
    used = np.int64(sessions.count[slot, VALUES])
    sessions.values[slot, used % SESSION_VALUES] = mark if is_target else mark ^ _TARGET_BIT
    sessions.count[slot, VALUES] = used + 1


@njit(cache=True)
def note_observation(
    sessions: Sessions, chunks: Chunks, slot: int, words: tuple[np.uint64, np.uint64, np.uint64, np.uint64]
) -> None:
    """Remember one observation, to be learned when the session closes."""
    place = np.int64(sessions.count[slot, OBSERVED]) % CHUNK
    if place == 0:
        chunk = take_chunk(chunks)
        last = np.int64(sessions.chunk[slot, 1])
        if last < 0:
            sessions.chunk[slot, 0] = chunk
        else:
            chunks.following[last] = chunk
        sessions.chunk[slot, 1] = chunk
    cells = chunks.cells
    chunk = np.int64(sessions.chunk[slot, 1])
    for k in range(4):
        cells[chunk, place, k] = words[k]
    sessions.count[slot, OBSERVED] += 1
