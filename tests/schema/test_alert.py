"""Alerts keep their form and their ids."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from detector.schema.alert import Alert, Contribution, Evidence, finding_uid

ids = st.text(min_size=1, max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def alert(**fields: Any) -> Alert:
    """Return an alert with some fields changed."""
    plain: dict[str, Any] = {
        "finding_uid": finding_uid("default", "a1", "s1", "e1", "agent_behaviour", "default/v1"),
        "counter": 1,
        "activity": "create",
        "tenant": "default",
        "agent_id": "a1",
        "agent_type": "support",
        "agent_version": None,
        "zone": None,
        "session_id": "s1",
        "profile": "default/v1",
        "detection": "agent_behaviour",
        "title": "New target for this agent and its peers",
        "time": 3.0,
        "first_seen": 1.0,
        "last_seen": 3.0,
        "event_id": "e1",
        "score": 2.5,
        "threshold": 2.0,
        "risk": 70,
        "severity": "high",
        "events": 9,
        "events_over": 2,
        "contributions": (
            Contribution(
                channel="novelty", value=1.5, bits=9.0, observed="level 5", expected="level 0", voice="peers", n=812
            ),
        ),
        "normal_if": "the target had been used by a peer",
        "evidence": (
            Evidence(
                topic="agent.events",
                partition=0,
                offset=7,
                line=0,
                event_id="e1",
                ts=3.0,
                kind="message",
                name="send_email",
                target="x@example.org",
                outcome="ok",
            ),
        ),
        "asi": ("ASI01",),
        "atlas": ("AML.T0086",),
        "partition_agents": 12,
        "partition": 0,
    }
    return Alert(**{**plain, **fields})


def test_an_alert_comes_back_from_its_wire_form() -> None:
    """What the response stage reads is what the scoring stage wrote."""
    sent = alert()
    assert Alert.model_validate_json(sent.model_dump_json()) == sent


@given(ids, ids, st.none() | ids, numbers, st.text(max_size=50))
def test_an_alert_with_any_text_and_number_comes_back(
    tenant: str, agent: str, zone: str | None, score: float, title: str
) -> None:
    """Floats are written so that they read back bit for bit."""
    sent = alert(tenant=tenant, agent_id=agent, zone=zone, score=score, title=title)
    assert Alert.model_validate_json(sent.model_dump_json()) == sent


@pytest.mark.parametrize(
    "fields",
    [
        {"counter": 0},
        {"risk": 101},
        {"score": float("nan")},
        {"severity": "bad"},
        {"surprise": 1},
        {"finding_uid": "x"},
    ],
)
def test_a_malformed_alert_is_refused(fields: dict[str, Any]) -> None:
    """Nothing unknown, nothing infinite, nothing out of range crosses the wire."""
    with pytest.raises(ValidationError):
        alert(**fields)


def test_the_same_finding_has_the_same_id_everywhere() -> None:
    """A golden value: ids join alerts, commands and releases across versions of this product."""
    uid = finding_uid("default", "a1", "s1", "e1", "agent_behaviour", "default/v1")
    assert uid == "c557b923e51f279e48115693b6ad983f"


@given(st.lists(ids, min_size=6, max_size=6), st.lists(ids, min_size=6, max_size=6))
def test_other_findings_have_other_ids(one: list[str], other: list[str]) -> None:
    """Also where the parts, run together, would read the same."""
    same = one == other or "\x1f" in "".join(one + other)
    assert same or finding_uid(*one) != finding_uid(*other)


def test_parts_that_run_together_alike_have_other_ids() -> None:
    """The separator keeps ``ab, c`` apart from ``a, bc``."""
    assert finding_uid("ab", "c", None, "e", "d", "p") != finding_uid("a", "bc", None, "e", "d", "p")
