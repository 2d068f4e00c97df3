"""Ceilings on new incidents: per hour and agent, per hour and partition, established agents and newcomers apart.

The budget is a share of sessions that *close*; whoever opens thousands at once, or invents agents, spends none of it.
So there is a ceiling on incidents opened in an hour, which no sender can move. What is beyond it is not lost: it is
counted in one incident of its own (:mod:`detector.alerts.storm`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

HOUR_S: Final = 3_600.0
"""An hour of ceilings, seconds of the partition's watermark."""


class CeilingSettings(NamedTuple):
    """Settings: incidents that may be opened in an hour, of which kind.

    Parameters
    ----------
    agent : int
        By one agent.
    established, newcomers : int
        By all established agents of the partition, and by all others.
    reserve : int
        Beyond these, as long as each is stronger than whatever was let through in the hour before it.
    """

    agent: int
    established: int
    newcomers: int
    reserve: int


class HourlyCeilings:
    """Counts the incidents opened in the present hour, and says whether one more may be.

    Hours are those of the watermark: an event's own time decides nothing here. It goes back only while one agent has
    been seen, and the hour with it: a first event from 2099 closes nothing until 2099. Two hours meet, so within sixty
    minutes twice the ceiling may be opened. Memory: one count per agent that opened an incident
    in this hour, at most :attr:`most`.

    Parameters
    ----------
    settings : CeilingSettings
        The ceilings.

    Attributes
    ----------
    hour : int
        The present hour, since the epoch.
    agents : dict of str to int
        Incidents opened in it, by agent with its tenant.
    opened : list of int
        Incidents opened in it by newcomers, by established agents, and from the reserve.
    folded : int
        Incidents that were not opened in it.
    strongest : float
        Strength of the strongest that was opened in it.
    """

    def __init__(self, settings: CeilingSettings) -> None:
        self.settings = settings
        self.hour = 0
        self.agents: dict[str, int] = {}
        self.opened = [0, 0, 0]
        self.folded = 0
        self.strongest = 0.0

    @property
    def most(self) -> int:
        """Incidents that may be opened in one hour, by whomever."""
        return self.settings.established + self.settings.newcomers + self.settings.reserve

    def turns(self, clock: np.ndarray) -> list[tuple[int, int]]:
        """Return where a batch enters another hour, and which.

        Parameters
        ----------
        clock : ndarray of float64, shape (events,)
            The watermark as each event finds it, epoch seconds, finite.
        """
        hours = np.floor(clock / HOUR_S).astype(np.int64)
        return [(int(i), int(hours[i])) for i in np.flatnonzero(np.diff(hours, prepend=self.hour))]

    def move_to(self, hour: int) -> None:
        """Enter an hour since the epoch; the counts begin anew."""
        self.hour, self.agents, self.opened, self.folded, self.strongest = hour, {}, [0, 0, 0], 0, 0.0

    def admits(self, agent: str, strength: float, *, established: bool) -> bool:
        """Return whether an incident may be opened now, and count it.

        Parameters
        ----------
        agent : str
            Whose, with its tenant.
        strength : float
            -log10 of the share of sessions at least as strange.
        established : bool
            Which ceiling it counts in.
        """
        settings = self.settings
        most = settings.established if established else settings.newcomers
        kind = int(established)
        if self.opened[kind] >= most or self.agents.get(agent, 0) >= settings.agent:
            kind = 2
            if self.opened[kind] >= settings.reserve or strength <= self.strongest:
                self.folded += 1
                return False
        self.opened[kind] += 1
        self.agents[agent] = self.agents.get(agent, 0) + 1
        self.strongest = max(self.strongest, strength)
        return True

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        agents = [[agent, count] for agent, count in sorted(self.agents.items())]
        return {
            "hour": self.hour, "agents": agents, "opened": list(self.opened), "folded": self.folded,
            "strongest": self.strongest,
        }  # fmt: skip

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        self.hour, self.folded, self.strongest = int(facts["hour"]), int(facts["folded"]), float(facts["strongest"])
        self.agents = {str(agent): int(count) for agent, count in facts["agents"]}
        self.opened = [int(count) for count in facts["opened"]]

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches, of the present hour."""
        return {
            "incidents_opened": float(sum(self.opened)),
            "incidents_folded": float(self.folded),
            "incidents_ceiling": float(self.most),
        }
