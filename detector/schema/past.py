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
"""Characters of an id, a type, a tenant and a session; what is longer is not remembered."""

SESSION_END: Final = "session_end"
"""Name of the lifecycle event behind which an agent is in no session."""

AgentRow = tuple[str, str, str | None, str | None]
"""Id, type, tenant and session of an agent."""

_agent_id = attrgetter("agent_id")
_home = attrgetter("agent_type", "tenant", "session_id")


class Membership(NamedTuple):
    """Where an agent belongs, as its last event said."""

    agent_type: str
    tenant: str | None
    session_id: str | None


_NOWHERE: Final = Membership("", None, None)
"""Of an agent whose type or tenant is too long to be remembered; it keeps its place, or cuts would show."""


class Past:
    """Time of the last event of a partition, and where its agents belong.

    However events are cut into batches, the same ones leave the same memory. At most 4,096 agents, each of four texts
    of 128 characters.

    Parameters
    ----------
    last : datetime or None
        Time of the last event; None if there was none.
    agents : iterable of (str, str, str or None, str or None)
        Id, type, tenant and session of those remembered, the oldest first.
    """

    def __init__(self, last: datetime | None = None, agents: Iterable[AgentRow] = ()) -> None:
        self.last = last
        self.has_changed = False
        self._agents = {row[0]: Membership(*row[1:]) for row in agents}

    def agents(self) -> list[AgentRow]:
        """Return id, type, tenant and session of the agents remembered, the oldest first."""
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
        noted = events if is_full else latest.values()
        known = self._agents
        for event, agent_id, home in zip(noted, map(_agent_id, noted), map(_home, noted), strict=True):
            if known.get(agent_id) != home or event.kind == "lifecycle":
                self._note(event)

    def _note(self, event: Event) -> None:
        if len(event.agent_id) > MAX_LENGTH:
            return
        is_short = max(len(event.agent_type), len(event.tenant or "")) <= MAX_LENGTH
        is_over = event.kind == "lifecycle" and event.name == SESSION_END
        session = None if is_over or len(event.session_id or "") > MAX_LENGTH else event.session_id
        belongs = Membership(event.agent_type, event.tenant, session) if is_short else _NOWHERE
        self.has_changed |= self._agents.get(event.agent_id) != belongs
        self._agents[event.agent_id] = belongs
        if len(self._agents) > MAX_AGENTS:
            del self._agents[next(iter(self._agents))]
