"""Look: what each channel makes of an event against memory, calibrated.

An event changes its own session, the rows that say its agent is there, and nothing that is learned.

Steps that are passed once an event are inlined: a call hands some forty arrays over, a fifth of the time of all.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from detector.channels.catalogue import position
from detector.channels.context import (
    ATTRIBUTE_SIZE,
    EVENTS_BEFORE,
    FAN_OUT,
    FLEET_AGENTS,
    JUDGED,
    NO_ORIGIN,
    NUMBER_SIZE,
    OWN_SESSIONS,
    PEER_SESSIONS,
    POSITION,
    READ_SIZE,
    REPEATED,
    UNJUDGED,
    Context,
    KernelRules,
    Surroundings,
)
from detector.channels.numbers import measure_earlier_reads, measure_numbers, note_reading
from detector.channels.sequence import measure_sequence
from detector.channels.values import measure_values
from detector.intake.columns import (
    AGENT,
    EVENT_ID,
    GROUP,
    LIFECYCLE,
    LLM_CALL,
    SESSION,
    TOOL_NAME,
    WHOLE_TARGET,
    Columns,
)
from detector.memory import layout as mem
from detector.memory import sessions as ses
from detector.memory.clock import advance, fall_back
from detector.memory.layout import Memory
from detector.memory.observations import note_step
from detector.memory.rows import agent_row, group_row, is_repeated
from detector.sketches.keys import tick_of
from detector.sketches.survival import bin_of, tail_p
from detector.steps.workspace import Scratch

_NUMBER, _VOLUME, _READ_SIZE = (position(name) for name in ("number", "volume", "read_size"))
_NOVELTY, _ARGUMENTS, _TRANSITION, _COOCCURRENCE = (
    position(name) for name in ("novelty", "arguments", "transition", "cooccurrence")
)
LEAST_P = 1e-7
"""No channel claims more than seven digits of rarity (``docs/science.md``, *Calibration*)."""


@njit(cache=True, inline="always")
def _blank(out: Context, i: int) -> None:
    """Clear what the event before in this place left behind."""
    out.state[i] = UNJUDGED
    out.origin[i] = NO_ORIGIN
    out.slot[i] = -1
    out.group[i] = -1
    bits, logs, ready, measures, which = out.bits[i], out.logs[i], out.ready[i], out.measures[i], out.which[i]
    for k in range(len(bits)):
        bits[k] = logs[k] = 0.0
        ready[k] = False
    for k in range(len(measures)):
        measures[k] = 0.0
    for k in range(len(which)):
        which[k] = -1


@njit(cache=True, inline="always")
def enter(memory: Memory, rules: KernelRules, columns: Columns, i: int, out: Context) -> bool:
    """Return whether an event is new; moves the clock, finds or makes the rows of its agent and peer group."""
    _blank(out, i)
    if advance(memory.clock, columns.ts[i], columns.ident[i, AGENT], rules.step_s):
        fall_back(memory)
    row = agent_row(memory, columns.ident[i, AGENT])
    out.agent[i] = row
    agent = memory.agents[row]
    if is_repeated(agent, columns.ident[i, EVENT_ID]):
        out.state[i] = REPEATED
        return False
    group = group_row(memory, columns.ident[i, GROUP])
    agent["group"] = group
    agent["tally"][mem.SEEN_EVENTS] += 1
    out.group[i] = group
    return True


@njit(cache=True, inline="always")
def _calibrate(
    session: np.void, rules: KernelRules, survival: np.ndarray, failed: bool, bits: np.ndarray, logs: np.ndarray,
    bins: np.ndarray,
) -> None:  # fmt: skip
    """Write -log10 p of every channel, and raise the session's gate score."""
    for channel in range(len(bins)):
        place = bin_of(bits[channel])
        bins[channel] = place
        logs[channel] = -math.log10(max(tail_p(survival[channel], place), LEAST_P))
    gate = logs[_NOVELTY] + logs[_ARGUMENTS]
    gate += rules.gate_context * (logs[_TRANSITION] + logs[_COOCCURRENCE])
    level = session["level"]
    level[mem.GATE] = max(level[mem.GATE], gate * (rules.not_ok if failed else 1.0))


@njit(cache=True, inline="always")
def _look_at_action(
    at: Surroundings, rules: KernelRules, survival: np.ndarray, columns: Columns, i: int, out: Context,
    scratch: Scratch, tick: np.uint64,
) -> None:  # fmt: skip
    """Write what memory makes of an action, and note the action with its session."""
    count = at.session["count"]
    measure_earlier_reads(at, out, i)
    novel = measure_values(at, rules, columns, out, i, scratch.room, tick)
    measure_sequence(at, columns, out, i)
    measures = out.measures[i]
    measures[NUMBER_SIZE] = out.bits[i, _NUMBER]
    measures[ATTRIBUTE_SIZE] = out.bits[i, _VOLUME]
    measures[FAN_OUT] = math.log2(1.0 + count[mem.NOVEL] + novel)
    measures[POSITION] = math.log2(1.0 + count[mem.EVENTS])
    measures[READ_SIZE] = out.bits[i, _READ_SIZE]
    failed = columns.outcome[i] != 0
    _calibrate(at.session, rules, survival, failed, out.bits[i], out.logs[i], scratch.bins)
    tool, target = columns.ident[i, TOOL_NAME], columns.ident[i, WHOLE_TARGET]
    note_step(at.session, at.chunks, tool, target, np.int64(failed), scratch.bins, measures)
    note_reading(at, columns, i)
    ses.note_tool(at.session, tool)
    count[mem.NOVEL] += novel
    out.state[i] = JUDGED


@njit(cache=True, inline="always")
def _look_closely(memory: Memory, rules: KernelRules, scratch: Scratch, columns: Columns, i: int, out: Context) -> None:
    """Write what memory makes of an event that belongs to a session."""
    agent, group, session = memory.agents[out.agent[i]], memory.groups[out.group[i]], memory.sessions[out.slot[i]]
    at = Surroundings(agent, group, memory.groups[mem.FLEET], session, memory.chunks)
    known = out.known[i]
    known[OWN_SESSIONS] = agent["tally"][mem.CLOSED]
    known[PEER_SESSIONS] = group["totals"][mem.TAUGHT]
    known[FLEET_AGENTS] = memory.used[mem.USED_AGENTS]
    known[EVENTS_BEFORE] = session["count"][mem.EVENTS]
    measure_numbers(at, columns, out, i)
    if columns.kind[i] != LLM_CALL:
        tick = tick_of(memory.clock[mem.NOW], rules.probation_s)
        _look_at_action(at, rules, memory.survival, columns, i, out, scratch, tick)
    session["count"][mem.EVENTS] += 1


@njit(cache=True, inline="always")
def look(
    memory: Memory, rules: KernelRules, scratch: Scratch, columns: Columns, i: int, slot: int, out: Context
) -> None:
    """Write what each channel makes of an event; changes its session and when its agent was last seen, no more.

    Parameters
    ----------
    memory : Memory
        Only the event's own session, and its agent's ``seen``, are changed.
    rules : KernelRules
        Settings.
    scratch : Scratch
        Room to work in.
    columns : Columns
        The events.
    i : int
        Which one.
    slot : int
        Its open session; below 0 one is opened.
    out : Context
        Row ``i`` is written.
    """
    if slot < 0:
        # a clock set back must not pass for trusted history
        started = max(columns.ts[i], memory.clock[mem.NOW])
        slot = ses.open_session(memory, columns.ident[i, SESSION], out.agent[i], started)
    ses.touch_session(memory.sessions, memory.ends, slot, memory.clock[mem.NOW])
    out.slot[i] = slot
    if columns.kind[i] != LIFECYCLE:
        _look_closely(memory, rules, scratch, columns, i, out)
