"""The demo's story and the planning of attacks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from detector.simulate.attacks import KINDS
from detector.simulate.fleet import DAY_S, MONDAY, Fleet
from detector.simulate.injected import attacks_of
from detector.simulate.scenario import DemoSettings, Scenario, demo_scenario, live_fleet, plan_attacks

SMALL = DemoSettings(agents=60, history_days=4.0, rate=80.0)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Return a small demo."""
    return demo_scenario(1, SMALL)


def test_the_history_ends_where_the_live_part_starts(scenario: Scenario) -> None:
    """Event times of the live part are the live start plus their offset."""
    first = int(MONDAY * 1000)
    assert max(event.ts_ms for event in scenario.history) < first
    assert all(event.ts_ms == first + round(offset * 1000) for offset, event in scenario.live)
    offsets = [offset for offset, _ in scenario.live]
    assert offsets == sorted(offsets)
    assert offsets[-1] < SMALL.live_seconds


def test_all_five_kinds_run_live_on_five_agents(scenario: Scenario) -> None:
    """Every kind has malicious events in the live part, with room left to see them."""
    assert sorted(attack.kind for attack in scenario.attacks) == sorted(KINDS)
    assert len({attack.agent_id for attack in scenario.attacks}) == len(KINDS)
    for attack in scenario.attacks:
        assert attack.first_live_ts - scenario.live_start < 0.75 * SMALL.live_seconds


def test_only_the_slow_drift_is_in_the_history(scenario: Scenario) -> None:
    """It begins in the last days; what is before is clean."""
    bad = [event for event in scenario.history if event.attack]
    assert {event.attack for event in bad} == {"slow_drift"}
    assert min(event.ts_ms for event in bad) / 1000 >= scenario.drift_start
    assert scenario.live_start - scenario.drift_start <= 3 * DAY_S


def test_live_sessions_are_short_and_most_of_them_end(scenario: Scenario) -> None:
    """Sessions of seconds, so that many close while one watches."""
    ends = sum(b'"name":"session_end"' in event.value for _, event in scenario.live)
    sessions = {event.session_id for _, event in scenario.live}
    assert ends > 0.95 * len(sessions)
    spans: dict[str, list[float]] = {}
    for offset, event in scenario.live:
        spans.setdefault(event.session_id, []).append(offset)
    lengths = sorted(times[-1] - times[0] for times in spans.values())
    assert lengths[len(lengths) // 2] < 10.0
    assert 0.5 < len(scenario.live) / SMALL.live_seconds / SMALL.rate < 1.5


def test_the_same_seed_tells_the_same_story(scenario: Scenario) -> None:
    """Bytes and attacks are equal; another seed differs."""
    again = demo_scenario(1, SMALL)
    assert [event.value for event in again.history] == [event.value for event in scenario.history]
    assert again.attacks == scenario.attacks
    assert demo_scenario(2, SMALL).attacks != scenario.attacks


def test_planned_attacks_come_after_the_history_and_as_many_as_asked() -> None:
    """So many of each kind; a drift is one attack of many sessions on one agent."""
    fleet = Fleet(agents=90, seed=3, days=6.0)
    since = MONDAY + 3 * DAY_S
    fleet = replace(fleet, injections=plan_attacks(fleet, 4, since))
    assert min(injection.start for injection in fleet.injections) >= since
    found = Counter(attack.kind for attack in attacks_of(fleet.stream()))
    assert found == dict.fromkeys(KINDS, 4)


def test_no_attacks_are_planned_of_kinds_not_asked_for() -> None:
    """The harmless twin."""
    fleet = Fleet(agents=90, seed=3, days=6.0)
    assert plan_attacks(fleet, 4, MONDAY, ()) == ()
    assert {injection.kind for injection in plan_attacks(fleet, 2, MONDAY, ("hijack",))} == {"hijack"}


def test_more_attacks_than_agents_are_shared_out() -> None:
    """A small fleet is attacked more than once."""
    fleet = Fleet(agents=3, seed=3, days=2.0)
    assert len({injection.agent for injection in plan_attacks(fleet, 4, MONDAY, ("hijack",))}) == 3


def test_a_live_fleet_goes_on_with_the_same_agents_and_new_sessions() -> None:
    """Ids of the live part never meet those of the history; the rate is about what was asked for."""
    past = Fleet(agents=50, seed=6, days=2.0)
    live = list(live_fleet(past, 60.0, past.end, 300.0).stream())
    old = {event.session_id for event in past.stream()}
    assert not old & {event.session_id for event in live}
    assert 0.7 < len(live) / 300.0 / 60.0 < 1.4
    assert live_fleet(past, 60.0, past.end, 300.0).agent(7) == past.agent(7)
