"""Where sessions end: which one an event belongs to, when it must close, and whether the gate lets it teach."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.memory import layout as mem
from detector.memory import sessions as ses
from detector.memory.layout import NOW, Memory
from detector.sketches.index import find_row
from detector.sketches.keys import tick_of
from detector.sketches.survival import note_bin, tail_p
from detector.steps.learn import EVERYTHING, HISTOGRAMS, NOTHING, Scratch, learn_session
from detector.steps.workspace import AT_AGE, AT_CROWD, AT_FINISH, AT_IDLE, AT_SIZE, Closes, Rules

_GATE_PER_UNIT = 8.0
_ROOM = 96
"""Observations that must fit into a session before it takes another event: the most one event can leave."""


@njit(cache=True)
def _own_gate_place(own: np.ndarray, score: float) -> int:
    return min(np.int64(score * 2.0), len(own) - 1)


@njit(cache=True)
def _gate_p(fleet: np.void, group: np.void, agent: np.void, score: float, prior: float) -> float:
    """Return the p-value of a gate score: the fleet's, then the group's, then the agent's own."""
    gate = fleet["gate"]
    place = min(np.int64(score * _GATE_PER_UNIT), len(gate) - 2)
    p = tail_p(gate, place)
    gate = group["gate"]
    beyond = gate[place + 1]
    p = (beyond + 0.5 * (gate[place] - beyond) + prior * p) / (gate[0] + prior)
    own = agent["gate"]
    place = _own_gate_place(own, score)
    total = 0
    mass = 0.5 * own[place]
    for k in range(len(own)):
        total += own[k]
        if k > place:
            mass += own[k]
    return (mass + prior * p) / (total + prior)


@njit(cache=True)
def _note_gate(fleet: np.void, group: np.void, agent: np.void, score: float) -> None:
    place = min(np.int64(score * _GATE_PER_UNIT), len(fleet["gate"]) - 2)
    note_bin(fleet["gate"], place)
    note_bin(group["gate"], place)
    own = agent["gate"]
    place = _own_gate_place(own, score)
    if own[place] == 65_535:
        for k in range(len(own)):
            own[k] //= 2
    own[place] += 1


@njit(cache=True)
def _lesson(memory: Memory, rules: Rules, session: np.void) -> int:
    """Return what a session that closes may teach, by how strange it was for this agent, its peers and the fleet."""
    agent = memory.agents[session["agent"]]
    group, fleet = memory.groups[agent["group"]], memory.groups[mem.FLEET]
    score = session["level"][mem.GATE]
    is_trusted = session["started"] < rules.trusted_until
    is_warm = fleet["gate"][0] >= rules.warm_sessions
    p = _gate_p(fleet, group, agent, score, rules.agent_prior)
    _note_gate(fleet, group, agent, score)
    if is_trusted or not is_warm or p > rules.gate_p:
        return EVERYTHING
    return HISTOGRAMS if p > rules.histogram_p else NOTHING


@njit(cache=True)
def close_session(
    memory: Memory, rules: Rules, scratch: Scratch, closes: Closes, slot: int, at: int, reason: int
) -> None:
    """Close a session: decide what it teaches, learn that, note the close, give its room back."""
    session = memory.sessions[slot]
    lesson = _lesson(memory, rules, session)
    learn_session(memory, scratch, slot, lesson, tick_of(memory.clock[NOW], rules.probation_s))
    row = closes.count[0]
    closes.at[row] = at
    closes.slot[row] = slot
    closes.agent[row] = session["agent"]
    closes.group[row] = memory.agents[session["agent"]]["group"]
    closes.name[row] = session["name"]
    closes.events[row] = session["count"][mem.EVENTS]
    closes.lesson[row] = lesson
    closes.reason[row] = reason
    closes.seen[row] = session["seen"]
    closes.count[0] += 1
    ses.release_session(memory, slot)


@njit(cache=True)
def close_idle(memory: Memory, rules: Rules, scratch: Scratch, closes: Closes, at: int) -> None:
    """Close every session that has been idle too long."""
    oldest = np.int64(memory.ends[mem.OLDEST])
    while oldest >= 0 and memory.sessions[oldest]["seen"] + rules.idle_s < memory.clock[NOW]:
        close_session(memory, rules, scratch, closes, oldest, at, AT_IDLE)
        oldest = np.int64(memory.ends[mem.OLDEST])


@njit(cache=True)
def _is_crowded(memory: Memory, rules: Rules) -> bool:
    """Return whether the pool of open sessions, or of their observations, is full."""
    used = len(memory.chunks.following) - memory.chunks.free[1]
    is_full = memory.ends[mem.OPEN] >= rules.open_sessions or used >= rules.chunks
    return memory.ends[mem.OPEN] > 0 and is_full


@njit(cache=True)
def _must_close(memory: Memory, rules: Rules, slot: int) -> int:
    """Return why an open session must close before it takes another event; -1 if it need not."""
    session = memory.sessions[slot]
    if session["count"][mem.OBSERVED] + _ROOM > rules.observations:
        return AT_SIZE
    return AT_AGE if memory.clock[NOW] - session["started"] > rules.age_s else -1


@njit(cache=True)
def session_slot(
    memory: Memory, rules: Rules, scratch: Scratch, closes: Closes, agent: int, name: np.uint64, i: int, ts: float
) -> tuple[int, bool]:
    """Return the open session of an event and whether it is new; a session past its caps closes first."""
    slot = find_row(memory.session_index, name)
    if slot >= 0:
        reason = _must_close(memory, rules, slot)
        if reason < 0:
            return slot, False
        close_session(memory, rules, scratch, closes, slot, i, reason)
    if memory.agents[agent]["tally"][mem.STILL_OPEN] >= rules.open_per_agent:
        close_session(memory, rules, scratch, closes, ses.least_active(memory, agent), i, AT_CROWD)
    while _is_crowded(memory, rules):
        close_session(memory, rules, scratch, closes, np.int64(memory.ends[mem.OLDEST]), i, AT_CROWD)
    # a clock set back must not pass for trusted history
    return ses.open_session(memory, name, agent, max(ts, memory.clock[NOW])), True


@njit(cache=True)
def close_all(memory: Memory, rules: Rules, scratch: Scratch, closes: Closes) -> None:
    """Close every open session, least recently active first."""
    while memory.ends[mem.OLDEST] >= 0:
        close_session(memory, rules, scratch, closes, np.int64(memory.ends[mem.OLDEST]), np.int64(0), AT_FINISH)
