"""What holds of the agents of a partition, as the response stage tells it: a control, so the same in every replay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from detector.schema.command import PolicyState
from detector.schema.containment import Containment

MOST_CONTAINED: Final = 1_024
"""Agents of a partition whose command is remembered; the breaker's hourly rates let far fewer be contained at once."""


class StandingCommand(msgspec.Struct, gc=False):
    """A command on an agent.

    Parameters
    ----------
    state : PolicyState
        The whole of it.
    since : float
        From when this tier can have bound anybody: its begin, or when it was written if that was later.
    acknowledged_at, acknowledged_by : float or None, and str
        When and by whom first it was acknowledged, under whatever revision.
    """

    state: PolicyState
    since: float
    acknowledged_at: float | None = None
    acknowledged_by: str = ""


class Containments:
    """Enforced commands by agent (hash of name and tenant); at most :data:`MOST_CONTAINED`, the longest over leave.

    Attributes
    ----------
    has_changed : bool
        Whether anything changed since somebody set it back.
    """

    def __init__(self) -> None:
        self._held: dict[int, StandingCommand] = {}
        self.has_changed = False

    def __len__(self) -> int:
        return len(self._held)

    def of(self, agent: int) -> StandingCommand | None:
        """Return what was told last of an agent, over or not; None if nothing was."""
        return self._held.get(agent)

    def take(self, agent: int, told: Containment) -> bool:
        """Tell whether what is told of an agent is news; a shadow constrains nobody, and what is older says nothing."""
        known, state = self._held.get(agent), told.state
        if state.mode != "enforce" or (known is not None and state.revision < known.state.revision):
            return False
        new = StandingCommand(state, max(state.begins_at, told.told_at), told.acknowledged_at, told.acknowledged_by)
        if known is not None:
            _go_on(new, known, told)
            if new == known:
                return False
            del self._held[agent]
        self._held[agent] = new
        self.has_changed = True
        self._make_room(told.told_at)
        return True

    def _make_room(self, now: float) -> None:
        """Let those that are over leave first, else the ones told of longest ago."""
        if len(self._held) > MOST_CONTAINED:
            over = (agent for agent, one in self._held.items() if one.state.tier_at(now) == "observe")
            del self._held[next(over, next(iter(self._held)))]

    def facts(self) -> list[list[Any]]:
        """Return plain facts, in order."""
        return [
            [str(agent), one.state.model_dump_json(by_alias=True), one.since, one.acknowledged_at, one.acknowledged_by]
            for agent, one in self._held.items()
        ]

    def restore(self, facts: Iterable[list[Any]]) -> None:
        """Take up facts."""
        self._held = {
            int(agent): StandingCommand(PolicyState.model_validate_json(state), float(since), at, str(by))
            for agent, state, since, at, by in facts
        }
        self.has_changed = False


def _go_on(new: StandingCommand, known: StandingCommand, told: Containment) -> None:
    """Let a command go on with the one before: its acknowledgement, and the time since which it binds.

    What only prolongs gives nobody new grace; what is told twice counts from the later time, for nobody knows which of
    the two reached the enforcement points.
    """
    before, after = known.state, new.state
    if after.command_id == before.command_id and known.acknowledged_at is not None:
        new.acknowledged_at, new.acknowledged_by = known.acknowledged_at, known.acknowledged_by
    is_alike = (after.tier, after.constraints, after.state) == (before.tier, before.constraints, before.state)
    if after.revision == before.revision:
        new.since = known.since if told.acknowledged_at is not None else max(known.since, told.told_at)
    elif is_alike and before.tier_at(told.told_at) == before.tier:
        new.since = known.since
