"""Commands of a case are told as the response stage tells them."""

from __future__ import annotations

from detector.checks.contained import TERM_S, told_of
from detector.schema.containment import Containment, control_adapter


def test_each_agent_is_contained_from_a_time_on() -> None:
    """Enforced, by tier, and nobody else is."""
    acts = [
        control_adapter.validate_json(one.value, extra="ignore") for one in told_of({"b": "limit", "a": "isolate"}, 9.0)
    ]
    told = [one for one in acts if isinstance(one, Containment)]
    assert [(one.agent_id, one.tenant, one.told_at) for one in told] == [("a", "default", 9.0), ("b", "default", 9.0)]
    assert [one.state.tier_at(9.0) for one in told] == ["isolate", "limit"]
    assert [one.state.tier_at(9.0 + TERM_S) for one in told] == ["observe", "observe"]
    assert told_of({}, 9.0) == []
