"""What the registry lets expect: a version that it newly lists, first seen, may do what is declared and was not before.

It decides before the events are looked at, from what is declared and what an event uses: scores have no say in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from detector.intake.columns import BARE
from detector.schema.event import Event
from detector.schema.tenant import DEFAULT_TENANT
from detector.state.partition import Partition


def mark_expected(state: Partition, events: Sequence[Event]) -> None:
    """Mark the events of the columns whose novelty was declared; opens and ends the windows of their agents."""
    marks, inventory, last_s = state.work.columns.is_expected, state.inventory, state.profile.learning.expected_s
    marks[: len(events)] = False
    if not len(inventory.expectations) or not last_s:
        return
    bare, clock = state.work.columns.ident[: len(events), BARE].tolist(), state.work.clock
    for i, event in enumerate(events):
        if bare[i] not in inventory.expectations:
            continue
        agent = inventory.of(bare[i], event.tenant or DEFAULT_TENANT)
        if agent is None or agent.facts.lifecycle != "active" or not event.agent_version:
            continue
        now = float(clock[i])
        is_open = inventory.expectations.see(bare[i], event.agent_version, now, last_s)
        if is_open and agent.lists(event):
            marks[i] = True
            state.expected += 1
