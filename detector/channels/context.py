"""What channels are given and where they write: settings, the surroundings of an event, rows per event."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.channels.catalogue import MEASURES, NAMES
from detector.intake.columns import BATCH, MAX_PARTS
from detector.memory.layout import Chunks
from detector.sketches.usual import SLOTS

UNJUDGED, JUDGED, REPEATED = 0, 1, 2
"""States of an event: context only (or a lifecycle event), scored, an event that was there before."""
AS_FAILED, AS_READ = range(2)
"""Columns of ``earned``."""
NO_ORIGIN, OTHER_ORIGIN, TOOL_ORIGIN = 0, 1, 2
"""What an event says of where its values came from: nothing, none from tool output, some from tool output."""

TARGET_PART, ARGUMENT_PART, SIZE_NUMBER, ATTRIBUTE_NUMBER = range(4)
"""Columns of ``which``."""
OF_TARGET, OF_ARGUMENT = range(2)
"""Columns of ``level``."""
OF_SIZE, OF_ATTRIBUTE = range(2)
"""Rows of ``number``."""
DEVIATION, MEAN, COUNT, IS_OWN = range(4)
"""Columns of ``number``."""
OWN_SESSIONS, PEER_SESSIONS, FLEET_AGENTS, EVENTS_BEFORE, IS_ESTABLISHED = range(5)
"""Columns of ``known``."""

NUMBER_SIZE, ATTRIBUTE_SIZE, GAP_SIZE, OUTCOME_BITS, FAN_OUT, POSITION, READ_SIZE = range(len(MEASURES))
"""Columns of ``measures``, in the order of :data:`~detector.channels.catalogue.MEASURES`."""


class KernelRules(NamedTuple):
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


class Surroundings(NamedTuple):
    """Where an event falls: its agent, peer group, the fleet, its session, and the pool its notes go to."""

    agent: np.void
    group: np.void
    fleet: np.void
    session: np.void
    chunks: Chunks


class Context(NamedTuple):
    """What memory makes of n events; row i belongs to event i.

    Parameters
    ----------
    state : ndarray of uint8
        UNJUDGED, JUDGED or REPEATED.
    slot, agent, group : ndarray of int32
        Where session, agent and peer group are kept; session and group are -1 for a repeated event.
    peers : ndarray of uint64
        Name of the peer group an event is held against, 0 for strangers: its row may be another's by the end of the
        batch. Of a repeated event it says nothing.
    origin : ndarray of uint8
        NO_ORIGIN, OTHER_ORIGIN or TOOL_ORIGIN.
    is_reused : ndarray of bool
        Whether another event came under the same id before.
    earned : ndarray of float64, shape (n, 2)
        How far an outcome that is not ok, and a mere read, are what this tool is known for: 0 to 1.
    bits, logs : ndarray of float64, shape (n, channels)
        Each channel's raw value and -log10 of its calibrated p-value.
    ready : ndarray of bool, shape (n, channels)
        Whether the channel had something to measure and something to hold it against; its 0 means nothing otherwise.
    measures : ndarray of float64, shape (n, 7)
        What the forest looks at.
    which : ndarray of int32, shape (n, 4)
        Part with the most novel target, part with the most novel argument, largest size, largest attribute; -1: none.
    level : ndarray of uint8, shape (n, 2)
        Novelty levels of the two parts.
    number : ndarray of float64, shape (n, 2, 4)
        Of the two numbers: deviation, the mean it was held against (log2), observations behind that mean, whether that
        mean is the agent's own.
    known : ndarray of int64, shape (n, 5)
        Closed sessions of the agent, sessions its peers learned from, established agents, events of the session before,
        whether this agent is established. The third and the last hold for every event, the others for looked-at ones.
    usual : ndarray of uint64, shape (n, 2, 4)
    usual_count : ndarray of int64, shape (n, 2, 4)
    usual_of : ndarray of uint8, shape (n, 2)
        Usual values of the place of the two parts, with the sessions that taught them, 0 for none, and whose they are;
        noted where the event is odd.
    told, told_count : ndarray of int32, shape (n * 32, 2); ndarray of int64, shape (1,)
        Events and parts whose text is to be kept, since somebody last took them; how many rows are used.
    """

    state: np.ndarray
    slot: np.ndarray
    agent: np.ndarray
    group: np.ndarray
    peers: np.ndarray
    origin: np.ndarray
    is_reused: np.ndarray
    earned: np.ndarray
    bits: np.ndarray
    logs: np.ndarray
    ready: np.ndarray
    measures: np.ndarray
    which: np.ndarray
    level: np.ndarray
    number: np.ndarray
    known: np.ndarray
    usual: np.ndarray
    usual_count: np.ndarray
    usual_of: np.ndarray
    told: np.ndarray
    told_count: np.ndarray


def allocate_context(events: int = BATCH) -> Context:
    """Return room for what memory makes of a micro-batch."""
    return Context(
        state=np.zeros(events, np.uint8),
        slot=np.zeros(events, np.int32),
        agent=np.zeros(events, np.int32),
        group=np.zeros(events, np.int32),
        peers=np.zeros(events, np.uint64),
        origin=np.zeros(events, np.uint8),
        is_reused=np.zeros(events, np.bool_),
        earned=np.zeros((events, 2)),
        bits=np.zeros((events, len(NAMES))),
        logs=np.zeros((events, len(NAMES))),
        ready=np.zeros((events, len(NAMES)), np.bool_),
        measures=np.zeros((events, len(MEASURES))),
        which=np.zeros((events, 4), np.int32),
        level=np.zeros((events, 2), np.uint8),
        number=np.zeros((events, 2, 4)),
        known=np.zeros((events, 5), np.int64),
        usual=np.zeros((events, 2, SLOTS), np.uint64),
        usual_count=np.zeros((events, 2, SLOTS), np.int64),
        usual_of=np.zeros((events, 2), np.uint8),
        told=np.zeros((events * MAX_PARTS, 2), np.int32),
        told_count=np.zeros(1, np.int64),
    )


class Room(NamedTuple):
    """Room a family needs while it looks at one event: the oddest arguments for each voice, the best of each kind."""

    top: np.ndarray
    best: np.ndarray


TOP_ARGUMENTS = 3
"""Arguments of one event whose bits add up (``docs/science.md``, *Values*)."""


def allocate_room() -> Room:
    """Return room for one event."""
    return Room(top=np.zeros((2, TOP_ARGUMENTS)), best=np.zeros(2))
