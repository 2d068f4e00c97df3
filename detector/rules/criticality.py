"""What rules of the registry share: whose entry stands for an event, when it was, how severe a finding is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from detector.rules.declared import DeclaredAgent
from detector.rules.rule import RuleScene
from detector.schema.alert import Severity
from detector.schema.event import Event
from detector.schema.registry import Criticality

BACKDATED_S: Final = 3_600.0
"""Seconds by which an event may be older than the partition's time and still be held against its own: twice as long as
a session waits for one. An event that says it is older gains no more than this by it."""
_SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")
_STEPS: Final[dict[Criticality, int]] = {"low": -1, "medium": 0, "high": 1, "critical": 2}


class DeclaredAct(NamedTuple):
    """An event of an agent whose entry it is held against; its place in the batch, and the partition's time."""

    place: int
    event: Event
    agent: DeclaredAgent
    clock: float

    @property
    def now(self) -> float:
        """When it was, epoch seconds."""
        return max(self.event.ts.timestamp(), self.clock - BACKDATED_S)

    def severity(self, base: Severity) -> Severity:
        """Return how severe a finding of this agent is that is `base` for one of medium criticality."""
        return severity_for(base, self.agent.facts.criticality)


def severity_for(base: Severity, criticality: Criticality) -> Severity:
    """Return a severity moved by criticality: one step down for low, one up for high, two for critical.

    Examples
    --------
    >>> [severity_for("medium", one) for one in ("low", "medium", "high", "critical")]
    ['low', 'medium', 'high', 'critical']
    """
    place = _SEVERITIES.index(base) + _STEPS[criticality]
    return _SEVERITIES[max(0, min(len(_SEVERITIES) - 1, place))]


def declared_acts(batch: RuleScene, having: str | None = None) -> Iterator[DeclaredAct]:
    """Yield the events of agents whose entry is active; only those that have a field, if one is named.

    What is proposed allows everything, and who may not act at all is told by another rule.
    """
    for i, agent in enumerate(batch.declared):
        if agent is not None and agent.facts.lifecycle == "active":
            event = batch.events[i]
            if having is None or getattr(event, having) is not None:
                yield DeclaredAct(i, event, agent, batch.clock[i])
