"""The risk classes of the events of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detector.alerts.raised import NO_CLASS, RiskStanding
from detector.channels.context import REPEATED
from detector.intake.columns import AGENT, GROUP
from detector.schema.event import Event
from detector.schema.tenant import DEFAULT_TENANT
from detector.sketches.hashing import hash_text
from detector.state.partition import Partition
from detector.state.registered import declared_in

NO_PEERS: Final = 0
"""No peer group's name: an agent that is not there is held against nobody."""


def classify(state: Partition, events: Sequence[Event]) -> dict[str, str]:
    """Write the class of each event of the columns, and return that of each session's last event, empty for none.

    Where the profile has none nothing is written. A repeated event is nobody's act: it is of no class, and moves none.
    """
    named: dict[str, str] = {}
    if not len(state.classes):
        return named
    work, found = state.work, dict[tuple[int, int, int], int]()
    declared = declared_in(state, events) or [None] * len(events)
    ident, peers = work.columns.ident, work.context.peers
    for i, event in enumerate(events):
        if work.context.state[i] == REPEATED:
            work.classes[i] = 0
            continue
        # an agent's name holds its tenant, and nothing of the registry changes within a batch
        key = (int(ident[i, AGENT]), int(ident[i, GROUP]), int(peers[i]))
        if key not in found:
            found[key] = state.classes.of(event, key[2], declared[i])
        kind = work.classes[i] = found[key]
        named[event.session_id or event.agent_id] = state.classes.name(kind)
    return named


def standing_at(state: Partition, i: int) -> RiskStanding:
    """Return how the agent of an event of the batch stands in its class.

    Its time is the watermark's or its own, whichever is later: whoever dates an act back to noon finds noon over.
    """
    if not len(state.classes):
        return NO_CLASS
    return state.classes.standing(
        int(state.work.classes[i]), max(float(state.work.columns.ts[i]), float(state.work.clock[i]))
    )


def standing_of_absent(state: Partition, last: Event) -> RiskStanding:
    """Return how an agent that is not there stands in its class, by its entry and its last act.

    Silence is no act, so it is never out of hours.
    """
    if not len(state.classes):
        return NO_CLASS
    bare, tenant = int(hash_text(last.agent_id, state.settings.keyed.key)), last.tenant or DEFAULT_TENANT
    place = state.classes.of(last, NO_PEERS, state.inventory.of(bare, tenant))
    return state.classes.standing(place, last.ts.timestamp())._replace(is_outside=False)
