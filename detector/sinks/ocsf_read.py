"""Alerts read back from the OCSF documents of `agent.alerts`: the inverse of :mod:`detector.sinks.ocsf`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from detector.schema.alert import Alert

if TYPE_CHECKING:
    from collections.abc import Mapping

NORMAL: Final = "Normal would have been: "
"""Stood before what would have been normal, in the ``remediation.desc`` of documents that did not hold it elsewhere."""
PLACE: Final = "found_at"
"""Key of an act's data with its place in the order of finding, where acts do not stand in that order."""
EXACT: Final = "exact"
"""Key of ``unmapped.detector`` with the fields that the document does not hold otherwise, or only rounded."""

_ACTIVITY: Final = {1: "create", 2: "update", 3: "close"}
_SEVERITY: Final = {2: "low", 3: "medium", 4: "high", 5: "critical"}
# The first documents did not say how many agents the partition knew: 0 is "not told".
_BEFORE: Final = {"partition_agents": 0}


def decode(data: bytes) -> Alert:
    """Return the alert of a record of `agent.alerts`.

    Parameters
    ----------
    data : bytes
        What :func:`detector.sinks.ocsf.encode` wrote, in this version or another. Fields that this version does not
        know are passed over.

    Raises
    ------
    ValueError
        The record is no alert of ours.
    """
    try:
        body = json.loads(data)
        fields = {**_BEFORE, **fields_of(body), **body["unmapped"]["detector"].get(EXACT, {})}
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError) as error:
        msg = f"record of agent.alerts must be a finding of this product, got {type(error).__name__} ({error})"
        raise ValueError(msg) from error
    return Alert.model_validate(fields, extra="ignore")


def fields_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an alert that its OCSF document holds, as plain JSON values.

    Times of the document are whole milliseconds, techniques have their full ids: where an alert is finer than that,
    :func:`detector.sinks.ocsf.render` adds the field under ``unmapped.detector.exact``.
    """
    info, metadata, resource = body["finding_info"], body["metadata"], body["resources"][0]
    own = body["unmapped"]["detector"]
    return {
        "finding_uid": info["uid"],
        "counter": metadata["sequence"],
        "activity": _ACTIVITY[body["activity_id"]],
        "tenant": metadata["tenant_uid"],
        "agent_id": resource["uid"],
        "agent_type": resource["group"]["name"],
        "agent_version": resource.get("version"),
        "zone": resource.get("zone"),
        "session_id": own.get("session_id"),
        "profile": own["profile"],
        "detection": metadata["event_code"],
        "title": info["title"],
        "time": body["time"] / 1_000,
        "first_seen": body["start_time"] / 1_000,
        "last_seen": body["end_time"] / 1_000,
        "event_id": own["first_event_id"],
        "score": own.get("score"),
        "threshold": own.get("threshold"),
        "risk": body["risk_score"],
        "severity": _SEVERITY[body["severity_id"]],
        "events": own["events"],
        "events_over": own["events_over"],
        "contributions": _contributions(body),
        "normal_if": own["normal_if"] if "normal_if" in own else body["remediation"]["desc"].removeprefix(NORMAL),
        "evidence": _evidence(body),
        "asi": own["asi"],
        "atlas": [one["technique"]["uid"] for one in info.get("attacks", [])],
        "partition": own["partition"],
        "established": own.get("established", True),
        "own_sessions": own.get("own_sessions", 0),
        "peer_sessions": own.get("peer_sessions", 0),
        "recent_sessions": own.get("recent_sessions", 0),
        "recent_as_strange": own.get("recent_as_strange"),
        "risk_class": own.get("risk_class", ""),
        "outside_hours": own.get("outside_hours", False),
        "incident_earlier": own.get("incident_earlier", []),
    }


def _contributions(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = body["unmapped"]["detector"]["contributions"]
    if not told:
        return []
    (analysis,) = body["anomaly_analyses"]
    words = zip(told, analysis["anomalies"], analysis["baselines"], strict=True)
    return [
        {**part, "observed": seen["observations"][0]["value"], "expected": usual["observations"][0]["value"]}
        for part, seen, usual in words
    ]


def _evidence(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the acts in the order in which they were found."""
    told = [one["data"] for one in body.get("evidences", [])]
    ranked = sorted(range(len(told)), key=lambda rank: int(told[rank].get(PLACE, rank)))
    return [_act(told[rank]) for rank in ranked]


def _act(data: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in data.items() if name not in {"time", PLACE}}
    return {"target": None, **rest, "ts": datetime.fromisoformat(data["time"]).timestamp()}
