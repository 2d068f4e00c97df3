"""Alerts as documents of the Elastic Common Schema, ECS 8.17, for Elasticsearch and what reads like it.

ECS calls the program that ships events ``agent``, so an AI agent is not that: it is the ``service`` that is watched,
the detector is the ``observer``, a tenant the ``organization``. What ECS has no field for stands under the product's
own name, as its page on custom fields advises. Severity numbers are those that Elastic's prebuilt rule "External
Alerts" reads; it takes every document whose ``event.kind`` is ``alert``.

References
----------
.. [1] Elastic Common Schema 8.17, field reference and "Custom fields", https://www.elastic.co/guide/en/ecs/8.17/
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from detector import __version__
from detector.sinks.body import (
    Body,
    Rendering,
    atlas_technique,
    atlas_url,
    in_a_sentence,
    present,
    seen_and_expected,
)

if TYPE_CHECKING:
    from detector.schema.alert import Alert

VERSION: Final = "8.17.0"
PRODUCT: Final = "agent-behaviour-detector"
OWN: Final = "agent_behaviour_detector"
"""Key of what ECS has no field for."""

_SEVERITY: Final = {"low": 21, "medium": 47, "high": 73, "critical": 99}
# These stand in fields of ECS; everything else of an alert, also what is added to it later, goes under OWN.
_PLACED: Final = {
    "tenant",
    "agent_id",
    "agent_type",
    "agent_version",
    "profile",
    "detection",
    "title",
    "time",
    "first_seen",
    "last_seen",
    "risk",
    "asi",
    "atlas",
}


def render(alert: Alert) -> Body:
    """Return the ECS document of one alert record, as plain JSON values.

    Parameters
    ----------
    alert : Alert
        One record of a finding. Consumers drop repeats by ``event.id``, which is the finding and its counter.

    Returns
    -------
    dict
        Times are RFC 3339 with milliseconds. Absent values are left out, never null. ``event.kind`` is ``alert``, or
        ``event`` for a close or a person's verdict: that is no reason to alert anybody.
    """
    profile, _, version = alert.profile.partition("/")
    return present(
        **{"@timestamp": _moment(alert.time)},
        ecs={"version": VERSION},
        message=in_a_sentence(alert),
        tags=list(alert.asi) or None,
        event=_event(alert),
        rule={
            "id": alert.detection,
            "name": alert.title,
            "category": "Agent behaviour anomaly",
            "ruleset": profile,
            "version": version,
        },
        threat=_threat(alert),
        service=present(id=alert.agent_id, name=alert.agent_id, type=alert.agent_type, version=alert.agent_version),
        organization={"id": alert.tenant},
        observer={"vendor": PRODUCT, "product": PRODUCT, "version": __version__, "type": "anomaly-detector"},
        **{OWN: _own(alert)},
    )


def mark(body: Body, size: int) -> Body:
    """Return the body with its size before, in bytes, under the product's name: ECS has no field for it."""
    return {**body, OWN: {**body[OWN], "untruncated_size": size}}


def _moment(seconds: float) -> str:
    moment = datetime.fromtimestamp(round(seconds * 1_000) / 1_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event(alert: Alert) -> Body:
    return {
        "kind": "alert" if alert.activity in {"create", "update"} else "event",
        "category": ["intrusion_detection"],
        "type": ["info"],
        "action": f"finding-{alert.activity}",
        "id": f"{alert.finding_uid}-{alert.counter}",
        "sequence": alert.counter,
        "code": alert.detection,
        "provider": PRODUCT,
        "module": OWN,
        "dataset": f"{OWN}.alerts",
        "severity": _SEVERITY[alert.severity],
        "risk_score": float(alert.risk),
        "risk_score_norm": float(alert.risk),
        "start": _moment(alert.first_seen),
        "end": _moment(alert.last_seen),
        "reason": seen_and_expected(alert),
    }


def _threat(alert: Alert) -> Body | None:
    if not alert.atlas:
        return None
    techniques = [atlas_technique(uid) for uid in alert.atlas]
    references = [atlas_url(technique) for technique in techniques]
    return {"framework": "MITRE ATLAS", "technique": {"id": techniques, "reference": references}}


def _own(alert: Alert) -> dict[str, Any]:
    own = alert.model_dump(mode="json", exclude=_PLACED, exclude_none=True)
    own["evidence"] = [
        {**{name: value for name, value in one.items() if name != "ts"}, "time": _moment(one["ts"])}
        for one in own["evidence"]
    ]
    return own


RENDERING: Final = Rendering(
    render, (f"{OWN}.evidence", f"{OWN}.contributions", "event.reason", f"{OWN}.normal_if", "threat", "tags"), mark
)
