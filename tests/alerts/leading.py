"""What the tests of incidents share: findings made up, and the leads they come as."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.alerts.ceilings import CeilingSettings
from detector.alerts.explain import Known
from detector.alerts.findings import Spot, evidence_of, strength_of
from detector.alerts.leads import Lead
from detector.schema.alert import Contribution
from detector.schema.event import Event
from detector.schema.finding import Finding
from detector.schema.record import Record

KNOWN = Known(own_sessions=5, peer_sessions=50, agents=3, events_before=2, is_established=True)
ROOMY = CeilingSettings(agent=10_000, established=10_000, newcomers=10_000, reserve=0)
"""Ceilings that nothing here reaches."""


def spot(number: int = 1, **fields: Any) -> Spot:
    """Return an event of an agent and where it stands."""
    raw = {
        "event_id": f"e-{number}", "ts": f"2026-03-02T09:00:{number % 60:02}Z", "agent_id": "a-1", "kind": "tool_call",
        "name": "pay", "session_id": "s-1", **fields,
    }  # fmt: skip
    return Spot(msgspec.convert(raw, Event), Record(b"", None, "events", 3, number), 0)


def finding(cause: str, number: int = 1, **fields: Any) -> Finding:
    """Return something found at one event of an agent."""
    why = Contribution(channel=cause, value=0.0, bits=0.0, observed=cause, expected="none", voice="rule", n=0)
    at, severity = spot(number), fields.get("severity", "medium")
    strength = fields.get("rarity") or strength_of(severity)
    base = Finding(
        detection="rule.toy", cause=cause, event=at.event, evidence=evidence_of(at, cause, strength), severity="medium",
        contributions=(why,), normal_if="normal if not", asi=("ASI03",), atlas=(), title=f"Toy {cause}",
    )  # fmt: skip
    return base._replace(**fields)


def lead(found: Finding, known: Known = KNOWN) -> Lead:
    """Return the lead that a finding comes as."""
    at = Spot(found.event, Record(b"", None, "events", 3, found.evidence.offset), 0)
    return Lead(found.cause, found.evidence.strength, found.severity, at, known, found.over, lambda: found)
