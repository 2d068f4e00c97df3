"""What a risk class adds to a finding: never less than its severity, and a step more outside of its hours."""

from __future__ import annotations

from typing import Final, NamedTuple, get_args

from detector.schema.alert import Severity

_SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)


class RiskStanding(NamedTuple):
    """How an agent stands at an act: name of its class, the least severity there, whether the act is out of hours."""

    name: str = ""
    least: Severity = "low"
    is_outside: bool = False


NO_CLASS: Final = RiskStanding()


def raised(severity: Severity, risk: RiskStanding) -> Severity:
    """Return how severe a finding is for an agent of a class: nowhere less than without it.

    Examples
    --------
    >>> raised("medium", RiskStanding("payments", "high", is_outside=True)), raised("medium", NO_CLASS)
    ('critical', 'medium')
    """
    place = max(_SEVERITIES.index(severity), _SEVERITIES.index(risk.least)) + risk.is_outside
    return _SEVERITIES[min(place, len(_SEVERITIES) - 1)]
