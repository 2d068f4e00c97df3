"""Alerts as OCSF 1.8.0 Detection Findings (class 2004): what `agent.alerts` carries.

``ai_agent`` is an object of OCSF 1.9 only, so here it stands under ``unmapped``. Every
string is written as ASCII JSON: line and text-direction characters arrive escaped, so one
alert is one line for whatever receives it. :mod:`detector.sinks.ocsf_read` reads it back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from detector import __version__
from detector.sinks import words
from detector.sinks.body import Body, Rendering, by_strength, present, to_bytes
from detector.sinks.observables import TYPES, Observable, observables_of
from detector.sinks.ocsf_read import EXACT, PLACE, fields_of
from detector.sinks.taxonomy import ATLAS, OWASP, atlas_name, atlas_technique, atlas_url, owasp_title

if TYPE_CHECKING:
    from detector.schema.alert import Alert, Contribution, Evidence

VERSION: Final = "1.8.0"
CLASS_UID: Final = 2004
PRODUCT: Final = "agent-behaviour-detector"

_ACTIVITY: Final = {"create": (1, "Create"), "update": (2, "Update"), "close": (3, "Close"), "verdict": (2, "Update")}
_SEVERITY: Final = {"low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical")}
_RISK_LEVEL: Final = {"low": (1, "Low"), "medium": (2, "Medium"), "high": (3, "High"), "critical": (4, "Critical")}
_RULE, _BEHAVIORAL = (1, "Rule"), (2, "Behavioral")
_ACTOR: Final = 2


def render(alert: Alert) -> Body:
    """Return the OCSF Detection Finding of one alert record, as plain JSON values.

    Parameters
    ----------
    alert : Alert
        One record of a finding: ``finding_info.uid`` is the finding, ``metadata.sequence`` its
        counter; consumers drop repeats by the two. ``metadata.correlation_uid`` is the incident:
        the finding that opened it.

    Returns
    -------
    dict
        Times are milliseconds since the epoch. Absent optional values are left out, never null.
        ``status_id`` is always 1 (New): closing says that the detector has nothing to add, not
        that somebody looked at it.
    """
    activity_id, activity = _ACTIVITY[alert.activity]
    severity_id, severity = _SEVERITY[alert.severity]
    level_id, level = _RISK_LEVEL[alert.severity]
    observables, left = observables_of(alert)
    body: Body = {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + activity_id,
        "type_name": f"Detection Finding: {activity}",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "is_alert": alert.activity in {"create", "update"},
        "time": _milliseconds(alert.time),
        "start_time": _milliseconds(alert.first_seen),
        "end_time": _milliseconds(alert.last_seen),
        "count": alert.events_over,
        "message": words.in_a_sentence(alert),
        "metadata": _metadata(alert),
        "finding_info": _finding_info(alert),
        "risk_score": alert.risk,
        "risk_level_id": level_id,
        "risk_level": level,
        "risk_details": words.how_rare_and_how_often(alert),
        "resources": [_resource(alert)],
        "evidences": _evidences(alert),
        "anomaly_analyses": _analyses(alert),
        "observables": [_observable(one) for one in observables],
        "remediation": _remediation(alert),
        "unmapped": _unmapped(alert, left),
    }
    body = {name: value for name, value in body.items() if value != []}
    if rest := _not_in(body, alert):
        body["unmapped"]["detector"][EXACT] = rest
    return body


def _not_in(body: Body, alert: Alert) -> Body:
    """Return the fields that a reader of the document would not get back: without a place in OCSF, or rounded."""
    held = fields_of(body)
    told = alert.model_dump(mode="json", exclude_defaults=True)
    return {name: value for name, value in told.items() if name not in held or held[name] != value}


def encode(alert: Alert) -> bytes:
    """Return the rendering as ASCII JSON bytes without a line break.

    Raises
    ------
    ValueError
        A number is not finite; nothing of ours may be, so this is a fault of the caller.
    """
    return to_bytes(render(alert))


def mark(body: Body, size: int) -> Body:
    """Return the body with ``is_truncated`` and ``untruncated_size`` (kB, as OCSF has it) in its metadata."""
    return {**body, "metadata": {**body["metadata"], "is_truncated": True, "untruncated_size": -(-size // 1_024)}}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1_000)


def _metadata(alert: Alert) -> Body:
    return {
        "version": VERSION,
        "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": __version__},
        "uid": f"{alert.finding_uid}-{alert.counter}",
        "correlation_uid": alert.incident_uid or alert.finding_uid,
        "sequence": alert.counter,
        "event_code": alert.detection,
        "tenant_uid": alert.tenant,
        "log_name": "agent.alerts",
        "type": alert.profile,
    }


def _finding_info(alert: Alert) -> Body:
    type_id, type_name = _RULE if all(part.voice == "rule" for part in alert.contributions) else _BEHAVIORAL
    name, _, version = alert.profile.partition("/")
    attacks = [_attack(uid) for uid in alert.atlas]
    titles = [owasp_title(uid) for uid in alert.asi]
    tags = [{"name": OWASP.name, "values": list(alert.asi)}, {"name": f"{OWASP.name}, names", "values": titles}]
    return present(
        uid=alert.finding_uid,
        title=alert.title,
        desc=words.seen_and_expected(alert),
        types=["Agent behaviour anomaly"],
        analytic={
            "uid": alert.detection,
            "name": alert.detection,
            "type_id": type_id,
            "type": type_name,
            "algorithm": name,
            "version": version,
        },
        attacks=attacks or None,
        tags=tags if alert.asi else None,
        first_seen_time=_milliseconds(alert.first_seen),
        last_seen_time=_milliseconds(alert.last_seen),
        created_time=_milliseconds(alert.first_seen),
        modified_time=_milliseconds(alert.time),
        related_events_count=alert.events,
    )


def _attack(uid: str) -> Body:
    full = atlas_technique(uid)
    return {"technique": present(uid=full, name=atlas_name(full), src_url=atlas_url(full)), "version": ATLAS.version}


def _observable(one: Observable) -> Body:
    return {"name": one.place, "type_id": TYPES[one.kind], "type": one.kind, "value": one.value}


def _remediation(alert: Alert) -> Body:
    lines = [words.capital(alert.normal_if), *words.next_steps(alert)]
    return {"desc": "\n".join(lines), "references": [words.runbook(alert)]}


def _resource(alert: Alert) -> Body:
    return present(
        uid=alert.agent_id,
        name=alert.agent_id,
        type="AI Agent",
        role_id=_ACTOR,
        role="Actor",
        version=alert.agent_version,
        zone=alert.zone,
        group={"name": alert.agent_type},
    )


def _evidences(alert: Alert) -> list[Body]:
    """Return the acts, the strongest first; each says at which place it was found where that is another."""
    ranked = by_strength(alert.evidence)
    return [_evidence(one, place if place != rank else None) for rank, (place, one) in enumerate(ranked)]


def _evidence(one: Evidence, place: int | None) -> Body:
    data = present(
        topic=one.topic,
        partition=one.partition,
        offset=one.offset,
        line=one.line,
        event_id=one.event_id,
        time=datetime.fromtimestamp(one.ts, UTC).isoformat(),
        kind=one.kind,
        name=one.name,
        target=one.target,
        outcome=one.outcome,
        cause=one.cause or None,
        strength=one.strength or None,
        sizes=one.sizes or None,
        about=one.about or None,
        arguments=[{"name": each.name, "value": each.value} for each in one.arguments] or None,
        arguments_left=one.arguments_left or None,
    )
    return {"uid": one.event_id, "name": one.kind, "data": data | present(**{PLACE: place})}


def _analyses(alert: Alert) -> list[Body]:
    if not alert.contributions:
        return []
    return [
        {
            "analysis_targets": [{"name": alert.agent_id, "type": "AI Agent"}],
            "anomalies": [_anomaly(part, part.observed, 1) for part in alert.contributions],
            "baselines": [_baseline(part) for part in alert.contributions],
        }
    ]


def _anomaly(part: Contribution, value: str, count: int) -> Body:
    return {
        "observation_parameter": part.channel,
        "observation_type": part.voice,
        "observations": [{"value": value, "count": count}],
    }


def _baseline(part: Contribution) -> Body:
    """Return what was expected, then each value that is usual there with the sessions that taught it."""
    body = _anomaly(part, part.expected, part.n)
    body["observations"] += [{"value": one.value, "count": one.sessions} for one in part.usual]
    return body


def _contribution(part: Contribution) -> Body:
    """Return what the words do not hold."""
    return present(
        channel=part.channel,
        voice=part.voice,
        value=part.value,
        bits=part.bits,
        n=part.n,
        usual=[{"value": one.value, "sessions": one.sessions} for one in part.usual] or None,
        usual_of=part.usual_of,
    )


_AS_THEY_ARE: Final = ("partition", "established", "own_sessions", "peer_sessions", "recent_sessions")


def _unmapped(alert: Alert, observables_left: int) -> Body:
    return {
        "ai_agent": present(uid=alert.agent_id, type=alert.agent_type, version=alert.agent_version),
        "detector": present(
            profile=alert.profile,
            session_id=alert.session_id,
            first_event_id=alert.event_id,
            score=alert.score,
            threshold=alert.threshold,
            one_in=words.one_in(alert),
            threshold_one_in=words.threshold_one_in(alert),
            events=alert.events,
            events_over=alert.events_over,
            asi=list(alert.asi),
            **{name: getattr(alert, name) for name in _AS_THEY_ARE},
            recent_as_strange=alert.recent_as_strange,
            **{name: getattr(alert, name) or None for name in ("risk_class", "outside_hours")},
            normal_if=alert.normal_if,
            observables_left=observables_left or None,
            incident_earlier=[one.model_dump(mode="json") for one in alert.incident_earlier] or None,
            contributions=[_contribution(part) for part in alert.contributions],
        ),
    }


RENDERING: Final = Rendering(
    render,
    (
        "evidences",
        "anomaly_analyses",
        "observables",
        "unmapped",
        "remediation",
        "risk_details",
        "finding_info.desc",
    ),
    mark,
)
