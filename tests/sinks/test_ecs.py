"""Alerts as ECS documents: known fields with the types ECS gives them, and nothing of it in the wrong place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from detector.schema.alert import Alert, ContainedNote, EarlierSession, VerdictNote
from detector.schema.zone_cut import ZoneCut
from detector.sinks.body import shorten, to_bytes
from detector.sinks.ecs import OWN, RENDERING, render

MakeAlert = Callable[..., Alert]
# The fields we fill and their types, from the field reference of ECS 8.17; a "[]" asks for an array.
FIELDS = {
    "@timestamp": "date",
    "ecs.version": "keyword",
    "message": "text",
    "tags": "keyword[]",
    "event.kind": "keyword",
    "event.category": "keyword[]",
    "event.type": "keyword[]",
    "event.action": "keyword",
    "event.id": "keyword",
    "event.sequence": "long",
    "event.code": "keyword",
    "event.provider": "keyword",
    "event.module": "keyword",
    "event.dataset": "keyword",
    "event.severity": "long",
    "event.risk_score": "float",
    "event.risk_score_norm": "float",
    "event.start": "date",
    "event.end": "date",
    "event.reason": "keyword",
    "rule.id": "keyword",
    "rule.name": "keyword",
    "rule.category": "keyword",
    "rule.ruleset": "keyword",
    "rule.version": "keyword",
    "rule.reference": "keyword",
    "threat.framework": "keyword",
    "threat.technique.id": "keyword[]",
    "threat.technique.name": "keyword[]",
    "threat.technique.reference": "keyword[]",
    "related.hosts": "keyword[]",
    "related.ip": "ip[]",
    "related.user": "keyword[]",
    "related.hash": "keyword[]",
    "service.id": "keyword",
    "service.name": "keyword",
    "service.type": "keyword",
    "service.version": "keyword",
    "organization.id": "keyword",
    "observer.vendor": "keyword",
    "observer.product": "keyword",
    "observer.version": "keyword",
    "observer.type": "keyword",
}
PYTHON = {"keyword": str, "text": str, "long": int, "float": float, "date": str, "ip": str}


def _leaves(body: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield path + name, value


def _faults(body: Mapping[str, Any]) -> list[str]:
    """Return every field that ECS does not know, or knows as something else."""
    faults = []
    for path, value in _leaves({name: value for name, value in body.items() if name != OWN}):
        kind = FIELDS.get(path, "unknown")
        is_list = isinstance(value, list)
        right = PYTHON.get(kind.removesuffix("[]"), type(None))
        if is_list != kind.endswith("[]") or not all(type(one) is right for one in (value if is_list else [value])):
            faults.append(f"{path}: {value!r} is no {kind}")
        if kind == "date":
            datetime.fromisoformat(value)
    return faults


@pytest.mark.parametrize("activity", ["create", "update", "close"])
@pytest.mark.parametrize("severity", ["low", "medium", "high", "critical"])
def test_every_field_is_one_of_ecs_with_its_type(make_alert: MakeAlert, activity: str, severity: str) -> None:
    """What ECS does not know stands under the product's name."""
    assert _faults(render(make_alert(activity=activity, severity=severity))) == []


def test_a_field_out_of_place_is_caught(make_alert: MakeAlert) -> None:
    """The check's harmless twin: it can fail."""
    body = render(make_alert())
    body["agent"] = {"id": "agent-1"}
    body["event"]["category"] = "intrusion_detection"
    assert _faults(body) == [
        "event.category: 'intrusion_detection' is no keyword[]",
        "agent.id: 'agent-1' is no unknown",
    ]


def test_all_fields_of_ecs_are_filled_by_a_full_alert(make_alert: MakeAlert) -> None:
    """The table above holds no field that nobody writes."""
    assert {path for path, _ in _leaves(render(make_alert())) if not path.startswith(OWN)} == set(FIELDS)


def test_the_ai_agent_is_the_service_and_not_the_shipper(make_alert: MakeAlert) -> None:
    """ECS keeps the name `agent` for the program that sends the events."""
    body = render(make_alert())
    assert "agent" not in body
    assert body["service"] == {"id": "agent-1", "name": "agent-1", "type": "support", "version": "1.4"}
    assert body["observer"]["product"] == "agent-behaviour-detector"
    assert body["organization"]["id"] == "acme"


@pytest.mark.parametrize(("activity", "kind"), [("create", "alert"), ("update", "alert"), ("close", "event")])
def test_a_close_alerts_nobody(make_alert: MakeAlert, activity: str, kind: str) -> None:
    """As in OCSF, where is_alert is false."""
    event = render(make_alert(activity=activity))["event"]
    assert (event["kind"], event["action"]) == (kind, f"finding-{activity}")


@pytest.mark.parametrize(("severity", "number"), [("low", 21), ("medium", 47), ("high", 73), ("critical", 99)])
def test_severities_are_those_that_elastics_rule_for_external_alerts_reads(
    make_alert: MakeAlert, severity: str, number: int
) -> None:
    """Other numbers would all become medium there."""
    assert render(make_alert(severity=severity))["event"]["severity"] == number


def test_an_alert_says_what_was_seen_what_for_and_where(make_alert: MakeAlert) -> None:
    """Reason, technique and the record on Kafka."""
    body = json.loads(to_bytes(render(make_alert(atlas=("T0086",)))))
    assert body["event"]["reason"].endswith(
        "; novelty: send_money to iban-9; usual: one of 3 known targets (its own history, n = 40)"
    )
    assert body["threat"]["technique"]["id"] == ["AML.T0086"]
    assert body["threat"]["technique"]["name"] == ["Exfiltration via AI Agent Tool Invocation"]
    assert body[OWN]["asi_names"] == ["ASI02 Tool Misuse and Exploitation"]
    (one,) = body[OWN]["evidence"]
    assert (one["topic"], one["partition"], one["offset"], one["line"]) == ("agent.events", 1, 7, 0)
    assert one["time"] == "1970-01-01T00:16:40.000Z"


def test_a_sparse_alert_holds_no_null(make_alert: MakeAlert) -> None:
    """What is absent is left out."""
    alert = make_alert(agent_version=None, zone=None, session_id=None, contributions=(), evidence=(), asi=(), atlas=())
    body = render(alert)
    assert _faults(body) == []
    assert b"null" not in to_bytes(body)
    assert "threat" not in body


def test_every_field_of_an_alert_is_told(make_alert: MakeAlert) -> None:
    """A field that is changed changes the document, so one that is added later cannot be forgotten."""
    alert = make_alert()
    changed: dict[str, Any] = {
        name: value + 7 if isinstance(value, int | float) else (value * 2 if isinstance(value, tuple) else f"{value}7")
        for name, value in alert
    }
    changed["cut"] = ZoneCut(zone="front")
    note = VerdictNote(verdict="confirm", by="ann", reason="seen", at=1.0)
    changed |= {"activity": "close", "severity": "low", "causes": ("rule.x/1",), "verdict": note}
    earlier = EarlierSession(finding_uid="f" * 32, agent_id="a", session_id=None)
    held = ContainedNote(tier="limit", command_id="c", since=1.0, until=None)
    changed |= {"established": False, "learning": True, "outside_hours": True, "incident_earlier": (earlier,)}
    changed |= {"contained": held, "recent_as_strange": 8}
    told = [name for name in changed if render(alert.model_copy(update={name: changed[name]})) != render(alert)]
    assert told == list(Alert.model_fields)


def test_a_long_alert_is_shortened_and_says_so(make_alert: MakeAlert) -> None:
    """Evidence goes first; finding and agent stay."""
    alert = make_alert()
    body = render(make_alert(evidence=alert.evidence * 200))
    short = shorten(body, RENDERING, 8_192)
    assert len(to_bytes(short)) <= 8_192
    assert short[OWN]["untruncated_size"] == len(to_bytes(body))
    assert "evidence" not in short[OWN]
    assert "contributions" in short[OWN]
    assert "untruncated_size" not in body[OWN]
