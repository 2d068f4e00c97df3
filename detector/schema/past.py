"""What must be remembered of events that came before, to place a line that does not say where it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple

from detector.schema.event import Event

MAX_AGENTS: Final = 4_096
"""Agents remembered a partition; the one that has been there longest makes room, and comes back with its next event."""
MAX_LENGTH: Final = 128
"""Characters of an id, a type and a tenant; an agent with a longer one is not remembered."""

_agent_id = attrgetter("agent_id")


class Membership(NamedTuple):
    """Where an agent belongs, as its last event said."""

    agent_type: str
    tenant: str | None


_NOWHERE: Final = Membership("", None)
"""Of an agent whose type or tenant is too long to be remembered; it keeps its place, or cuts would show."""


class Past:
    """Time of the last event of a partition, and where its agents belong.

    However events are cut into batches, the same ones leave the same memory. At most 4,096 agents, each of three texts
    of 128 characters.

    Parameters
    ----------
    last : datetime or None
        Time of the last event; None if there was none.
    agents : iterable of (str, str, str or None)
        Id, type and tenant of those remembered, the oldest first.
    """

    def __init__(self, last: datetime | None = None, agents: Iterable[tuple[str, str, str | None]] = ()) -> None:
        self.last = last
        self.has_changed = False
        self._agents = {agent_id: Membership(agent_type, tenant) for agent_id, agent_type, tenant in agents}

    def agents(self) -> list[tuple[str, str, str | None]]:
        """Return id, type and tenant of the agents remembered, the oldest first."""
        return [(agent_id, *held) for agent_id, held in self._agents.items()]

    def membership(self, agent_id: str) -> Membership | None:
        """Return where an agent belongs, as its last event said; None if that is not known."""
        found = self._agents.get(agent_id)
        return None if found == _NOWHERE else found

    def note(self, events: Sequence[Event]) -> None:
        """Remember events, in their order."""
        if not events:
            return
        self.last = events[-1].ts
        latest = dict(zip(map(_agent_id, events), events, strict=True))
        is_full = len(self._agents) + len(latest) > MAX_AGENTS
        # with room for all of them only the last of each matters; without, each in turn, or cuts would show
        for event in events if is_full else latest.values():
            if self._agents.get(event.agent_id) != (event.agent_type, event.tenant):
                self._note(event)

    def _note(self, event: Event) -> None:
        if len(event.agent_id) > MAX_LENGTH:
            return
        is_short = max(len(event.agent_type), len(event.tenant or "")) <= MAX_LENGTH
        belongs = Membership(event.agent_type, event.tenant) if is_short else _NOWHERE
        self.has_changed |= self._agents.get(event.agent_id) != belongs
        self._agents[event.agent_id] = belongs
        if len(self._agents) > MAX_AGENTS:
            del self._agents[next(iter(self._agents))]
