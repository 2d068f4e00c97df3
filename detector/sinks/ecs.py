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

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from detector import __version__
from detector.sinks.body import Body, Rendering, by_strength, present
from detector.sinks.observables import Observable, observables_of
from detector.sinks.taxonomy import ATLAS, atlas_name, atlas_technique, atlas_url, owasp_title
from detector.sinks.words import in_a_sentence, next_steps, one_in, runbook, seen_and_expected, threshold_one_in

if TYPE_CHECKING:
    from detector.schema.alert import Alert

VERSION: Final = "8.17.0"
PRODUCT: Final = "agent-behaviour-detector"
OWN: Final = "agent_behaviour_detector"
"""Key of what ECS has no field for."""

_SEVERITY: Final = {"low": 21, "medium": 47, "high": 73, "critical": 99}
_RELATED: Final = {
    "Hostname": "hosts",
    "IP Address": "ip",
    "User Name": "user",
    "Email Address": "user",
    "Hash": "hash",
}
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
    observables, left = observables_of(alert)
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
            "reference": runbook(alert),
        },
        threat=_threat(alert),
        related=_related(observables),
        service=present(id=alert.agent_id, name=alert.agent_id, type=alert.agent_type, version=alert.agent_version),
        organization={"id": alert.tenant},
        observer={"vendor": PRODUCT, "product": PRODUCT, "version": __version__, "type": "anomaly-detector"},
        **{OWN: _own(alert, observables, left)},
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
    names = [atlas_name(technique) or technique for technique in techniques]
    return {"framework": ATLAS.name, "technique": {"id": techniques, "name": names, "reference": references}}


def _related(observables: Sequence[Observable]) -> Body | None:
    """Return what ECS has a field to search by for; everything else that was found stands under the product's name."""
    related: dict[str, list[str]] = {}
    for one in observables:
        if one.kind in _RELATED:
            related.setdefault(_RELATED[one.kind], []).append(one.value)
    return related or None


def _own(alert: Alert, observables: Sequence[Observable], left: int) -> dict[str, Any]:
    own = alert.model_dump(mode="json", exclude=_PLACED, exclude_none=True)
    own["evidence"] = [
        {**{name: value for name, value in own["evidence"][place].items() if name != "ts"}, "time": _moment(one.ts)}
        for place, one in by_strength(alert.evidence)
    ]
    own["observables"] = [{"type": one.kind, "value": one.value} for one in observables]
    own["observables_left"] = left
    own |= present(one_in=one_in(alert), threshold_one_in=threshold_one_in(alert))
    own["asi_names"] = [owasp_title(uid) for uid in alert.asi]
    own["next_steps"] = next_steps(alert)
    return own


RENDERING: Final = Rendering(
    render,
    (
        f"{OWN}.evidence",
        f"{OWN}.contributions",
        f"{OWN}.observables",
        "related",
        "event.reason",
        f"{OWN}.next_steps",
        f"{OWN}.normal_if",
        "threat",
        "tags",
    ),
    mark,
)
