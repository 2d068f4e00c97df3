"""What the registry says of the agents of a batch."""

from __future__ import annotations

from collections.abc import Sequence

from detector.intake.columns import BARE
from detector.rules.declared import DeclaredAgent
from detector.schema.event import Event
from detector.schema.tenant import DEFAULT_TENANT
from detector.state.partition import Partition


def elsewhere_in(state: Partition, declared: Sequence[DeclaredAgent | None]) -> frozenset[int]:
    """Return the places of events whose agent has an entry, but of another tenant than they say."""
    bare = state.work.columns.ident[:, BARE]
    unknown = (i for i, one in enumerate(declared) if one is None)
    return frozenset(i for i in unknown if state.inventory.holds(int(bare[i])))


def declared_in(state: Partition, events: Sequence[Event]) -> Sequence[DeclaredAgent | None]:
    """Return what the registry says of the agent of each event of the columns; nothing where it is empty."""
    if not len(state.inventory):
        return ()
    bare = state.work.columns.ident[: len(events), BARE].tolist()
    return [
        state.inventory.of(agent, event.tenant or DEFAULT_TENANT) for agent, event in zip(bare, events, strict=True)
    ]


def is_registered(state: Partition, event: Event, i: int) -> bool:
    """Tell whether the agent of an event has an entry of its tenant that is active: somebody answers for it."""
    found = state.inventory.of(int(state.work.columns.ident[i, BARE]), event.tenant or DEFAULT_TENANT)
    return found is not None and found.facts.lifecycle == "active"
