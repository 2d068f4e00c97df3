"""What was denied to one tool and done by another of the same agent, and its harmless twins."""

from __future__ import annotations

from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules.denials import MOST_DENIED, WITHIN_S
from tests.rules.told import causes, found_in, of_one
from tests.streams import Script, feed, quick

ONLY = {"enabled": ("denied_elsewhere",)}
DENIED: dict[str, Any] = {"name": "Read", "target": "/srv/secret.env", "outcome": "denied"}
DONE: dict[str, Any] = {"name": "Bash", "target": "/srv/secret.env"}


def test_a_target_denied_to_one_tool_and_reached_by_another_alerts() -> None:
    """It names both tools."""
    (alert,) = of_one(DENIED, DONE, enabled=ONLY["enabled"])
    assert (alert.detection, alert.severity) == ("rule.denied_elsewhere", "high")
    assert alert.contributions[0].observed == "Bash reached /srv/secret.env, which Read had been denied"


def test_another_session_of_the_same_agent_is_the_same_agent() -> None:
    """A denial is an agent's, not a session's."""
    assert causes(of_one(DENIED, {**DONE, "session_id": "s-2"}, **ONLY)) == ["rule.denied_elsewhere//srv/secret.env"]


@pytest.mark.parametrize(
    "events",
    [
        (DENIED, {**DENIED, "outcome": "ok"}), (DONE, DENIED), (DENIED, {**DONE, "target": "/srv/README"}),
        (DENIED, {**DONE, "outcome": "error"}), (DENIED, {**DONE, "outcome": "denied"}),
        (DENIED, {**DONE, "agent_id": "a-2"}), (DENIED, {"name": "Bash"}),
        ({"name": "Read", "outcome": "denied"}, DONE), ({**DENIED, "outcome": "error"}, DONE),
    ],
)  # fmt: skip
def test_a_call_allowed_later_another_target_and_another_agent_are_silent(events: tuple[dict[str, Any], ...]) -> None:
    """The twins: what a person let the same tool do, and what others do."""
    assert of_one(*events, **ONLY) == []


def test_a_denial_is_forgotten_after_an_hour_and_a_flood_of_them_is_bounded() -> None:
    """Older ones make room, for newer are what matters."""
    script, pipeline = Script(), Pipeline(quick(rules=ONLY))
    flood = [script.event(**{**DENIED, "target": f"/t/{n}"}) for n in range(10 * MOST_DENIED)]
    feed(pipeline, flood)
    ((_, facts),) = pipeline.state.rule_memory.shards(full=True).items()
    assert len(facts["denied_elsewhere"][0][3]["denied"]) == MOST_DENIED
    assert causes(found_in(pipeline, script.event("Bash", target=f"/t/{10 * MOST_DENIED - 1}")))
    script.now += WITHIN_S
    late = found_in(pipeline, script.event("Bash", target=f"/t/{10 * MOST_DENIED - 2}"))
    assert [one.activity for one in late] == ["close"]
