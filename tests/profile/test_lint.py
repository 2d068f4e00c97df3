"""The lint refuses what can never happen, warns of what is unwise, and is silent otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.errors import ProfileError
from detector.memory.observations import MOST_OF_ONE_EVENT
from detector.pipeline import Pipeline
from detector.profile.lint import IDLE_BYTES, Issue, agent_bytes, lint
from detector.profile.load import load_profile, parse_profile
from detector.profile.model import Profile
from detector.response.stage import ResponseStage
from detector.schema.record import Record
from tests.offline.stand_in import alert
from tests.streams import Script, feed, quick

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
    ("sessions.observations", {"sessions": {"observations": 64}}),
    ("sessions.observations", {"sessions": {"observations": 191}}),
    ("memory.agent_keys", {"memory": {"agent_keys": 500}}),
    ("memory.group_contexts", {"memory": {"group_contexts": 4_095}}),
]

HARMLESS: list[dict[str, Any]] = [
    {},
    {"sessions": {"idle_s": 86_400}},
    {"sessions": {"observations": 256}},
    {"memory": {"agent_tools": 34}},
    {"learning": {"gate_p": 0.2, "histogram_p": 0.2}},
    {"forest": {"least": 8_192, "samples": 8_192}},
    {"budget": {"quarantine": 0.01}},
    {"budget": {"window": 500, "tail": 0}},
    {"budget": {"window": 400}},
    {"response": {"mode": "enforce"}},
    {"response": {"limit_score": 2.699, "isolate_score": 2.699}},
    {"memory": {"agent_keys": 256}},
    {"memory": {"agents": 2_048}},
]

WARNED: list[tuple[str, dict[str, Any]]] = [
    ("learning.gate_p", {"learning": {"gate_p": 0.05, "histogram_p": 0.05}}),
    ("weights.forest", {"weights": {"forest": 0.6, "half_space": 0.6}}),
    ("agent_correction.low", {"agent_correction": {"low": 0.2}}),
    ("budget.quarantine", {"budget": {"quarantine": 0.00001}}),
    ("budget.quarantine", {"budget": {"quarantine": 0}}),
    ("response.rate_per_hour", {"response": {"rate_per_hour": 0, "fleet_least": 0}}),
    ("response.newcomer_most", {"response": {"newcomer_most": 0}}),
    ("response.newcomer_per_hour", {"response": {"newcomer_per_hour": 0}}),
    ("memory.agent_keys", {"memory": {"agent_keys": 1_024, "agents": 65_536}}),
    ("memory.agent_keys", {"memory": {"agent_tools": 64, "agents": 65_536}}),
    ("memory.agents", {"memory": {"agents": 262_144}}),
    ("rules.registered", {"rules": {"registered": 1_048_577}}),
    ("memory.agents", {"memory": {"agents": 2_047}}),
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


def test_the_bytes_of_an_agent_are_said() -> None:
    """As the kernels lay them out, not as an estimate."""
    (issue,) = found({"memory": {"agent_tools": 64, "agents": 4_096}})
    assert issue.message.endswith("at most 4,096 bytes an agent, got 4,816")
    assert agent_bytes(load_profile()) <= IDLE_BYTES


def test_a_session_of_the_least_size_takes_more_than_one_event() -> None:
    """What the lint lets pass does not close at every event; what it refuses does."""

    def closed(observations: int) -> int:
        script = Script()
        events = [script.event(session_id="s", agent_id="a", target=name) for name in "abc"]
        pipeline = Pipeline(quick(sessions={"observations": observations}))
        return feed(pipeline, events).counts["sessions_closed"]

    assert (closed(2 * MOST_OF_ONE_EVENT), closed(64)) == (0, 2)


SHARES = st.sampled_from([0.0, 1e-9, 1e-4, 1e-3, 0.002, 0.01, 0.02, 0.1, 0.5, 1.0])
SCORES = st.none() | st.sampled_from([0.0, 1.0, 2.0, 3.0, 299.0, 300.0, 301.0, 1e6])
EVENT = Record(b'{"event_id":"e","ts":"2026-01-01T00:00:00Z","agent_id":"a","kind":"tool_call","name":"t"}')


@given(
    alerts=SHARES,
    quarantine=SHARES,
    tail=SHARES,
    window=st.sampled_from([10, 40, 2_000]),
    response=st.fixed_dictionaries(
        {"mode": st.sampled_from(["shadow", "enforce"]), "limit_score": SCORES, "isolate_score": SCORES}
    ),
)
@example(alerts=0.01, quarantine=0.0, tail=0.05, window=2_000, response={"mode": "shadow"})
@example(alerts=0.01, quarantine=0.0, tail=0.05, window=2_000, response={"mode": "enforce", "isolate_score": 3.0})
@settings(deadline=None, max_examples=25)
def test_a_profile_that_lints_runs(
    alerts: float, quarantine: float, tail: float, window: int, response: dict[str, Any]
) -> None:
    """Whatever the lint lets pass makes a pipeline and a response stage, and both work."""
    budget = {"alerts": alerts, "quarantine": quarantine, "tail": min(tail, 0.5), "window": window, "least": 10}
    sections = {"budget": budget, "response": {name: one for name, one in response.items() if one is not None}}
    learning = {"gate_p": 1.0, "histogram_p": 0.5}
    try:
        profile = parse_profile({"profile": IDENTITY, "learning": learning, **sections})
    except ProfileError:
        return
    stage = ResponseStage(profile.response, profile.id, profile.levels)
    decision = stage.on_alert(alert({"agent_id": "a", "event_id": "e"}, 1.0, 2.5))
    assert decision.entry.decision in {"issued", "shadowed", "skipped", "held"}
    assert Pipeline(profile).process([EVENT]).counts["events"] == 1
