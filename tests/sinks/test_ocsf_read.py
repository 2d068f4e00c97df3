"""Alerts read back from OCSF: exactly what was written, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict

from detector.schema.alert import Alert, Argument, Contribution, Evidence
from detector.sinks.ocsf import encode, render
from detector.sinks.ocsf_read import EXACT, decode

MakeAlert = Callable[..., Alert]
TEXT = st.text(max_size=20) | st.just("Normal would have been: x")
COUNT = st.integers(0, 2**53)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
# Seconds in the calendar: any fraction of a second, also finer than OCSF tells.
TIME = st.floats(0.0, 253_402_300_000.0) | st.integers(0, 4_000_000_000_000_000).map(lambda us: us / 1_000_000)
ARGUMENT = st.builds(Argument, name=TEXT, value=TEXT)
EVIDENCE = st.builds(
    Evidence, ts=TIME, partition=COUNT, offset=COUNT, line=COUNT, target=st.none() | TEXT, cause=st.just("") | TEXT,
    strength=st.floats(0.0, 300.0), sizes=st.dictionaries(TEXT, NUMBER, max_size=2), arguments_left=COUNT,
    about=st.dictionaries(TEXT, TEXT, max_size=2), arguments=st.lists(ARGUMENT, max_size=2).map(tuple),
)  # fmt: skip
CONTRIBUTION = st.builds(Contribution, value=NUMBER, bits=NUMBER, n=COUNT, observed=TEXT, expected=TEXT)
ALERTS = st.builds(
    Alert,
    finding_uid=st.text("0123456789abcdef", min_size=32, max_size=32),
    counter=st.integers(1, 2**53),
    agent_version=st.none() | TEXT,
    zone=st.none() | TEXT,
    session_id=st.none() | TEXT,
    time=TIME,
    first_seen=TIME,
    last_seen=TIME,
    score=NUMBER,
    threshold=NUMBER,
    risk=st.integers(0, 100),
    events=COUNT,
    events_over=COUNT,
    contributions=st.lists(CONTRIBUTION, max_size=3).map(tuple),
    normal_if=TEXT,
    evidence=st.lists(EVIDENCE, max_size=3).map(tuple),
    atlas=st.lists(st.sampled_from(["T0086", "AML.T0051", ""]), max_size=3).map(tuple),
    partition_agents=COUNT,
    partition=COUNT,
    established=st.booleans(),
    causes=st.lists(TEXT, max_size=3).map(tuple),
    folded=COUNT,
    own_sessions=COUNT,
    peer_sessions=COUNT,
    recent_sessions=COUNT,
    recent_as_strange=st.none() | COUNT,
)


@given(ALERTS)
def test_what_is_read_back_is_what_was_written(alert: Alert) -> None:
    """Every field, to the last bit of a float."""
    assert decode(encode(alert)) == alert


def test_only_what_ocsf_does_not_hold_is_added(make_alert: MakeAlert) -> None:
    """Usual alerts are in whole milliseconds: then it is one number."""
    assert render(make_alert())["unmapped"]["detector"][EXACT] == {"partition_agents": 100}
    finer = render(make_alert(time=1_000.000_4, atlas=("T0086",)))["unmapped"]["detector"][EXACT]
    assert set(finer) == {"time", "first_seen", "last_seen", "atlas", "partition_agents"}


def test_whether_an_agent_is_established_is_told_and_older_documents_count_as_if(make_alert: MakeAlert) -> None:
    """A newcomer stays one through the SIEM's form; a document from before the field is about an established agent."""
    newcomer = make_alert(established=False)
    body = render(newcomer)
    assert body["unmapped"]["detector"]["established"] is False
    assert decode(encode(newcomer)) == newcomer
    del body["unmapped"]["detector"]["established"]
    assert decode(json.dumps(body).encode()).established


def test_acts_stand_by_strength_and_are_read_back_in_the_order_they_were_found(make_alert: MakeAlert) -> None:
    """The strongest is what a person reads first; what was found first is what the incident began with."""
    (act,) = make_alert().evidence
    acts = tuple(act.model_copy(update={"event_id": f"e-{k}", "strength": s}) for k, s in enumerate((2.0, 3.5, 2.0)))
    alert = make_alert(evidence=acts)
    assert [one["uid"] for one in render(alert)["evidences"]] == ["e-1", "e-0", "e-2"]
    assert "evidence" not in render(alert)["unmapped"]["detector"][EXACT]
    assert decode(encode(alert)) == alert


def test_documents_from_before_the_act_was_shown_are_read(make_alert: MakeAlert) -> None:
    """Without sizes, arguments and sessions, and with the normal words alone in the remedy."""
    alert = make_alert()
    body = render(alert)
    for name in ("sizes", "about", "arguments"):
        del body["evidences"][0]["data"][name]
    for name in ("own_sessions", "peer_sessions", "recent_sessions", "normal_if"):
        del body["unmapped"]["detector"][name]
    body["remediation"] = {"desc": f"Normal would have been: {alert.normal_if}"}
    act = alert.evidence[0].model_copy(update={"sizes": {}, "about": {}, "arguments": ()})
    old = alert.model_copy(update={"evidence": (act,), "own_sessions": 0, "peer_sessions": 0, "recent_sessions": 0})
    assert decode(json.dumps(body).encode()) == old


class Note(Contribution):
    """A part that a later version may add."""


class LaterAlert(Alert):
    """An alert of a later version, with fields that this one does not know."""

    model_config = ConfigDict(frozen=True)

    colours: tuple[str, ...] = ()
    note: Note | None = None


def test_optional_fields_to_come_travel_without_a_place_in_ocsf(make_alert: MakeAlert) -> None:
    """A later version needs no change here; this version reads its documents and passes over what it cannot know."""
    now = make_alert()
    (part,) = now.contributions
    plain = LaterAlert(**now.model_dump())
    later = LaterAlert(**now.model_dump(), colours=("f-1",), note=Note(**part.model_dump()))
    assert encode(plain) == encode(now)
    assert render(later)["unmapped"]["detector"][EXACT]["colours"] == ["f-1"]
    assert decode(encode(later)) == now


def test_unknown_fields_of_a_newer_document_are_passed_over(make_alert: MakeAlert) -> None:
    """At every level."""
    alert = make_alert()
    body = render(alert)
    body["colour"] = body["finding_info"]["colour"] = body["unmapped"]["detector"]["colour"] = "red"
    body["evidences"][0]["data"]["colour"] = body["unmapped"]["detector"]["contributions"][0]["colour"] = "red"
    assert decode(json.dumps(body).encode()) == alert


def test_documents_written_before_the_added_key_are_read(make_alert: MakeAlert) -> None:
    """They stand on the topic when a forwarder is updated; what they do not tell is 0."""
    alert = make_alert()
    body = render(alert)
    del body["unmapped"]["detector"][EXACT]
    assert decode(json.dumps(body).encode()) == alert.model_copy(update={"partition_agents": 0})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[1]",
        b"3",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"resources": 3}',
        b'{"unmapped": {"detector": []}}',
    ],
)
def test_what_is_no_alert_is_refused(data: bytes) -> None:
    """With one kind of error."""
    with pytest.raises(ValueError, match=r"record of agent\.alerts must be a finding of this product"):
        decode(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("severity_id", 1),
        ("activity_id", 99),
        ("time", "soon"),
        ("risk_score", 101),
        ("resources", []),
        ("evidences", [{"data": {"time": "soon"}}]),
        ("anomaly_analyses", []),
        ("metadata", {}),
        ("finding_info", {"uid": "x", "title": "t"}),
    ],
)
def test_a_finding_that_is_not_ours_is_refused(make_alert: MakeAlert, path: str, value: object) -> None:
    """Other products may write to the topic; nothing of theirs is guessed at."""
    body = {**render(make_alert()), path: value}
    with pytest.raises(ValueError, match=r"record of agent|validation error"):
        decode(json.dumps(body).encode())
