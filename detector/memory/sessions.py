"""Which session an event belongs to, and what that session has seen so far."""

from __future__ import annotations

import numpy as np

from detector.memory.eviction import place_agent
from detector.memory.layout import (
    AFTER,
    BEFORE,
    CLOSED,
    FREE,
    HEAD,
    LAST,
    NEWEST,
    OLDEST,
    OPEN,
    SESSION_TOOLS,
    SESSION_VALUES,
    STILL_OPEN,
    STRANGERS,
    TOOLS,
    VALUES,
    Memory,
    give_chunks,
)
from detector.memory.roster import BUSY, FRONT
from detector.sketches.index import drop_row, put_row
from detector.sketches.kernel import allocating_kernel, kernel

_TARGET_BIT = np.uint32(1)


@kernel
def _link_newest(sessions: np.ndarray, ends: np.ndarray, slot: int) -> None:
    newest = np.int64(ends[NEWEST])
    order = sessions[slot]["order"]
    order[BEFORE] = newest
    order[AFTER] = -1
    if newest >= 0:
        sessions[newest]["order"][AFTER] = slot
    else:
        ends[OLDEST] = slot
    ends[NEWEST] = slot


@kernel
def _unlink(sessions: np.ndarray, ends: np.ndarray, slot: int) -> None:
    order = sessions[slot]["order"]
    before, after = np.int64(order[BEFORE]), np.int64(order[AFTER])
    if before >= 0:
        sessions[before]["order"][AFTER] = after
    else:
        ends[OLDEST] = after
    if after >= 0:
        sessions[after]["order"][BEFORE] = before
    else:
        ends[NEWEST] = before


@kernel
def open_session(memory: Memory, name: np.uint64, owners: tuple[int, int, int], ts: float) -> int:
    """Return the slot of a new session of an agent, the group it teaches and the one it is held against.

    The caller has made sure that a slot is free.
    """
    agent, group, peers = owners
    sessions, ends = memory.sessions, memory.ends
    slot = np.int64(ends[FREE])
    session, owner = sessions[slot], memory.agents[agent]
    ends[FREE] = session["order"][AFTER]
    ends[OPEN] += 1
    session["name"] = name
    session["agent"] = agent
    session["group"] = group
    session["peers"] = peers
    session["started"] = ts
    session["previous"][:] = 0
    session["count"][:] = 0
    session["level"][:] = 0.0
    session["chunk"][:] = -1
    session["sibling"] = owner["first_open"] - 1
    owner["first_open"] = slot + 1
    owner["tally"][STILL_OPEN] += 1
    if owner["tally"][STILL_OPEN] == 1:
        place_agent(memory, agent)
    put_row(memory.session_index, name, slot)
    _link_newest(sessions, ends, slot)
    return slot


@kernel
def touch_session(sessions: np.ndarray, ends: np.ndarray, slot: int, watermark: float) -> None:
    """Note that a session has just been active."""
    sessions[slot]["seen"] = watermark
    if ends[NEWEST] != slot:
        _unlink(sessions, ends, slot)
        _link_newest(sessions, ends, slot)


@kernel
def release_session(memory: Memory, slot: int) -> None:
    """Give a closed session's slot and observations back."""
    sessions, ends = memory.sessions, memory.ends
    session = sessions[slot]
    owner = memory.agents[session["agent"]]
    at = np.int64(owner["first_open"]) - 1
    if at == slot:
        owner["first_open"] = session["sibling"] + 1
    else:
        while sessions[at]["sibling"] != slot:
            at = np.int64(sessions[at]["sibling"])
        sessions[at]["sibling"] = session["sibling"]
    owner["tally"][CLOSED] += 1
    owner["tally"][STILL_OPEN] -= 1
    if owner["tally"][STILL_OPEN] == 0:
        place_agent(memory, np.int64(session["agent"]))
    drop_row(memory.session_index, session["name"])
    _unlink(sessions, ends, slot)
    give_chunks(memory.chunks, np.int64(session["chunk"][HEAD]), np.int64(session["chunk"][LAST]))
    session["order"][AFTER] = ends[FREE]
    ends[FREE] = slot
    ends[OPEN] -= 1


@kernel
def least_active(memory: Memory, agent: int) -> int:
    """Return the slot of an agent's least recently active open session."""
    sessions = memory.sessions
    best = np.int64(memory.agents[agent]["first_open"]) - 1
    at = best
    while at >= 0:
        if sessions[at]["seen"] < sessions[best]["seen"]:
            best = at
        at = np.int64(sessions[at]["sibling"])
    return best


@kernel
def first_to_close(memory: Memory) -> int:
    """Return the slot of the open session that is given up for another: a newcomer's, if one has any."""
    row = np.int64(memory.roster.ends[BUSY, FRONT])
    return least_active(memory, row) if row >= 0 else np.int64(memory.ends[OLDEST])


@kernel
def has_tool(session: np.void, tool: np.uint64) -> bool:
    """Return whether a tool was used in this session."""
    tools = session["tools"]
    for k in range(session["count"][TOOLS]):
        if tools[k] == tool:
            return True
    return False


@kernel
def note_tool(session: np.void, tool: np.uint64) -> None:
    """Remember the tool of an action, and that it came last."""
    previous, count = session["previous"], session["count"]
    previous[1] = previous[0]
    previous[0] = tool
    used = np.int64(count[TOOLS])
    if used < SESSION_TOOLS and not has_tool(session, tool):
        session["tools"][used] = tool
        count[TOOLS] = used + 1


@kernel
def value_seen(session: np.void, value: np.uint64) -> tuple[bool, bool]:
    """Return whether a value was used in this session at all, and whether as a target."""
    mark = np.uint32(value >> np.uint64(32)) | _TARGET_BIT
    values = session["values"]
    at_all = as_target = False
    for k in range(min(np.int64(session["count"][VALUES]), SESSION_VALUES)):
        held = values[k]
        if held | _TARGET_BIT == mark:
            at_all = True
            as_target = as_target or held == mark
    return at_all, as_target


@kernel
def note_value(session: np.void, value: np.uint64, is_target: bool) -> None:
    """Remember a value of this session, in place of the oldest where there is no room."""
    at_all, as_target = value_seen(session, value)
    if as_target or (at_all and not is_target):
        return
    mark = np.uint32(value >> np.uint64(32)) | _TARGET_BIT
    count = session["count"]
    used = np.int64(count[VALUES])
    session["values"][used % SESSION_VALUES] = mark if is_target else mark ^ _TARGET_BIT
    count[VALUES] = used + 1


@allocating_kernel
def groups_in_use(memory: Memory) -> np.ndarray:
    """Return which groups have an open session."""
    found = np.zeros(len(memory.groups), np.bool_)
    slot = np.int64(memory.ends[OLDEST])
    while slot >= 0:
        found[memory.sessions[slot]["group"]] = True
        found[memory.sessions[slot]["peers"]] = True
        slot = np.int64(memory.sessions[slot]["order"][AFTER])
    return found


@kernel
def move_sessions(memory: Memory, left: np.ndarray) -> None:
    """Let the open sessions of groups that left go on among the strangers, or among their own."""
    slot = np.int64(memory.ends[OLDEST])
    while slot >= 0:
        session = memory.sessions[slot]
        if left[session["group"]]:
            session["group"] = STRANGERS
        if left[session["peers"]]:
            session["peers"] = session["group"]
        slot = np.int64(session["order"][AFTER])
