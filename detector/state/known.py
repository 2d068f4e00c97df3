"""On how much a judgement rests: sessions of the agent and its peers, and those its score was held against."""

from __future__ import annotations

import numpy as np

from detector.alerts.explain import Known
from detector.channels.context import (
    EVENTS_BEFORE,
    FLEET_AGENTS,
    IS_ESTABLISHED,
    JUDGED,
    OWN_SESSIONS,
    PEER_SESSIONS,
)
from detector.intake.columns import LIFECYCLE
from detector.memory.layout import PLAIN
from detector.state.partition import Partition
from detector.steps.judge import CLOSED_SESSIONS


def known_at(state: Partition, i: int) -> Known:
    """Return on how much a judgement of an event rests; an event that no channel looked at rests on nothing."""
    context = state.work.context
    known = context.known[i]
    agents, is_established = int(known[FLEET_AGENTS]), bool(known[IS_ESTABLISHED])
    if context.slot[i] < 0 or (state.work.columns.kind[i] == LIFECYCLE and context.state[i] != JUDGED):
        return Known(0, 0, agents, 0, is_established)
    return Known(
        int(known[OWN_SESSIONS]), int(known[PEER_SESSIONS]), agents, int(known[EVENTS_BEFORE]), is_established,
        recent_at(state, i),
    )  # fmt: skip


def recent_at(state: Partition, i: int) -> int:
    """Return how many scored sessions of the window had closed when an event was judged, however the input is cut.

    Sessions that later closes of the batch brought are taken off again. It is what the window was offered: those that
    may not be held against anybody, confirmed attacks for example, are counted too.
    """
    work, standing = state.work, state.standing
    rows = int(work.closes.count[0])
    closed = float(standing.totals[CLOSED_SESSIONS]) - np.arange(rows - 1, -1, -1)
    is_noted = (work.judgements.closed_score[:rows] >= 0.0) & (closed > state.settings.judge.warm_sessions)
    later = int(np.count_nonzero(is_noted & (work.closes.at[:rows] > i)))
    return min(int(standing.rolling.used[PLAIN, 1]) - later, int(standing.rolling.ordered.shape[1]))
