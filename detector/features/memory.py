"""What is remembered, laid out for the kernels: fixed rows an agent, tables a peer group, a pool of open sessions.

Bytes an agent, with the default sizes: keys 2,048, numbers 896, transitions 576, everything else
under 200; the index adds 24 to 48. Row 0 of the groups is the whole fleet of this partition.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from detector.sketches.index import Index, allocate_index
from detector.sketches.keys import Keys, allocate_keys
from detector.sketches.levels import allocate_levels
from detector.sketches.numbers import Numbers, allocate_numbers
from detector.sketches.survival import BINS, allocate_survival
from detector.sketches.tails import allocate_tails

FLEET = 0
GATE_BINS = 24
SESSION_TOOLS = 24
"""Distinct tools of one session that co-occurrence looks back on."""
SESSION_VALUES = 64
"""Values of one session that an echo is recognised by; beyond, the oldest is forgotten."""
CHUNK = 32
"""Observations in one chunk of the pool: 1 KiB."""
CHANNELS = ("novelty", "arguments", "cooccurrence", "transition", "volume", "read_size", "number", "pair",
            "novelty_origin", "arguments_origin", "rarity")  # fmt: skip
NOVELTY, ARGUMENTS, COOCCURRENCE, TRANSITION, VOLUME, READ_SIZE, NUMBER, PAIR = range(8)
NOVELTY_ORIGIN, ARGUMENTS_ORIGIN, RARITY = range(8, 11)
RESIDUALS = ("number", "volume", "gap", "outcome", "fan_out", "position", "read_size")


class Sizes(NamedTuple):
    """Caps of the memories, from the profile's ``[memory]`` and ``[sessions]``."""

    agent_keys: int
    agent_numbers: int
    agent_tools: int
    recent_ids: int
    group_keys: int
    group_contexts: int
    group_numbers: int
    groups: int
    forest_window: int


class Agents(NamedTuple):
    """One row an agent, shape (agents, …).

    `tally`: events, closed sessions, open sessions, place in the ring of recent event ids.
    `sums`: sessions, capped session scores of the plain and of the origin voice. `used`: rows taken.
    """

    index: Index
    used: np.ndarray
    name: np.ndarray
    group: np.ndarray
    seen: np.ndarray
    tally: np.ndarray
    first_open: np.ndarray
    sums: np.ndarray
    gate: np.ndarray
    recent: np.ndarray
    keys: Keys
    numbers: Numbers
    tails: np.ndarray


class Groups(NamedTuple):
    """One set of tables a peer group; `totals`: taught sessions, pairs counted, distinct pairs.

    `used`: rows taken, the fleet's included; once all are, further groups share the last one.
    """

    index: Index
    used: np.ndarray
    name: np.ndarray
    totals: np.ndarray
    gate: np.ndarray
    keys: Keys
    counts: Keys
    numbers: Numbers
    tails: np.ndarray
    levels: np.ndarray
    origins: np.ndarray


class Sessions(NamedTuple):
    """The pool of open sessions.

    `order`: neighbours in order of last activity; `ends`: the least and the most recently active,
    the first free slot, how many are open. `count`: events, novel values, tools, values,
    observations. `level`: gate score, read size. `chunk`: first and last chunk of observations.
    """

    index: Index
    name: np.ndarray
    agent: np.ndarray
    started: np.ndarray
    seen: np.ndarray
    order: np.ndarray
    ends: np.ndarray
    sibling: np.ndarray
    previous: np.ndarray
    tools: np.ndarray
    values: np.ndarray
    count: np.ndarray
    level: np.ndarray
    chunk: np.ndarray


class Chunks(NamedTuple):
    """The pool of observations: rows of four words; `free`: first free chunk, how many are free."""

    cells: np.ndarray
    following: np.ndarray
    free: np.ndarray


class Memory(NamedTuple):
    """All that one partition remembers between two events, but for the models and the alerts.

    `survival`: histograms of the channels. `sample`: residuals the next forest is fitted on, as a
    ring; `sampled`: how many ever went in. `clock`: the watermark.
    """

    agents: Agents
    groups: Groups
    sessions: Sessions
    chunks: Chunks
    survival: np.ndarray
    sample: np.ndarray
    sampled: np.ndarray
    clock: np.ndarray


def allocate_agents(rows: int, sizes: Sizes) -> Agents:
    """Return empty agent rows."""
    return Agents(
        index=allocate_index(2 * rows),
        used=np.zeros(1, np.int64),
        name=np.zeros(rows, np.uint64),
        group=np.zeros(rows, np.int32),
        seen=np.full(rows, np.nan),
        tally=np.zeros((rows, 4), np.int32),
        first_open=np.full(rows, -1, np.int32),
        sums=np.zeros((rows, 3)),
        gate=np.zeros((rows, GATE_BINS), np.uint16),
        recent=np.zeros((rows, sizes.recent_ids), np.uint32),
        keys=allocate_keys(rows, sizes.agent_keys, wide=False),
        numbers=allocate_numbers(rows, sizes.agent_numbers, wide=False),
        tails=allocate_tails(rows, sizes.agent_tools, wide=False),
    )


def allocate_groups(rows: int, sizes: Sizes) -> Groups:
    """Return empty group tables; row 0 is taken by the fleet."""
    return Groups(
        index=allocate_index(4 * rows),
        used=np.ones(1, np.int64),
        name=np.zeros(rows, np.uint64),
        totals=np.zeros((rows, 3), np.int64),
        gate=np.zeros((rows, BINS + 1), np.int32),
        keys=allocate_keys(rows, sizes.group_keys, wide=True),
        counts=allocate_keys(rows, sizes.group_keys // 2, wide=True),
        numbers=allocate_numbers(rows, sizes.group_numbers, wide=True),
        tails=allocate_tails(rows, sizes.group_contexts, wide=True),
        levels=allocate_levels(rows, sizes.group_contexts),
        origins=allocate_levels(rows, sizes.group_contexts),
    )


def allocate_sessions(slots: int) -> Sessions:
    """Return a pool with every slot free."""
    order = np.full((slots, 2), -1, np.int32)
    order[:-1, 1] = np.arange(1, slots)
    return Sessions(
        index=allocate_index(4 * slots),
        name=np.zeros(slots, np.uint64),
        agent=np.zeros(slots, np.int32),
        started=np.zeros(slots),
        seen=np.zeros(slots),
        order=order,
        ends=np.array([-1, -1, 0, 0], np.int32),
        sibling=np.full(slots, -1, np.int32),
        previous=np.zeros((slots, 2), np.uint64),
        tools=np.zeros((slots, SESSION_TOOLS), np.uint64),
        values=np.zeros((slots, SESSION_VALUES), np.uint32),
        count=np.zeros((slots, 5), np.int32),
        level=np.zeros((slots, 2)),
        chunk=np.full((slots, 2), -1, np.int32),
    )


def allocate_chunks(chunks: int) -> Chunks:
    """Return a pool with every chunk free."""
    following = np.arange(1, chunks + 1, dtype=np.int32)
    following[-1] = -1
    return Chunks(np.zeros((chunks, CHUNK, 4), np.uint64), following, np.array([0, chunks], np.int32))


def allocate_memory(sizes: Sizes) -> Memory:
    """Return an empty memory, small; :mod:`detector.state` lets it grow."""
    return Memory(
        agents=allocate_agents(256, sizes),
        groups=allocate_groups(4, sizes),
        sessions=allocate_sessions(1024),
        chunks=allocate_chunks(4096),
        survival=allocate_survival(len(CHANNELS)),
        sample=np.zeros((sizes.forest_window, len(RESIDUALS)), np.float32),
        sampled=np.zeros(1, np.int64),
        clock=np.zeros(1),
    )


@njit(cache=True)
def take_chunk(chunks: Chunks) -> int:
    """Return a free chunk; the caller has made sure that there is one."""
    chunk = np.int64(chunks.free[0])
    chunks.free[0] = chunks.following[chunk]
    chunks.free[1] -= 1
    chunks.following[chunk] = -1
    return chunk


@njit(cache=True)
def give_chunks(chunks: Chunks, first: int, last: int) -> None:
    """Return a chain of chunks to the pool."""
    if first < 0:
        return
    given = 1
    at = first
    while at != last:
        at = np.int64(chunks.following[at])
        given += 1
    chunks.following[last] = chunks.free[0]
    chunks.free[0] = first
    chunks.free[1] += given
