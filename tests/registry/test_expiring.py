"""Exceptions that should shrink: what ended, what ends, what is renewed without end."""

from __future__ import annotations

import json
from typing import Any

from detector.registry.expiring import ends_of, ends_table
from tests.registry.inventory import entry

NOW = 1_000_000.0
DAY = 86_400.0


def _grant(name: str, ends_in_days: float | None, **fields: Any) -> dict[str, Any]:
    ends = None if ends_in_days is None else NOW + ends_in_days * DAY
    return {"id": name, "granted_at": 1.0, "expires_at": ends, "approver": "bob", **fields}


def test_grants_that_ended_or_end_soon_are_listed_in_the_order_of_their_ends() -> None:
    """One that ends later, or never, is no exception."""
    grants = [_grant("soon", 3), _grant("over", -1), _grant("later", 30), _grant("always", None)]
    found = ends_of([entry(grants=grants)], NOW, 14 * DAY)
    assert [(one.grant.id, one.state) for one in found] == [("over", "ended"), ("soon", "ends")]


def test_a_temporary_grant_that_is_renewed_and_renewed_is_listed() -> None:
    """Four times is one in name only; three may happen."""
    grants = [_grant("again", 90, temporary=True, renewals=4), _grant("thrice", 90, temporary=True, renewals=3)]
    assert [one.grant.id for one in ends_of([entry(grants=grants)], NOW, DAY)] == ["again"]


def test_a_retired_agent_needs_no_clearing() -> None:
    """It may not act, whatever it was granted."""
    assert ends_of([entry(grants=[_grant("over", -1)], lifecycle="retired")], NOW, DAY) == []


def test_the_table_names_who_answers() -> None:
    """Owner and approver, and how long it is over."""
    ends = ends_of([entry(grants=[_grant("over", -2)])], NOW, DAY)
    lines = list(ends_table(ends, NOW, is_json=False))
    assert "ada" in lines[1]
    assert "-2.0" in lines[1]
    assert "bob" in lines[1]
    assert json.loads(next(iter(ends_table(ends, NOW, is_json=True))))["state"] == "ended"
