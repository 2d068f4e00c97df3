"""One session, one incident: created, raised, closed, with counts, an id that is the same everywhere, and reasons."""

from __future__ import annotations

from typing import Any

import pytest

from detector.alerts.findings import RISK_OF_SEVERITY, Policy, risk_of, severity_of
from detector.pipeline import Pipeline
from detector.schema.alert import Alert, finding_uid
from detector.steps.threshold import BudgetThreshold
from tests.streams import Script, feed, ordinary, trained

POLICY = Policy("default/v1", 0.01, 0.002, ())
ODD: list[dict[str, Any]] = [
    {"name": "exfiltrate", "target": f"https://d{n}.evil.example", "attributes": {"to": f"Zz{n}!", "via": "@@"}}
    for n in range(4)
]


def score_of(alert: Alert) -> float:
    """Return the score of an alert that a score made."""
    assert alert.score is not None
    return alert.score


def ready(script: Script) -> Pipeline:
    """Return a trained pipeline in its live part."""
    pipeline = trained(script)
    feed(pipeline, ordinary(script, 20, first=400))
    return pipeline


def incident(events: list[dict[str, Any]], session_id: str = "odd", **common: Any) -> list[Alert]:
    """Return the alerts of one session of a clerk."""
    script = Script()
    pipeline = ready(script)
    return feed(pipeline, script.session(session_id, events, agent_id="a-1", **common)).alerts


def test_a_session_that_passes_the_level_is_created_once_and_closed_once() -> None:
    """Four strange events: one incident."""
    alerts = incident(ODD)
    assert alerts[0].activity == "create"
    assert alerts[-1].activity == "close"
    assert [alert.counter for alert in alerts] == list(range(1, len(alerts) + 1))
    assert len({alert.finding_uid for alert in alerts}) == 1
    assert {alert.activity for alert in alerts[1:-1]} <= {"update"}


def test_an_ordinary_session_raises_nothing() -> None:
    """The harmless twin."""
    usual = [{"name": "search", "target": "index-1"}, {"name": "read", "target": "/docs/team/file-3"}]
    assert incident(usual) == []


def test_a_session_that_grows_stranger_updates_its_incident() -> None:
    """First past the alert level, later past the quarantine level: same id, next counter, higher score."""
    script = Script()
    pipeline = ready(script)
    mild = {"name": "search", "target": "index-1", "attributes": {"query": "Zz!"}}
    threshold = pipeline.state.threshold
    assert isinstance(threshold, BudgetThreshold)
    threshold.settings = threshold.settings._replace(quarantine=10.0**-3.0)
    alerts = feed(pipeline, script.session("grows", [mild, *ODD], agent_id="a-1")).alerts
    created, *updates = [alert for alert in alerts if alert.activity != "close"]
    assert [alert.activity for alert in updates] == ["update"]
    assert score_of(updates[0]) > score_of(created)
    assert updates[0].first_seen == created.first_seen < updates[0].last_seen
    assert updates[0].event_id == created.event_id
    assert [one.event_id for one in updates[0].evidence] == [created.event_id, updates[0].evidence[-1].event_id]


def test_the_close_counts_events_and_those_past_the_level() -> None:
    """And keeps the highest score."""
    *before, close = incident(ODD)
    assert close.events == len(ODD)
    assert 1 <= close.events_over <= len(ODD)
    assert score_of(close) >= max(map(score_of, before))
    assert close.time == close.last_seen >= before[-1].time


def test_the_finding_uid_is_a_hash_of_who_where_what_and_nothing_that_moves() -> None:
    """Never an offset or a time: the same finding has the same id after a replay."""
    alert = incident(ODD, tenant="acme")[0]
    expected = finding_uid("acme", "a-1", "odd", alert.event_id, alert.detection, alert.profile)
    assert alert.finding_uid == expected
    assert (alert.tenant, alert.partition, alert.session_id) == ("acme", 3, "odd")


def test_a_session_without_an_id_alerts_too() -> None:
    """It is split by idle time instead."""
    script = Script()
    pipeline = ready(script)
    events = [script.event(**{**fields, "agent_id": "a-1", "session_id": None}) for fields in ODD]
    alerts = feed(pipeline, events).alerts
    assert alerts[0].session_id is None
    assert alerts[0].finding_uid == finding_uid("default", "a-1", None, alerts[0].event_id, alerts[0].detection,
                                                alerts[0].profile)  # fmt: skip


def test_an_incident_still_open_is_closed_by_finish() -> None:
    """The end of a replay ends its sessions."""
    script = Script()
    pipeline = ready(script)
    alerts = feed(
        pipeline, [script.event(**{**fields, "agent_id": "a-1", "session_id": "odd"}) for fields in ODD]
    ).alerts
    assert pipeline.gauges()["incidents_open"] == 1
    final = pipeline.finish().alerts
    assert [alert.activity for alert in final] == ["close"]
    assert final[0].counter == alerts[-1].counter + 1
    assert pipeline.gauges()["incidents_open"] == 0


def lead(fields: dict[str, Any], before: tuple[dict[str, Any], ...] = ()) -> Alert:
    """Return the last alert before the close of a session that does ordinary things and then this one."""
    alerts = incident([*before, fields])
    return [alert for alert in alerts if alert.activity != "close"][-1]


def words(alert: Alert, channel: str) -> tuple[str, str]:
    """Return what a channel observed and what it would have expected."""
    return next((one.observed, one.expected) for one in alert.contributions if one.channel == channel)


def test_an_explanation_names_the_part_of_the_target_that_is_new() -> None:
    """Of several recipients the stranger."""
    targets = "user1@corp.example, thief@evil.example , user2@corp.example"
    observed, _ = words(lead({"name": "send", "target": targets, "attributes": {"cc": "Zz9!"}}), "novelty")
    assert "'thief@evil.example'" in observed
    assert "like nothing" in observed


def test_an_explanation_names_the_argument_that_is_new() -> None:
    """Of several arguments the odd one, behind the target's parts and what is ignored."""
    fields = {
        "name": "send", "target": "user1@corp.example",
        "attributes": {"error_class": "x", "lines": 4, "bcc": "Zz9!thief", "hook": "https://x.evil.example"},
    }  # fmt: skip
    alert = lead(fields)
    observed, _ = words(alert, "arguments")
    assert "argument bcc 'Zz9!thief'" in observed or "argument hook 'https://x.evil.example'" in observed


def test_an_explanation_names_the_amount_that_is_off_and_what_was_usual() -> None:
    """Observed against expected, with the observations behind it."""
    alert = lead({"name": "send", "target": "user1@corp.example", "attributes": {"lines": 900_000}})
    observed, expected = words(alert, "volume")
    assert observed.startswith("lines = 900000, +")
    assert 3.0 <= float(expected.split()[-1]) <= 5.0
    volume = next(one for one in alert.contributions if one.channel == "volume")
    assert volume.voice in ("own", "peers")
    assert volume.n >= 8


def test_contributions_come_largest_first_and_are_few() -> None:
    """Five at most, each above nothing."""
    for alert in incident(ODD):
        values = [one.value for one in alert.contributions]
        assert values == sorted(values, reverse=True)
        assert 1 <= len(values) <= 5
        assert min(values) > 0
        assert alert.normal_if.startswith("normal if ")
        assert alert.asi
        assert alert.atlas


def test_contributions_add_up_to_no_more_than_the_evidence() -> None:
    """What each channel added, risk weights included, also where origins discount."""
    for origin in ({}, {"arg_origin": {"target": "user"}}, {"arg_origin": {"target": "tool", "to": "tool"}}):
        script = Script()
        pipeline = ready(script)
        events = script.session("odd", [{**fields, **origin} for fields in ODD], agent_id="a-1")
        for value in events[:-1]:
            alerts = feed(pipeline, [value]).alerts
            total = pipeline.state.work.evidence.total[0].max()
            assert all(sum(one.value for one in alert.contributions) <= total + 1e-5 for alert in alerts)


@pytest.mark.parametrize(
    ("rarity", "severity", "risk"),
    [(2.0, "medium", 50), (2.69, "medium", 67), (2.7, "high", 68), (3.7, "critical", 92), (9.0, "critical", 100)],
)
def test_severity_and_risk_rise_with_rarity(rarity: float, severity: str, risk: int) -> None:
    """Alert, quarantine, ten times rarer than that."""
    assert severity_of(rarity, POLICY) == severity
    assert risk_of(rarity) == risk


def test_without_a_score_the_risk_is_that_of_the_severity() -> None:
    """A quarter a step, as consumers were told."""
    assert RISK_OF_SEVERITY == {"low": 25, "medium": 50, "high": 75, "critical": 100}
