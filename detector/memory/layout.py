"""What is remembered, laid out for the kernels: fixed rows an agent, tables a peer group, a pool of open sessions.

A row is one record of a structured array, so an agent is a stretch of bytes: cheap to visit, to
write down and to move. With the default sizes an agent takes 3.8 kB (keys 2,048 bytes, numbers 896,
transitions 576, the rest under 250) and 24 to 48 bytes of index. Row 0 of the groups is the fleet:
all peer groups of this partition; row 1 is shared by the groups that found no row of their own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.memory.roster import SPARE, Roster, allocate_roster
from detector.sketches.index import Index, allocate_index
from detector.sketches.kernel import kernel
from detector.sketches.levels import COLUMNS
from detector.sketches.survival import BINS, allocate_survival
from detector.sketches.tails import NARROW, WIDE
from detector.sketches.usual import Usual, allocate_usual

FLEET, STRANGERS = range(2)
"""Rows of the groups that no group owns: the fleet's, and the one of groups beyond the cap."""
GATE_BINS = 24
"""Bins of an agent's own histogram of gate scores (``docs/science.md``, *The gate*)."""
SESSION_TOOLS = 24
"""Distinct tools of one session that co-occurrence looks back on."""
SESSION_VALUES = 64
"""Values of one session that an echo is recognised by; beyond, the oldest is forgotten."""
GROUP_SCORES = 500
"""Scores of sessions that a peer group remembers: 16 bytes each."""
CHUNK = 32
"""Observations in one chunk of the pool: 1 KiB."""
SEEN_EVENTS, CLOSED, STILL_OPEN, RING = range(4)
"""Columns of an agent's tally: events, closed sessions, open sessions, place in the ring of event ids."""
TAUGHT, PAIRS, DISTINCT = range(3)
"""Columns of a group's totals: sessions it learned from, pairs counted, distinct pairs (of the fleet)."""
EVENTS, NOVEL, TOOLS, VALUES, OBSERVED = range(5)
"""Columns of a session's count."""
GATE, READ, HAS_READ = range(3)
"""Columns of a session's level: gate score; how much more than usual a read has brought; whether one was judged."""
PLAIN, ORIGIN, FUSED, RAW_PLAIN, RAW_ORIGIN = (np.int64(column) for column in range(5))
"""Columns of a session's best: evidence of the two voices and of both together, corrected; of the two, uncorrected."""
SCORED, CAPPED_PLAIN, CAPPED_ORIGIN, ODD, ENTERED, FAR, TURN, ACTIVE = range(8)
"""Columns of an agent's sums: sessions that count, their capped scores in each voice; sessions past the alert level,
sessions in the reference and those at its far end, the three halved at each turn; the turn they were brought to; the
last day it was active."""
BEFORE, AFTER = range(2)
"""Columns of a session's order: its neighbours by last activity."""
HEAD, LAST = range(2)
"""Columns of a session's chunk: first and last chunk of its observations."""
FIRST_FREE, FREE_CHUNKS = range(2)
"""Columns of a pool's free: first free chunk, how many are free."""
OLDEST, NEWEST, FREE, OPEN = range(4)
"""Columns of the pool's ends: least and most recently active session, first free slot, how many are open."""
USED_AGENTS, USED_GROUPS = range(2)
NOW, CONFIRMED, SET_BY = range(3)
"""Columns of the clock."""


class Sizes(NamedTuple):
    """Caps of the memories, from the profile's ``[memory]`` and ``[forest]``; how many channels and measures.

    `held_s`: how long an alert keeps its agent from leaving before others, seconds.
    """

    agents: int
    agent_keys: int
    agent_numbers: int
    agent_tools: int
    recent_ids: int
    group_keys: int
    group_contexts: int
    group_numbers: int
    groups: int
    forest_window: int
    channels: int
    measures: int
    held_s: float


def agent_dtype(sizes: Sizes) -> np.dtype[np.void]:
    """Return the layout of one agent.

    `seen`: time of its last event in a session; `heard`: the watermark at its last event; `alerted`: the watermark at
    the alert that holds it, and that event's number; `standing`: see :mod:`detector.memory.roster`; `linked`: number of
    its last move between the queues, by which they are laid out again; `bare`: its id without the tenant, `is_home`:
    whether it stands for that id (:mod:`detector.memory.homes`).
    """
    return np.dtype(
        [
            ("name", np.uint64),
            ("bare", np.uint64),
            ("seen", np.float64),
            ("sums", np.float64, (8,)),
            ("tally", np.int32, (4,)),
            ("heard", np.float64),
            ("alerted", np.float64),
            ("alerted_event", np.int64),
            ("linked", np.int64),
            ("standing", np.int32, (3,)),
            ("group", np.int32),
            ("first_open", np.int32),
            ("is_home", np.int32),
            ("keys", np.uint32, (sizes.agent_keys,)),
            ("recent", np.uint64, (sizes.recent_ids,)),
            ("number_moments", np.float32, (sizes.agent_numbers, 3)),
            ("number_tags", np.uint16, (sizes.agent_numbers,)),
            ("tails", np.uint16, (sizes.agent_tools, NARROW)),
            ("gate", np.uint16, (GATE_BINS,)),
        ],
        align=True,
    )


def group_dtype(sizes: Sizes) -> np.dtype[np.void]:
    """Return the layout of one peer group.

    `taught_at`: when a session last taught it everything; `ordered`, `ring`, `filled`: the scores of its last sessions,
    see :mod:`detector.steps.peers`.
    """
    contexts = sizes.group_contexts
    return np.dtype(
        [
            ("name", np.uint64),
            ("totals", np.int64, (3,)),
            ("taught_at", np.float64),
            ("keys", np.uint64, (sizes.group_keys,)),
            ("counts", np.uint64, (sizes.group_keys // 2,)),
            ("gate", np.int32, (BINS + 1,)),
            ("number_moments", np.float32, (sizes.group_numbers, 3)),
            ("number_tags", np.uint32, (sizes.group_numbers,)),
            ("tails", np.uint32, (contexts, WIDE)),
            ("levels", np.uint32, (contexts, COLUMNS)),
            ("origins", np.uint32, (contexts // 4, COLUMNS)),
            ("ordered", np.float64, (GROUP_SCORES,)),
            ("ring", np.float64, (GROUP_SCORES,)),
            ("filled", np.int64, (3,)),
        ],
        align=True,
    )


SESSION = np.dtype(
    [
        ("name", np.uint64),
        ("started", np.float64),
        ("seen", np.float64),
        ("level", np.float64, (3,)),
        ("best", np.float64, (5,)),
        ("cause", np.uint64),
        ("previous", np.uint64, (2,)),
        ("tools", np.uint64, (SESSION_TOOLS,)),
        ("values", np.uint32, (SESSION_VALUES,)),
        ("count", np.int32, (5,)),
        ("agent", np.int32),
        ("group", np.int32),
        ("peers", np.int32),
        ("sibling", np.int32),
        ("order", np.int32, (2,)),
        ("chunk", np.int32, (2,)),
    ],
    align=True,
)
"""The layout of one open session.

`group`: the one it teaches, `peers`: the one it is held against, both fixed when it opens; `best`: largest evidence so
far, -1 before any action; `cause`: of the act it came from, told by tool and target or arguments; `sibling`: the
agent's next open session.
"""


class Chunks(NamedTuple):
    """The pool of observations: rows of four words; `free`: first free chunk, how many are free."""

    cells: np.ndarray
    following: np.ndarray
    free: np.ndarray


class Memory(NamedTuple):
    """All that one partition remembers between two events, but for the models and the budget.

    Parameters
    ----------
    agents, groups, sessions : structured ndarrays
        See :func:`agent_dtype`, :func:`group_dtype` and :data:`SESSION`.
    agent_index, group_index, session_index, home_index : Index
        From names to rows; the last from bare ids to the agents that stand for them.
    used : ndarray of int64, shape (2,)
        Rows of agents and of groups that were ever used, those of fleet and strangers and free ones included.
    ends : ndarray of int32, shape (4,)
        Of the pool of sessions.
    chunks : Chunks
        Observations of open sessions.
    survival : ndarray of int32
        Histograms of the channels.
    sample, sampled : ndarray
        Measures the next forest is fitted on, as a ring; how many ever went in.
    clock : ndarray of float64, shape (3,)
        The watermark, epoch seconds, 0 before any event; whether it is confirmed; a mark of the agent that set it.
    roster : Roster
        In which order agents leave, which rows are free, tombstones.
    usual : Usual
        Which values were learned most often, for the words of alerts.
    """

    agents: np.ndarray
    groups: np.ndarray
    sessions: np.ndarray
    agent_index: Index
    group_index: Index
    session_index: Index
    home_index: Index
    used: np.ndarray
    ends: np.ndarray
    chunks: Chunks
    survival: np.ndarray
    sample: np.ndarray
    sampled: np.ndarray
    clock: np.ndarray
    roster: Roster
    usual: Usual


def blank_agents(rows: int, sizes: Sizes) -> np.ndarray:
    """Return rows of agents nothing is known of; memory is taken only as rows are used."""
    return np.zeros(rows, agent_dtype(sizes))


def blank_sessions(slots: int, first: int) -> np.ndarray:
    """Return free slots, chained from number `first` on; the last one ends the chain."""
    sessions = np.zeros(slots, SESSION)
    sessions["order"][:, 1] = np.arange(first + 1, first + slots + 1)
    sessions["order"][-1, 1] = -1
    sessions["best"] = -1.0
    return sessions


def allocate_chunks(chunks: int) -> Chunks:
    """Return a pool with every chunk free."""
    following = np.arange(1, chunks + 1, dtype=np.int32)
    following[-1] = -1
    return Chunks(np.zeros((chunks, CHUNK, 4), np.uint64), following, np.array([0, chunks], np.int32))


def allocate_memory(sizes: Sizes) -> Memory:
    """Return an empty memory, small but for the rows of agents; :mod:`detector.memory.grow` lets it grow."""
    return Memory(
        agents=blank_agents(sizes.agents + SPARE, sizes),
        groups=np.zeros(min(4, sizes.groups), group_dtype(sizes)),
        sessions=blank_sessions(1024, 0),
        agent_index=allocate_index(1 << (2 * sizes.agents - 1).bit_length()),
        group_index=allocate_index(16),
        session_index=allocate_index(4096),
        home_index=allocate_index(1 << (2 * sizes.agents - 1).bit_length()),
        used=np.array([0, 2], np.int64),
        ends=np.array([-1, -1, 0, 0], np.int32),
        chunks=allocate_chunks(4096),
        survival=allocate_survival(sizes.channels),
        sample=np.zeros((sizes.forest_window, sizes.measures), np.float32),
        sampled=np.zeros(1, np.int64),
        clock=np.zeros(3),
        roster=allocate_roster(sizes.agents, sizes.groups, sizes.held_s),
        usual=allocate_usual(),
    )


@kernel
def take_chunk(chunks: Chunks) -> int:
    """Return a free chunk; the caller has made sure that there is one."""
    chunk = np.int64(chunks.free[FIRST_FREE])
    chunks.free[FIRST_FREE] = chunks.following[chunk]
    chunks.free[FREE_CHUNKS] -= 1
    chunks.following[chunk] = -1
    return chunk


@kernel
def give_chunks(chunks: Chunks, first: int, last: int) -> None:
    """Return a chain of chunks to the pool."""
    if first < 0:
        return
    given = 1
    at = first
    while at != last:
        at = np.int64(chunks.following[at])
        given += 1
    chunks.following[last] = chunks.free[FIRST_FREE]
    chunks.free[FIRST_FREE] = first
    chunks.free[FREE_CHUNKS] += given
