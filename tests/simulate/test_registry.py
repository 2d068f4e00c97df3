"""The registry of a made-up fleet: harmless work lies within it, and each story outside of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from detector.errors import SetupError
from detector.pipeline import Pipeline
from detector.profile.load import load_profile
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.schema.declaration import declaration_of, pack_declarations
from detector.schema.record import Record
from detector.schema.registry import RegistryEntry
from detector.simulate.attacks import STORIES, Kind
from detector.simulate.catalogue import ROLES
from detector.simulate.fleet import DAY_S, MONDAY, Fleet
from detector.simulate.planned import path_from, story
from detector.simulate.registered import CRITICALITY, EXCEPTIONS
from detector.simulate.registry import PATTERNS, PURPOSES, Terms, entries_of, renewed
from detector.simulate.render import Simulated
from detector.simulate.scenario import DemoSettings, Scenario, demo_scenario, plan_attacks
from detector.simulate.targets import usual_peers

REGISTRY = ("rule.unregistered", "rule.outside_grant", "rule.unapproved", "rule.credential_age", "rule.grant_overdue")
AGENTS, DAYS = 40, 6.0
TERMS = Terms(MONDAY - DAY_S, MONDAY + (DAYS + 7.0) * DAY_S, renewals=1)


def _fleet(seed: int = 1, *kinds: Kind) -> Fleet:
    fleet = Fleet(agents=AGENTS, seed=seed, days=DAYS, sessions_per_day=3.0, is_registered=True)
    return replace(fleet, injections=plan_attacks(fleet, 1, MONDAY + 5.0 * DAY_S, kinds))


def _control(entries: Iterable[RegistryEntry], first: int = 0) -> Control:
    values = [(one.agent_id, one.model_dump_json(by_alias=True, exclude_none=True).encode()) for one in entries]
    records = [declaration_of(first + offset, name.encode(), value) for offset, (name, value) in enumerate(values)]
    return Control(records[-1].offset, pack_declarations(records), "registry")


def _told(pipeline: Pipeline, events: Iterable[Simulated], offset: int = 0) -> Iterator[Alert]:
    records = [Record(event.value, None, "events", 0, number) for number, event in enumerate(events, offset)]
    for first in range(0, len(records), 512):
        for alert in pipeline.process(records[first : first + 512]).alerts:
            assert alert.detection != "sensor.storm", "what is folded cannot be counted"
            yield alert


def _of_registry(alerts: Iterable[Alert]) -> set[tuple[str, str]]:
    """Return agent and rule of everything that was told against the registry."""
    causes = [(alert.agent_id, cause.split("/")[0]) for alert in alerts for cause in alert.causes]
    return {one for one in causes if one[1] in REGISTRY}


def _against(fleet: Fleet) -> set[tuple[str, str]]:
    pipeline = Pipeline(load_profile())
    entries = list(entries_of(fleet, TERMS, fleet.start, fleet.injections))
    assert pipeline.control([_control(entries)]).refusals == []
    return _of_registry(_told(pipeline, fleet.stream()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_harmless_work_is_never_told_against_the_registry(seed: int) -> None:
    """Six days of forty agents with credentials, exceptions, upgrades, retries and rare tools."""
    assert _against(_fleet(seed)) == set()


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("overdue_grant", "rule.grant_overdue"),
        ("stale_credential", "rule.credential_age"),
        ("unregistered_clone", "rule.unregistered"),
        ("lateral_path", "rule.outside_grant"),
    ],
)
def test_each_story_is_told_by_its_rule_and_of_nobody_else(kind: Kind, rule: str) -> None:
    """The same fleet with one story: what is told is told of the agents of its labelled events."""
    fleet = _fleet(1, kind)
    told = _against(fleet)
    bad = {event.agent_id for event in fleet.stream() if event.is_attack}
    assert {agent for agent, _ in told} == bad
    assert (min(bad), rule) in told


def test_a_grant_is_used_in_its_term_before_it_is_overdue() -> None:
    """Those uses are no attack; the term on record ends between them and the labelled one."""
    fleet = _fleet(1, "overdue_grant")
    used = [event for event in fleet.stream() if b'"grant":{"id":"backup-' in event.value]
    (agent,) = {event.agent_id for event in used}
    (grant,) = next(
        tuple(one for one in entry.grants if one.id.startswith("backup-"))
        for entry in entries_of(fleet, TERMS, fleet.start, fleet.injections)
        if entry.agent_id == agent
    )
    assert grant.expires_at is not None
    assert {event.ts_ms / 1_000.0 > grant.expires_at for event in used} == {False, True}
    assert all(event.is_attack == (event.ts_ms / 1_000.0 > grant.expires_at) for event in used)
    assert all(event.ts_ms / 1_000.0 >= grant.granted_at for event in used)


def test_a_clone_has_another_name_and_another_instance_and_the_credential_of_its_original() -> None:
    """Its whole session is the attack; the original works on elsewhere."""
    fleet = _fleet(1, "unregistered_clone")
    bodies = [(event, json.loads(event.value)) for event in fleet.stream()]
    clone = [body for event, body in bodies if event.attack]
    (name,) = {body["agent_id"] for body in clone}
    assert all(event.is_attack for event, _ in bodies if event.attack)
    credentials = {body["credential"]["id"] for body in clone if "credential" in body}
    original = next(body for _, body in bodies if f"cred-{body['agent_id']}" in credentials)
    assert original["agent_id"] != name
    assert original["instance_id"] != clone[0]["instance_id"]


def test_a_lateral_path_is_made_of_steps_that_nobody_takes_otherwise() -> None:
    """The first asks the second, then the second the last, which is critical and asked by neither in ordinary work."""
    fleet = _fleet(1, "lateral_path")
    asked = [
        json.loads(event.value) for event in fleet.stream() if event.is_attack and b'"peer_agent_id"' in event.value
    ]
    steps = list(dict.fromkeys((body["agent_id"], body["peer_agent_id"]) for body in asked))
    assert len(steps) == 2
    assert steps[0][1] == steps[1][0]
    entries = {entry.agent_id: entry for entry in entries_of(fleet, TERMS, fleet.start)}
    assert [entries[agent].criticality for agent in (steps[1][0], steps[1][1])][1] == "critical"
    assert all(peer not in (entries[agent].peers or ()) for agent, peer in steps)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Return a small demo with a registry."""
    return demo_scenario(1, DemoSettings(agents=60, history_days=4.0, rate=60.0, is_registered=True))


def test_the_demo_tells_all_stories_live_on_agents_of_their_own(scenario: Scenario) -> None:
    """Nine things on as many agents, and two more that the path leads to."""
    assert {one.kind for one in scenario.attacks} >= set(STORIES)
    agents = [agent for one in scenario.attacks for agent in (one.path[:2] or (one.agent_id,))]
    assert len(agents) == len(set(agents)) == 10
    assert all(one.first_live_ts - scenario.live_start < 75.0 for one in scenario.attacks)
    (whole,) = (one for one in scenario.attacks if one.kind == "lateral_path")
    assert next(entry.criticality for entry in scenario.entries if entry.agent_id == whole.path[-1]) == "critical"
    last = min(
        event.ts_ms for _, event in scenario.live if event.is_attack and event.session_id == whole.session_ids[-1]
    )
    assert whole.first_live_ts == last / 1_000.0


def _of_demo(scenario: Scenario, keep: Callable[[Simulated], bool], *, is_renewed: bool = True) -> set[tuple[str, str]]:
    """Return what is told against the registry of those events of the demo that are kept."""
    pipeline = Pipeline(load_profile(), trusted_until=scenario.live_start)
    pipeline.control([_control(scenario.entries)])
    told = list(_told(pipeline, filter(keep, scenario.history)))
    if is_renewed:
        assert pipeline.control([_control(scenario.renewals, len(scenario.entries))]).refusals == []
    live = (event for _, event in scenario.live if keep(event))
    return _of_registry([*told, *_told(pipeline, live, len(scenario.history))])


@pytest.mark.parametrize("is_renewed", [True, False])
def test_exceptions_of_the_demo_are_renewed_just_in_time(scenario: Scenario, is_renewed: bool) -> None:
    """With the renewals only the story's grant is overdue; without them those of other agents are."""
    told = _of_demo(scenario, lambda event: b'"grant"' in event.value, is_renewed=is_renewed)
    overdue = {agent for agent, rule in told if rule == "rule.grant_overdue"}
    forgotten = {one.agent_id for one in scenario.attacks if one.kind == "overdue_grant"}
    assert forgotten
    assert (overdue == forgotten) is is_renewed
    assert overdue >= forgotten


def test_of_harmless_agents_the_demo_tells_nothing_against_the_registry(scenario: Scenario) -> None:
    """Whoever is not injected into works within it, in the history and live."""
    injected = {agent for one in scenario.attacks for agent in (one.agent_id, *one.path[:2])}
    assert _of_demo(scenario, lambda event: event.agent_id not in injected) == set()


def test_entries_are_whole_and_the_same_each_time() -> None:
    """One an agent, with who answers, what for, how critical; another seed has others."""
    fleet = _fleet()
    entries = list(entries_of(fleet, TERMS, fleet.start))
    assert entries == list(entries_of(fleet, TERMS, fleet.start))
    assert [entry.agent_id for entry in entries] == [fleet.agent(number).agent_id for number in range(AGENTS)]
    assert all(entry.owner and entry.purpose and entry.zone and entry.lifecycle == "active" for entry in entries)
    assert len({entry.criticality for entry in entries}) == 4
    assert entries != list(entries_of(_fleet(2), TERMS, fleet.start))


def test_a_renewal_is_the_next_revision_of_an_entry_with_an_exception() -> None:
    """Nothing else changes; who has no exception has no renewal."""
    fleet = _fleet()
    entries = {entry.agent_id: entry for entry in entries_of(fleet, TERMS, fleet.start)}
    again = list(renewed(entries.values(), TERMS.expires_at + DAY_S, fleet.end))
    assert {entry.agent_id for entry in again} == {name for name, entry in entries.items() if entry.grants}
    assert again
    for entry in again:
        before = entries[entry.agent_id]
        assert (entry.revision, entry.tools) == (before.revision + 1, before.tools)
        assert entry.grants[0].renewals == before.grants[0].renewals + 1


def test_without_a_registry_events_say_nothing_of_it() -> None:
    """Neither instance, nor grant, nor when a credential was issued; and no story can be told."""
    fleet = Fleet(agents=20, seed=3, days=1.0)
    assert not any(word in event.value for event in fleet.stream() for word in (b"instance_id", b"issued_at", b"grant"))
    with pytest.raises(SetupError, match="must be registered, got one without a registry"):
        plan_attacks(fleet, 1, MONDAY, ("stale_credential",))


@pytest.mark.parametrize("agents", [1, 5])
def test_a_fleet_too_small_for_a_path_is_refused(agents: int) -> None:
    """In a sentence that says how many agents it takes."""
    with pytest.raises(SetupError, match="with a lateral path must be at least 20"):
        path_from(Fleet(agents=agents, is_registered=True), 0)


@pytest.mark.parametrize("seed", range(5))
def test_a_path_is_found_in_every_fleet_of_twenty(seed: int) -> None:
    """What the refusal says is enough is enough, wherever one begins."""
    fleet = Fleet(agents=20, seed=seed, is_registered=True)
    for number in range(20):
        first, second, _last = story_numbers = path_from(fleet, number)
        assert len(set(story_numbers)) == 3
        assert fleet.agent(second).agent_id not in usual_peers(fleet.agent(first))
        assert len(story(fleet, "lateral_path", number, MONDAY)) == 2


def test_tables_of_roles_and_families_are_whole() -> None:
    """Every role has a criticality and a purpose, every family of targets a pattern, every exception a tool."""
    families = Counter(tool.family for role in ROLES for tool in role.tools if tool.family)
    assert set(PATTERNS) | {"peer"} >= set(families)
    assert {role.name for role in ROLES} == set(CRITICALITY) == set(PURPOSES)
    assert all(role.tool(EXCEPTIONS[role.name]) for role in ROLES if role.name in EXCEPTIONS)
