"""A suppression names what it is about, who answers for it and when it ends: what is unbounded is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from detector.schema.feedback import fault_of, feedback_adapter
from detector.schema.suppression import Suppression, SuppressionEnd

DAY_S = 86_400.0
BASE: dict[str, Any] = {"kind": "suppression", "id": "c" * 32, "owner": "kim", "reason": "known", "at": 1_000.0}
WEEK = 1_000.0 + 7 * DAY_S


def record(**fields: Any) -> bytes:
    """Return a record; None takes a field away."""
    return json.dumps({name: value for name, value in {**BASE, **fields}.items() if value is not None}).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"tool": "x", "everyone": True, "until": WEEK},
        {"agent_id": "a", "until": WEEK},
        {"agent_id": "a", "target": "t"},
        {"group": "g", "channel": "novelty", "until": 1_000.0 + 90 * DAY_S},
        {"tool": "x", "target": "t", "agent_id": "a", "group": "g", "channel": "c", "strong": True},
    ],
)
def test_a_bounded_scope_comes_back_as_it_was_said(fields: dict[str, Any]) -> None:
    """Any combination; without an end only where an agent is named with something else."""
    act = feedback_adapter.validate_json(record(**fields))
    assert isinstance(act, Suppression)
    assert act.scope == {name: value for name, value in fields.items() if isinstance(value, str)}
    assert feedback_adapter.validate_json(act.model_dump_json()) == act


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"everyone": True, "until": WEEK}, "must name a tool, target, agent, group or channel"),
        ({"tool": "x", "until": WEEK}, "is for everyone, and must say so"),
        ({"agent_id": "a", "tool": "x", "everyone": True}, "is not for everyone"),
        ({"tool": "x", "everyone": True}, "until must be there"),
        ({"agent_id": "a"}, "until must be there"),
        ({"group": "g", "tool": "x"}, "until must be there"),
        ({"agent_id": "a", "until": 1_000.0 + 91 * DAY_S}, "within 90 days after it is said, got 91.0 days"),
        ({"agent_id": "a", "until": 1_000.0}, "within 90 days"),
        ({"agent_id": "a", "tool": "", "until": WEEK}, "tool: String should have at least 1"),
        ({"agent_id": "a", "tool": "x" * 257}, "tool: String should have at most 256"),
        ({"agent_id": "a", "tool": "x", "owner": None}, "owner: Field required"),
        ({"agent_id": "a", "tool": "x", "reason": ""}, "reason: String should have at least 1"),
        ({"agent_id": "a", "tool": "x", "id": "7"}, "id: String should match pattern"),
    ],
)
def test_what_is_not_bounded_is_refused(fields: dict[str, Any], says: str) -> None:
    """Nobody mutes a fleet by leaving something out."""
    with pytest.raises(ValidationError) as caught:
        feedback_adapter.validate_json(record(**fields))
    assert says in fault_of(caught.value)


def test_an_end_is_a_named_persons() -> None:
    """With the id of what it ends."""
    body = {"kind": "suppression_end", "id": "c" * 32, "by": "ada", "reason": "over", "at": 1.0}
    assert isinstance(feedback_adapter.validate_json(json.dumps(body)), SuppressionEnd)
    with pytest.raises(ValidationError):
        feedback_adapter.validate_json(json.dumps({**body, "by": ""}))
