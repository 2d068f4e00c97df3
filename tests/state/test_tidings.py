"""What a partition tells of an agent: once, again after a day, never more than so much, the same however it is cut."""

from __future__ import annotations

from typing import Any

from detector.checks.determinism import faults_of_cuts, faults_of_resuming
from detector.pipeline import Pipeline
from detector.rules.crowd import MOST_OF_NEWCOMERS
from detector.schema.tiding import Tiding
from detector.simulate.fleet import DAY_S, MONDAY
from detector.state.tidings import MOST_AN_HOUR, MOST_FACTS, NOTES
from tests.rules.registry import entry, registered
from tests.streams import Script, feed, fleet_stream, makers, profile, quick, records_of, trained


def told(pipeline: Pipeline, *events: bytes) -> list[Tiding]:
    """Return the tidings of events."""
    return [placed.tiding for placed in feed(pipeline, events).tidings]


def call(script: Script, peer: str = "b", **more: Any) -> bytes:
    """Return a call of another agent."""
    return script.event("ask_agent", kind="message", peer_agent_id=peer, **more)


def test_a_first_call_is_told_with_its_place() -> None:
    """Who, whom, on whose behalf, and where the event stands."""
    script = Script()
    (one,) = told(Pipeline(quick()), script.event(), call(script, on_behalf_of="eve"))
    assert (one.kind, one.source, one.sink, one.is_new, one.on_behalf_of) == ("edge", "a-1", "b", True, "eve")
    assert (one.topic, one.partition, one.offset, one.event_id, one.at) == ("events", 3, 1, "e-2", script.now)


def test_a_call_that_says_it_is_older_is_told_with_the_partitions_time() -> None:
    """It gains an hour at most, and nothing where order matters."""
    script, pipeline = Script(), Pipeline(quick())
    told(pipeline, script.event())
    now = script.now
    script.now -= 7_200.0
    (one,) = told(pipeline, call(script))
    assert (one.at, one.clock, one.by) == (now - 3_600.0, now, now)


def test_a_call_is_told_again_after_a_day_and_is_no_news_then() -> None:
    """Between, it is not."""
    script, pipeline = Script(), Pipeline(quick())
    assert len(told(pipeline, call(script), call(script), call(script))) == 1
    script.now += DAY_S
    (again,) = told(pipeline, call(script), call(script))
    assert not again.is_new


def test_who_is_called_tells_who_had_it_done() -> None:
    """An event names the agent above it; an agent that names itself tells nothing."""
    script = Script()
    (one,) = told(Pipeline(quick()), script.event(parent_agent_id="boss"), call(script, "a-1"))
    assert (one.source, one.sink, one.is_caller) == ("boss", "a-1", False)


def test_a_credential_is_told_by_a_digest_of_the_deployments_key() -> None:
    """Its id is in no tiding, and another deployment has another digest of it."""
    script = Script()
    events = [script.event(credential={"id": "key-1"}), script.event(credential={"id": "key-2"})]
    first, other = told(Pipeline(quick()), *events)
    keyed, _ = told(Pipeline(quick(), secret="a secret of the deployment"), *events)
    assert (first.kind, len({first.other, other.other, keyed.other})) == ("credential", 3)
    assert "key-1" not in str(first)


def test_a_critical_agent_says_so_every_day() -> None:
    """As the registry has it; one that is not critical says nothing."""
    script = Script()
    pipeline = registered(entry(criticality="critical"))
    (one,) = told(pipeline, script.event(), script.event())
    assert (one.kind, one.agent_id, one.is_critical) == ("standing", "a-1", True)
    assert told(registered(entry(criticality="high")), script.event()) == []


def test_a_declared_call_is_no_news() -> None:
    """It is told, for others may spread along it; a call that is not declared is news."""
    script = Script()
    declared = told(registered(entry(peers=["b", "team-*"])), call(script), call(script, "team-7"), call(script, "eve"))
    assert [(one.sink, one.is_new) for one in declared] == [("b", False), ("team-7", False), ("eve", True)]


def test_trusted_history_is_told_and_is_no_news() -> None:
    """What was done then is known when it is done again."""
    script = Script()
    pipeline = Pipeline(quick(), trusted_until=MONDAY + 100.0)
    assert [one.is_new for one in told(pipeline, call(script))] == [False]
    script.now += 1_000.0
    assert [(one.sink, one.is_new) for one in told(pipeline, call(script), call(script, "c"))] == [("c", True)]


def test_an_agent_tells_so_much_an_hour_and_what_finds_no_room_is_counted() -> None:
    """It is told in a later hour, if it comes back: a flood hides nothing for good."""
    script, pipeline = Script(), Pipeline(quick())
    calls = [call(script, f"x{n}") for n in range(MOST_AN_HOUR + 5)]
    outcome = feed(pipeline, calls)
    assert (len(outcome.tidings), outcome.counts["tidings_dropped"]) == (MOST_AN_HOUR, 5)
    script.now += 3_600.0
    late = told(pipeline, call(script, f"x{MOST_AN_HOUR + 2}"), call(script, "x1"))
    assert [one.sink for one in late] == [f"x{MOST_AN_HOUR + 2}"]


def test_invented_agents_tell_so_much_an_hour_all_together() -> None:
    """A flood of them keeps no other stage busy; an established agent tells all the same."""
    script, pipeline = Script(), Pipeline(quick())
    flood = [call(script, "b", agent_id=f"x{n}", session_id=f"x{n}") for n in range(MOST_OF_NEWCOMERS + 20)]
    outcome = feed(pipeline, flood)
    assert (len(outcome.tidings), outcome.counts["tidings_dropped"]) == (MOST_OF_NEWCOMERS, 20)
    again = Pipeline.restore(quick(), pipeline.snapshot(full=True))
    assert told(again, call(script, "b", agent_id="late")) == []
    trusting = trained(Script())
    known = Script(script.now + 30 * DAY_S)
    crowd = [call(known, "b", agent_id=f"x{n}", session_id=f"x{n}") for n in range(MOST_OF_NEWCOMERS)]
    late = told(trusting, *crowd, call(known, "b", agent_id="a-1"))[-1]
    assert (late.agent_id, late.established) == ("a-1", True)


def test_the_facts_of_an_agent_are_bounded() -> None:
    """After ten times as many, so many are remembered."""
    script, pipeline = Script(), Pipeline(quick())
    for hour in range(0, 10 * MOST_FACTS, MOST_AN_HOUR):
        feed(pipeline, [call(script, f"x{hour + n}") for n in range(MOST_AN_HOUR)])
        script.now += 3_600.0
    (notes,) = pipeline.state.rule_memory._notes[NOTES].values()
    assert len(notes.kept) == MOST_FACTS + 1


def test_nothing_is_told_where_the_profile_finds_nothing_together() -> None:
    """No notes are kept either."""
    script, pipeline = Script(), Pipeline(profile(response={"graph": ()}))
    assert told(pipeline, call(script)) == []
    assert NOTES not in pipeline.state.rule_memory._notes


def test_tidings_stand_between_alerts_however_the_input_is_cut() -> None:
    """And a pipeline that was stopped goes on as if it had not been."""
    stream = records_of(fleet_stream())[:1_500]
    make, restore = makers(quick())
    assert len(make().process(stream).tidings) > 20
    assert faults_of_cuts(make, stream, [range(7, len(stream), 7)]) == []
    assert faults_of_resuming(make, restore, stream, [333, 1_001]) == []
