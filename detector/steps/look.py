"""Events against memory: what each channel makes of them.

Score first, learn later: an event changes nothing but its own session until that session closes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from detector.channels import numbers as volume
from detector.channels import sequence
from detector.channels import values as novelty
from detector.intake.columns import (
    AGENT,
    BYTES_OUT,
    EVENT_ID,
    GROUP,
    LIFECYCLE,
    LLM_CALL,
    SESSION,
    SESSION_END,
    TOOL,
    TOOL_NAME,
    WHOLE_TARGET,
    Columns,
)
from detector.memory import layout as mem
from detector.memory import sessions as ses
from detector.memory.clock import advance, fall_back
from detector.memory.layout import Memory
from detector.memory.observations import note_part, note_quantity, note_step
from detector.memory.rows import agent_row, group_row, is_repeated
from detector.sketches.index import find_row
from detector.sketches.keys import tick_of
from detector.sketches.survival import bin_of, tail_p
from detector.steps.close import close_idle, close_session, session_slot
from detector.steps.learn import Scratch
from detector.steps.workspace import (
    AT_END,
    JUDGED,
    NO_ORIGIN,
    OTHER_ORIGIN,
    REPEATED,
    TOOL_ORIGIN,
    UNJUDGED,
    Closes,
    Context,
    Place,
    Rules,
)


@njit(cache=True)
def _keep_top(top: np.ndarray, x: float) -> None:
    """Put a value among the largest, which stand in descending order."""
    for k in range(len(top)):
        if x > top[k]:
            top[k], x = x, top[k]


@njit(cache=True)
def _knows_origins(columns: Columns, first: int, stop: int) -> int:
    """Return NO_ORIGIN if nothing is known, TOOL_ORIGIN if some value came from tool output, else OTHER_ORIGIN."""
    found = NO_ORIGIN
    for m in range(first, stop):
        if columns.origin[m] == TOOL:
            return TOOL_ORIGIN
        if columns.origin[m] != 0:
            found = OTHER_ORIGIN
    return found


@njit(cache=True)
def _look_at_parts(
    at: Place, rules: Rules, columns: Columns, out: Context, i: int, scratch: Scratch, tick: np.uint64
) -> int:
    """Write the novelty of an action's targets and arguments; return how many values are new to the peers."""
    own, peers, levels = at.agent["keys"], at.group["keys"], at.group["levels"]
    tool, failed = columns.ident[i, TOOL_NAME], np.int64(columns.outcome[i])
    top, top_origin = scratch.top[0], scratch.top[1]
    scratch.top[:, :] = 0.0
    first, stop = columns.parts_end[i], columns.parts_end[i + 1]
    out.origin[i] = _knows_origins(columns, first, stop)
    bits_of, which = out.bits[i], out.which[i]
    novel = 0
    for m in range(first, stop):
        part, origin = columns.part[m], np.int64(columns.origin[m])
        is_target = columns.is_target[m]
        level = novelty.level_of(own, peers, tool, part, tick)
        echoed, was_target = ses.value_seen(at.session, part[1])
        is_fresh = not (is_target and was_target)
        if is_target:
            bits = novelty.target_bits(at.fleet["levels"], levels, tool, failed, level)
            novel += level >= 2 and is_fresh
        else:
            bits = novelty.argument_bits(levels, tool, part[0], level)
        weighed = bits
        if out.origin[i] != NO_ORIGIN:
            weighed *= (1.0 if origin == TOOL else rules.other_origin) * (rules.echo if echoed else 1.0)
        side = 0 if is_target else 1
        if which[side] < 0 or bits > scratch.best[side]:
            which[side], scratch.best[side], out.level[i, side] = m, bits, level
        if is_target:
            bits_of[mem.NOVELTY_ORIGIN] = max(bits_of[mem.NOVELTY_ORIGIN], weighed)
        else:
            _keep_top(top, bits)
            _keep_top(top_origin, weighed)
        if origin == TOOL:
            rare = novelty.origin_bits(at.group["origins"], tool, part[0])
            bits_of[mem.RARITY] = max(bits_of[mem.RARITY], rare)
        note_part(at.session, at.chunks, tool, part, (level, failed, np.int64(is_fresh), origin, np.int64(is_target)))
    for m in range(first, stop):
        ses.note_value(at.session, columns.part[m, 1], columns.is_target[m])
    bits_of[mem.NOVELTY] = scratch.best[0] if which[0] >= 0 else 0.0
    bits_of[mem.ARGUMENTS] = top[0] + top[1] + top[2]
    bits_of[mem.ARGUMENTS_ORIGIN] = top_origin[0] + top_origin[1] + top_origin[2]
    return novel


@njit(cache=True)
def _look_at_numbers(at: Place, columns: Columns, out: Context, i: int) -> None:
    """Write an event's deviations and remember its numbers."""
    tool = columns.ident[i, TOOL_NAME]
    volume.note_deviations(at.agent, at.group, columns, i, tool, out.which[i, 2:], out.number[i])
    out.bits[i, mem.NUMBER], out.bits[i, mem.VOLUME] = abs(out.number[i, 0, 0]), abs(out.number[i, 1, 0])
    for k in range(columns.numbers_end[i], columns.numbers_end[i + 1]):
        key = volume.field_key(tool, columns.field[k])
        note_quantity(at.session, at.chunks, key, key, columns.amount[k])
    gap = volume.gap_log(columns.ts[i], at.agent["seen"])
    if not math.isnan(gap):
        out.residual[i, 2] = abs(volume.deviation_of(at.agent, at.group, volume.GAP, gap).size)
        note_quantity(at.session, at.chunks, volume.GAP, volume.GAP, gap)
    at.agent["seen"] = columns.ts[i]


@njit(cache=True)
def _look_at_sequence(at: Place, columns: Columns, out: Context, i: int) -> None:
    """Write what the tools before it make of an action."""
    tool = columns.ident[i, TOOL_NAME]
    bits = out.bits[i]
    bits[mem.TRANSITION] = sequence.transition_bits(at.agent, at.group, at.session["previous"], tool)
    bits[mem.COOCCURRENCE] = sequence.cooccurrence_bits(at.group, at.session, tool)
    bits[mem.PAIR] = sequence.pair_bits(at.fleet, at.group, tool, columns.ident[i, WHOLE_TARGET])
    out.residual[i, 3] = sequence.outcome_bits(at.group, tool, np.int64(columns.outcome[i]))


@njit(cache=True)
def _look_at_reading(at: Place, columns: Columns, i: int) -> None:
    """Note how much more than usual an action read: it weighs on the session's later events."""
    tool, target = columns.ident[i, TOOL_NAME], columns.ident[i, WHOLE_TARGET]
    for k in range(columns.numbers_end[i], columns.numbers_end[i + 1]):
        if columns.family[k] == BYTES_OUT:
            x = columns.amount[k]
            level = at.session["level"]
            level[mem.READ] = max(level[mem.READ], volume.read_deviation(at.group, tool, target, x))
            note_quantity(at.session, at.chunks, np.uint64(0), volume.read_key(tool, target), x)
            note_quantity(at.session, at.chunks, np.uint64(0), volume.read_any_key(tool), x)


@njit(cache=True)
def _calibrate(
    at: Place, rules: Rules, survival: np.ndarray, failed: bool, bits: np.ndarray, logs: np.ndarray, bins: np.ndarray
) -> None:
    """Write -log10 p of every channel, and raise the session's gate score."""
    for channel in range(len(bins)):
        place = bin_of(bits[channel])
        bins[channel] = place
        logs[channel] = -math.log10(max(tail_p(survival[channel], place), 1e-7))
    gate = logs[mem.NOVELTY] + logs[mem.ARGUMENTS]
    gate += rules.gate_context * (logs[mem.TRANSITION] + logs[mem.COOCCURRENCE])
    level = at.session["level"]
    level[mem.GATE] = max(level[mem.GATE], gate * (rules.not_ok if failed else 1.0))


@njit(cache=True)
def _observe_action(
    at: Place,
    rules: Rules,
    survival: np.ndarray,
    columns: Columns,
    out: Context,
    i: int,
    scratch: Scratch,
    tick: np.uint64,
) -> None:
    """Write what memory makes of an action, and remember the action with its session."""
    count = at.session["count"]
    out.bits[i, mem.READ_SIZE] = at.session["level"][mem.READ]
    novel = _look_at_parts(at, rules, columns, out, i, scratch, tick)
    _look_at_sequence(at, columns, out, i)
    residual = out.residual[i]
    residual[0] = out.bits[i, mem.NUMBER]
    residual[1] = out.bits[i, mem.VOLUME]
    residual[4] = math.log2(1.0 + count[mem.NOVEL] + novel)
    residual[5] = math.log2(1.0 + count[mem.EVENTS])
    residual[6] = out.bits[i, mem.READ_SIZE]
    failed = columns.outcome[i] != 0
    _calibrate(at, rules, survival, failed, out.bits[i], out.logs[i], scratch.bins)
    tool, target = columns.ident[i, TOOL_NAME], columns.ident[i, WHOLE_TARGET]
    note_step(at.session, at.chunks, tool, target, np.int64(failed), scratch.bins, residual)
    _look_at_reading(at, columns, i)
    ses.note_tool(at.session, tool)
    count[mem.NOVEL] += novel
    out.state[i] = JUDGED


@njit(cache=True)
def _blank(out: Context, i: int) -> None:
    """Clear what the event before in this place left behind."""
    out.state[i] = UNJUDGED
    out.origin[i] = NO_ORIGIN
    out.slot[i] = -1
    out.group[i] = -1
    for k in range(len(mem.CHANNELS)):
        out.bits[i, k] = 0.0
        out.logs[i, k] = 0.0
    for k in range(len(mem.RESIDUALS)):
        out.residual[i, k] = 0.0
    for k in range(4):
        out.which[i, k] = -1


@njit(cache=True)
def observe(
    memory: Memory,
    rules: Rules,
    scratch: Scratch,
    columns: Columns,
    span: tuple[int, int],
    out: Context,
    closes: Closes,
) -> None:
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
    for i in range(span[0], span[1]):
        _blank(out, i)
        ts = columns.ts[i]
        if advance(memory.clock, ts, columns.ident[i, AGENT], rules.step_s):
            fall_back(memory)
        row = agent_row(memory, columns.ident[i, AGENT])
        out.agent[i] = row
        agent = memory.agents[row]
        if is_repeated(agent, columns.ident[i, EVENT_ID]):
            out.state[i] = REPEATED
            continue
        group = group_row(memory, columns.ident[i, GROUP])
        agent["group"] = group
        agent["tally"][mem.SEEN_EVENTS] += 1
        out.group[i] = group
        close_idle(memory, rules, scratch, closes, i)
        name, kind = columns.ident[i, SESSION], columns.kind[i]
        if kind == LIFECYCLE and columns.ident[i, TOOL_NAME] == SESSION_END:
            slot = find_row(memory.session_index, name)
            if slot >= 0:
                close_session(memory, rules, scratch, closes, slot, i, AT_END)
            continue
        slot = session_slot(memory, rules, scratch, closes, row, name, i, ts)[0]
        ses.touch_session(memory.sessions, memory.ends, slot, memory.clock[mem.NOW])
        out.slot[i] = slot
        if kind == LIFECYCLE:
            continue
        _observe_one(memory, rules, scratch, columns, i, out)


@njit(cache=True)
def _observe_one(memory: Memory, rules: Rules, scratch: Scratch, columns: Columns, i: int, out: Context) -> None:
    """Write what memory makes of an event that belongs to a session."""
    agent, group, session = memory.agents[out.agent[i]], memory.groups[out.group[i]], memory.sessions[out.slot[i]]
    at = Place(agent, group, memory.groups[mem.FLEET], session, memory.chunks)
    known = out.known[i]
    known[0] = agent["tally"][mem.CLOSED]
    known[1] = group["totals"][mem.TAUGHT]
    known[2] = memory.used[mem.USED_AGENTS]
    known[3] = session["count"][mem.EVENTS]
    _look_at_numbers(at, columns, out, i)
    if columns.kind[i] != LLM_CALL:
        tick = tick_of(memory.clock[mem.NOW], rules.probation_s)
        _observe_action(at, rules, memory.survival, columns, out, i, scratch, tick)
    session["count"][mem.EVENTS] += 1
