"""Room to work in: arrays that are filled anew for every micro-batch, and what their columns and codes mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detector.channels.catalogue import NAMES
from detector.channels.context import Context, Room, allocate_context, allocate_room
from detector.intake.columns import BATCH, Columns, allocate_columns

AT_END, AT_IDLE, AT_AGE, AT_SIZE, AT_CROWD, AT_FINISH = (np.int64(reason) for reason in range(6))
"""Why a session was closed; numpy integers, for numba compiles a kernel anew for every literal it is called with."""
STAYS = np.int64(-1)
"""In place of a reason: the session goes on."""
NO_SESSION = np.int64(-1)
"""In place of a slot."""
NOTHING, HISTOGRAMS, EVERYTHING = 0, 1, 2
"""What a session may teach beside numbers."""


class Scratch(NamedTuple):
    """Room for one event and for one session.

    Parameters
    ----------
    key, marked : ndarrays of uint64 and int64
        Which keys of the session being learned were already counted.
    mark : ndarray of int64, shape (2,)
        MARK: raised, it forgets all keys at once. USED: how much of the room is used, less one.
    room : Room
        For the channels.
    bins : ndarray of uint8, shape (channels,)
        The bins of an event's channels.
    """

    key: np.ndarray
    marked: np.ndarray
    mark: np.ndarray
    room: Room
    bins: np.ndarray


MARK, USED = range(2)
"""Columns of ``mark``."""
KEYS_PER_ROW = 16
"""Cells for each row a session noted: a row teaches four keys at most, so three quarters of the table stay empty."""


def allocate_scratch(observations: int) -> Scratch:
    """Return room for the keys of a session of at most `observations` rows."""
    capacity = 1 << np.int64(np.ceil(np.log2(observations * KEYS_PER_ROW)))
    return Scratch(
        key=np.zeros(capacity, np.uint64),
        marked=np.zeros(capacity, np.int64),
        mark=np.zeros(2, np.int64),
        room=allocate_room(),
        bins=np.zeros(len(NAMES), np.uint8),
    )


class Closes(NamedTuple):
    """Sessions closed during a batch, in order.

    `at`: index of the event before which the session closed; `owner`: name of its agent, whose row may have been given
    up by the time the session is judged; `events` in it; `lesson` it taught; `reason` it closed; `seen`: when it was
    last active. `count`: how many rows are used.
    """

    at: np.ndarray
    slot: np.ndarray
    agent: np.ndarray
    owner: np.ndarray
    group: np.ndarray
    name: np.ndarray
    events: np.ndarray
    lesson: np.ndarray
    reason: np.ndarray
    seen: np.ndarray
    count: np.ndarray


def allocate_closes(rows: int) -> Closes:
    """Return room for `rows` closed sessions: as many as may be open, and one for each event."""
    return Closes(
        at=np.zeros(rows, np.int32),
        slot=np.zeros(rows, np.int32),
        agent=np.zeros(rows, np.int32),
        owner=np.zeros(rows, np.uint64),
        group=np.zeros(rows, np.int32),
        name=np.zeros(rows, np.uint64),
        events=np.zeros(rows, np.int32),
        lesson=np.zeros(rows, np.uint8),
        reason=np.zeros(rows, np.uint8),
        seen=np.zeros(rows),
        count=np.zeros(1, np.int64),
    )


class EvidenceRows(NamedTuple):
    """Evidence of n events.

    Parameters
    ----------
    total : ndarray of float64, shape (n, 2)
        Of the plain and of the origin voice; 0 for an event that is not judged.
    factor : ndarray of float64, shape (n,)
        Risk weight by outcome and kind.
    forest, half_space : ndarrays of float64, shape (n,)
        -log10 of the rank among the forest's training scores, and -log10 p of the half-space trees.
    has_forest, has_half_space : ndarrays of bool, shape (n,)
        Whether the model was ready; its evidence counts for nothing otherwise.
    """

    total: np.ndarray
    factor: np.ndarray
    forest: np.ndarray
    half_space: np.ndarray
    has_forest: np.ndarray
    has_half_space: np.ndarray


def allocate_evidence(events: int) -> EvidenceRows:
    """Return room for the evidence of a micro-batch."""
    return EvidenceRows(
        total=np.zeros((events, 2)),
        factor=np.zeros(events),
        forest=np.zeros(events),
        half_space=np.zeros(events),
        has_forest=np.zeros(events, np.bool_),
        has_half_space=np.zeros(events, np.bool_),
    )


class Judgements(NamedTuple):
    """How strange n events made their sessions, and how strange the closed sessions were.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        Fused evidence of each event, corrected for its agent; 0 if it is context only, NaN if repeated.
    rarity : ndarray of float64, shape (n,)
        -log10 of the share of recent sessions at least as strange as one with this score.
    ready : ndarray of bool, shape (n,)
        Whether enough sessions had closed for a rarity to mean something.
    references : ndarray of int32, shape (n,)
        How many closed sessions it was held against.
    as_strange : ndarray of int32, shape (n,)
        How many of these were at least as strange.
    rises : ndarray of bool, shape (n,)
        Whether the session is stranger now than before this event.
    plain_leads : ndarray of bool, shape (n,)
        Whether the plain voice gave the score.
    closed_score, closed_rarity : ndarrays of float64, shape (rows,)
        The same two of each closed session; a score of -1 means that it held no action.
    closed_entry : ndarray of uint8, shape (rows,)
        What became of it in the reference.
    closed_held : ndarray of float64, shape (rows,)
        With which score it is there, or would be.
    """

    score: np.ndarray
    rarity: np.ndarray
    ready: np.ndarray
    references: np.ndarray
    as_strange: np.ndarray
    rises: np.ndarray
    plain_leads: np.ndarray
    closed_score: np.ndarray
    closed_rarity: np.ndarray
    closed_entry: np.ndarray
    closed_held: np.ndarray


def allocate_judgements(events: int, rows: int) -> Judgements:
    """Return room for the judgements on a micro-batch in which up to `rows` sessions close."""
    return Judgements(
        score=np.zeros(events),
        rarity=np.zeros(events),
        ready=np.zeros(events, np.bool_),
        references=np.zeros(events, np.int32),
        as_strange=np.zeros(events, np.int32),
        rises=np.zeros(events, np.bool_),
        plain_leads=np.zeros(events, np.bool_),
        closed_score=np.zeros(rows),
        closed_rarity=np.zeros(rows),
        closed_entry=np.zeros(rows, np.uint8),
        closed_held=np.zeros(rows),
    )


@dataclass(slots=True)
class Workspace:
    """All of it, for one partition."""

    columns: Columns
    marks: np.ndarray
    """What each event has, in the bits of :mod:`detector.schema.marks`."""
    context: Context
    evidence: EvidenceRows
    judgements: Judgements
    closes: Closes
    scratch: Scratch
    clock: np.ndarray
    """The watermark as each event of the batch finds it, epoch seconds."""
    classes: np.ndarray
    """The risk class of each event: 0 is the profile itself, then those declared, then those only claimed."""


def allocate_workspace(observations: int) -> Workspace:
    """Return a workspace for sessions of at most `observations` rows; :class:`Closes` grows as sessions open."""
    return Workspace(
        columns=allocate_columns(),
        marks=np.zeros(BATCH, np.uint64),
        context=allocate_context(),
        evidence=allocate_evidence(BATCH),
        judgements=allocate_judgements(BATCH, 1),
        closes=allocate_closes(1),
        scratch=allocate_scratch(observations),
        clock=np.empty(0),
        classes=np.zeros(BATCH, np.int64),
    )
