"""Leads: what may become a finding, before its reasons are looked up. Most repeat what an incident has named."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from detector.alerts.explain import Known
from detector.alerts.findings import Spot, evidence_of
from detector.schema.alert import Evidence, Severity
from detector.schema.finding import Finding
from detector.schema.tenant import DEFAULT_TENANT


class Lead(NamedTuple):
    """One thing found at one event.

    Parameters
    ----------
    cause : str
        Its cause.
    strength : float
        -log10 of the share of sessions at least as strange, or a rule's risk on that scale.
    severity : {"low", "medium", "high", "critical"}
        How much it matters.
    spot : Spot
        The event.
    known : Known
        On how much it rests.
    over : int
        Events of its session past the alert level, this one included; 0 of a rule.
    find : callable
        Returns the finding, with its reasons.
    is_absent : bool, default=False
        Whether the agent sent nothing now: the event is its last act.
    """

    cause: str
    strength: float
    severity: Severity
    spot: Spot
    known: Known
    over: int
    find: Callable[[], Finding]
    is_absent: bool = False

    @property
    def tenant(self) -> str:
        """Whose the event is."""
        return self.spot.event.tenant or DEFAULT_TENANT

    @property
    def owner(self) -> str:
        """The agent with its tenant: what a ceiling counts."""
        return f"{self.tenant}/agent/{self.spot.event.agent_id}"

    def evidence(self) -> Evidence:
        """Return the event as evidence of the cause."""
        return evidence_of(self.spot, self.cause, self.strength)
