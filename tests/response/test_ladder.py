"""Scores become tiers; a ladder that is upside down is refused."""

from __future__ import annotations

import math

import pytest

from detector.errors import SetupError
from detector.response.ladder import CONSTRAINTS, RANK, Levels, duration_s, level_of, mode_of, term_s
from detector.response.settings import ResponseSettings


@pytest.mark.parametrize(
    ("score", "tier"), [(1.99, "observe"), (2.0, "limit"), (2.69, "limit"), (2.7, "isolate"), (9.0, "isolate")]
)
def test_a_score_asks_for_the_tier_whose_level_it_reaches(score: float, tier: str) -> None:
    """Levels are inclusive: the budget is a share of sessions at least as strange."""
    assert Levels(limit=2.0, isolate=2.7).tier(score) == tier


def test_a_score_that_is_no_number_asks_for_the_strongest_tier() -> None:
    """A NaN must never read as nothing happened."""
    assert Levels(limit=2.0, isolate=2.7).tier(math.nan) == "isolate"


def test_a_level_is_the_score_of_a_share() -> None:
    """One session in a hundred scores two and more."""
    assert level_of(0.01) == 2.0
    assert level_of(0.002) == pytest.approx(2.69897)


def test_a_budget_of_zero_is_a_level_that_nothing_reaches() -> None:
    """Never is finite, so that a stage can be made of it."""
    never = Levels(limit=2.0, isolate=level_of(0.0))
    assert math.isfinite(never.isolate)
    assert never.tier(290.0) == "limit"


def test_a_ladder_upside_down_is_refused() -> None:
    """Isolating earlier than limiting is a fault of the budgets, said with what to do."""
    with pytest.raises(SetupError, match="make the quarantine budget the stricter one"):
        Levels(limit=3.0, isolate=2.0)


def test_a_ladder_of_equal_levels_stays_silent() -> None:
    """Isolating at once is a choice, not a fault."""
    assert Levels(limit=2.0, isolate=2.0).tier(2.0) == "isolate"


def test_stronger_tiers_forbid_more_and_nothing_irreversible() -> None:
    """The automatic ladder can be undone in one step: no credential is revoked."""
    assert RANK["isolate"] > RANK["limit"] > RANK["observe"]
    isolated, limited, free = (CONSTRAINTS[tier] for tier in ("isolate", "limit", "observe"))
    assert (isolated.deny_tools, isolated.deny_egress, isolated.rate_per_min) == (("*",), True, 0.0)
    assert (limited.deny_tools, limited.deny_egress) == ((), False)
    assert limited.rate_per_min is not None
    assert limited.rate_per_min > 0.0
    assert free.rate_per_min is None
    assert not any(one.revoke_credentials for one in CONSTRAINTS.values())


def test_terms_follow_the_settings() -> None:
    """Each tier has its own."""
    settings = ResponseSettings(limit_s=10.0, isolate_s=20.0)
    assert (duration_s(settings, "limit"), duration_s(settings, "isolate")) == (10.0, 20.0)


def test_an_isolation_is_followed_by_a_limit_and_a_limit_by_nothing() -> None:
    """What the breaker is asked about is the whole time under constraint."""
    settings = ResponseSettings(limit_s=10.0, isolate_s=20.0)
    assert (term_s(settings, "limit"), term_s(settings, "isolate")) == (10.0, 30.0)


@pytest.mark.parametrize("status", ["experimental", "test", "deprecated"])
def test_only_a_stable_profile_may_enforce(status: str) -> None:
    """Whatever is asked for, an unproven profile shadows."""
    assert mode_of(status, "enforce") == "shadow"


def test_a_stable_profile_does_what_is_asked() -> None:
    """Stable is the permission, the mode is the order."""
    assert mode_of("stable", "enforce") == "enforce"
    assert mode_of("stable", "shadow") == "shadow"
