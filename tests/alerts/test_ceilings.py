"""Ceilings: so many incidents an hour, of an agent and of a partition; what is beyond is one incident with a count."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alerts.ceilings import HOUR_S, CeilingSettings, HourlyCeilings
from detector.alerts.explain import Known
from detector.alerts.findings import Policy
from detector.alerts.incidents import Incidents
from detector.alerts.storm import DETECTION, Storm
from detector.schema.alert import Alert
from tests.alerts.leading import KNOWN, finding, lead, spot

POLICY = Policy("default/v1", 0.01, 0.002, ())
TIGHT = CeilingSettings(agent=2, established=4, newcomers=3, reserve=1)
NEW = KNOWN._replace(is_established=False)
HOUR = 490_000
NOON = HOUR * HOUR_S


def opened(incidents: Incidents, number: int, agent: str, known: Known = KNOWN, **fields: Any) -> Alert | None:
    """Return what comes of the first odd act of a session of its own."""
    act = {"target": "t", "bytes_out": 9.0, "on_behalf_of": "ada", "attributes": {f"to{k}": "x" for k in range(9)}}
    at = spot(number, agent_id=agent, session_id=f"s-{number}", tenant=fields.pop("tenant", None), **act)
    found = finding("a", number, **{"rarity": 2.5, "over": 1, **fields})
    return incidents.take(number, lead(found._replace(event=at.event), known))


def incidents_at(hour: int = HOUR, settings: CeilingSettings = TIGHT) -> Incidents:
    """Return incidents whose watermark stands at an hour."""
    incidents = Incidents(POLICY, settings)
    incidents.move_to(hour)
    return incidents


def full_hour(rarity: float = 3.0) -> Incidents:
    """Return incidents with every place of established agents taken in this hour."""
    incidents = incidents_at()
    for n in range(4):
        opened(incidents, n, f"a-{n}", rarity=rarity)
    return incidents


def test_one_agent_opens_so_many_incidents_an_hour_and_another_agent_is_not_its_victim() -> None:
    """The third is folded; the other agent's first is opened."""
    incidents = incidents_at()
    found = [opened(incidents, n, "a-1") for n in range(3)]
    assert [one and one.detection for one in found] == ["rule.toy", "rule.toy", DETECTION]
    other = opened(incidents, 9, "a-2")
    assert other is not None
    assert (other.agent_id, other.activity) == ("a-2", "create")


def test_newcomers_take_no_place_of_established_agents() -> None:
    """However many are invented first."""
    incidents = incidents_at()
    for n in range(50):
        opened(incidents, n, f"new-{n}", NEW)
    found = [opened(incidents, 100 + n, f"a-{n}") for n in range(4)]
    assert [one and one.established for one in found] == [True] * 4
    assert incidents.ceilings.opened == [3, 4, 0]


def test_the_reserve_is_for_what_is_stronger_than_all_that_was_let_through() -> None:
    """As strong as the strongest is not enough, and the reserve has an end."""
    incidents = full_hour()
    equal = opened(incidents, 10, "b-1", rarity=3.0)
    assert equal is not None
    assert equal.detection == DETECTION
    strong = opened(incidents, 12, "b-3", rarity=3.5)
    assert strong is not None
    assert (strong.agent_id, strong.activity) == ("b-3", "create")
    later = opened(incidents, 13, "b-4", rarity=9.0)
    assert later is None or later.detection == DETECTION


def test_a_session_that_was_folded_is_named_when_it_acts_in_another_hour() -> None:
    """Ceilings delay, they do not forgive."""
    incidents = full_hour()
    folded = opened(incidents, 50, "b", rarity=2.5)
    assert folded is not None
    assert folded.detection == DETECTION
    incidents.move_to(HOUR + 1)
    named = opened(incidents, 50, "b", rarity=2.1, over=2)
    assert named is not None
    assert (named.agent_id, named.detection) == ("b", "rule.toy")


def test_a_folded_session_has_no_incident_to_update_or_close() -> None:
    """Its further acts count in the storm's strongest, not in its number."""
    incidents = full_hour()
    opened(incidents, 50, "b", rarity=2.5)
    assert incidents.witness(50, lead(finding("x", 50))) is None
    assert opened(incidents, 50, "b", rarity=2.9, over=2) is None
    assert incidents.close(50, 2.9, {"events": 1, "events_over": 2, "seen": NOON}) is None
    assert incidents.storm is not None
    assert (incidents.storm.folded, incidents.storm.acts[0][1].strength) == (1, 2.9)


def test_a_storm_is_one_incident_told_at_doublings_and_closed_after_a_quiet_hour() -> None:
    """Counts grow, counters are gapless, nothing is contained for it: it has no score."""
    incidents = incidents_at()
    found = [opened(incidents, n, f"a-{n}") for n in range(104)]
    storm = [one for one in found if one is not None and one.detection == DETECTION]
    assert [one.events for one in storm] == [1, 2, 4, 8, 16, 32, 64]
    assert [one.counter for one in storm] == list(range(1, 8))
    assert [one.activity for one in storm] == ["create", *["update"] * 6]
    assert incidents.move_to(HOUR + 1) is None
    close = incidents.move_to(HOUR + 2)
    assert close is not None
    assert (close.activity, close.events, close.counter, close.time) == ("close", 100, 8, NOON + 2 * HOUR_S)
    assert {one.finding_uid for one in [*storm, close]} == {close.finding_uid}
    assert {one.score for one in storm} == {None}
    assert (close.agent_id, close.severity) == ("*", "high")
    assert incidents.move_to(HOUR + 9) is None


def test_a_storm_names_the_strongest_of_what_it_folds_one_an_agent() -> None:
    """Whoever floods does not fill the list alone; a critical one makes the storm critical."""
    incidents = full_hour(rarity=9.0)
    for n in range(40):
        opened(incidents, 100 + n, "flood", rarity=8.0)
    for n in range(20):
        opened(incidents, 200 + n, f"b-{n}", rarity=2.0 + n / 100, severity="critical" if n == 3 else "medium")
    alert = incidents.end_storm(NOON)
    assert alert is not None
    assert alert.severity == "critical"
    assert [one.event_id for one in alert.evidence] == ["e-100", *(f"e-{200 + n}" for n in range(13, 20))]
    assert "flood (pay, strength 8.000), b-19 (pay, strength 2.190)" in alert.contributions[0].observed


def test_a_storm_is_the_operators_and_shows_no_target_of_a_tenant() -> None:
    """Whose agent it was is named with its tenant."""
    incidents = incidents_at(settings=TIGHT._replace(established=1, reserve=0))
    opened(incidents, 0, "a")
    alert = opened(incidents, 1, "b", tenant="acme")
    assert alert is not None
    assert (alert.tenant, alert.evidence[0].target) == ("default", None)
    act = alert.evidence[0]
    assert (act.sizes, act.about, act.arguments, act.arguments_left) == ({}, {}, (), 0)
    assert "acme/b (pay" in alert.contributions[0].observed


def test_a_batch_turns_the_hour_wherever_its_watermark_enters_another_one() -> None:
    """Once an hour, from the hour that was; within it nothing turns."""
    ceilings = HourlyCeilings(TIGHT)
    clock = NOON + HOUR_S * np.array([0.0, 0.5, 1.0, 1.9, 1.0, -4.0, 1.0])
    assert ceilings.turns(clock) == [(0, HOUR), (2, HOUR + 1), (5, HOUR - 4), (6, HOUR + 1)]
    ceilings.move_to(HOUR + 1)
    assert ceilings.turns(clock[2:5]) == []
    assert ceilings.turns(clock[:0]) == []


def test_a_watermark_from_2099_that_falls_back_closes_no_ceiling_and_ends_its_storm() -> None:
    """What was folded is told, and the present hour has all its places."""
    incidents = incidents_at(HOUR * 2)
    for n in range(9):
        opened(incidents, n, "liar", NEW)
    assert incidents.storm is not None
    close = incidents.move_to(HOUR)
    assert close is not None
    assert (close.activity, close.detection, close.events) == ("close", DETECTION, 7)
    assert incidents.ceilings.gauges()["incidents_opened"] == 0.0
    assert [one and one.activity for one in (opened(incidents, 20 + n, f"a-{n}") for n in range(4))] == ["create"] * 4


@pytest.mark.parametrize("known", [KNOWN, NEW])
def test_facts_bring_ceilings_and_storm_to_where_others_left_off(known: Known) -> None:
    """As JSON and back, in the middle of a storm; what follows is the same."""
    one, other = incidents_at(), Incidents(POLICY, TIGHT)
    for n in range(9):
        opened(one, n, f"a-{n % 3}", known)
    assert one.storm is not None
    other.ceilings.restore(json.loads(json.dumps(one.ceilings.facts())))
    other.storm = Storm.of_facts(json.loads(json.dumps(one.storm.facts())))
    assert other.ceilings.facts() == one.ceilings.facts()
    assert [opened(other, n, "b", known) for n in range(20, 60)] == [opened(one, n, "b", known) for n in range(20, 60)]
    assert other.storm == one.storm
    assert other.end_storm(NOON) == one.end_storm(NOON)


SENT = st.lists(
    st.tuples(st.integers(0, 5), st.booleans(), st.floats(2.0, 35.0), st.sampled_from([0, 0, 0, 1, -3])),
    max_size=200,
)


@given(sent=SENT)
def test_incidents_of_an_hour_are_bounded_and_none_is_lost_from_the_count(
    sent: list[tuple[int, bool, float, int]],
) -> None:
    """However many sessions are opened at once, by whom, how strong, with what clock."""
    incidents, hour, created = incidents_at(), HOUR, dict[int, list[Alert]]()
    folded = stay = 0
    for n, (agent, is_old, rarity, wait) in enumerate(sent):
        if wait:
            hour, stay = hour + wait, stay + 1
            ended = incidents.move_to(hour)
            folded += ended.events if ended is not None else 0
        who = f"{'old' if is_old else 'new'}-{agent}"
        alert = opened(incidents, n, who, KNOWN if is_old else NEW, rarity=rarity)
        if alert is not None and alert.detection != DETECTION:
            created.setdefault(stay, []).append(alert)
    for alerts in created.values():
        old = [one for one in alerts if one.established]
        assert len(alerts) <= TIGHT.established + TIGHT.newcomers + TIGHT.reserve
        assert len(old) <= TIGHT.established + TIGHT.reserve
        assert len(alerts) - len(old) <= TIGHT.newcomers + TIGHT.reserve
        for one in alerts:
            assert sum(other.agent_id == one.agent_id for other in alerts) <= TIGHT.agent + TIGHT.reserve
    folded += 0 if incidents.storm is None else incidents.storm.folded
    assert folded + sum(map(len, created.values())) == len(sent)
    assert len(incidents.ceilings.agents) <= incidents.ceilings.most
