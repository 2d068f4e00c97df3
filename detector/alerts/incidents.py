"""Alerts of one session are one incident: created past the threshold, updated past the next, closed with its counts."""

from __future__ import annotations

import math
from typing import NamedTuple

from detector.alerts.explain import Seen, contributions_of, normal_if, taxonomy
from detector.schema.alert import Alert, Evidence, Severity, finding_uid
from detector.schema.event import Event
from detector.schema.record import Record

DETECTION = "behaviour.session"
DEFAULT_TENANT = "default"
MOST_EVIDENCE = 8
_RISK_PER_UNIT = 25.0


class Policy(NamedTuple):
    """What the profile says of alerts: its id, shares of alert and quarantine, ignored attributes, model weights."""

    profile: str
    alerts: float
    quarantine: float
    ignored: tuple[str, ...]
    models: tuple[float, float]


class Passing(NamedTuple):
    """An event that took its session past a level, with where it stands in the input."""

    event: Event
    record: Record
    line: int
    seen: Seen
    rarity: float
    over: int


def severity_of(rarity: float, policy: Policy) -> Severity:
    """Return medium for an alert, high past the quarantine share, critical a factor of ten beyond that."""
    level = -math.log10(policy.quarantine)
    if rarity < level:
        return "medium"
    return "high" if rarity < level + 1.0 else "critical"


def risk_of(rarity: float) -> int:
    """Return 0 to 100: 50 at one session in a hundred, 100 at one in ten thousand."""
    return max(0, min(100, round(_RISK_PER_UNIT * rarity)))


def evidence_of(passing: Passing) -> Evidence:
    """Return the event behind an alert and where its bytes stand."""
    event, record = passing.event, passing.record
    return Evidence(
        topic=record.topic, partition=record.partition, offset=record.offset, line=passing.line,
        event_id=event.event_id, ts=event.ts.timestamp(), kind=event.kind, name=event.name, target=event.target,
        outcome=event.outcome,
    )  # fmt: skip


def created(passing: Passing, policy: Policy) -> Alert:
    """Return the first alert of an incident."""
    event, seen = passing.event, passing.seen
    tenant = event.tenant or DEFAULT_TENANT
    why = contributions_of(seen, policy.ignored, policy.models)
    time = event.ts.timestamp()
    target = f" on {event.target}" if event.target else ""
    return Alert(
        finding_uid=finding_uid(tenant, event.agent_id, event.session_id, event.event_id, DETECTION, policy.profile),
        counter=1, activity="create", tenant=tenant, agent_id=event.agent_id, agent_type=event.agent_type,
        agent_version=event.agent_version, zone=event.zone, session_id=event.session_id, profile=policy.profile,
        detection=DETECTION, title=f"Unusual behaviour of {event.agent_id}: {event.name}{target}", time=time,
        first_seen=time, last_seen=time, event_id=event.event_id, score=passing.rarity,
        threshold=round(-math.log10(policy.alerts), 6), risk=risk_of(passing.rarity),
        severity=severity_of(passing.rarity, policy), events=int(seen.known[3]) + 1, events_over=passing.over,
        contributions=why, normal_if=normal_if(why, event.name), evidence=(evidence_of(passing),),
        partition_agents=int(seen.known[2]), partition=passing.record.partition, **taxonomy(why),
    )  # fmt: skip


def raised(alert: Alert, passing: Passing, policy: Policy) -> Alert:
    """Return the incident after an event that took it past the next level: its reasons are that event's."""
    newer = created(passing, policy)
    return newer.model_copy(
        update={
            "finding_uid": alert.finding_uid,
            "counter": alert.counter + 1,
            "activity": "update",
            "first_seen": alert.first_seen,
            "last_seen": max(alert.last_seen, newer.time),
            "event_id": alert.event_id,
            "evidence": (*alert.evidence, *newer.evidence)[:MOST_EVIDENCE],
        }
    )


def closed(alert: Alert, policy: Policy, *, rarity: float, events: int, over: int, seen: float) -> Alert:
    """Return the incident as its session closes: final score and counts."""
    score = max(rarity, alert.score)
    return alert.model_copy(
        update={
            "counter": alert.counter + 1,
            "activity": "close",
            "time": seen,
            "last_seen": max(alert.last_seen, seen),
            "score": score,
            "risk": risk_of(score),
            "severity": severity_of(score, policy),
            "events": events,
            "events_over": over,
        }
    )
