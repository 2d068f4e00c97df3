"""Risk classes: agents that get a budget, a response ladder, hours and severities of their own."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from detector.profile.hours import Hours
from detector.profile.section import Name, Section, Share
from detector.response.settings import Level
from detector.response.settings import Seconds as Term
from detector.schema.alert import Severity
from detector.schema.command import Tier
from detector.schema.registry import AgentText, Criticality

MOST_CLASSES: Final = 15
"""Classes of a profile: each has gauges of its own, so their number is bounded."""
_Texts = Annotated[tuple[AgentText, ...], Field(max_length=256)]


class ClassMatch(Section):
    """``[class.match]``: which agents; each list that is given must hold the agent's value, word for word.

    Parameters
    ----------
    criticality, profile : tuple of str
        As the agent's active entry of the registry says: no event can claim them.
    agent_type, tenant : tuple of str
        As the entry says; without one as the events say, but then only into a class that is nowhere more lenient.
    """

    criticality: tuple[Criticality, ...] = ()
    agent_type: _Texts = ()
    tenant: _Texts = ()
    profile: _Texts = ()

    @property
    def is_of_entries(self) -> bool:
        """Whether only an entry can match."""
        return bool(self.criticality or self.profile)


class ClassResponse(Section):
    """``[class.response]``: the ladder of a class; what is left out is the profile's.

    Parameters
    ----------
    most : {"observe", "limit", "isolate"}
        The strongest tier a detector may ask for; `observe` commands nothing.
    limit_score, isolate_score : float or None
        Scores from which an agent is limited or isolated; None takes them from the shares of the class.
    limit_s, isolate_s : float or None
        How long a command lasts, in seconds of event time.
    """

    most: Tier = "isolate"
    limit_score: Level | None = None
    isolate_score: Level | None = None
    limit_s: Term | None = None
    isolate_s: Term | None = None


class RiskClass(Section):
    """``[[class]]``: the first one that matches an agent is its class; whoever matches none has the profile itself.

    Parameters
    ----------
    name : str
        Stands in alerts and gauges.
    match : ClassMatch
        Which agents.
    alerts, quarantine : float or None
        Shares of the class's own closed sessions; None takes the profile's.
    severity : {"low", "medium", "high", "critical"}
        Findings of the class are at least so severe.
    hours : Hours or None
        Findings outside of them are one step more severe.
    response : ClassResponse
        What may be done.
    """

    name: Name
    match: ClassMatch
    alerts: Share | None = None
    quarantine: Share | None = None
    severity: Severity = "low"
    hours: Hours | None = None
    response: ClassResponse = ClassResponse()


Classes = Annotated[tuple[RiskClass, ...], Field(max_length=MOST_CLASSES)]
