"""An agent that falls silent while its peers report is told once, with those beside it; usual pauses are silent."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming
from detector.pipeline import Pipeline
from detector.rules import presence
from detector.rules.presence import FACTOR, LEAST_AGE, LEAST_PEERS, LEAST_SILENT
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.simulate.fleet import DAY_S, MONDAY
from detector.simulate.render import timestamp
from tests.rules.registry import control, entry
from tests.streams import feed, makers, quick, records_of

ONLY = {"enabled": ("silent_agent",)}
PROFILE = quick(rules=ONLY)
DAYS = LEAST_AGE + 4
HOURS = 24 * DAYS
GONE = 24 * (LEAST_AGE + 2)
"""The hour in which somebody falls silent."""
Reports = Callable[[int, int], bool]
"""Tells whether an agent reports in an hour since Monday."""


def stream(reports: Reports, agents: int = 8, hours: int = HOURS, **fields: Any) -> list[bytes]:
    """Return an event an hour of each agent that reports then."""
    values = []
    for hour in range(hours):
        for agent in range(agents):
            if reports(agent, hour):
                at = MONDAY + 3_600.0 * hour + 60.0 * (agent % 50)
                body = {"event_id": f"e-{agent}-{hour}", "ts": timestamp(round(at * 1_000)), "agent_id": f"a-{agent}"}
                values.append(json.dumps({**body, "kind": "tool_call", "name": "read", **fields}).encode())
    return values


def found(reports: Reports, **more: Any) -> list[Alert]:
    """Return what is found of a fleet."""
    return feed(Pipeline(PROFILE), stream(reports, **more)).alerts


def steady_but(*silent: int, until: int = HOURS, since: int = GONE) -> Reports:
    """Return a fleet that reports every hour, but for some agents from an hour on."""
    return lambda agent, hour: agent not in silent or not since <= hour < until


def test_an_agent_that_falls_silent_is_told_once_at_its_last_act() -> None:
    """Whose it is, since when, for how long, and where its last record stands."""
    (alert,) = found(steady_but(3))
    assert (alert.detection, alert.severity, alert.agent_id) == ("rule.silent_agent", "medium", "a-3")
    assert alert.title == "a-3 fell silent while others report"
    (act,) = alert.evidence
    assert (act.event_id, act.topic, act.partition) == (f"e-3-{GONE - 1}", "events", 3)
    assert json.loads(stream(steady_but(3))[act.offset])["event_id"] == act.event_id
    assert alert.contributions[0].observed == (
        f"no report since the hour of 2026-03-12T06:00+00:00, through {LEAST_SILENT} hours in which others reported"
    )
    assert (alert.score, alert.established, alert.time) == (None, True, act.ts)


def test_a_silent_agent_is_told_as_its_risk_class_asks() -> None:
    """No less severe than the class is, and named as of it; silence has no hours, and another agent no class."""
    table = {"name": "crown", "match": {"criticality": ["critical"]}, "severity": "high"}
    table["hours"] = {"zone": "UTC", "days": ["sun"], "begin": "00:00", "end": "00:01"}
    pipeline = Pipeline(PROFILE.model_validate({**PROFILE.model_dump(), "classes": [table]}))
    pipeline.control([control(entry("a-3", criticality="critical"), entry("a-4"))])
    told = {alert.agent_id: alert for alert in feed(pipeline, stream(steady_but(3))).alerts}
    assert (told["a-3"].severity, told["a-3"].risk_class, told["a-3"].outside_hours) == ("high", "crown", False)
    other = Pipeline(PROFILE.model_validate({**PROFILE.model_dump(), "classes": [table]}))
    other.control([control(entry("a-4", criticality="critical"))])
    (alert,) = feed(other, stream(steady_but(3))).alerts
    assert (alert.severity, alert.risk_class) == ("medium", "")


def test_it_is_told_after_six_hours_and_not_before() -> None:
    """Or after twice its longest pause."""
    for pause, hours in ((0, LEAST_SILENT), (5, FACTOR * 5 + 1)):
        early = {GONE - 24 * n - k for n in (3, 5) for k in range(pause)}

        def reports(agent: int, hour: int, early: set[int] = early) -> bool:
            return agent != 3 or (hour < GONE and hour not in early)

        assert found(reports, hours=GONE + hours) == []
        assert len(found(reports, hours=GONE + hours + 1)) == 1


def nights(agent: int, hour: int) -> bool:
    """Tell when people work: by day, from Monday to Friday."""
    return 8 <= hour % 24 < 18 and hour // 24 % 7 < 5


@pytest.mark.parametrize(
    "reports",
    [
        lambda agent, hour: True,
        nights,
        lambda agent, hour: agent < 4 or nights(agent, hour),
        lambda agent, hour: hour < GONE or hour > GONE + 40,
        lambda agent, hour: agent != 3 or hour < GONE - 24 * 7,
        lambda agent, hour: agent != 3 or (hour % 24 == 9 and hour < GONE),
        lambda agent, hour: agent < LEAST_PEERS - 1 or (agent == 3 and hour < GONE),
    ],
    ids=["steady", "office", "office beside services", "outage of all", "young", "rare", "too few peers"],
)
def test_nights_weekends_outages_and_agents_that_are_not_regular_are_silent(reports: Reports) -> None:
    """Nobody is missed when nobody is there, and only who was always there."""
    assert found(reports, hours=24 * 21) == []


def test_an_exporter_of_many_is_one_finding_that_names_some() -> None:
    """Those that fell silent in the same hour or the next, whenever they are missed; in the first one's name."""
    pauses = {(agent, GONE - 30 - k) for agent in range(4, 20) for k in range(agent % 5)}

    def reports(agent: int, hour: int) -> bool:
        return agent < 4 or (hour < GONE + agent % 2 and (agent, hour) not in pauses)

    pipeline = Pipeline(PROFILE)
    outcome = feed(pipeline, stream(reports, agents=20))
    (alert,) = outcome.alerts
    assert alert.title.endswith("more fell silent while others report")
    named = alert.contributions[0].observed.partition("; with it ")[2]
    count = int(alert.title.split()[2])
    assert count + outcome.counts["silences_folded"] == 15
    assert named.count("a-") == min(count, 4)


def test_another_tenants_agents_are_not_named() -> None:
    """Whose fleet it is, is nobody else's business."""
    values = [
        json.dumps({**json.loads(value), "tenant": f"t-{index % 2}"}).encode()
        for index, value in enumerate(stream(steady_but(3, 4)))
    ]
    by_agent = [json.dumps({**json.loads(one), "tenant": json.loads(one)["agent_id"][-1]}).encode() for one in values]
    alerts = feed(Pipeline(PROFILE), by_agent).alerts
    assert [(one.tenant, one.title) for one in alerts] == [
        (name, f"a-{name} fell silent while others report") for name in ("3", "4")
    ]


def test_who_returns_and_falls_silent_again_is_told_again_only_if_it_is_longer_still() -> None:
    """A pause that was made is one it may make."""
    back = steady_but(3, until=GONE + 10)
    twice: Reports = lambda agent, hour: back(agent, hour) and not (agent == 3 and hour >= GONE + 30)  # noqa: E731
    assert len(found(twice, hours=GONE + 45)) == 1
    assert len(found(twice, hours=GONE + 60)) == 2


def test_history_is_learned_and_not_told() -> None:
    """Before it is trusted until, nothing alerts."""
    pipeline = Pipeline(PROFILE, trusted_until=MONDAY + HOURS * 3_600.0)
    assert feed(pipeline, stream(steady_but(3))).alerts == []


def test_a_person_keeps_it_quiet() -> None:
    """As any rule, for the agent or for everybody."""
    for scope in ("agent", "everyone"):
        pipeline = Pipeline(PROFILE)
        (alert,) = feed(pipeline, stream(steady_but(3, until=GONE + 20), hours=GONE + 21)).alerts
        act = {
            "kind": "verdict", "agent_id": "a-3", "by": "kim", "reason": "a spare", "at": MONDAY, "id": "f" * 32,
            "finding_uid": alert.finding_uid, "verdict": "disable", "until": MONDAY + 90 * DAY_S, "scope": scope,
        }  # fmt: skip
        assert pipeline.control([Control(0, json.dumps(act).encode())]).counts["verdicts"] == 1
        later = stream(steady_but(3, since=GONE + 24), hours=GONE + 100)
        assert feed(pipeline, later[len(stream(steady_but(3, until=GONE + 20), hours=GONE + 21)) :]).alerts == []


def test_a_first_event_from_the_future_does_not_stop_it() -> None:
    """The clock falls back, and the table begins anew."""
    values = stream(steady_but(3))
    first = json.dumps({**json.loads(values[0]), "event_id": "x", "ts": "2099-01-01T00:00:00Z"}).encode()
    assert len(feed(Pipeline(PROFILE), [first, *values]).alerts) == 1


def test_what_is_followed_is_bounded_and_a_flood_takes_nobodys_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents of one day leave first; a full table takes nobody in."""
    monkeypatch.setattr(presence, "MOST_KNOWN", 4)
    pipeline = Pipeline(PROFILE)
    counts, alerts = 0, []
    for hour in range(0, HOURS, 12):
        part = stream(steady_but(3), hours=hour + 12)[len(stream(steady_but(3), hours=hour)) :]
        flood = [
            json.dumps({**json.loads(part[-1]), "event_id": f"f-{hour}-{n}", "agent_id": f"f-{n}"}).encode()
            for n in range(600)
        ]
        outcome = feed(pipeline, [*part, *flood])
        counts += outcome.counts["presence_full"]
        alerts += outcome.alerts
    table = pipeline.state.rule_memory.presence
    assert max(map(len, table._known)) <= 4
    assert max(map(len, table._new)) <= presence.MOST_NEW
    assert counts > 0
    assert [alert.agent_id for alert in alerts if alert.detection == "rule.silent_agent"] == ["a-3"]


def wild(seed: int) -> list[bytes]:
    """Return a fleet of which some fall silent for some time, now and then."""
    chance = random.Random(seed)
    gone = {agent: chance.randrange(24 * 9, HOURS) for agent in range(12) if chance.random() < 0.5}
    return stream(
        lambda agent, hour: not gone.get(agent, HOURS) <= hour < gone.get(agent, 0) + 30, agents=12,
        hours=HOURS,
    )  # fmt: skip


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 3_000), max_size=5), st.integers(1, 3_000))
def test_silences_are_the_same_however_events_are_cut_and_taken_up(seed: int, cuts: list[int], place: int) -> None:
    """Who reports when is in the state."""
    make, restore = makers(PROFILE)
    records = records_of(wild(seed))
    assert faults_of_cuts(make, records, [cuts, range(0, 3_000, 701)]) == []
    assert faults_of_resuming(make, restore, records, [place]) == []


def test_silences_are_in_the_increments_of_a_snapshot() -> None:
    """Newer over older is a full snapshot; a profile without the rule takes them up as nothing."""
    make, restore = makers(PROFILE)
    records = records_of(wild(3))
    assert [one for one in make().process(records).alerts if one.detection == "rule.silent_agent"]
    assert faults_of_increments(make, restore, records, range(0, 3_000, 900)) == []
    pipeline = make()
    pipeline.process(records)
    without = Pipeline.restore(quick(rules={"enabled": ()}), pipeline.snapshot(full=True))
    assert not any(name.startswith("presence") for name in without.snapshot(full=True))
