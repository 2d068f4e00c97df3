"""Which of two risk classes is the stricter one: what an event claims may only lead to more, nowhere to less."""

from __future__ import annotations

from typing import Final, get_args

from detector.profile.classes import ClassMatch, RiskClass
from detector.profile.model import Profile
from detector.response.ladder import RANK
from detector.schema.alert import Severity

EVERYBODY: Final = RiskClass(name="everybody", match=ClassMatch())
"""The profile itself, as a class that leaves everything to it."""
_SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)


def is_stricter(profile: Profile, one: RiskClass, than: RiskClass = EVERYBODY) -> bool:
    """Tell whether a class is nowhere more lenient than another one, or than the profile itself.

    Hours are compared as a whole: none are the mildest, and of two that differ neither is the stricter.
    """
    if than.hours not in {None, one.hours}:
        return False
    return all(a >= b for a, b in zip(_strictness(profile, one), _strictness(profile, than), strict=True))


def _strictness(profile: Profile, one: RiskClass) -> tuple[float, ...]:
    """Return what a class makes of an agent, each number the greater the stricter."""
    own, (limit, isolate) = one.response, profile.scores_of(one)
    return (
        *profile.shares_of(one),
        -limit,
        -isolate,
        float(RANK[own.most]),
        profile.response.limit_s if own.limit_s is None else own.limit_s,
        profile.response.isolate_s if own.isolate_s is None else own.isolate_s,
        float(_SEVERITIES.index(one.severity)),
    )
