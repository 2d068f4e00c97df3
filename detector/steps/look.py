"""Look: what each channel makes of an event against memory, calibrated.

An event changes its own session, the rows that say its agent is there, and nothing that is learned.

Steps that are passed once an event are inlined: a call hands some forty arrays over, a fifth of the time of all.
"""

from __future__ import annotations

import math

import numpy as np

from detector.channels.catalogue import EXPECTED, position
from detector.channels.context import (
    AS_FAILED,
    AS_READ,
    ATTRIBUTE_SIZE,
    EVENTS_BEFORE,
    FAN_OUT,
    FLEET_AGENTS,
    IS_ESTABLISHED,
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
from detector.channels.known import level_of, value_key
from detector.channels.numbers import measure_earlier_reads, measure_numbers, note_reading
from detector.channels.sequence import (
    USUAL_READS,
    earned,
    earned_by_denials,
    earned_by_failing,
    measure_sequence,
    read_key,
)
from detector.channels.usual import look_for_usual
from detector.channels.values import NEW_TO_PEERS, measure_values, tool_of
from detector.intake.columns import (
    AGENT,
    BARE,
    CALL,
    DATA_ACCESS,
    DENIED,
    EVENT_ID,
    FINE,
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
from detector.memory.clock import advance, fall_back, step_of
from detector.memory.eviction import hear, is_established
from detector.memory.homes import held_against, is_young
from detector.memory.layout import Memory
from detector.memory.observations import note_context, note_step
from detector.memory.roster import KNOWN_WELL
from detector.memory.rows import ANOTHER, SAME, agent_row, group_row, seen_before
from detector.sketches.kernel import kernel
from detector.sketches.keys import is_known, tick_of
from detector.sketches.survival import bin_of, tail_p
from detector.steps.workspace import Scratch

_NUMBER, _VOLUME, _READ_SIZE = (position(name) for name in ("number", "volume", "read_size"))
_NOVELTY, _ARGUMENTS, _TRANSITION, _COOCCURRENCE = (
    position(name) for name in ("novelty", "arguments", "transition", "cooccurrence")
)
EARLY = 8
"""Events of a session from which what is usual is counted once more."""
USUAL, NEW_TARGET, NEW_ACT = range(3)
"""What is new of an event that says it is only context: nothing, a target such as a model, its name or an argument."""
AS_CONTEXT = np.uint64(0x6C62272E07BB0142)
"""In place of a tool, where the name of an event that is only context is looked up."""
LEAST_P = 1e-7
"""No channel claims more than seven digits of rarity (``docs/science.md``, *Calibration*)."""


@kernel(inline="always")
def _blank(out: Context, i: int) -> None:
    """Clear what the event before in this place left behind."""
    out.state[i] = UNJUDGED
    out.origin[i] = NO_ORIGIN
    out.is_reused[i] = False
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


@kernel
def _peers_of(memory: Memory, agent: np.void, declared: int) -> int:
    """Return the peer group an agent is held against: the one it names, unless that knows too little to tell.

    An agent that has taught its peers before stays with them as long as the new group is young: naming a group that
    nobody has seen buys no silence.
    """
    home = np.int64(agent["group"])
    is_settled = agent["tally"][mem.CLOSED] > 0 and home > mem.STRANGERS
    if is_settled and home != declared and is_young(memory, declared):
        return home
    agent["group"] = declared
    return declared


@kernel(inline="always")
def enter(memory: Memory, rules: KernelRules, columns: Columns, i: int, out: Context) -> bool:
    """Return whether an event is new; moves the clock, finds or makes the rows of its agent and peer group."""
    _blank(out, i)
    step_s = step_of(columns.receipt[i], rules.step_s)
    if advance(memory.clock, columns.ts[i], columns.ident[i, AGENT], step_s):
        fall_back(memory)
    row = agent_row(memory, columns.ident[i, AGENT], columns.ident[i, BARE])
    out.agent[i] = row
    agent = memory.agents[row]
    out.known[i, FLEET_AGENTS] = memory.roster.tally[KNOWN_WELL]
    out.known[i, IS_ESTABLISHED] = is_established(agent)
    before = seen_before(agent, columns.ident[i, EVENT_ID])
    if before == SAME:
        out.state[i] = REPEATED
        return False
    out.is_reused[i] = before == ANOTHER
    out.group[i] = _peers_of(memory, agent, group_row(memory, columns.ident[i, GROUP]))
    out.peers[i] = memory.groups[out.group[i]]["name"]
    agent["tally"][mem.SEEN_EVENTS] += 1
    hear(memory, row)
    return True


@kernel(inline="always")
def _calibrate(
    session: np.void, rules: KernelRules, survival: np.ndarray, bits: np.ndarray, logs: np.ndarray, bins: np.ndarray,
    how: tuple[float, bool],
) -> None:  # fmt: skip
    """Write -log10 p of every channel, none of what is new where `how` says it was declared, and raise the gate."""
    for channel in range(len(bins)):
        place = bin_of(bits[channel])
        bins[channel] = place
        silent = how[1] and EXPECTED[channel]
        logs[channel] = 0.0 if silent else -math.log10(max(tail_p(survival[channel], place), LEAST_P))
    gate = logs[_NOVELTY] + logs[_ARGUMENTS]
    gate += rules.gate_context * (logs[_TRANSITION] + logs[_COOCCURRENCE])
    level = session["level"]
    level[mem.GATE] = max(level[mem.GATE], gate * how[0])


@kernel
def _tells(columns: Columns, i: int) -> bool:
    """Return whether an event says of any of its values where it came from."""
    for m in range(columns.parts_end[i], columns.parts_end[i + 1]):
        if columns.origin[m] != 0:
            return True
    return False


@kernel
def _news(at: Surroundings, columns: Columns, i: int, tick: np.uint64) -> int:
    """Return what the peers do not know of an event that says it is only context; note what is not known yet.

    Whoever writes an event chooses its kind: only its name, target and arguments show that nothing was done.
    """
    own, peers = at.agent["keys"], at.group["keys"]
    kind, name, tool = np.uint64(columns.kind[i]), columns.ident[i, CALL], columns.ident[i, TOOL_NAME]
    key = value_key(AS_CONTEXT, kind, name)
    is_early = at.session["count"][mem.EVENTS] < EARLY  # keys that are not counted again would be given up
    is_usual = is_known(own, key, tick)
    if is_early or not is_usual:
        is_usual = is_usual or is_known(peers, key, tick)
        note_context(at.session, at.chunks, AS_CONTEXT, kind, name, name)
    has_target = False
    for m in range(columns.parts_end[i], columns.parts_end[i + 1]):
        part = columns.part[m]
        owner = tool_of(tool, part[0])
        level = level_of(own, peers, owner, part, tick, np.int64(0))
        if level > 0 or is_early:
            note_context(at.session, at.chunks, owner, part[0], part[1], part[2])
        if level >= NEW_TO_PEERS and (columns.is_target[m] or owner != tool):
            # who acts, or for whom, is no act either: every agent begins as somebody nobody knows
            has_target = True
        elif level >= NEW_TO_PEERS:
            is_usual = False
    if not is_usual:
        return NEW_ACT
    return NEW_TARGET if has_target else USUAL


@kernel(inline="always")
def _look_at_action(
    at: Surroundings, rules: KernelRules, survival: np.ndarray, columns: Columns, i: int, out: Context,
    scratch: Scratch, tick: np.uint64, has_place: bool,
) -> None:  # fmt: skip
    """Write what memory makes of an action, and note the action with its session.

    `has_place`: whether what came before it says anything. Context of which only the target is new takes no
    part in sequences, and weighs like a mere read: a new model is no act.
    """
    count, measures = at.session["count"], out.measures[i]
    tool, target = columns.ident[i, TOOL_NAME], columns.ident[i, WHOLE_TARGET]
    failed, denied, is_read = columns.outcome[i] != FINE, columns.outcome[i] == DENIED, columns.kind[i] == DATA_ACCESS
    out.earned[i, AS_FAILED] = earned_by_failing(at.group, tool) if failed else 0.0
    if denied:
        out.earned[i, AS_FAILED] = min(out.earned[i, AS_FAILED], earned_by_denials(at.group, tool))
    as_read = 0.0 if has_place else 1.0
    out.earned[i, AS_READ] = earned(at.group, tool, read_key(tool), USUAL_READS) if is_read else as_read
    measure_earlier_reads(at, out, i)
    tells = _tells(columns, i)
    novel = measure_values(at, rules, columns, out, i, scratch.room, tick)
    if has_place:
        measure_sequence(at, columns, out, i)
    measures[NUMBER_SIZE] = out.bits[i, _NUMBER]
    measures[ATTRIBUTE_SIZE] = out.bits[i, _VOLUME]
    measures[FAN_OUT] = math.log2(1.0 + count[mem.NOVEL] + novel)
    measures[POSITION] = math.log2(1.0 + count[mem.EVENTS])
    measures[READ_SIZE] = out.bits[i, _READ_SIZE]
    how = (rules.not_ok if failed else 1.0, columns.is_expected[i])
    _calibrate(at.session, rules, survival, out.bits[i], out.logs[i], scratch.bins, how)
    has_values = columns.parts_end[i] < columns.parts_end[i + 1]
    notes = (np.int64(failed), np.int64(is_read), np.int64(has_values), np.int64(tells), np.int64(denied))
    note_step(at.session, at.chunks, tool, target, notes, scratch.bins, measures)
    note_reading(at, columns, i)
    ses.note_tool(at.session, tool)
    count[mem.NOVEL] += novel
    out.state[i] = JUDGED


@kernel(inline="always")
def _look_closely(memory: Memory, rules: KernelRules, scratch: Scratch, columns: Columns, i: int, out: Context) -> None:
    """Write what memory makes of an event that belongs to a session."""
    agent, group, session = memory.agents[out.agent[i]], memory.groups[out.group[i]], memory.sessions[out.slot[i]]
    at = Surroundings(agent, group, memory.groups[mem.FLEET], session, memory.chunks)
    known = out.known[i]
    known[OWN_SESSIONS] = agent["tally"][mem.CLOSED]
    known[PEER_SESSIONS] = group["totals"][mem.TAUGHT]
    known[EVENTS_BEFORE] = session["count"][mem.EVENTS]
    tick = tick_of(memory.clock[mem.NOW], rules.probation_s)
    is_act, news = columns.kind[i] not in (LLM_CALL, LIFECYCLE), NEW_ACT
    if not is_act:
        news = _news(at, columns, i, tick)
        is_act = news != USUAL and at.fleet["gate"][0] >= rules.warm_sessions
    if columns.kind[i] != LIFECYCLE or is_act:
        measure_numbers(at, columns, out, i)
        session["count"][mem.EVENTS] += 1
    if is_act:
        _look_at_action(at, rules, memory.survival, columns, i, out, scratch, tick, news == NEW_ACT)
    look_for_usual(memory.usual, at, columns, i, out)


@kernel(inline="always")
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
        agent, group = np.int64(out.agent[i]), np.int64(out.group[i])
        owners = (agent, group, np.int64(held_against(memory, agent, group)))
        slot = ses.open_session(memory, columns.ident[i, SESSION], owners, started)
    ses.touch_session(memory.sessions, memory.ends, slot, memory.clock[mem.NOW])
    out.slot[i] = slot
    out.group[i] = memory.sessions[slot]["peers"]
    out.peers[i] = memory.groups[out.group[i]]["name"]
    _look_closely(memory, rules, scratch, columns, i, out)
