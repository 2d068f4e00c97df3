"""Established agents and newcomers have places of their own: invented agents use up nobody else's."""

from __future__ import annotations

from collections.abc import Callable

from detector.response.turn import Published
from detector.schema.alert import Alert
from tests.response.scenes import entries_of, restarted, stage_of, states_of, told

MakeAlert = Callable[..., Alert]


def test_a_storm_of_invented_agents_leaves_the_honest_fleets_places(make_alert: MakeAlert) -> None:
    """Six hundred ids nobody knew, isolated first: the hijacked agent that everybody knows is isolated all the same."""
    stage = stage_of(fleet_share=0.01)
    said = [
        stage.on_alert(make_alert(f"new-{index}", 4.0, 1_000.0, established=False), 1_000.0).entry.decision
        for index in range(600)
    ]
    assert said.count("issued") == 1
    known = stage.on_alert(make_alert("known", 2.8, 1_100.0), 1_100.0)
    assert ("known", "issued") in told(known)
    assert known.command is not None
    assert known.command.established
    assert known.command.breaker.fleet_share == 0.01


def test_in_a_large_fleet_newcomers_have_their_own_number_and_hour(make_alert: MakeAlert) -> None:
    """However many agents somebody invents, the cap does not follow."""
    stage = stage_of(newcomer_most=3)
    alerts = [make_alert(f"n-{index}", 4.0, 1_000.0, established=False, partition_agents=9_999) for index in range(9)]
    decisions = [stage.on_alert(alert, 1_000.0) for alert in alerts]
    assert [one.entry.decision for one in decisions] == ["issued"] * 3 + ["held"] * 6
    assert decisions[3].entry.detail == "3 new agents are contained, at most 3 may be without a human"
    hourly = stage_of(newcomer_per_hour=2)
    decisions = [hourly.on_alert(alert, 1_000.0) for alert in alerts]
    assert [one.entry.decision for one in decisions] == ["issued"] * 2 + ["held"] * 7
    assert decisions[2].entry.detail == (
        "2 new agents to isolate were contained within an hour, at most 2 may be without a human"
    )


def test_the_honest_fleets_storm_leaves_the_newcomers_places(make_alert: MakeAlert) -> None:
    """The other way round: a new agent can be stopped while the breaker holds the fleet."""
    stage = stage_of(fleet_share=0.01)
    stage.on_alert(make_alert("a", 2.8, 1_000.0), 1_000.0)
    assert told(stage.on_alert(make_alert("b", 2.8, 1_000.0), 1_000.0)) == [("b", "held")]
    assert told(stage.on_alert(make_alert("n", 2.8, 1_000.0, established=False), 1_000.0)) == [("n", "issued")]


def test_an_isolation_takes_no_place_of_the_other_kind(make_alert: MakeAlert) -> None:
    """An invented agent frees nobody of the fleet."""
    stage = stage_of(fleet_share=0.01)
    stage.on_alert(make_alert("known", 2.1, 1_000.0), 1_000.0)
    stage.on_alert(make_alert("n-1", 2.8, 1_000.0, established=False), 1_000.0)
    assert told(stage.on_alert(make_alert("n-2", 4.0, 1_000.0, established=False), 1_000.0)) == [("n-2", "held")]


def test_the_storms_are_two_incidents(make_alert: MakeAlert) -> None:
    """One of the fleet, one of newcomers: who reads the first is not told about the second."""
    stage, incidents = stage_of(fleet_share=0.01), []
    for agent, known in (("a", True), ("b", True), ("n-1", False), ("n-2", False)):
        decision = stage.on_alert(make_alert(agent, 2.8, 1_000.0, established=known), 1_000.0)
        incidents += [decision.incident] if decision.incident is not None else []
    assert len({one.finding_uid for one in incidents}) == 2
    assert [one.title.split(": ")[1][:5] for one in incidents] == ["1 of ", "1 new"]


def test_an_agent_that_becomes_established_keeps_its_place_until_it_is_free(make_alert: MakeAlert) -> None:
    """It counts once, in the share it was contained in; contained anew, it counts as what it is then."""
    stage = stage_of(fleet_share=0.01)
    stage.on_alert(make_alert("n", 2.1, 1_000.0, established=False), 1_000.0)
    raised = stage.on_alert(make_alert("n", 2.8, 1_100.0, event_id="e-2"), 1_100.0).command
    assert raised is not None
    assert not raised.established
    assert told(stage.on_alert(make_alert("known", 2.1, 1_100.0), 1_100.0)) == [("known", "issued")]
    anew = stage.on_alert(make_alert("n", 2.1, 90_000.0, event_id="e-3"), 90_000.0).command
    assert anew is not None
    assert anew.established


def test_a_restart_counts_both_kinds_as_before(make_alert: MakeAlert) -> None:
    """The state carries which share it is in, and what waits comes back where it was."""
    stage = stage_of(fleet_share=0.01)
    records: list[Published] = []
    for agent, known in (("a", True), ("b", True), ("n-1", False), ("n-2", False)):
        records += stage.on_alert(make_alert(agent, 2.8, 1_000.0, established=known), 1_000.0).records
    again = restarted(records, fleet_share=0.01)
    assert [state.established for state in states_of(records)] == [True, False]
    for agent, known in (("c", True), ("n-3", False)):
        alert = make_alert(agent, 2.8, 1_000.0, established=known)
        mine, its = stage.on_alert(alert, 1_000.0), again.on_alert(alert, 1_000.0)
        assert entries_of(mine.records) == entries_of(its.records)
        assert mine.entry.decision == "held"
