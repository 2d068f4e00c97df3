"""An alert with everything filled in, to be varied by the tests."""

from __future__ import annotations

from typing import Any

from detector.schema.alert import Alert, Argument, Contribution, Evidence, finding_uid


def act(event: str, time: float) -> Evidence:
    """Return an act with sizes, a user, a hash, and arguments that name an address each."""
    return Evidence(
        topic="agent.events",
        partition=1,
        offset=7,
        line=0,
        event_id=event,
        ts=time,
        kind="tool_call",
        name="send_money",
        target="iban-9",
        outcome="ok",
        sizes={"bytes_out": 8_388_608.0},
        about={"on_behalf_of": "ada", "tool_hash": "sha256:" + "ab" * 32},
        arguments=(
            Argument(name="to", value="eve@drop.example"),
            Argument(name="via", value="10.0.0.7, ledger.internal"),
            Argument(name="amount", value="9500"),
        ),
    )


def make(agent: str = "agent-1", score: float = 2.1, time: float = 1_000.0, **changes: Any) -> Alert:
    """Return an alert: agent, score and event time first, anything else by name."""
    session = changes.pop("session_id", "s-1")
    event = changes.pop("event_id", "e-1")
    tenant = changes.pop("tenant", "acme")
    values: dict[str, Any] = {
        "finding_uid": finding_uid(tenant, agent, session, event, "behaviour.session", "default/v1"),
        "counter": 1,
        "activity": "create",
        "tenant": tenant,
        "agent_id": agent,
        "agent_type": "support",
        "agent_version": "1.4",
        "zone": "eu",
        "session_id": session,
        "profile": "default/v1",
        "detection": "behaviour.session",
        "title": "Unusual session",
        "time": time,
        "first_seen": time - 10.0,
        "last_seen": time,
        "event_id": event,
        "score": score,
        "threshold": 2.0,
        "risk": 80,
        "severity": "high",
        "events": 12,
        "events_over": 2,
        "contributions": (
            Contribution(
                channel="novelty",
                value=1.5,
                bits=9.0,
                observed="send_money to iban-9",
                expected="one of 3 known targets",
                voice="own",
                n=40,
            ),
        ),
        "normal_if": "a target it has used before",
        "evidence": (act(event, time),),
        "asi": ("ASI02",),
        "atlas": ("AML.T0086",),
        "partition_agents": 100,
        "partition": 0,
        "own_sessions": 40,
        "peer_sessions": 60,
        "recent_sessions": 240,
        "recent_as_strange": 1,
    }
    return Alert(**{**values, **changes})
