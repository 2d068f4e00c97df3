"""The lint refuses what can never happen, warns of what is unwise, and is silent otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from detector.errors import ProfileError
from detector.profile.lint import Issue, lint
from detector.profile.load import load_profile, parse_profile
from detector.profile.model import Profile

IDENTITY = {"name": "mine", "version": 1, "status": "stable", "owner": "me", "description": "for a test"}

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("sessions.idle_s", {"sessions": {"idle_s": 100_000}}),
    ("learning.histogram_p", {"learning": {"histogram_p": 0.3}}),
    ("learning.gate_p", {"learning": {"gate_p": 0.01, "histogram_p": 0.005}}),
    ("weights", {"weights": dict.fromkeys(sorted(load_profile().weights.model_dump(exclude={"rarity"})), 0.0)}),
    ("forest.least", {"forest": {"least": 10_000}}),
    ("forest.samples", {"forest": {"samples": 512, "window": 300}}),
    ("forest.lag_s", {"forest": {"lag_s": 86_400}}),
    ("budget.alerts", {"budget": {"alerts": 0, "quarantine": 0}}),
    ("budget.quarantine", {"budget": {"quarantine": 0.02}}),
    ("budget.least", {"budget": {"least": 3_000}}),
    ("budget.tail", {"budget": {"tail": 0.005}}),
    ("budget.quarantine", {"budget": {"window": 400, "tail": 0}}),
    ("budget.quarantine", {"budget": {"quarantine": 0}, "response": {"mode": "enforce"}}),
    ("response.isolate_score", {"budget": {"tail": 0}, "response": {"isolate_score": 3.5}}),
    ("response.limit_score", {"response": {"limit_score": 2.8}}),
    ("response.rate_per_hour", {"response": {"mode": "enforce", "rate_per_hour": 0, "fleet_least": 0}}),
    ("response.mode", {"profile": {**IDENTITY, "status": "test"}, "response": {"mode": "enforce"}}),
    ("memory.agent_keys", {"memory": {"agent_keys": 500}}),
    ("memory.group_contexts", {"memory": {"group_contexts": 4_095}}),
]

HARMLESS: list[dict[str, Any]] = [
    {},
    {"sessions": {"idle_s": 86_400}},
    {"learning": {"gate_p": 0.2, "histogram_p": 0.2}},
    {"forest": {"least": 8_192, "samples": 8_192}},
    {"budget": {"quarantine": 0.01}},
    {"budget": {"window": 500, "tail": 0}},
    {"budget": {"window": 400}},
    {"response": {"mode": "enforce"}},
    {"response": {"limit_score": 2.699, "isolate_score": 2.699}},
    {"memory": {"agent_keys": 256}},
]

WARNED: list[tuple[str, dict[str, Any]]] = [
    ("learning.gate_p", {"learning": {"gate_p": 0.05, "histogram_p": 0.05}}),
    ("weights.forest", {"weights": {"forest": 0.6, "half_space": 0.6}}),
    ("agent_correction.low", {"agent_correction": {"low": 0.2}}),
    ("budget.quarantine", {"budget": {"quarantine": 0.00001}}),
    ("budget.quarantine", {"budget": {"quarantine": 0}}),
    ("response.rate_per_hour", {"response": {"rate_per_hour": 0, "fleet_least": 0}}),
    ("memory.agent_keys", {"memory": {"agent_keys": 1_024}}),
]


def found(sections: dict[str, Any]) -> list[Issue]:
    """Return what the lint says about a profile with some sections."""
    return lint(Profile.model_validate({"profile": IDENTITY, **sections}))


@pytest.mark.parametrize(("field", "sections"), REFUSED)
def test_what_can_never_happen_is_refused(field: str, sections: dict[str, Any]) -> None:
    """As an error with the field to change, and the loader refuses it, too."""
    assert [issue.field for issue in found(sections) if issue.severity == "error"] == [field]
    with pytest.raises(ProfileError, match=field.replace(".", r"\.")):
        parse_profile({"profile": IDENTITY, **sections})


@pytest.mark.parametrize("sections", HARMLESS)
def test_its_harmless_twin_is_silent(sections: dict[str, Any]) -> None:
    """Values at the limit are fine."""
    assert found(sections) == []


@pytest.mark.parametrize(("field", "sections"), WARNED)
def test_what_is_unwise_is_told_and_still_loads(field: str, sections: dict[str, Any]) -> None:
    """A warning refuses nothing."""
    assert [(issue.field, issue.severity) for issue in found(sections)] == [(field, "warning")]
    assert parse_profile({"profile": IDENTITY, **sections}).id


def test_every_fault_is_told_at_once() -> None:
    """Not one at a time."""
    fields = {issue.field for issue in found({"memory": {"agent_keys": 3}, "forest": {"least": 9_000}})}
    assert fields == {"memory.agent_keys", "forest.least"}
