"""From a judgement to a finding: severity, reasons, ids."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from detector.alerts.explain import Seen, contributions_of, normal_if, taxonomy
from detector.rules import Hit, RuleEntry
from detector.schema.alert import Contribution, Evidence, Severity
from detector.schema.event import Event
from detector.schema.finding import Finding
from detector.schema.record import Record
from detector.steps.threshold import QUARANTINE

DETECTION: Final = "behaviour.session"
_CAUSE: Final = {False: f"{DETECTION}/alert", True: f"{DETECTION}/quarantine"}
_RISK_PER_UNIT: Final = 25.0
_CRITICAL: Final = 1.0
"""How far beyond the quarantine share a session is critical: a factor of ten."""
RISK_OF_SEVERITY: Final[dict[Severity, int]] = {"low": 25, "medium": 50, "high": 75, "critical": 100}
"""Risk of a finding without a rarity."""


class Policy(NamedTuple):
    """What the profile says of alerts: its id, shares of alert and quarantine, ignored attributes."""

    profile: str
    alerts: float
    quarantine: float
    ignored: tuple[str, ...]


class Spot(NamedTuple):
    """An event and where it stands in the input; `line` of its record."""

    event: Event
    record: Record
    line: int


def severity_of(rarity: float, policy: Policy) -> Severity:
    """Return medium for an alert, high past the quarantine share, critical a factor of ten beyond that."""
    level = -math.log10(policy.quarantine)
    if rarity < level:
        return "medium"
    return "high" if rarity < level + _CRITICAL else "critical"


def risk_of(rarity: float) -> int:
    """Return 0 to 100: 50 at one session in a hundred, 100 at one in ten thousand."""
    return max(0, min(100, round(_RISK_PER_UNIT * rarity)))


def evidence_of(spot: Spot) -> Evidence:
    """Return an event and where its bytes stand, as an alert carries it."""
    event, record = spot.event, spot.record
    return Evidence(
        topic=record.topic, partition=record.partition, offset=record.offset, line=spot.line,
        event_id=event.event_id, ts=event.ts.timestamp(), kind=event.kind, name=event.name, target=event.target,
        outcome=event.outcome,
    )  # fmt: skip


def found_by_score(spot: Spot, seen: Seen, policy: Policy, rarity: float, passed: tuple[int, int]) -> Finding:
    """Return what a session's score says of the event that took it past a level.

    Parameters
    ----------
    spot : Spot
        The event.
    seen : Seen
        What the channels made of it.
    policy : Policy
        Shares, and what is left out.
    rarity : float
        -log10 of the share of recent sessions at least as strange.
    passed : (int, int)
        The level passed, and how many events of the session were past the alert level.
    """
    event = spot.event
    why = contributions_of(seen, policy.ignored)
    asi, atlas = taxonomy(why)
    target = f" on {event.target}" if event.target else ""
    return Finding(
        detection=DETECTION, cause=_CAUSE[passed[0] == QUARANTINE], event=event, evidence=evidence_of(spot),
        severity=severity_of(rarity, policy), contributions=why, normal_if=normal_if(why, event.name), asi=asi,
        atlas=atlas, title=f"Unusual behaviour of {event.agent_id}: {event.name}{target}", rarity=rarity,
        over=passed[1],
    )  # fmt: skip


def found_by_rule(spot: Spot, rule: RuleEntry, hit: Hit) -> Finding:
    """Return what a rule says of an event."""
    event = spot.event
    words = {"agent": event.agent_id, "tool": event.name, **hit.words}
    detection = f"rule.{rule.name}"
    why = Contribution(
        channel=rule.name, value=0.0, bits=0.0, observed=rule.observed.format(**words),
        expected=rule.expected.format(**words), voice="rule", n=0,
    )  # fmt: skip
    return Finding(
        detection=detection, cause=f"{detection}/{hit.cause}", event=event, evidence=evidence_of(spot),
        severity=rule.severity, contributions=(why,), normal_if="normal if " + rule.normal.format(**words),
        asi=rule.asi, atlas=rule.atlas, title=rule.title.format(**words),
    )  # fmt: skip
