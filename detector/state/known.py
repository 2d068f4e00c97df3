"""On how much a judgement rests: sessions of the agent and its peers, and those its score was held against."""

from __future__ import annotations

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
from detector.state.classes import standing_at
from detector.state.partition import Partition


def known_at(state: Partition, i: int) -> Known:
    """Return on how much a judgement of an event rests; an event that no channel looked at rests on nothing."""
    context, risk = state.work.context, standing_at(state, i)
    known = context.known[i]
    agents, is_established = int(known[FLEET_AGENTS]), bool(known[IS_ESTABLISHED])
    if context.slot[i] < 0 or (state.work.columns.kind[i] == LIFECYCLE and context.state[i] != JUDGED):
        return Known(0, 0, agents, 0, is_established, risk=risk)
    return Known(
        int(known[OWN_SESSIONS]), int(known[PEER_SESSIONS]), agents, int(known[EVENTS_BEFORE]), is_established,
        int(state.work.judgements.references[i]), risk=risk, as_strange=int(state.work.judgements.as_strange[i]),
    )  # fmt: skip
