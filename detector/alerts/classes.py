"""Which risk class an agent is of: by what the registry declares of it; what its events claim may only be stricter."""

from __future__ import annotations

from detector.alerts.raised import NO_CLASS, RiskStanding
from detector.intake.columns import Keyed, agent_name
from detector.profile.classes import RiskClass
from detector.profile.model import Profile
from detector.profile.strict import EVERYBODY, is_stricter
from detector.rules.declared import DeclaredAgent, Facts
from detector.schema.event import Event
from detector.schema.tenant import DEFAULT_TENANT


class RiskClasses:
    """The classes of a profile, ready to be asked.

    Parameters
    ----------
    profile : Profile
        Whose classes.
    keyed : Keyed
        What texts are hashed under.
    """

    def __init__(self, profile: Profile, keyed: Keyed) -> None:
        self._classes = profile.classes
        # by class, then by what an agent is of without the claim: nobody's, or one of the classes
        self._may_claim = [
            [is_stricter(profile, one) and is_stricter(profile, one, own) for own in (EVERYBODY, *profile.classes)]
            for one in profile.classes
        ]
        self._keyed = keyed

    def name(self, place: int) -> str:
        """Return the name of a class, declared or claimed; empty for none."""
        return self._classes[(place - 1) % len(self)].name if place else ""

    def __len__(self) -> int:
        return len(self._classes)

    def of(self, event: Event, peers: int, declared: DeclaredAgent | None) -> int:
        """Return the class of an event's agent, from 1; beyond all of them once more in order those only claimed.

        0 is none.

        Parameters
        ----------
        event : Event
            What it claims of type and tenant.
        peers : int
            Name of the peer group it is held against, which it cannot choose as freely.
        declared : DeclaredAgent or None
            Its entry; only an active one is a statement.
        """
        facts = declared.facts if declared is not None and declared.facts.lifecycle == "active" else None
        places = range(1, len(self) + 1)
        own = next((k for k in places if facts is not None and _is_declared(self._classes[k - 1], facts)), 0)
        # a claim leads past what is declared only to what is nowhere milder
        for place in places[: own - 1] if own else places:
            if self._may_claim[place - 1][own] and self._is_claimed(self._classes[place - 1], event, peers, facts):
                return place + len(self)
        return own

    def standing(self, place: int, at: float) -> RiskStanding:
        """Return how an agent of a class stands at a time (epoch seconds)."""
        if not place:
            return NO_CLASS
        one = self._classes[(place - 1) % len(self)]
        return RiskStanding(one.name, one.severity, one.hours is not None and not one.hours.holds(at))

    def _is_claimed(self, one: RiskClass, event: Event, peers: int, facts: Facts | None) -> bool:
        """Tell whether an agent is of a class by its entry, and by its events where that says nothing."""
        match, tenant = one.match, event.tenant or DEFAULT_TENANT
        if match.is_of_entries and (facts is None or not _is_of_entry(one, facts)):
            return False
        if match.tenant and tenant not in match.tenant:
            return False
        if not match.agent_type:
            return True
        if facts is not None and facts.agent_type is not None:
            return facts.agent_type in match.agent_type
        if event.agent_type in match.agent_type:
            return True
        return any(agent_name(name, tenant, self._keyed) == peers for name in match.agent_type)


def _is_of_entry(one: RiskClass, facts: Facts) -> bool:
    match = one.match
    has_rank = not match.criticality or facts.criticality in match.criticality
    return has_rank and (not match.profile or facts.profile in match.profile)


def _is_declared(one: RiskClass, facts: Facts) -> bool:
    match = one.match
    if not _is_of_entry(one, facts) or (match.tenant and facts.tenant not in match.tenant):
        return False
    return not match.agent_type or facts.agent_type in match.agent_type
