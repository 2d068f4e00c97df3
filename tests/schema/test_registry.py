"""An entry of the registry is whole, answered for, and means what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from detector.schema.registry import MAX_AGE_H, MOST_DECLARED, RegistryEntry

BARE: dict[str, Any] = {"agent_id": "a1", "revision": 1, "at": 5.0, "by": "ana", "reason": "first inventory"}
GRANT: dict[str, Any] = {"id": "g1", "granted_at": 10.0, "approver": "bo"}


def test_an_entry_comes_back_as_it_was_written() -> None:
    """The record on the topic is all there is."""
    entry = RegistryEntry.model_validate(
        BARE
        | {
            "lifecycle": "active",
            "owner": "team-pay",
            "criticality": "critical",
            "tools": ["ledger.read", "mail.*"],
            "approved": {"models": ["m-1"], "tool_hashes": {"mail.send": ["h1"]}},
            "grants": [GRANT | {"temporary": True, "expires_at": 20.0, "tools": ["ledger.write"]}],
        }
    )
    text = entry.model_dump_json(by_alias=True, exclude_none=True)
    assert json.loads(text)["schema"] == "agent.registry/1"
    assert RegistryEntry.model_validate_json(text) == entry


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"revision": 0}, "revision"),
        ({"by": ""}, "by"),
        ({"lifecycle": "active"}, "who answers for it"),
        ({"tool": ["x"]}, "tool"),
        ({"grants": [GRANT | {"temporary": True}]}, "until when"),
        ({"grants": [GRANT | {"expires_at": 10.0}]}, "end after it begins"),
        ({"grants": [GRANT, GRANT]}, "different ids"),
        ({"tools": ["x"] * (MOST_DECLARED + 1)}, "tools"),
        ({"at": 1e13}, "at"),
        ({"credential": {"max_age_h": 0}}, "max_age_h"),
    ],
)
def test_what_is_no_entry_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    """Whoever edits an entry learns which field, and what it should be."""
    with pytest.raises(ValidationError, match=said):
        RegistryEntry.model_validate(BARE | change)


def test_nothing_declared_is_not_nothing_allowed() -> None:
    """A list left out says nothing; an empty one allows none."""
    assert RegistryEntry.model_validate(BARE).tools is None
    assert RegistryEntry.model_validate(BARE | {"tools": []}).tools == ()


def test_credentials_of_critical_agents_age_faster() -> None:
    """The limit follows the criticality unless the entry says its own."""
    assert RegistryEntry.model_validate(BARE | {"criticality": "critical"}).max_age_h == MAX_AGE_H["critical"]
    assert RegistryEntry.model_validate(BARE | {"credential": {"max_age_h": 1.5}}).max_age_h == 1.5
