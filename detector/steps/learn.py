"""What a closed session teaches: everything, numbers and histograms, or numbers alone.

Every key counts once a session. Numbers always teach (winsorised); keys, transitions, levels and
pairs only where the gate is open; histograms of the channels a little further: ``docs/science.md``, *The gate*.
Histograms and the forest's sample, against which everybody is held, learn from agents that have a vote.
"""

from __future__ import annotations

import numpy as np

from detector.channels import known, sequence, values
from detector.channels.context import KernelRules
from detector.intake.columns import PLACE, TOOL
from detector.memory.eviction import has_vote
from detector.memory.layout import (
    DISTINCT,
    FLEET,
    HEAD,
    NOW,
    OBSERVED,
    PAIRS,
    TAUGHT,
    TOOLS,
    Memory,
)
from detector.memory.observations import (
    CONTEXT,
    PART,
    QUANTITY,
    STEP_ROWS,
    StepNotes,
    bin_in,
    kind_of,
    measures_in,
    part_of,
    quantity_of,
    row_after,
    step_of,
)
from detector.sketches.hashing import mix
from detector.sketches.kernel import kernel
from detector.sketches.keys import KNOWN, PROMOTED, add_count, count_known, holds, learn_key, tick_of
from detector.sketches.numbers import note_number
from detector.sketches.survival import note_bin
from detector.sketches.tails import move_mass, note_known, note_new
from detector.sketches.usual import Usual, note_usual, place_key
from detector.steps.workspace import EVERYTHING, HISTOGRAMS, KEYS_PER_ROW, MARK, USED, Scratch

_ONE = np.uint64(1)
_OF_AGENT = np.uint64(0xD1310BA698DFB5AC)


@kernel
def _is_first(scratch: Scratch, key: np.uint64) -> bool:
    """Return whether a key comes up for the first time in this session."""
    mask, mark = np.uint64(scratch.mark[USED]), scratch.mark[MARK]
    at = key & mask
    while scratch.marked[at] == mark:
        if scratch.key[at] == key:
            return False
        at = (at + _ONE) & mask
    scratch.key[at] = key
    scratch.marked[at] = mark
    return True


@kernel
def _begin(scratch: Scratch, observed: int) -> None:
    """Forget all keys, and use no more of the room than a session of this many observations can fill."""
    size = 64
    while size < KEYS_PER_ROW * observed:
        size *= 2
    scratch.mark[MARK] += 1
    scratch.mark[USED] = min(size, len(scratch.key)) - 1


@kernel
def _learn_symbol(owner: np.void, context: np.uint64, symbol: np.uint64, tick: np.uint64) -> None:
    """Count a symbol once in a context of an agent or a peer group."""
    tails = owner["tails"]
    what, count = learn_key(owner["keys"], mix(context, symbol), tick)
    if what == KNOWN:
        note_known(tails, context, count)
        return
    note_new(tails, context)
    if what == PROMOTED:
        move_mass(tails, context, np.int64(0), count)


@kernel
def _count_part(own: np.ndarray, peers: np.ndarray, scratch: Scratch, row: np.ndarray, place: np.uint64) -> None:
    """Count a part's keys where they are known, and only there: what the gate still lets through."""
    tool, name, value = row[0], row[1], row[2]
    exact = known.value_key(tool, name, value)
    if _is_first(scratch, exact):
        count_known(own, exact)
        count_known(peers, exact)
        count_known(peers, known.any_tool_key(name, value))
        count_known(peers, known.place_key(tool, name, place))
        count_known(peers, known.any_place_key(name, place))


@kernel
def _learn_value(cells: np.ndarray, key: np.uint64, failed: int, tick: np.uint64) -> int:
    """Return how often a known value was learned, 0 on probation; learns its key.

    Of a call that failed it is learned, where it is not there already, for calls that fail alone.
    """
    if failed and not holds(cells, key):
        learn_key(cells, known.as_failed(key), tick)
        return 0
    what, count = learn_key(cells, key, tick)
    if what == KNOWN:
        return count + 1
    return count if what == PROMOTED else 0


@kernel
def _learn_part(
    usual: Usual, fleet: np.void, group: np.void, agent: np.void, scratch: Scratch, row: np.ndarray, lesson: int,
    tick: np.uint64,
) -> None:  # fmt: skip
    """Learn a part's keys and the levels it stood on, each once a session."""
    part = part_of(row)
    own, peers, levels = agent["keys"], group["keys"], group["levels"]
    if lesson < EVERYTHING:
        _count_part(own, peers, scratch, row, part.place)
        return
    tool, name, value = row[0], row[1], row[2]
    exact = known.value_key(tool, name, value)
    if _is_first(scratch, known.as_failed(exact) if part.failed else exact):
        counts = _learn_value(own, exact, part.failed, tick), _learn_value(peers, exact, part.failed, tick)
        if counts[0] > 0:
            note_usual(usual, place_key(agent["name"], tool, name), value, counts[0])
        if counts[1] > 0 and group["name"] != 0:  # strangers are of many tenants
            note_usual(usual, place_key(group["name"], tool, name), value, counts[1])
        for key in (
            known.any_tool_key(name, value),
            known.place_key(tool, name, part.place),
            known.any_place_key(name, part.place),
        ):
            if _is_first(scratch, key):
                learn_key(peers, key, tick)
    if part.is_target:
        if part.is_first:
            values.learn_target_level(fleet["levels"], levels, tool, part.failed, part.level)
    else:
        values.learn_argument_level(levels, tool, name, part.level)
    if part.origin > 0 and part.is_first:
        values.learn_origin(group["origins"], tool, name, part.origin == TOOL)


@kernel
def _learn_manner(counts: np.ndarray, scratch: Scratch, tool: np.uint64, notes: StepNotes) -> None:
    """Count, once a session, that a tool only read, had values, told their origins, had no target, was denied."""
    for is_so, key in (
        (notes.is_read, sequence.read_key(tool)),
        (notes.has_values, sequence.asked_key(tool)),
        (notes.tells, sequence.told_key(tool)),
        (notes.target != 0, sequence.aimed_key(tool)),
        (notes.target == 0, sequence.aimless_key(tool)),
        (notes.denied, sequence.denied_key(tool)),
        (notes.denied, sequence.denied_key(sequence.anywhere())),
    ):
        if is_so and _is_first(scratch, key):
            add_count(counts, key)


@kernel
def _learn_context(group: np.void, agent: np.void, scratch: Scratch, row: np.ndarray, tick: np.uint64) -> None:
    """Learn the keys of a value of an event that is only context."""
    tool, name, value, place = row[0], row[1], row[2], row[3] & PLACE
    exact = known.value_key(tool, name, value)
    if not _is_first(scratch, exact):
        return
    learn_key(agent["keys"], exact, tick)
    learn_key(group["keys"], exact, tick)
    for key in (
        known.any_tool_key(name, value),
        known.place_key(tool, name, place),
        known.any_place_key(name, place),
    ):
        if _is_first(scratch, key):
            learn_key(group["keys"], key, tick)


@kernel
def _learn_step(
    fleet: np.void, group: np.void, agent: np.void, scratch: Scratch, row: np.ndarray, tick: np.uint64
) -> None:
    """Learn transitions, outcome and pair of one action, each once a session."""
    tool, previous, before = row[0], row[1], row[2]
    notes = step_of(row)
    anywhere, after_one = sequence.anywhere(), sequence.after_one(previous)
    for context in (anywhere, after_one):
        if _is_first(scratch, mix(context, tool)):
            _learn_symbol(agent, context, tool, tick)
            _learn_symbol(group, context, tool, tick)
    context = sequence.after_two(before, previous)
    if _is_first(scratch, mix(context, tool)):
        _learn_symbol(group, context, tool, tick)
    symbol = sequence.OUTCOMES[notes.failed]
    for context in (sequence.outcome_of(tool), sequence.outcome_anywhere()):
        if _is_first(scratch, mix(context, symbol)):
            _learn_symbol(group, context, symbol, tick)
    _learn_manner(group["counts"], scratch, tool, notes)
    pair = sequence.pair_key(tool, notes.target)
    if _is_first(scratch, pair ^ _OF_AGENT):
        if add_count(group["counts"], pair):
            fleet["totals"][DISTINCT] += 1
        group["totals"][PAIRS] += 1


@kernel
def _learn_together(group: np.void, session: np.void) -> None:
    """Learn which tools were used in one session."""
    group["totals"][TAUGHT] += 1
    counts, tools = group["counts"], session["tools"]
    used = np.int64(session["count"][TOOLS])
    for a in range(used):
        add_count(counts, sequence.session_tool_key(tools[a]))
        for b in range(a + 1, used):
            add_count(counts, sequence.together_key(tools[a], tools[b]))


@kernel
def _learn_quantity(group: np.void, agent: np.void, row: np.ndarray) -> None:
    """Learn a number for the agent, its peers, or both; numbers always teach, winsorised."""
    x = quantity_of(row)
    if row[0] != 0:
        note_number(agent["number_tags"], agent["number_moments"], row[0], x)
    if row[1] != 0:
        note_number(group["number_tags"], group["number_moments"], row[1], x)


@kernel
def _learn_for_all(memory: Memory, rows: tuple[np.ndarray, np.ndarray, np.ndarray], lesson: int) -> None:
    """Let one action into the histograms of the channels and, where the gate is open, into the forest's sample."""
    for channel in range(len(memory.survival)):
        note_bin(memory.survival[channel], bin_in(rows[0], channel))
    if lesson == EVERYTHING:
        measures_in(rows[1], rows[2], memory.sample[memory.sampled[0] % len(memory.sample)])
        memory.sampled[0] += 1


@kernel
def learn(memory: Memory, rules: KernelRules, scratch: Scratch, slot: int, lesson: int) -> None:
    """Learn what a closed session may teach; changes its agent, its peer group, the fleet, histograms and sample.

    Parameters
    ----------
    memory : Memory
        Changed in place.
    rules : KernelRules
        Settings.
    scratch : Scratch
        Room for keys.
    slot : int
        The session.
    lesson : int
        NOTHING, HISTOGRAMS or EVERYTHING.
    """
    chunks, session = memory.chunks, memory.sessions[slot]
    agent = memory.agents[session["agent"]]
    group, fleet = memory.groups[session["group"]], memory.groups[FLEET]
    tick, votes = tick_of(memory.clock[NOW], rules.probation_s), has_vote(memory, agent)
    left = np.int64(session["count"][OBSERVED])
    _begin(scratch, left)
    chunk, place = np.int64(session["chunk"][HEAD]), np.int64(0)
    while left > 0:
        row = chunks.cells[chunk, place]
        chunk, place = row_after(chunks, chunk, place)
        left -= 1
        kind = kind_of(row)
        if kind == PART:
            _learn_part(memory.usual, fleet, group, agent, scratch, row, lesson, tick)
        elif kind == QUANTITY:
            _learn_quantity(group, agent, row)
        elif kind == CONTEXT:
            if lesson == EVERYTHING:
                _learn_context(group, agent, scratch, row, tick)
        else:
            bins = chunks.cells[chunk, place]
            chunk, place = row_after(chunks, chunk, place)
            third = chunks.cells[chunk, place]
            chunk, place = row_after(chunks, chunk, place)
            fourth = chunks.cells[chunk, place]
            chunk, place = row_after(chunks, chunk, place)
            left -= STEP_ROWS - 1
            if votes and lesson >= HISTOGRAMS:
                _learn_for_all(memory, (bins, third, fourth), lesson)
            if lesson == EVERYTHING:
                _learn_step(fleet, group, agent, scratch, row, tick)
    if lesson == EVERYTHING:
        _learn_together(group, session)
