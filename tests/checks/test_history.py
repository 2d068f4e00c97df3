"""Quiet days are made from a short description, the same bytes each time."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from detector.checks.history import HistoryFleet, history, parse, rfc3339
from detector.schema.decode import decode
from detector.schema.record import Record

DESCRIPTION: dict[str, Any] = {
    "about": "two roles",
    "start": "2026-03-02T06:00:00Z",
    "seed": 3,
    "sessions": 30,
    "every_s": 600,
    "pools": {"files": {"form": "file-{}", "size": 5}},
    "roles": {
        "clerk": {
            "agents": ["clerk-1", "clerk-2"],
            "steps": [
                {"event": {"kind": "lifecycle", "name": "session_start"}},
                {
                    "times": [1, 2],
                    "event": {"kind": "data_access", "name": "read", "target": {"pick": "files"}, "bytes_out": 10},
                },
                {"chance": 0.5, "event": {"kind": "tool_call", "name": "sum", "attributes": {"of": {"pick": "files"}}}},
            ],
        },
        "guard": {
            "agents": ["guard-1"],
            "steps": [{"event": {"kind": "auth", "name": "look", "duration_ms": {"between": [10, 1000]}}}],
        },
    },
}


def made(**changes: Any) -> list[bytes]:
    """Return the events of the description with some changes."""
    return history(HistoryFleet.model_validate({**DESCRIPTION, **changes}))


def test_the_same_description_gives_the_same_bytes_and_another_seed_others() -> None:
    """A case that fails today fails tomorrow."""
    assert made() == made()
    assert made() != made(seed=4)


def test_every_event_of_quiet_days_is_valid_and_in_order() -> None:
    """Nothing is refused, no field is unknown, time never goes back, ids differ."""
    decoded = decode([Record(value) for value in made()])
    assert (decoded.refusals, decoded.unknown) == ([], Counter())
    times = [event.ts for event in decoded.events]
    assert times == sorted(times)
    assert len({event.event_id for event in decoded.events}) == len(times)


def test_every_agent_has_its_turn() -> None:
    """Thirty sessions of three agents: ten each."""
    sessions = {(body["agent_id"], body["session_id"]) for body in map(json.loads, made())}
    assert Counter(agent for agent, _ in sessions) == {"clerk-1": 10, "clerk-2": 10, "guard-1": 10}


def test_draws_stay_in_their_bounds() -> None:
    """Picks come from the pool, numbers lie between their ends."""
    bodies = [json.loads(value) for value in made()]
    assert {body["target"] for body in bodies if body["name"] == "read"} <= {f"file-{n}" for n in range(1, 6)}
    assert all(10 <= body["duration_ms"] <= 1_000 for body in bodies if body["name"] == "look")


def test_fresh_values_come_from_outside_the_pool() -> None:
    """A little novelty every day is part of quiet days."""
    roles = json.loads(json.dumps(DESCRIPTION["roles"]))
    roles["clerk"]["steps"][1]["event"]["target"] = {"pick": "files", "fresh": 1.0}
    targets = {body.get("target") for body in map(json.loads, made(roles=roles)) if body["name"] == "read"}
    assert targets
    assert not targets & {f"file-{n}" for n in range(1, 6)}


@pytest.mark.parametrize("change", [{"sessions": 0}, {"every_s": 0}, {"surprise": 1}, {"start": "soon"}])
def test_a_malformed_description_is_refused(change: dict[str, Any]) -> None:
    """By its field."""
    with pytest.raises(ValidationError, match=next(iter(change))):
        made(**change)


def test_times_are_written_with_milliseconds_and_read_back() -> None:
    """No float leaves a trail of digits."""
    assert rfc3339(1_772_442_000.1234) == "2026-03-02T09:00:00.123Z"


def test_a_line_that_is_no_object_is_refused() -> None:
    """A list is no event."""
    with pytest.raises(TypeError, match="JSON object"):
        parse("[]")
