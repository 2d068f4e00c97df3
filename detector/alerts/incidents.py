"""Findings of one session are one incident: created by the first, updated by each new cause, closed with its counts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from detector.alerts.ceilings import CeilingSettings, HourlyCeilings
from detector.alerts.early import is_early, is_lifted_by
from detector.alerts.evidence import MOST_EVIDENCE, kept, may_witness
from detector.alerts.explain import Known
from detector.alerts.findings import (
    LEARNING,
    RISK_OF_SEVERITY,
    Policy,
    is_told,
    least,
    risk_of,
    severity_of,
    worse,
)  # fmt: skip
from detector.alerts.leads import Lead
from detector.alerts.raised import raised
from detector.alerts.storm import Storm, begun
from detector.schema.alert import Alert, Basis, EarlierSession, VerdictNote, finding_uid
from detector.schema.finding import Finding
from detector.schema.shown import shown
from detector.schema.tenant import DEFAULT_TENANT

MOST_CAUSES: Final = 16
"""Causes of one incident; of more are told, in the last one's place, the 1st, 2nd, 4th, 8th ..., and what is worse."""
MOST_EARLIER: Final = 8
"""Earlier sessions of an incident that an alert names: the newest; how many more there were says their count."""
MOST_ID: Final = 64
"""Letters of an id there."""
MOST_CLOSED: Final = 256
"""Closed incidents that a verdict still reaches; the oldest leave first."""


def created(finding: Finding, policy: Policy, known: Known, partition: int) -> Alert:
    """Return the first alert of an incident."""
    event = finding.event
    tenant, time = event.tenant or DEFAULT_TENANT, event.ts.timestamp()
    severity, is_scored = raised(finding.severity, known.risk), finding.rarity is not None
    is_learning = is_scored and (known.is_learning or finding.is_of_newcomer)
    threshold = -math.log10(policy.alerts) if known.threshold is None else known.threshold
    of_severity = RISK_OF_SEVERITY[severity] if severity != finding.severity or finding.rarity is None else 0
    risk = max(of_severity, 0 if finding.rarity is None else risk_of(finding.rarity))
    return Alert(
        finding_uid=finding_uid(
            tenant, event.agent_id, event.session_id, event.event_id, finding.detection, policy.profile
        ),
        counter=1, activity="create", tenant=tenant, agent_id=event.agent_id, agent_type=event.agent_type,
        agent_version=event.agent_version, zone=event.zone, session_id=event.session_id, profile=policy.profile,
        detection=finding.detection, title=finding.title, time=time, first_seen=time, last_seen=time,
        event_id=event.event_id, score=finding.rarity, threshold=round(threshold, 6) if is_scored else None,
        risk=min(risk, RISK_OF_SEVERITY[LEARNING]) if is_learning else risk,
        severity=least(severity, LEARNING) if is_learning else severity,
        events=known.events_before + 1, events_over=finding.over,
        contributions=finding.contributions, normal_if=finding.normal_if, evidence=(finding.evidence,),
        asi=finding.asi, atlas=finding.atlas, partition_agents=known.agents, partition=partition,
        causes=(finding.cause,), established=known.is_established, own_sessions=known.own_sessions,
        peer_sessions=known.peer_sessions, recent_sessions=known.recent_sessions,
        recent_as_strange=known.as_strange if is_scored else None, learning=is_learning,
        risk_class=known.risk.name, outside_hours=known.risk.is_outside,
    )  # fmt: skip


def updated(alert: Alert, finding: Finding, newer: Alert) -> Alert:
    """Return the incident after another cause was found: its reasons are that finding's, its worst stays."""
    is_scored, is_known = finding.rarity is not None, finding.cause in alert.causes
    worst = newer if alert.score is None or (newer.score is not None and newer.score >= alert.score) else alert
    is_full = not is_known and len(alert.causes) >= MOST_CAUSES
    return newer.model_copy(
        update={
            "finding_uid": alert.finding_uid,
            "counter": alert.counter + 1,
            "activity": "update",
            "detection": alert.detection,
            "first_seen": alert.first_seen,
            "last_seen": max(alert.last_seen, newer.time),
            "event_id": alert.event_id,
            "evidence": kept(alert.evidence, finding.evidence, is_told=True),
            "causes": alert.causes if is_known else (*alert.causes[: MOST_CAUSES - 1], finding.cause),
            "folded": alert.folded + is_full,
            **{one: getattr(worst, one) for one in ("score", "threshold", "recent_sessions", "recent_as_strange")},
            "severity": worse(alert.severity, newer.severity),
            "risk": max(alert.risk, newer.risk),
            "events_over": max(alert.events_over, newer.events_over),
            "verdict": alert.verdict,
            "incident_uid": alert.incident_uid,
            "incident_sessions": alert.incident_sessions,
            "incident_earlier": alert.incident_earlier,
            "basis": alert.basis,
            "learning": is_early(alert, newer) if is_scored else alert.learning,
        }
    )


def closed(alert: Alert, policy: Policy, rarity: float, ended: Mapping[str, Any]) -> Alert:
    """Return the incident as its session closes: final score and counts; `ended`: events, events_over, seen."""
    seen = float(ended["seen"])
    score = None if alert.score is None else max(rarity, alert.score)
    # what could not be promised when it alerted is not worse for having ended
    told = None if alert.learning else score
    return alert.model_copy(
        update={
            "counter": alert.counter + 1,
            "activity": "close",
            "time": seen,
            "last_seen": max(alert.last_seen, seen),
            "score": score,
            "risk": alert.risk if told is None else max(alert.risk, risk_of(told)),
            "severity": alert.severity if told is None else worse(alert.severity, severity_of(told, policy)),
            "events": int(ended["events"]),
            "events_over": int(ended["events_over"]),
        }
    )


class Incidents:
    """The incidents of one partition: those of open sessions, the last closed ones, and the storm.

    Parameters
    ----------
    policy : Policy
        What the profile says of alerts.
    ceilings : CeilingSettings
        How many may be opened in an hour.

    Attributes
    ----------
    open : dict of int to Alert
        The present state of each open session's incident, by the session's name; bounded by the open sessions. Its
        counter is that of its last record; its evidence may be further.
    recent : dict of str to Alert
        The last alert of closed incidents by finding uid, oldest first; at most :data:`MOST_CLOSED`.
    folded : int
        Findings of which no record was made: they repeated a cause, or were beyond a cap or a ceiling.
    ceilings : HourlyCeilings
        What was opened in this hour.
    storm : Storm or None
        What the ceilings have folded lately.
    unheard : list of str
        Sessions, or agents without one, folded into a storm since somebody took the list; no part of the state.
    """

    def __init__(self, policy: Policy, ceilings: CeilingSettings) -> None:
        self.policy = policy
        self.open: dict[int, Alert] = {}
        self.recent: dict[str, Alert] = {}
        self.folded = 0
        self.ceilings = HourlyCeilings(ceilings)
        self.storm: Storm | None = None
        self.unheard: list[str] = []

    def move_to(self, hour: int) -> Alert | None:
        """Return the last alert of a storm that is over when another hour begins; the ceilings' counts begin anew."""
        self.ceilings.move_to(hour)
        ended = None if self.storm is None else self.storm.ends_at(hour)
        return None if ended is None else self.end_storm(ended)

    def end_storm(self, at: float) -> Alert | None:
        """Return the last alert of the storm, None if there is none."""
        if self.storm is None:
            return None
        alert, self.storm = self.storm.alert("close", at, self.ceilings), None
        return alert

    def take(self, session: int | None, lead: Lead) -> Alert | None:
        """Return the alert that comes of a lead, None if it says nothing new; changes the incident.

        `session`: name of the open session the event belongs to; None for an event outside of any, which is an
        incident of its own.
        """
        before = None if session is None else self.open.get(session)
        if before is None:
            if not self.ceilings.admits(lead.owner, lead.strength, established=lead.known.is_established):
                return self._fold(lead)
            alert = created(lead.find(), self.policy, lead.known, lead.spot.record.partition)
        elif not (is_lifted := is_lifted_by(before, lead)) and is_told(lead.cause, before.causes):
            alert = _with_act(before, lead)
        elif not is_lifted and not _is_worth_a_record(before, lead):
            alert = _with_act(before, lead).model_copy(update={"folded": before.folded + 1})
        else:
            finding = lead.find()
            newer = created(finding, self.policy, lead.known, lead.spot.record.partition)
            alert = updated(before, finding, newer)
        if session is None:
            self._remember(alert)
        else:
            self.open[session] = alert
        if before is not None and alert.counter == before.counter:
            self.folded += 1
            return None
        return alert

    def place(self, session: int, incident: tuple[str, int], basis: Basis, earlier: Sequence[str] = ()) -> Alert:
        """Return the alert of an open session, told to which incident it belongs, how manyeth of it, and why.

        `earlier`: findings of the incident before it, the newest first.
        """
        uid, sessions = incident
        named = self._sessions_of(earlier, self.open[session].tenant)
        placed = {"incident_uid": uid, "incident_sessions": sessions, "basis": basis, "incident_earlier": named}
        self.open[session] = self.open[session].model_copy(update=placed)
        return self.open[session]

    def _sessions_of(self, uids: Sequence[str], tenant: str) -> tuple[EarlierSession, ...]:
        """Return the sessions of findings that are remembered here, those of other tenants left out."""
        held = self.recent | {alert.finding_uid: alert for alert in self.open.values()} if uids else {}
        found = (held[uid] for uid in uids if uid in held and held[uid].tenant == tenant)
        return tuple(
            EarlierSession(
                finding_uid=one.finding_uid, agent_id=shown(one.agent_id, MOST_ID),
                session_id=None if one.session_id is None else shown(one.session_id, MOST_ID),
            )
            for one in itertools.islice(found, MOST_EARLIER)
        )  # fmt: skip

    def witness(self, session: int, lead: Lead) -> Alert | None:
        """Return the incident with an act near the level named; None if it has none, or nothing new is to be said.

        Such an act is evidence and no cause: it asks for no response. With all room taken it is kept if it is
        stronger than what is there, and told with the next record.
        """
        before = self.open.get(session)
        if before is None or is_told(lead.cause, before.causes):
            return None
        if (alert := _with_act(before, lead)) is before:
            return None
        if may_witness(before.evidence, lead.evidence()):
            time = lead.spot.event.ts.timestamp()
            more = {"counter": before.counter + 1, "activity": "update", "time": time}
            alert = alert.model_copy(update={**more, "last_seen": max(before.last_seen, time)})
        self.open[session] = alert
        return alert if alert.counter > before.counter else None

    def _fold(self, lead: Lead) -> Alert | None:
        """Return the storm's next alert if there is something to say; what was found is in it."""
        self.folded += 1
        self.unheard.append(lead.spot.event.session_id or lead.spot.event.agent_id)
        if self.storm is None:
            self.storm = begun(lead, self.policy, self.ceilings.hour)
        if not self.storm.take(lead, self.ceilings.hour):
            return None
        return self.storm.alert("update" if self.storm.counter else "create", self.storm.until, self.ceilings)

    def close(self, session: int, rarity: float, ended: Mapping[str, Any]) -> Alert | None:
        """Return the last alert of a session that closed, None if it never alerted; the incident is no longer open."""
        alert = self.open.pop(session, None)
        if alert is None:
            return None
        alert = closed(alert, self.policy, rarity, ended)
        self._remember(alert)
        return alert

    def find(self, uid: str) -> Alert | None:
        """Return the present state of a finding, None if none is remembered."""
        return self.recent.get(uid) or next((one for one in self.open.values() if one.finding_uid == uid), None)

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


def _is_worth_a_record(alert: Alert, lead: Lead) -> bool:
    """Tell whether a further cause is told: while there is room, if it is worse, or at a doubling of what had none."""
    is_worse = worse(lead.severity, alert.severity) != alert.severity
    return is_worse or len(alert.causes) < MOST_CAUSES or (alert.folded + 1).bit_count() == 1


def _with_act(alert: Alert, lead: Lead) -> Alert:
    """Return the incident with an act among its evidence if it is strong enough; no record is made of it."""
    if len(alert.evidence) >= MOST_EVIDENCE and lead.strength <= min(one.strength for one in alert.evidence):
        return alert
    if any(one.cause == lead.cause and one.strength >= lead.strength for one in alert.evidence):
        return alert
    evidence = kept(alert.evidence, lead.evidence())
    return alert if evidence == alert.evidence else alert.model_copy(update={"evidence": evidence})


def _with_verdict(alert: Alert, note: VerdictNote) -> Alert:
    return alert.model_copy(update={"counter": alert.counter + 1, "activity": "verdict", "verdict": note})
