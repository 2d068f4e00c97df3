"""Tiers: which score asks for which, what each one forbids, and how long it lasts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from detector.errors import SetupError
from detector.schema.command import Constraints, Mode, Tier

if TYPE_CHECKING:
    from detector.response.settings import ResponseSettings

RANK: Final[dict[Tier, int]] = {"observe": 0, "limit": 1, "isolate": 2}
"""Order of the tiers; a detector only ever moves upwards."""

CONSTRAINTS: Final[dict[Tier, Constraints]] = {
    "observe": Constraints(),
    "limit": Constraints(rate_per_min=10.0),
    # Credentials stay: an automatic act must be reversible in one step, and a revoked credential is not.
    "isolate": Constraints(deny_tools=("*",), deny_egress=True, rate_per_min=0.0),
}
"""What an enforcement point denies while a tier holds."""


LEAST_SHARE: Final = 1e-300
"""A budget of zero counts as this share of sessions: finite, so that it can be reckoned with, and never reached."""


def kept_share(share: float) -> float:
    """Return a budget as a share above zero: zero means never, and never is :data:`LEAST_SHARE`."""
    return max(share, LEAST_SHARE)


def level_of(share: float) -> float:
    """Return the score that a share of sessions reaches, -log10 of it; 300 for a budget of zero.

    Examples
    --------
    >>> level_of(0.01), level_of(0.0)
    (2.0, 300.0)
    """
    return -math.log10(kept_share(share))


@dataclass(frozen=True, slots=True)
class ClassLadder:
    """The ladder of one risk class: scores, the strongest tier, and terms in seconds where they are its own.

    Raises
    ------
    SetupError
        A score is not finite, or the ladder would be upside down.

    Examples
    --------
    >>> ClassLadder(2.0, 2.0, "limit").tier(9.0)
    'limit'
    """

    limit: float
    isolate: float
    most: Tier = "isolate"
    limit_s: float | None = None
    isolate_s: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and math.isfinite(self.isolate) and self.limit <= self.isolate):
            msg = (
                f"isolate_score of the response must be finite and at least limit_score ({self.limit}), "
                f"got {self.isolate}; make the quarantine budget the stricter one"
            )
            raise SetupError(msg)

    def tier(self, score: float) -> Tier:
        """Return the tier a score asks for, at most the ladder's strongest.

        A score that is not a number asks for the strongest tier the ladder has: it must never mean "no alert".
        """
        if score >= self.isolate or math.isnan(score):
            return self.most
        return min("limit" if score >= self.limit else "observe", self.most, key=RANK.__getitem__)

    def terms(self, settings: ResponseSettings) -> ResponseSettings:
        """Return the settings with the ladder's own terms."""
        own = {"limit_s": self.limit_s, "isolate_s": self.isolate_s}
        return settings.model_copy(update={name: value for name, value in own.items() if value is not None})

    def below(self, score: str) -> str:
        """Return why a score leads to nothing."""
        if self.most == "observe":
            return f"score {score}: its risk class is only observed"
        return f"score {score} is below the ladder ({self.limit:.3f})"


@dataclass(frozen=True, slots=True)
class Levels:
    """Scores from which an agent is limited or isolated (-log10 of a share of sessions).

    Parameters
    ----------
    limit, isolate : float
        ``isolate`` must be at least ``limit``.
    classes : mapping of str to ClassLadder
        The ladders of risk classes, by the name that stands in their alerts.

    Raises
    ------
    SetupError
        A level is not finite, or the ladder would be upside down.

    Examples
    --------
    >>> Levels(limit=2.0, isolate=2.7).tier(2.3)
    'limit'
    """

    limit: float
    isolate: float
    classes: Mapping[str, ClassLadder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.of("")

    def of(self, risk_class: str) -> ClassLadder:
        """Return the ladder of a risk class; of none, or one that is not known, the profile's."""
        return self.classes.get(risk_class) or ClassLadder(self.limit, self.isolate)

    def tier(self, score: float) -> Tier:
        """Return the tier a score asks for outside of any class."""
        return self.of("").tier(score)


def duration_s(settings: ResponseSettings, tier: Tier) -> float:
    """Return how long a tier lasts after its cause, in seconds of event time."""
    return settings.isolate_s if tier == "isolate" else settings.limit_s


def term_s(settings: ResponseSettings, tier: Tier) -> float:
    """Return how long an agent is constrained in all: an isolation is followed by a limit."""
    return duration_s(settings, tier) + (settings.limit_s if tier == "isolate" else 0.0)


def mode_of(status: str, asked: Mode) -> Mode:
    """Return the mode a profile may run in: only a stable one may command.

    Parameters
    ----------
    status : str
        Status of the profile: experimental, test, stable or deprecated.
    asked : {"enforce", "shadow"}
        What the operator or the profile asks for.
    """
    return asked if status == "stable" else "shadow"
