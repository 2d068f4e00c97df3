"""What is to find each kind of attack, and whether the demo fails where it does not: the promise, as data."""

from __future__ import annotations

from typing import Final, NamedTuple

from detector.alerts.findings import DETECTION, OF_RULES

LEARNED: Final = DETECTION
"""The detection of everything that is found by what was learned."""
REGISTRY_RULES: Final = frozenset(
    {"unregistered", "outside_grant", "unapproved", "credential_age", "grant_overdue", "two_instances"}
)
"""Rules that hold acts against the registry; of harmless agents they tell nothing."""


class Expected(NamedTuple):
    """What finds a kind of attack.

    Attributes
    ----------
    detection : str
        :data:`LEARNED`, or the last word of a detection: the name of a rule, or of a finding at the response stage.
    is_required : bool
        Whether the demo fails if it did not.
    """

    detection: str
    is_required: bool = True

    @property
    def is_learned(self) -> bool:
        """Whether it is to be found by what was learned."""
        return self.detection == LEARNED


EXPECTED: Final[dict[str, Expected]] = {
    "hijack": Expected(LEARNED),
    "credential_misuse": Expected(LEARNED),
    "lateral_movement": Expected(LEARNED),
    "runaway_loop": Expected(LEARNED),
    "slow_drift": Expected(LEARNED),
    "overdue_grant": Expected("grant_overdue"),
    "stale_credential": Expected("credential_age"),
    "unregistered_clone": Expected("unregistered"),
    # found at the response stage, where the calls of all partitions meet
    "lateral_path": Expected("lateral_path"),
}
"""Kind of attack -> what is to find it."""


def named(detection: str) -> str:
    """Return a detection as it is shown.

    >>> named("rule.grant_overdue"), named("response.breaker"), named("behaviour.session")
    ('grant_overdue', 'breaker', 'learned')
    """
    return "learned" if detection == LEARNED else detection.rpartition(".")[2]


def is_of(detection: str, expected: Expected) -> bool:
    """Tell whether a detection is the expected one; of another than what is learned the last word counts."""
    if expected.is_learned:
        return detection == LEARNED
    return detection.rpartition(".")[2] == expected.detection


def is_of_registry(detection: str) -> bool:
    """Tell whether a detection holds an act against the registry."""
    return detection.startswith(OF_RULES) and detection.removeprefix(OF_RULES) in REGISTRY_RULES
