"""What memory makes of a micro-batch, laid out for the kernels: settings, rows per event, rows per closed session."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.intake.columns import BATCH
from detector.memory import layout as mem
from detector.memory.layout import Chunks

UNJUDGED, JUDGED, REPEATED = 0, 1, 2
"""States of an event: context only (or a lifecycle event), scored, a repeated event id."""
NO_ORIGIN, OTHER_ORIGIN, TOOL_ORIGIN = 0, 1, 2
AT_END, AT_IDLE, AT_AGE, AT_SIZE, AT_CROWD, AT_FINISH = (np.int64(reason) for reason in range(6))
"""Why a session was closed; numpy integers, for numba compiles a kernel anew for every literal it is called with."""


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


class Place(NamedTuple):
    """Where an event falls: its agent, peer group, the fleet, its session, and the pool of observations."""

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
        Where session, agent and peer group are kept; -1 for a repeated event.
    origin : ndarray of uint8
        NO_ORIGIN (nothing known), OTHER_ORIGIN or TOOL_ORIGIN (some value came from tool output).
    bits, logs : ndarray of float64, shape (n, 11)
        Each channel's raw value and -log10 of its calibrated p-value.
    residual : ndarray of float64, shape (n, 7)
        What the forest looks at.
    which : ndarray of int32, shape (n, 4)
        Part with the most novel target, part with the most novel argument, largest size, largest attribute; -1: none.
    level : ndarray of uint8, shape (n, 2)
        Novelty levels of the two parts.
    number : ndarray of float64, shape (n, 2, 3)
        Of the two numbers: deviation, the mean it was held against (log2), observations behind that mean.
    known : ndarray of int64, shape (n, 4)
        Closed sessions of the agent, sessions its peers learned from, agents, events of the session before.
    """

    state: np.ndarray
    slot: np.ndarray
    agent: np.ndarray
    group: np.ndarray
    origin: np.ndarray
    bits: np.ndarray
    logs: np.ndarray
    residual: np.ndarray
    which: np.ndarray
    level: np.ndarray
    number: np.ndarray
    known: np.ndarray


class Closes(NamedTuple):
    """Sessions closed during a batch, in order.

    `at`: index of the event before which the session closed; `events` in it; `lesson` it
    taught; `reason` it closed; `seen`: when it was last active. `count`: how many rows are used.
    """

    at: np.ndarray
    slot: np.ndarray
    agent: np.ndarray
    group: np.ndarray
    name: np.ndarray
    events: np.ndarray
    lesson: np.ndarray
    reason: np.ndarray
    seen: np.ndarray
    count: np.ndarray


def allocate_context(events: int = BATCH) -> Context:
    """Return room for what memory makes of a micro-batch."""
    return Context(
        state=np.zeros(events, np.uint8),
        slot=np.zeros(events, np.int32),
        agent=np.zeros(events, np.int32),
        group=np.zeros(events, np.int32),
        origin=np.zeros(events, np.uint8),
        bits=np.zeros((events, len(mem.CHANNELS))),
        logs=np.zeros((events, len(mem.CHANNELS))),
        residual=np.zeros((events, len(mem.RESIDUALS))),
        which=np.zeros((events, 4), np.int32),
        level=np.zeros((events, 2), np.uint8),
        number=np.zeros((events, 2, 3)),
        known=np.zeros((events, 4), np.int64),
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
        lesson=np.zeros(rows, np.uint8),
        reason=np.zeros(rows, np.uint8),
        seen=np.zeros(rows),
        count=np.zeros(1, np.int64),
    )
