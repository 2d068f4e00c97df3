"""Commands keep their form; the log is a chain; a replayed cause gives the same command."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from detector.schema.command import (
    GENESIS,
    Breaker,
    Constraints,
    Issuer,
    PolicyLogEntry,
    PolicyState,
    Reason,
    cause_key,
    command_id,
    subject_of,
)


def state(**fields: Any) -> PolicyState:
    """Return a state that isolates an agent, with some fields changed."""
    plain: dict[str, Any] = {
        "command_id": command_id("default/agent/a1", "isolate", "f" * 32),
        "revision": 1,
        "subject": "default/agent/a1",
        "state": "quarantined",
        "tier": "isolate",
        "mode": "enforce",
        "constraints": Constraints(deny_tools=("*",), deny_egress=True),
        "effective_at": 100.0,
        "expires_at": 200.0,
        "on_expiry": "step_down",
        "reason": Reason(finding_uid="f" * 32, detections=("agent_behaviour",), risk=90, score=3.0),
        "issuer": Issuer(kind="detector", id="agent-behaviour-detector", policy_version="default/v1"),
        "breaker": Breaker(fleet_share=0.01, limit_share=0.05),
        "ack_deadline_s": 5.0,
    }
    return PolicyState(**{**plain, **fields})


def entry(**fields: Any) -> PolicyLogEntry:
    """Return a log entry, unsealed, with some fields changed."""
    plain: dict[str, Any] = {
        "tenant": "default",
        "sequence": 1,
        "time": 100.0,
        "subject": "default/agent/a1",
        "decision": "issued",
        "cause": "f" * 32,
        "command": state(),
    }
    return PolicyLogEntry(**{**plain, **fields})


def test_a_state_comes_back_from_its_wire_form() -> None:
    """Under the names that stand on the wire, ``schema`` among them."""
    text = state().model_dump_json(by_alias=True)
    assert '"schema":"agent.policy/1"' in text
    assert PolicyState.model_validate_json(text) == state()


@pytest.mark.parametrize(
    "fields", [{"revision": 0}, {"tier": "suspend"}, {"subject": "a1"}, {"effective_at": float("inf")}, {"extra": 1}]
)
def test_a_malformed_state_is_refused(fields: dict[str, Any]) -> None:
    """An enforcement point never has to guess."""
    with pytest.raises(ValidationError):
        state(**fields)


def test_a_state_of_another_schema_is_refused() -> None:
    """A later schema may mean other things by the same names."""
    text = state().model_dump_json(by_alias=True).replace("agent.policy/1", "agent.policy/2")
    with pytest.raises(ValidationError, match="schema"):
        PolicyState.model_validate_json(text)


def test_a_state_constrains_nobody_before_it_begins() -> None:
    """One dated 2099 is nothing today; one that goes on with a containment holds from its begin, not its own time."""
    assert [state().tier_at(at) for at in (99.9, 100.0, 199.9)] == ["observe", "isolate", "isolate"]
    raised = state(contained_since=50.0)
    assert [raised.tier_at(at) for at in (49.9, 50.0, 100.0)] == ["observe", "isolate", "isolate"]
    late = state(contained_since=150.0)
    assert [late.tier_at(at) for at in (100.0, 149.9, 150.0)] == ["observe", "observe", "isolate"]


def test_a_cause_is_remembered_by_a_key_of_one_size() -> None:
    """Its name is as long as whoever acts made it."""
    assert len(cause_key("x" * 10_000)) == len(cause_key("")) == 32
    assert cause_key("a") != cause_key("b")


def test_a_sealed_entry_holds_its_own_digest() -> None:
    """Sealing twice changes nothing; reading back changes nothing."""
    sealed = entry().sealed()
    assert sealed.hash == sealed.digest()
    assert sealed.sealed() == sealed
    again = PolicyLogEntry.model_validate_json(sealed.model_dump_json(by_alias=True))
    assert (again, again.digest()) == (sealed, sealed.hash)


@pytest.mark.parametrize(
    "change", [{"cause": "x"}, {"previous": "1" * 64}, {"sequence": 2}, {"command": None}, {"detail": "x"}]
)
def test_a_changed_entry_no_longer_holds_its_digest(change: dict[str, Any]) -> None:
    """The hash covers every field, and so the whole chain before it."""
    sealed = entry(previous=GENESIS).sealed()
    assert sealed.model_copy(update=change).digest() != sealed.hash


def test_a_replayed_cause_gives_the_same_command_and_another_tier_another() -> None:
    """So a replay issues nothing twice."""
    first = command_id("default/agent/a1", "limit", "f" * 32)
    assert first == command_id("default/agent/a1", "limit", "f" * 32)
    assert first != command_id("default/agent/a1", "isolate", "f" * 32)


@given(*[st.text(max_size=8)] * 4)
def test_no_two_agents_share_a_subject(tenant: str, agent: str, other_tenant: str, other_agent: str) -> None:
    """A slash in a tenant's name does not reach into another tenant; an empty tenant is the default one."""
    same = (tenant or "default", agent) == (other_tenant or "default", other_agent)
    assert (subject_of(tenant, agent) == subject_of(other_tenant, other_agent)) == same
