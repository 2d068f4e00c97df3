"""The [response] section: its defaults are careful, its faults are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from detector.response.settings import ResponseSettings


def test_the_defaults_only_shadow() -> None:
    """Commanding is an explicit choice."""
    settings = ResponseSettings()
    assert settings.mode == "shadow"
    assert (settings.limit_s, settings.isolate_s, settings.ack_deadline_s) == (3_600.0, 14_400.0, 5.0)
    assert (settings.fleet_share, settings.fleet_least, settings.rate_per_hour) == (0.05, 1, 20)
    assert (settings.newcomer_most, settings.newcomer_per_hour, settings.skew_s) == (5, 10, 60.0)


@pytest.mark.parametrize(
    "fault",
    [
        {"fleet_share": 0.0},
        {"fleet_share": 1.5},
        {"limit_s": 0.0},
        {"isolate_s": float("inf")},
        {"limit_score": float("nan")},
        {"isolate_score": float("inf")},
        {"limit_score": -0.1},
        {"rate_per_hour": -1},
        {"newcomer_most": -1},
        {"newcomer_most": 10_001},
        {"newcomer_per_hour": -1},
        {"newcomer_per_hour": 10_001},
        {"skew_s": -0.1},
        {"skew_s": 3_601.0},
        {"skew_s": float("nan")},
        {"mode": "dry"},
        {"unknown": 1},
    ],
)
def test_a_faulty_section_is_refused(fault: dict[str, object]) -> None:
    """What cannot be meant is not accepted."""
    with pytest.raises(ValidationError):
        ResponseSettings.model_validate(fault)


def test_a_term_may_be_a_year_and_not_a_second_more() -> None:
    """Longer is no containment but a dismissal."""
    year = 31_536_000.0
    assert ResponseSettings(isolate_s=year).isolate_s == year
    with pytest.raises(ValidationError):
        ResponseSettings(isolate_s=year + 1.0)


def test_settings_do_not_change_under_a_stage_that_runs() -> None:
    """They are what its commands say they were."""
    with pytest.raises(ValidationError):
        setattr(ResponseSettings(), "isolate_s", 1.0)  # noqa: B010 - what a type checker would refuse
