"""Alerts as OCSF 1.8.0 Detection Findings (class 2004): what `agent.alerts` carries.

``ai_agent`` is an object of OCSF 1.9 only, so here it stands under ``unmapped``. Every
string is written as ASCII JSON: line and text-direction characters arrive escaped, so one
alert is one line for whatever receives it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from detector import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detector.schema.alert import Alert, Contribution, Evidence

VERSION: Final = "1.8.0"
CLASS_UID: Final = 2004
PRODUCT: Final = "agent-behaviour-detector"
ATLAS_VERSION: Final = "5.6"

_ACTIVITY: Final = {"create": (1, "Create"), "update": (2, "Update"), "close": (3, "Close")}
_SEVERITY: Final = {"low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical")}
_RISK_LEVEL: Final = {"low": (1, "Low"), "medium": (2, "Medium"), "high": (3, "High"), "critical": (4, "Critical")}
_RULE, _BEHAVIORAL = (1, "Rule"), (2, "Behavioral")
_RESOURCE_UID: Final = 10
_ACTOR: Final = 2

Body = dict[str, Any]
"""An OCSF event as plain JSON values."""


def render(alert: Alert) -> Body:
    """Return the OCSF Detection Finding of one alert record, as plain JSON values.

    Parameters
    ----------
    alert : Alert
        One record of a finding: ``finding_info.uid`` and ``metadata.correlation_uid`` are the
        finding, ``metadata.sequence`` its counter. Consumers drop repeats by the two.

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
        "is_alert": alert.activity != "close",
        "time": _milliseconds(alert.time),
        "start_time": _milliseconds(alert.first_seen),
        "end_time": _milliseconds(alert.last_seen),
        "count": alert.events_over,
        "message": f"{alert.title} (agent {alert.agent_id}, risk {alert.risk})",
        "metadata": _metadata(alert),
        "finding_info": _finding_info(alert),
        "risk_score": alert.risk,
        "risk_level_id": level_id,
        "risk_level": level,
        "risk_details": _risk_details(alert),
        "resources": [_resource(alert)],
        "evidences": [_evidence(one) for one in alert.evidence],
        "anomaly_analyses": _analyses(alert),
        "observables": [
            {"name": "resources.uid", "type_id": _RESOURCE_UID, "type": "Resource UID", "value": alert.agent_id}
        ],
        "remediation": {"desc": f"Normal would have been: {alert.normal_if}"},
        "unmapped": _unmapped(alert),
    }
    return {name: value for name, value in body.items() if value != []}


def encode(alert: Alert) -> bytes:
    """Return the rendering as ASCII JSON bytes without a line break.

    Raises
    ------
    ValueError
        A number is not finite; nothing of ours may be, so this is a fault of the caller.
    """
    return to_bytes(render(alert))


def to_bytes(body: Mapping[str, Any]) -> bytes:
    """Return a rendered body as ASCII JSON bytes, keys in their order, without spaces."""
    return json.dumps(body, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


# What a receiver can do without, the longest lists first.
_SHED: Final = ("evidences", "anomaly_analyses", "observables", "unmapped", "remediation", "risk_details")


def shorten(body: Body, limit: int) -> Body:
    """Return the body with optional parts left out until it fits, and saying so.

    Parameters
    ----------
    body : dict
        A rendering; it is not changed.
    limit : int
        Bytes of the encoded form, at most.

    Returns
    -------
    dict
        The same body if it fits; else one with ``metadata.is_truncated`` and
        ``metadata.untruncated_size`` (kB, as OCSF has it) set. What is required by the
        schema always stays, so the result may still exceed a very small limit.
    """
    size = len(to_bytes(body))
    if size <= limit:
        return body
    said = {**body.get("metadata", {}), "is_truncated": True, "untruncated_size": -(-size // 1_024)}
    short: Body = {**body, "metadata": said}
    for name in _SHED:
        short.pop(name, None)
        if len(to_bytes(short)) <= limit:
            break
    return short


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1_000)


def _present(**values: object) -> Body:
    return {name: value for name, value in values.items() if value is not None}


def _metadata(alert: Alert) -> Body:
    return {
        "version": VERSION,
        "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": __version__},
        "uid": f"{alert.finding_uid}-{alert.counter}",
        "correlation_uid": alert.finding_uid,
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
    tags = [{"name": "OWASP Agentic Top 10", "values": list(alert.asi)}] if alert.asi else None
    return _present(
        uid=alert.finding_uid,
        title=alert.title,
        desc=_desc(alert),
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
        tags=tags,
        first_seen_time=_milliseconds(alert.first_seen),
        last_seen_time=_milliseconds(alert.last_seen),
        created_time=_milliseconds(alert.first_seen),
        modified_time=_milliseconds(alert.time),
        related_events_count=alert.events,
    )


def _attack(uid: str) -> Body:
    full = uid if uid.startswith("AML.") else f"AML.{uid}"
    technique = {"uid": full, "src_url": f"https://atlas.mitre.org/techniques/{full}"}
    return {"technique": technique, "version": ATLAS_VERSION}


def _desc(alert: Alert) -> str:
    parts = [f"{part.channel}: {part.observed}, expected {part.expected}" for part in alert.contributions]
    return "; ".join(parts) or alert.title


def _risk_details(alert: Alert) -> str:
    share = f"1 in {10 ** min(alert.score, 15.0):.0f}"
    return f"Of recent sessions {share} is at least as strange; {alert.events_over} of {alert.events} events stand out."


def _resource(alert: Alert) -> Body:
    return _present(
        uid=alert.agent_id,
        name=alert.agent_id,
        type="AI Agent",
        role_id=_ACTOR,
        role="Actor",
        version=alert.agent_version,
        zone=alert.zone,
        group={"name": alert.agent_type},
    )


def _evidence(one: Evidence) -> Body:
    data = _present(
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
    )
    return {"uid": one.event_id, "name": one.kind, "data": data}


def _analyses(alert: Alert) -> list[Body]:
    if not alert.contributions:
        return []
    return [
        {
            "analysis_targets": [{"name": alert.agent_id, "type": "AI Agent"}],
            "anomalies": [_anomaly(part, part.observed, 1) for part in alert.contributions],
            "baselines": [_anomaly(part, part.expected, part.n) for part in alert.contributions],
        }
    ]


def _anomaly(part: Contribution, value: str, count: int) -> Body:
    return {
        "observation_parameter": part.channel,
        "observation_type": part.voice,
        "observations": [{"value": value, "count": count}],
    }


def _unmapped(alert: Alert) -> Body:
    return {
        "ai_agent": _present(uid=alert.agent_id, type=alert.agent_type, version=alert.agent_version),
        "detector": _present(
            profile=alert.profile,
            session_id=alert.session_id,
            first_event_id=alert.event_id,
            score=alert.score,
            threshold=alert.threshold,
            events=alert.events,
            events_over=alert.events_over,
            asi=list(alert.asi),
            partition=alert.partition,
            contributions=[
                {"channel": part.channel, "voice": part.voice, "value": part.value, "bits": part.bits, "n": part.n}
                for part in alert.contributions
            ],
        ),
    }
