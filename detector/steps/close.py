"""Close: which session ends before an event, why, and what it may teach."""

from __future__ import annotations

import numpy as np

from detector.channels.context import KernelRules
from detector.intake.columns import LIFECYCLE, SESSION, SESSION_END, TOOL_NAME, Columns
from detector.memory import layout as mem
from detector.memory import sessions as ses
from detector.memory.eviction import note_taught
from detector.memory.layout import NOW, Memory
from detector.memory.observations import MOST_OF_ONE_EVENT
from detector.sketches.index import find_row
from detector.sketches.kernel import kernel
from detector.sketches.survival import HALF, note_bin, tail_p
from detector.steps.workspace import (
    AT_AGE,
    AT_CROWD,
    AT_END,
    AT_IDLE,
    AT_SIZE,
    EVERYTHING,
    HISTOGRAMS,
    NO_SESSION,
    NOTHING,
    STAYS,
    Closes,
)

GATE_PER_UNIT = 8.0
"""Bins to a unit of the gate's score, in the histograms of fleet and peer group (``docs/science.md``, *The gate*)."""
OWN_PER_UNIT = 2.0
"""The same in an agent's own, of 24 bins."""
OWN_FULL = 65_535
"""Count at which an agent's histogram is halved, before a cell of 16 bits overflows."""


@kernel
def _own_place(own: np.ndarray, score: float) -> int:
    return min(np.int64(score * OWN_PER_UNIT), len(own) - 1)


@kernel
def _gate_p(fleet: np.void, group: np.void, agent: np.void, score: float, prior: float) -> float:
    """Return the p-value of a gate score: the fleet's, then the group's, then the agent's own."""
    gate = fleet["gate"]
    place = min(np.int64(score * GATE_PER_UNIT), len(gate) - 2)
    p = tail_p(gate, place)
    gate = group["gate"]
    beyond = gate[place + 1]
    p = (beyond + HALF * (gate[place] - beyond) + prior * p) / (gate[0] + prior)
    own = agent["gate"]
    place = _own_place(own, score)
    total = 0
    mass = HALF * own[place]
    for k in range(len(own)):
        total += own[k]
        if k > place:
            mass += own[k]
    return (mass + prior * p) / (total + prior)


@kernel
def _note_gate(fleet: np.void, group: np.void, agent: np.void, score: float) -> None:
    place = min(np.int64(score * GATE_PER_UNIT), len(fleet["gate"]) - 2)
    note_bin(fleet["gate"], place)
    note_bin(group["gate"], place)
    own = agent["gate"]
    place = _own_place(own, score)
    if own[place] == OWN_FULL:
        for k in range(len(own)):
            own[k] //= 2
    own[place] += 1


@kernel
def _lesson(memory: Memory, rules: KernelRules, session: np.void) -> int:
    """Return what a session that closes may teach, by how strange it was for this agent, its peers and the fleet."""
    agent = memory.agents[session["agent"]]
    group, fleet = memory.groups[session["group"]], memory.groups[mem.FLEET]
    score = session["level"][mem.GATE]
    is_trusted = session["started"] < rules.trusted_until
    is_warm = fleet["gate"][0] >= rules.warm_sessions
    p = _gate_p(fleet, group, agent, score, rules.agent_prior)
    _note_gate(fleet, group, agent, score)
    if is_trusted or not is_warm or p > rules.gate_p:
        return EVERYTHING
    return HISTOGRAMS if p > rules.histogram_p else NOTHING


@kernel
def close(memory: Memory, rules: KernelRules, closes: Closes, slot: int, at: int, reason: int) -> int:
    """Return what a session teaches as it ends before event `at`; counts its gate score, notes it in `closes`."""
    session = memory.sessions[slot]
    lesson = _lesson(memory, rules, session)
    if lesson == EVERYTHING:
        owners = np.int64(session["agent"]), np.int64(session["group"])
        note_taught(memory, owners[0], owners[1], session["started"] < rules.trusted_until)
    row = closes.count[0]
    closes.at[row] = at
    closes.slot[row] = slot
    closes.agent[row] = session["agent"]
    closes.owner[row] = memory.agents[session["agent"]]["name"]
    closes.group[row] = session["group"]
    closes.name[row] = session["name"]
    closes.events[row] = session["count"][mem.EVENTS]
    closes.lesson[row] = lesson
    closes.reason[row] = reason
    closes.seen[row] = session["seen"]
    closes.count[0] += 1
    return lesson


@kernel
def _is_crowded(memory: Memory, rules: KernelRules) -> bool:
    """Return whether the pool of open sessions, or of their observations, is full."""
    used = len(memory.chunks.following) - memory.chunks.free[mem.FREE_CHUNKS]
    is_full = memory.ends[mem.OPEN] >= rules.open_sessions or used >= rules.chunks
    return memory.ends[mem.OPEN] > 0 and is_full


@kernel
def _must_close(memory: Memory, rules: KernelRules, slot: int) -> int:
    """Return why an open session must close before it takes another event, STAYS if it need not."""
    session = memory.sessions[slot]
    if session["count"][mem.OBSERVED] + MOST_OF_ONE_EVENT > rules.observations:
        return AT_SIZE
    return AT_AGE if memory.clock[NOW] - session["started"] > rules.age_s else STAYS


@kernel(inline="always")
def session_before(memory: Memory, rules: KernelRules, columns: Columns, i: int, agent: int) -> tuple[int, int]:
    """Return a session that must end before an event and why; else the one it joins, and STAYS.

    NO_SESSION with STAYS: the event opens a session, or, being the end of one, belongs to none. Idle
    sessions of everybody end first, then the event's own, then those it needs the room of.
    """
    oldest = np.int64(memory.ends[mem.OLDEST])
    if oldest >= 0 and memory.sessions[oldest]["seen"] + rules.idle_s < memory.clock[NOW]:
        return oldest, AT_IDLE
    slot = find_row(memory.session_index, columns.ident[i, SESSION])
    if is_end(columns, i):
        return slot, (AT_END if slot >= 0 else STAYS)
    if slot >= 0:
        return slot, _must_close(memory, rules, slot)
    if memory.agents[agent]["tally"][mem.STILL_OPEN] >= rules.open_per_agent:
        return ses.least_active(memory, agent), AT_CROWD
    if _is_crowded(memory, rules):
        return ses.first_to_close(memory), AT_CROWD
    return NO_SESSION, STAYS


@kernel(inline="always")
def is_end(columns: Columns, i: int) -> bool:
    """Return whether an event only says that its session is over: one with a target or arguments does more."""
    is_bare = columns.parts_end[i] == columns.parts_end[i + 1]
    return columns.kind[i] == LIFECYCLE and columns.ident[i, TOOL_NAME] == SESSION_END and is_bare
