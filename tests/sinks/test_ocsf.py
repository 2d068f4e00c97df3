"""Alerts as OCSF findings: held against a frozen slice of the schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.schema.alert import Alert
from detector.sinks.body import shorten, to_bytes
from detector.sinks.ocsf import RENDERING, encode, render
from detector.sinks.ocsf_read import decode

MakeAlert = Callable[..., Alert]
SLICE = json.loads((Path(__file__).parent / "ocsf-1.8.0-class-2004.json").read_text())
PLAIN = {"string_t": str, "integer_t": int, "timestamp_t": int, "boolean_t": bool, "object": dict}
NASTY = 'a\n\r\t\x00\x1b[31m"]=|\\ \u2028\u202e\x7f\U0001f600é'


def _faults(value: Any, kind: str, path: str) -> Iterator[str]:
    """Yield every way a value differs from what the slice says of its type."""
    if kind in PLAIN:
        if not isinstance(value, PLAIN[kind]) or (kind != "boolean_t" and isinstance(value, bool)):
            yield f"{path}: {value!r} is no {kind}"
        return
    yield from _object_faults(value, SLICE["objects"][kind], path)


def _object_faults(value: Mapping[str, Any], rule: Mapping[str, Any], path: str) -> Iterator[str]:
    attributes = rule["attributes"]
    yield from (f"{path}.{name} is unknown" for name in value.keys() - attributes.keys())
    required = {name for name, one in attributes.items() if one["requirement"] == "required"}
    yield from (f"{path}.{name} is missing" for name in required - value.keys())
    if "at_least_one" in rule and not value.keys() & set(rule["at_least_one"]):
        yield f"{path} has none of {rule['at_least_one']}"
    for name in value.keys() & attributes.keys():
        one, inner = attributes[name], value[name]
        for item in inner if one.get("is_array") else [inner]:
            yield from _faults(item, one["type"], f"{path}.{name}")
            if "enum" in one and item not in one["enum"]:
                yield f"{path}.{name}: {item!r} is not in the enum"


def _check(body: Mapping[str, Any]) -> list[str]:
    return list(_object_faults(body, SLICE["classes"]["detection_finding"], "finding"))


@pytest.mark.parametrize("activity", ["create", "update", "close"])
@pytest.mark.parametrize("severity", ["low", "medium", "high", "critical"])
def test_a_rendering_fits_the_schema(make_alert: MakeAlert, activity: str, severity: str) -> None:
    """Required attributes, types, enums, at-least-one rules, and nothing the schema does not know."""
    body = json.loads(encode(make_alert(activity=activity, severity=severity)))
    assert _check(body) == []
    assert body["type_uid"] == 200_400 + body["activity_id"]


def test_a_rendering_with_a_fault_is_caught_by_the_slice(make_alert: MakeAlert) -> None:
    """The check's harmless twin: it can fail."""
    body = render(make_alert())
    del body["metadata"]["version"]
    body["severity_id"] = 7
    body["colour"] = "red"
    assert sorted(_check(body)) == [
        "finding.colour is unknown",
        "finding.metadata.version is missing",
        "finding.severity_id: 7 is not in the enum",
    ]


def test_a_sparse_alert_fits_the_schema_and_holds_no_null(make_alert: MakeAlert) -> None:
    """What is absent is left out."""
    alert = make_alert(agent_version=None, zone=None, session_id=None, contributions=(), evidence=(), asi=(), atlas=())
    body = render(alert)
    assert _check(body) == []
    assert b"null" not in to_bytes(body)
    assert "evidences" not in body
    assert "anomaly_analyses" not in body


def test_an_alert_says_what_was_seen_and_what_was_expected(make_alert: MakeAlert) -> None:
    """The natural home of the explanation: anomalies beside baselines, with the number of observations."""
    (analysis,) = render(make_alert())["anomaly_analyses"]
    assert analysis["anomalies"][0]["observation_parameter"] == "novelty"
    assert analysis["anomalies"][0]["observations"][0]["value"] == "send_money to iban-9"
    assert analysis["baselines"][0]["observations"][0] == {"value": "one of 3 known targets", "count": 40}


def test_evidence_points_to_the_record_on_kafka(make_alert: MakeAlert) -> None:
    """Topic, partition, offset and line: an analyst can read the very bytes."""
    data = render(make_alert())["evidences"][0]["data"]
    assert (data["topic"], data["partition"], data["offset"], data["line"]) == ("agent.events", 1, 7, 0)


def test_consumers_can_drop_repeats(make_alert: MakeAlert) -> None:
    """Finding and counter are both in the metadata, and make the event's own id."""
    alert = make_alert(counter=3, activity="update")
    metadata = render(alert)["metadata"]
    assert (metadata["correlation_uid"], metadata["sequence"]) == (alert.finding_uid, 3)
    assert metadata["uid"] == f"{alert.finding_uid}-3"


def test_techniques_carry_their_full_atlas_ids(make_alert: MakeAlert) -> None:
    """Written short or full, they come out full."""
    attacks = render(make_alert(atlas=("T0086", "AML.T0051")))["finding_info"]["attacks"]
    assert [attack["technique"]["uid"] for attack in attacks] == ["AML.T0086", "AML.T0051"]


def test_a_rule_is_told_from_behaviour(make_alert: MakeAlert) -> None:
    """Analytic type 1 if only rules spoke, 2 otherwise."""
    (part,) = make_alert().contributions
    rule = make_alert(contributions=(part.model_copy(update={"voice": "rule"}),))
    assert render(rule)["finding_info"]["analytic"]["type_id"] == 1
    assert render(make_alert())["finding_info"]["analytic"]["type_id"] == 2


@given(st.text(max_size=40))
def test_any_name_survives_as_one_line_of_printable_ascii(make_alert: MakeAlert, text: str) -> None:
    """Names are chosen by the fleet; the encoding gives them back unchanged."""
    data = encode(make_alert(agent=text))
    assert all(32 <= byte < 127 for byte in data.replace(b"\x7f", b""))
    assert json.loads(data)["resources"][0]["uid"] == text


def test_nasty_names_are_escaped(make_alert: MakeAlert) -> None:
    """Line feed, NUL, escape, line separator, direction override: none arrives raw."""
    data = encode(make_alert(agent=NASTY, title=NASTY))
    assert b"\n" not in data
    assert b"\\u2028" in data
    assert b"\\u202e" in data
    assert json.loads(data)["finding_info"]["title"] == NASTY


def test_a_long_alert_is_shortened_and_says_so(make_alert: MakeAlert) -> None:
    """The lists go first; the schema still holds."""
    alert = make_alert()
    body = render(make_alert(evidence=alert.evidence * 200))
    short = shorten(body, RENDERING, 8_192)
    assert len(to_bytes(short)) <= 8_192
    assert short["metadata"]["is_truncated"] is True
    assert short["metadata"]["untruncated_size"] > 8
    assert "evidences" not in short
    assert "anomaly_analyses" in short
    assert _check(short) == []
    assert "is_truncated" not in body["metadata"]


def test_a_short_alert_is_left_alone(make_alert: MakeAlert) -> None:
    """The same object comes back."""
    body = render(make_alert())
    assert shorten(body, RENDERING, 65_536) is body


def test_the_alert_on_the_page_is_what_this_version_writes() -> None:
    """Read back and rendered again, it is the same: the page cannot fall behind."""
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
    body = json.loads(page.partition("```json\n")[2].partition("```")[0])
    assert _check(body) == []
    again = render(decode(to_bytes(body)))
    again["metadata"]["product"]["version"] = body["metadata"]["product"]["version"]
    assert again == body
