"""Events against memory: what each channel makes of them, and what a session teaches when it closes.

Score first, learn later: an event changes nothing but its own session until that session closes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from detector.features import memory as mem
from detector.features import sessions as ses
from detector.features.columns import (
    AGENT, BATCH, EVENT_ID, GROUP, LIFECYCLE, LLM_CALL, SESSION, SESSION_END, TOOL, TOOL_NAME, WHOLE_TARGET,
    BYTES_OUT, Columns,
)  # fmt: skip
from detector.features.memory import Memory
from detector.fusion.learn import (
    EVERYTHING, HISTOGRAMS, NOTHING, Scratch, learn_session, note_part, note_quantity, note_step,
)  # fmt: skip
from detector.scorers import novelty, sequence, volume
from detector.sketches.index import find_row, put_row
from detector.sketches.keys import tick_of
from detector.sketches.survival import bin_of, note_bin, tail_p

UNJUDGED, JUDGED, REPEATED = 0, 1, 2
"""States of an event: context only (or a lifecycle event), scored, a repeated event id."""
NO_ORIGIN, OTHER_ORIGIN, TOOL_ORIGIN = 0, 1, 2
_TOP = 3
"""Arguments whose bits add up."""
_GATE_PER_UNIT = 8.0
_ROOM = 96
"""Observations that must fit into a session before it takes another event: the most one event can leave."""
AT_END, AT_IDLE, AT_AGE, AT_SIZE, AT_CROWD, AT_FINISH = range(6)
"""Why a session was closed."""


class Rules(NamedTuple):
    """Settings of the kernels, from the profile; times in seconds."""

    idle_s: float
    age_s: float
    step_s: float
    probation_s: float
    trusted_until: float
    gate_p: float
    histogram_p: float
    warm_sessions: int
    agent_prior: float
    not_ok: float
    other_origin: float
    echo: float
    gate_context: float
    open_per_agent: int
    observations: int
    open_sessions: int
    chunks: int


class Context(NamedTuple):
    """What memory makes of n events; row i belongs to event i.

    Parameters
    ----------
    state : ndarray of uint8
        UNJUDGED, JUDGED or REPEATED.
    opened : ndarray of bool
        Whether the event opened its session.
    slot, agent, group : ndarray of int32
        Where session, agent and peer group are kept; -1 for a repeated event.
    origin : ndarray of uint8
        NO_ORIGIN (nothing known), OTHER_ORIGIN or TOOL_ORIGIN (some value came from tool output).
    bits, logs : ndarray of float64, shape (n, 11)
        Each channel's raw value and -log10 of its calibrated p-value.
    residual : ndarray of float64, shape (n, 7)
        What the forest looks at.
    which : ndarray of int32, shape (n, 4)
        Part with the most novel target, part with the most novel argument, largest number, largest attribute; -1 for none.
    level : ndarray of uint8, shape (n, 2)
        Novelty levels of the two parts.
    deviation : ndarray of float64, shape (n, 2)
        Signed deviations of the two numbers.
    """

    state: np.ndarray
    opened: np.ndarray
    slot: np.ndarray
    agent: np.ndarray
    group: np.ndarray
    origin: np.ndarray
    bits: np.ndarray
    logs: np.ndarray
    residual: np.ndarray
    which: np.ndarray
    level: np.ndarray
    deviation: np.ndarray


class Closes(NamedTuple):
    """Sessions closed during a batch, in order.

    `at`: index of the event before which the session closed; `events` in it; `gate`: its gate
    score; `lesson` it taught; `reason` it closed. `count`: how many rows are used.
    """

    at: np.ndarray
    slot: np.ndarray
    agent: np.ndarray
    group: np.ndarray
    name: np.ndarray
    events: np.ndarray
    gate: np.ndarray
    lesson: np.ndarray
    reason: np.ndarray
    seen: np.ndarray
    count: np.ndarray


def allocate_context(events: int = BATCH) -> Context:
    """Return room for what memory makes of a micro-batch."""
    return Context(
        state=np.zeros(events, np.uint8),
        opened=np.zeros(events, np.bool_),
        slot=np.zeros(events, np.int32),
        agent=np.zeros(events, np.int32),
        group=np.zeros(events, np.int32),
        origin=np.zeros(events, np.uint8),
        bits=np.zeros((events, len(mem.CHANNELS))),
        logs=np.zeros((events, len(mem.CHANNELS))),
        residual=np.zeros((events, len(mem.RESIDUALS))),
        which=np.zeros((events, 4), np.int32),
        level=np.zeros((events, 2), np.uint8),
        deviation=np.zeros((events, 2)),
    )


def allocate_closes(rows: int) -> Closes:
    """Return room for `rows` closed sessions: as many as may be open, and one for each event."""
    return Closes(
        at=np.zeros(rows, np.int32),
        slot=np.zeros(rows, np.int32),
        agent=np.zeros(rows, np.int32),
        group=np.zeros(rows, np.int32),
        name=np.zeros(rows, np.uint64),
        events=np.zeros(rows, np.int32),
        gate=np.zeros(rows),
        lesson=np.zeros(rows, np.uint8),
        reason=np.zeros(rows, np.uint8),
        seen=np.zeros(rows),
        count=np.zeros(1, np.int64),
    )


@njit(cache=True)
def _group_row(memory: Memory, name: np.uint64) -> int:
    """Return the row of a peer group; the last row is shared by all that came too late for one of their own."""
    groups = memory.groups
    row = find_row(groups.index, name)
    if row >= 0:
        return row
    row = np.int64(groups.used[0])
    if row >= len(groups.name):
        return len(groups.name) - 1
    groups.used[0] += 1
    groups.name[row] = name
    put_row(groups.index, name, row)
    return row


@njit(cache=True)
def _agent_row(memory: Memory, name: np.uint64) -> int:
    """Return the row of an agent; room for new ones has been made before the batch."""
    agents = memory.agents
    row = find_row(agents.index, name)
    if row < 0:
        row = np.int64(agents.used[0])
        agents.used[0] += 1
        agents.name[row] = name
        put_row(agents.index, name, row)
    return row


@njit(cache=True)
def _is_repeated(memory: Memory, agent: int, event_id: np.uint64) -> bool:
    """Return whether an agent sent this event id lately; remember it if not."""
    recent = memory.agents.recent
    mark = np.uint32(event_id >> np.uint64(32)) | np.uint32(1)
    size = recent.shape[1]
    for k in range(size):
        if recent[agent, k] == mark:
            return True
    place = memory.agents.tally[agent, 3]
    recent[agent, place] = mark
    memory.agents.tally[agent, 3] = (place + 1) % size
    return False


@njit(cache=True)
def _gate_p(memory: Memory, agent: int, group: int, score: float, prior: float) -> float:
    """Return the p-value of a gate score: the fleet's, then the group's, then the agent's own."""
    gate = memory.groups.gate
    place = min(np.int64(score * _GATE_PER_UNIT), gate.shape[1] - 2)
    p = tail_p(gate, mem.FLEET, place)
    total = gate[group, 0]
    beyond = gate[group, place + 1]
    p = (beyond + 0.5 * (gate[group, place] - beyond) + prior * p) / (total + prior)
    own = memory.agents.gate[agent]
    last = len(own) - 1
    place = min(np.int64(score * 2.0), last)
    total_own = 0
    beyond_own = 0.0
    for k in range(len(own)):
        total_own += own[k]
        if k > place:
            beyond_own += own[k]
    return (beyond_own + 0.5 * own[place] + prior * p) / (total_own + prior)


@njit(cache=True)
def _note_gate(memory: Memory, agent: int, group: int, score: float) -> None:
    gate = memory.groups.gate
    place = min(np.int64(score * _GATE_PER_UNIT), gate.shape[1] - 2)
    note_bin(gate, mem.FLEET, place)
    note_bin(gate, group, place)
    own = memory.agents.gate[agent]
    place = min(np.int64(score * 2.0), len(own) - 1)
    if own[place] == 65_535:
        for k in range(len(own)):
            own[k] //= 2
    own[place] += 1


@njit(cache=True)
def _lesson(memory: Memory, rules: Rules, slot: int, group: int) -> int:
    """Return what a session that closes may teach, by how strange it was for this agent, its peers and the fleet."""
    sessions = memory.sessions
    if sessions.started[slot] < rules.trusted_until:
        return EVERYTHING
    agent = np.int64(sessions.agent[slot])
    p = _gate_p(memory, agent, group, sessions.level[slot, ses.GATE], rules.agent_prior)
    if p > rules.gate_p or memory.groups.gate[mem.FLEET, 0] < rules.warm_sessions:
        return EVERYTHING
    return HISTOGRAMS if p > rules.histogram_p else NOTHING


@njit(cache=True)
def _close(memory: Memory, rules: Rules, scratch: Scratch, closes: Closes, slot: int, at: int, reason: int) -> None:
    """Close a session: decide what it teaches, learn that, note the close, give its room back."""
    sessions = memory.sessions
    agent = np.int64(sessions.agent[slot])
    group = np.int64(memory.agents.group[agent])
    lesson = _lesson(memory, rules, slot, group)
    score = sessions.level[slot, ses.GATE]
    _note_gate(memory, agent, group, score)
    tick = tick_of(memory.clock[0], rules.probation_s)
    learn_session(memory, scratch, slot, group, lesson, tick)
    row = np.int64(closes.count[0])
    closes.at[row] = at
    closes.slot[row] = slot
    closes.agent[row] = agent
    closes.group[row] = group
    closes.name[row] = sessions.name[slot]
    closes.events[row] = sessions.count[slot, ses.EVENTS]
    closes.gate[row] = score
    closes.lesson[row] = lesson
    closes.reason[row] = reason
    closes.seen[row] = sessions.seen[slot]
    closes.count[0] += 1
    ses.release_session(sessions, memory.agents, memory.chunks, slot)


@njit(cache=True)
def _close_idle(memory: Memory, rules: Rules, scratch: Scratch, closes: Closes, at: int) -> None:
    """Close every session that has been idle too long."""
    sessions = memory.sessions
    oldest = np.int64(sessions.ends[ses.OLDEST])
    while oldest >= 0 and sessions.seen[oldest] + rules.idle_s < memory.clock[0]:
        _close(memory, rules, scratch, closes, oldest, at, AT_IDLE)
        oldest = np.int64(sessions.ends[ses.OLDEST])


@njit(cache=True)
def _is_crowded(memory: Memory, rules: Rules) -> bool:
    """Return whether the pool of open sessions, or of their observations, is full."""
    chunks = memory.chunks
    used = len(chunks.following) - chunks.free[1]
    return memory.sessions.ends[ses.OPEN] > 0 and (
        memory.sessions.ends[ses.OPEN] >= rules.open_sessions or used >= rules.chunks
    )


@njit(cache=True)
def _session_slot(
    memory: Memory, rules: Rules, scratch: Scratch, closes: Closes, agent: int, name: np.uint64, i: int, ts: float
) -> tuple[int, bool]:
    """Return the open session of an event and whether it is new; a session past its caps closes first."""
    sessions = memory.sessions
    slot = find_row(sessions.index, name)
    if slot >= 0:
        if sessions.count[slot, ses.OBSERVED] + _ROOM > rules.observations:
            _close(memory, rules, scratch, closes, slot, i, AT_SIZE)
        elif memory.clock[0] - sessions.started[slot] > rules.age_s:
            _close(memory, rules, scratch, closes, slot, i, AT_AGE)
        else:
            return slot, False
    if memory.agents.tally[agent, 2] >= rules.open_per_agent:
        _close(memory, rules, scratch, closes, ses.least_active(sessions, memory.agents, agent), i, AT_CROWD)
    while _is_crowded(memory, rules):
        _close(memory, rules, scratch, closes, np.int64(sessions.ends[ses.OLDEST]), i, AT_CROWD)
    return ses.open_session(sessions, memory.agents, name, agent, ts), True


@njit(cache=True)
def _look_at_parts(memory: Memory, rules: Rules, columns: Columns, out: Context, i: int, slot: int, tick: np.uint64) -> int:
    """Write the novelty of an action's targets and arguments; return how many values are new to the peers."""
    agents, groups, sessions = memory.agents, memory.groups, memory.sessions
    agent, group = np.int64(out.agent[i]), np.int64(out.group[i])
    tool, failed = columns.ident[i, TOOL_NAME], np.int64(columns.outcome[i])
    top, top_origin = np.zeros(_TOP), np.zeros(_TOP)
    novel = 0
    rarity = best_target = best_argument = best_target_origin = 0.0
    first, stop = columns.parts_end[i], columns.parts_end[i + 1]
    any_known = False
    for m in range(first, stop):
        any_known = any_known or columns.origin[m] != 0
    for m in range(first, stop):
        part = columns.part[m]
        level = novelty.level_of(agents, groups, agent, group, tool, part, tick)
        origin = np.int64(columns.origin[m])
        echoed, was_target = ses.value_seen(sessions, slot, part[1])
        if columns.is_target[m]:
            bits = novelty.target_bits(groups.levels, group, tool, failed, level)
            if level >= 2 and not was_target:
                novel += 1
        else:
            bits = novelty.argument_bits(groups.levels, group, tool, part[0], level)
        weighed = bits
        if any_known:
            weighed *= (1.0 if origin == TOOL else rules.other_origin) * (rules.echo if echoed else 1.0)
        if columns.is_target[m]:
            if bits > best_target or out.which[i, 0] < 0:
                best_target, out.which[i, 0], out.level[i, 0] = bits, m, level
            best_target_origin = max(best_target_origin, weighed)
        else:
            if bits > best_argument or out.which[i, 1] < 0:
                best_argument, out.which[i, 1], out.level[i, 1] = bits, m, level
            _keep_top(top, bits)
            _keep_top(top_origin, weighed)
        if origin == TOOL:
            rarity = max(rarity, novelty.origin_bits(groups.origins, group, tool, part[0]))
            out.origin[i] = TOOL_ORIGIN
        elif origin != 0 and out.origin[i] == NO_ORIGIN:
            out.origin[i] = OTHER_ORIGIN
        fresh = 0 if columns.is_target[m] and was_target else 1
        note_part(sessions, memory.chunks, slot, tool, part, (level, failed, fresh, origin, np.int64(columns.is_target[m])))
    for m in range(first, stop):
        ses.note_value(sessions, slot, columns.part[m, 1], columns.is_target[m])
    bits_of = out.bits[i]
    bits_of[mem.NOVELTY] = best_target
    bits_of[mem.NOVELTY_ORIGIN] = best_target_origin
    bits_of[mem.ARGUMENTS] = top.sum()
    bits_of[mem.ARGUMENTS_ORIGIN] = top_origin.sum()
    bits_of[mem.RARITY] = rarity
    return novel


@njit(cache=True)
def _keep_top(top: np.ndarray, x: float) -> None:
    """Put a value among the largest, which stand in descending order."""
    for k in range(len(top)):
        if x > top[k]:
            top[k], x = x, top[k]


@njit(cache=True)
def _look_at_numbers(memory: Memory, columns: Columns, out: Context, i: int, slot: int) -> None:
    """Write an event's deviations and remember its numbers."""
    agents, groups, sessions, chunks = memory.agents, memory.groups, memory.sessions, memory.chunks
    agent, group = np.int64(out.agent[i]), np.int64(out.group[i])
    tool = columns.ident[i, TOOL_NAME]
    found = volume.largest_deviations(agents, groups, agent, group, columns, i, tool)
    out.bits[i, mem.NUMBER], out.which[i, 2] = found.number, found.which_number
    out.bits[i, mem.VOLUME], out.which[i, 3] = found.volume, found.which_volume
    for k in range(columns.numbers_end[i], columns.numbers_end[i + 1]):
        key = volume.field_key(tool, columns.field[k])
        note_quantity(sessions, chunks, slot, key, key, columns.amount[k])
    gap = volume.gap_log(columns.ts[i], agents.seen[agent])
    out.residual[i, 2] = 0.0
    if not math.isnan(gap):
        out.residual[i, 2] = abs(volume.signed_deviation(agents, groups, agent, group, volume.GAP, gap))
        note_quantity(sessions, chunks, slot, volume.GAP, volume.GAP, gap)
    agents.seen[agent] = columns.ts[i]


@njit(cache=True)
def _look_at_sequence(memory: Memory, columns: Columns, out: Context, i: int, slot: int) -> None:
    """Write what the tools before it make of an action."""
    agents, groups, sessions = memory.agents, memory.groups, memory.sessions
    agent, group = np.int64(out.agent[i]), np.int64(out.group[i])
    tool = columns.ident[i, TOOL_NAME]
    bits = out.bits[i]
    bits[mem.TRANSITION] = sequence.transition_bits(agents, groups, agent, group, sessions.previous[slot], tool)
    bits[mem.COOCCURRENCE] = sequence.cooccurrence_bits(groups, sessions, group, slot, tool)
    bits[mem.PAIR] = sequence.pair_bits(groups, group, tool, columns.ident[i, WHOLE_TARGET])
    out.residual[i, 3] = sequence.outcome_bits(groups, group, tool, np.int64(columns.outcome[i]))


@njit(cache=True)
def _look_at_reading(memory: Memory, columns: Columns, out: Context, i: int, slot: int) -> None:
    """Note how much more than usual an action read: it weighs on the session's later events."""
    group = np.int64(out.group[i])
    tool, target = columns.ident[i, TOOL_NAME], columns.ident[i, WHOLE_TARGET]
    for k in range(columns.numbers_end[i], columns.numbers_end[i + 1]):
        if columns.family[k] == BYTES_OUT:
            x = columns.amount[k]
            read = volume.read_deviation(memory.groups, group, tool, target, x)
            level = memory.sessions.level[slot]
            level[ses.READ] = max(level[ses.READ], read)
            note_quantity(memory.sessions, memory.chunks, slot, np.uint64(0), volume.read_key(tool, target), x)
            note_quantity(memory.sessions, memory.chunks, slot, np.uint64(0), volume.read_any_key(tool), x)


@njit(cache=True)
def _calibrate(memory: Memory, rules: Rules, columns: Columns, out: Context, i: int, slot: int, bins: np.ndarray) -> None:
    """Write -log10 p of every channel, and raise the session's gate score."""
    logs = out.logs[i]
    for channel in range(len(bins)):
        bins[channel] = bin_of(out.bits[i, channel])
        logs[channel] = -math.log10(max(tail_p(memory.survival, channel, np.int64(bins[channel])), 1e-7))
    gate = logs[mem.NOVELTY] + logs[mem.ARGUMENTS]
    gate += rules.gate_context * (logs[mem.TRANSITION] + logs[mem.COOCCURRENCE])
    if columns.outcome[i]:
        gate *= rules.not_ok
    level = memory.sessions.level[slot]
    level[ses.GATE] = max(level[ses.GATE], gate)


@njit(cache=True)
def _observe_action(memory: Memory, rules: Rules, columns: Columns, out: Context, i: int, slot: int) -> None:
    """Write what memory makes of an action, and remember the action with its session."""
    sessions = memory.sessions
    out.bits[i, mem.READ_SIZE] = sessions.level[slot, ses.READ]
    tick = tick_of(memory.clock[0], rules.probation_s)
    novel = _look_at_parts(memory, rules, columns, out, i, slot, tick)
    _look_at_sequence(memory, columns, out, i, slot)
    residual = out.residual[i]
    residual[0] = out.bits[i, mem.NUMBER]
    residual[1] = out.bits[i, mem.VOLUME]
    residual[4] = math.log2(1.0 + sessions.count[slot, ses.NOVEL] + novel)
    residual[5] = math.log2(1.0 + sessions.count[slot, ses.EVENTS])
    residual[6] = out.bits[i, mem.READ_SIZE]
    bins = np.zeros(len(mem.CHANNELS), np.uint8)
    _calibrate(memory, rules, columns, out, i, slot, bins)
    tool, target = columns.ident[i, TOOL_NAME], columns.ident[i, WHOLE_TARGET]
    note_step(sessions, memory.chunks, slot, tool, target, np.int64(columns.outcome[i]), bins, residual)
    _look_at_reading(memory, columns, out, i, slot)
    ses.note_tool(sessions, slot, tool)
    sessions.count[slot, ses.NOVEL] += novel
    out.state[i] = JUDGED


@njit(cache=True)
def observe(memory: Memory, rules: Rules, scratch: Scratch, columns: Columns, span: tuple[int, int], out: Context, closes: Closes) -> None:
    """Write what memory makes of the events of a span, in order; sessions that end on the way are learned from.

    Parameters
    ----------
    memory : Memory
        Changed in place.
    rules : Rules
        Settings.
    scratch : Scratch
        Room for the keys of one session.
    columns : Columns
        The events.
    span : (int, int)
        First event, and one past the last.
    out : Context
        Written.
    closes : Closes
        Written from its ``count`` on.
    """
    sessions = memory.sessions
    for i in range(span[0], span[1]):
        out.state[i] = UNJUDGED
        out.opened[i] = False
        out.origin[i] = NO_ORIGIN
        out.slot[i] = -1
        out.group[i] = -1
        out.bits[i, :] = 0.0
        out.logs[i, :] = 0.0
        out.residual[i, :] = 0.0
        out.which[i, :] = -1
        ts = columns.ts[i]
        advance(memory.clock, ts, rules.step_s)
        agent = _agent_row(memory, columns.ident[i, AGENT])
        out.agent[i] = agent
        if _is_repeated(memory, agent, columns.ident[i, EVENT_ID]):
            out.state[i] = REPEATED
            continue
        group = _group_row(memory, columns.ident[i, GROUP])
        memory.agents.group[agent] = group
        memory.agents.tally[agent, 0] += 1
        out.group[i] = group
        _close_idle(memory, rules, scratch, closes, i)
        name = columns.ident[i, SESSION]
        kind = columns.kind[i]
        if kind == LIFECYCLE and columns.ident[i, TOOL_NAME] == SESSION_END:
            slot = find_row(sessions.index, name)
            if slot >= 0:
                _close(memory, rules, scratch, closes, slot, i, AT_END)
            continue
        slot, opened = _session_slot(memory, rules, scratch, closes, agent, name, i, ts)
        out.slot[i], out.opened[i] = slot, opened
        ses.touch_session(sessions, slot, memory.clock[0])
        if kind == LIFECYCLE:
            continue
        _look_at_numbers(memory, columns, out, i, slot)
        if kind != LLM_CALL:
            _observe_action(memory, rules, columns, out, i, slot)
        sessions.count[slot, ses.EVENTS] += 1


@njit(cache=True)
def advance(clock: np.ndarray, ts: float, step_s: float) -> None:
    """Move the watermark to an event's time; one event moves it by at most a step."""
    if clock[0] == 0.0:
        clock[0] = ts
    elif ts > clock[0]:
        clock[0] = min(ts, clock[0] + step_s)


@njit(cache=True)
def watermarks(clock: float, ts: np.ndarray, step_s: float) -> np.ndarray:
    """Return the watermark as each event of a batch will find it."""
    held = np.array([clock])
    out = np.empty(len(ts))
    for i in range(len(ts)):
        advance(held, ts[i], step_s)
        out[i] = held[0]
    return out


@njit(cache=True)
def close_all(memory: Memory, rules: Rules, scratch: Scratch, closes: Closes) -> None:
    """Close every open session, least recently active first."""
    while memory.sessions.ends[ses.OLDEST] >= 0:
        _close(memory, rules, scratch, closes, np.int64(memory.sessions.ends[ses.OLDEST]), 0, AT_FINISH)
