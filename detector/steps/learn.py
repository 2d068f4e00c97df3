"""What a closed session teaches: everything, numbers and histograms, or numbers alone.

Every key counts once a session. Numbers always teach (winsorised); keys, transitions, levels and
pairs only where the gate is open; histograms of the channels a little further.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from detector.channels import sequence
from detector.channels import values as novelty
from detector.memory.layout import (
    CHANNELS,
    CHUNK,
    DISTINCT,
    FLEET,
    OBSERVED,
    PAIRS,
    RESIDUALS,
    TAUGHT,
    TOOLS,
    Chunks,
    Memory,
)
from detector.memory.observations import (
    FAILED,
    FIRST,
    IS_TARGET,
    LEVEL,
    ORIGIN,
    PART,
    PLACE,
    QUANTITY,
    TYPE,
)
from detector.sketches.hashing import mix
from detector.sketches.keys import KNOWN, PROMOTED, add_count, count_known, learn_key
from detector.sketches.numbers import note_number
from detector.sketches.survival import note_bin
from detector.sketches.tails import move_mass, note_known, note_new

NOTHING, HISTOGRAMS, EVERYTHING = 0, 1, 2
"""What a session may teach beside numbers."""

TOP_ARGUMENTS = 3
"""Arguments of one event whose bits add up."""
_ONE = np.uint64(1)
_OF_AGENT = np.uint64(0xD1310BA698DFB5AC)


class Scratch(NamedTuple):
    """Room to work in.

    `key`, `turn_of`, `turn`: which keys of the session being learned were already counted; forgotten by raising
    `turn[0]`; `turn[1]` says how much of the room is used. `top`: the largest arguments of an event, for each voice;
    `best`: its most novel target and argument; `bins`: the bins of its channels.
    """

    key: np.ndarray
    turn_of: np.ndarray
    turn: np.ndarray
    top: np.ndarray
    best: np.ndarray
    bins: np.ndarray


def allocate_scratch(observations: int) -> Scratch:
    """Return room for the keys of a session of at most `observations` observations."""
    capacity = 1 << np.int64(np.ceil(np.log2(observations * 16)))
    return Scratch(
        key=np.zeros(capacity, np.uint64),
        turn_of=np.zeros(capacity, np.int64),
        turn=np.zeros(2, np.int64),
        top=np.zeros((2, TOP_ARGUMENTS)),
        best=np.zeros(2),
        bins=np.zeros(len(CHANNELS), np.uint8),
    )


@njit(cache=True)
def _is_first(scratch: Scratch, key: np.uint64) -> bool:
    """Return whether a key comes up for the first time in this session."""
    mask, turn = np.uint64(scratch.turn[1]), scratch.turn[0]
    at = key & mask
    while scratch.turn_of[at] == turn:
        if scratch.key[at] == key:
            return False
        at = (at + _ONE) & mask
    scratch.key[at] = key
    scratch.turn_of[at] = turn
    return True


@njit(cache=True)
def _begin(scratch: Scratch, observed: int) -> None:
    """Forget all keys, and use no more of the room than a session of this many observations can fill."""
    size = 64
    while size < 16 * observed:
        size *= 2
    scratch.turn[0] += 1
    scratch.turn[1] = min(size, len(scratch.key)) - 1


@njit(cache=True)
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


@njit(cache=True)
def _learn_part(
    fleet: np.void, group: np.void, agent: np.void, scratch: Scratch, row: np.ndarray, lesson: int, tick: np.uint64
) -> None:
    tool, name, value, word = row[0], row[1], row[2], row[3]
    place = word & PLACE
    own, peers, levels = agent["keys"], group["keys"], group["levels"]
    exact = novelty.value_key(tool, name, value)
    if lesson < EVERYTHING:
        if _is_first(scratch, exact):
            count_known(own, exact)
            count_known(peers, exact)
            count_known(peers, novelty.any_tool_key(name, value))
            count_known(peers, novelty.place_key(tool, name, place))
            count_known(peers, novelty.any_place_key(name, place))
        return
    if _is_first(scratch, exact):
        learn_key(own, exact, tick)
        learn_key(peers, exact, tick)
        for key in (
            novelty.any_tool_key(name, value),
            novelty.place_key(tool, name, place),
            novelty.any_place_key(name, place),
        ):
            if _is_first(scratch, key):
                learn_key(peers, key, tick)
    level = np.int64((word >> LEVEL) & np.uint64(7))
    first = (word >> FIRST) & _ONE != 0
    origin = np.int64((word >> ORIGIN) & np.uint64(3))
    if (word >> IS_TARGET) & _ONE != 0:
        if first:
            novelty.learn_target_level(fleet["levels"], levels, tool, np.int64((word >> FAILED) & _ONE), level)
    else:
        novelty.learn_argument_level(levels, tool, name, level)
    if origin > 0 and first:
        novelty.learn_origin(group["origins"], tool, name, origin == 2)


@njit(cache=True)
def _learn_tools(
    fleet: np.void, group: np.void, agent: np.void, scratch: Scratch, row: np.ndarray, tick: np.uint64
) -> None:
    """Learn transitions, outcome and pair of one action, each once a session."""
    tool, previous, before, word = row[0], row[1], row[2], row[3]
    anywhere, after_one = sequence.anywhere(), sequence.after_one(previous)
    for context in (anywhere, after_one):
        if _is_first(scratch, mix(context, tool)):
            _learn_symbol(agent, context, tool, tick)
            _learn_symbol(group, context, tool, tick)
    context = sequence.after_two(before, previous)
    if _is_first(scratch, mix(context, tool)):
        _learn_symbol(group, context, tool, tick)
    symbol = sequence.OUTCOMES[np.int64((word >> FAILED) & _ONE)]
    for context in (sequence.outcome_of(tool), sequence.outcome_anywhere()):
        if _is_first(scratch, mix(context, symbol)):
            _learn_symbol(group, context, symbol, tick)
    pair = sequence.pair_key(tool, word & PLACE)
    if _is_first(scratch, pair ^ _OF_AGENT):
        if add_count(group["counts"], pair):
            fleet["totals"][DISTINCT] += 1
        group["totals"][PAIRS] += 1


@njit(cache=True)
def _learn_together(group: np.void, session: np.void) -> None:
    """Learn which tools were used in one session."""
    group["totals"][TAUGHT] += 1
    counts, tools = group["counts"], session["tools"]
    used = np.int64(session["count"][TOOLS])
    for a in range(used):
        add_count(counts, sequence.session_tool_key(tools[a]))
        for b in range(a + 1, used):
            add_count(counts, sequence.together_key(tools[a], tools[b]))


@njit(cache=True)
def _row(chunks: Chunks, chunk: int, place: int) -> tuple[int, int]:
    """Return the chunk and place of the observation after this one."""
    return (chunk, place + 1) if place + 1 < CHUNK else (np.int64(chunks.following[chunk]), 0)


@njit(cache=True)
def _learn_bins(survival: np.ndarray, row: np.ndarray) -> None:
    for channel in range(len(CHANNELS)):
        word = row[0] if channel < 8 else row[1]
        note_bin(survival[channel], np.int64((word >> np.uint64(8 * (channel % 8))) & np.uint64(255)))


@njit(cache=True)
def _learn_sample(sample: np.ndarray, sampled: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    """Put an action's residuals into the sample of the next forest."""
    place = sampled[0] % len(sample)
    early, late = first.view(np.float64), second.view(np.float64)
    for k in range(len(RESIDUALS)):
        sample[place, k] = early[k] if k < 4 else late[k - 4]
    sampled[0] += 1


@njit(cache=True)
def learn_session(memory: Memory, scratch: Scratch, slot: int, lesson: int, tick: np.uint64) -> None:
    """Learn from the observations of a session that closes.

    Parameters
    ----------
    memory : Memory
        Changed in place.
    scratch : Scratch
        Room for keys.
    slot : int
        The session.
    lesson : int
        NOTHING, HISTOGRAMS or EVERYTHING.
    tick : uint64
        Time on the clock of probation.
    """
    chunks, session = memory.chunks, memory.sessions[slot]
    agent = memory.agents[session["agent"]]
    group, fleet = memory.groups[agent["group"]], memory.groups[FLEET]
    _begin(scratch, np.int64(session["count"][OBSERVED]))
    chunk, place = np.int64(session["chunk"][0]), np.int64(0)
    left = np.int64(session["count"][OBSERVED])
    while left > 0:
        row = chunks.cells[chunk, place]
        chunk, place = _row(chunks, chunk, place)
        left -= 1
        kind = row[3] & TYPE
        if kind == PART:
            _learn_part(fleet, group, agent, scratch, row, lesson, tick)
        elif kind == QUANTITY:
            x = np.uint64(row[2]).view(np.float64)
            if row[0] != 0:
                note_number(agent["number_tags"], agent["number_moments"], row[0], x)
            if row[1] != 0:
                note_number(group["number_tags"], group["number_moments"], row[1], x)
        else:
            bins = chunks.cells[chunk, place]
            chunk, place = _row(chunks, chunk, place)
            first = chunks.cells[chunk, place]
            chunk, place = _row(chunks, chunk, place)
            second = chunks.cells[chunk, place]
            chunk, place = _row(chunks, chunk, place)
            left -= 3
            if lesson >= HISTOGRAMS:
                _learn_bins(memory.survival, bins)
            if lesson == EVERYTHING:
                _learn_tools(fleet, group, agent, scratch, row, tick)
                _learn_sample(memory.sample, memory.sampled, first, second)
    if lesson == EVERYTHING:
        _learn_together(group, session)
