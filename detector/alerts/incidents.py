"""Findings of one session are one incident: created by the first, updated by each new cause, closed with its counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from detector.alerts.explain import Known
from detector.alerts.findings import RISK_OF_SEVERITY, Policy, risk_of, severity_of
from detector.schema.alert import Alert, Severity, VerdictNote, finding_uid
from detector.schema.finding import Finding

DEFAULT_TENANT: Final = "default"
MOST_EVIDENCE: Final = 8
MOST_CAUSES: Final = 16
"""Causes of one incident; what comes after is folded into it."""
MOST_CLOSED: Final = 256
"""Closed incidents that a verdict still reaches; the oldest leave first."""
_RANK: Final[dict[Severity, int]] = {"low": 0, "medium": 1, "high": 2, "critical": 3}


def created(finding: Finding, policy: Policy, known: Known, partition: int) -> Alert:
    """Return the first alert of an incident."""
    event = finding.event
    tenant = event.tenant or DEFAULT_TENANT
    time = event.ts.timestamp()
    is_scored = finding.rarity is not None
    return Alert(
        finding_uid=finding_uid(
            tenant, event.agent_id, event.session_id, event.event_id, finding.detection, policy.profile
        ),
        counter=1, activity="create", tenant=tenant, agent_id=event.agent_id, agent_type=event.agent_type,
        agent_version=event.agent_version, zone=event.zone, session_id=event.session_id, profile=policy.profile,
        detection=finding.detection, title=finding.title, time=time, first_seen=time, last_seen=time,
        event_id=event.event_id, score=finding.rarity,
        threshold=round(-math.log10(policy.alerts), 6) if is_scored else None,
        risk=RISK_OF_SEVERITY[finding.severity] if finding.rarity is None else risk_of(finding.rarity),
        severity=finding.severity, events=known.events_before + 1, events_over=finding.over,
        contributions=finding.contributions, normal_if=finding.normal_if, evidence=(finding.evidence,),
        asi=finding.asi, atlas=finding.atlas, partition_agents=known.agents, partition=partition,
        causes=(finding.cause,),
    )  # fmt: skip


def _worse(one: Severity, other: Severity) -> Severity:
    return one if _RANK[one] > _RANK[other] else other


def updated(alert: Alert, finding: Finding, newer: Alert) -> Alert:
    """Return the incident after another cause was found: its reasons are that finding's, its worst stays."""
    is_scored = finding.rarity is not None
    return newer.model_copy(
        update={
            "finding_uid": alert.finding_uid,
            "counter": alert.counter + 1,
            "activity": "update",
            "detection": alert.detection,
            "first_seen": alert.first_seen,
            "last_seen": max(alert.last_seen, newer.time),
            "event_id": alert.event_id,
            "evidence": (*alert.evidence, *newer.evidence)[:MOST_EVIDENCE],
            "causes": (*alert.causes, finding.cause),
            "score": finding.rarity if is_scored else alert.score,
            "threshold": newer.threshold if is_scored else alert.threshold,
            "severity": _worse(alert.severity, newer.severity),
            "risk": max(alert.risk, newer.risk),
            "events_over": max(alert.events_over, newer.events_over),
            "verdict": alert.verdict,
        }
    )


def closed(alert: Alert, policy: Policy, rarity: float, ended: Mapping[str, Any]) -> Alert:
    """Return the incident as its session closes: final score and counts; `ended`: events, events_over, seen."""
    seen = float(ended["seen"])
    score = None if alert.score is None else max(rarity, alert.score)
    return alert.model_copy(
        update={
            "counter": alert.counter + 1,
            "activity": "close",
            "time": seen,
            "last_seen": max(alert.last_seen, seen),
            "score": score,
            "risk": alert.risk if score is None else max(alert.risk, risk_of(score)),
            "severity": alert.severity if score is None else _worse(alert.severity, severity_of(score, policy)),
            "events": int(ended["events"]),
            "events_over": int(ended["events_over"]),
        }
    )


class Incidents:
    """The incidents of one partition: those of open sessions, and the last closed ones.

    Parameters
    ----------
    policy : Policy
        What the profile says of alerts.

    Attributes
    ----------
    open : dict of int to Alert
        The last alert of each open session that has one, by the session's name; bounded by the open sessions.
    recent : dict of str to Alert
        The last alert of closed incidents by finding uid, oldest first; at most :data:`MOST_CLOSED`.
    folded : int
        Findings that repeated a cause.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.open: dict[int, Alert] = {}
        self.recent: dict[str, Alert] = {}
        self.folded = 0

    def take(self, session: int | None, finding: Finding, known: Known, partition: int) -> Alert | None:
        """Return the alert a finding leads to, None if its cause is known in this session; changes the incident.

        `session`: name of the open session the event belongs to; None for an event outside of any, which is an
        incident of its own.
        """
        before = None if session is None else self.open.get(session)
        if before is not None and (finding.cause in before.causes or len(before.causes) >= MOST_CAUSES):
            self.folded += 1
            return None
        alert = created(finding, self.policy, known, partition)
        if before is not None:
            alert = updated(before, finding, alert)
        if session is None:
            self._remember(alert)
        else:
            self.open[session] = alert
        return alert

    def close(self, session: int, rarity: float, ended: Mapping[str, Any]) -> Alert | None:
        """Return the last alert of a session that closed, None if it never alerted; the incident is no longer open."""
        alert = self.open.pop(session, None)
        if alert is None:
            return None
        alert = closed(alert, self.policy, rarity, ended)
        self._remember(alert)
        return alert

    def judge(self, uid: str, agent_id: str, note: VerdictNote) -> Alert | None:
        """Return the incident with a person's verdict on it, None if no such finding of this agent is remembered."""
        for session, alert in self.open.items():
            if alert.finding_uid == uid and alert.agent_id == agent_id:
                self.open[session] = _with_verdict(alert, note)
                return self.open[session]
        closed_one = self.recent.get(uid)
        if closed_one is None or closed_one.agent_id != agent_id:
            return None
        self.recent[uid] = _with_verdict(closed_one, note)
        return self.recent[uid]

    def _remember(self, alert: Alert) -> None:
        self.recent.pop(alert.finding_uid, None)
        self.recent[alert.finding_uid] = alert
        while len(self.recent) > MOST_CLOSED:
            del self.recent[next(iter(self.recent))]


def _with_verdict(alert: Alert, note: VerdictNote) -> Alert:
    return alert.model_copy(update={"counter": alert.counter + 1, "activity": "verdict", "verdict": note})
