"""The pipeline as a whole: pure, cut anywhere, stopped anywhere, bounded, finite."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming, outcome_of
from detector.memory.layout import OPEN
from detector.pipeline import Pipeline
from detector.schema.record import Record
from detector.simulate.fleet import DAY_S, MONDAY
from tests.streams import Script, feed, fleet_stream, makers, ordinary, quick, records_of, trained

PROFILE = quick()
STREAM = records_of(fleet_stream())


make, restore = makers(PROFILE)


def test_the_stream_these_tests_run_on_has_what_they_are_about() -> None:
    """Alerts of every activity, two forests in use, sessions open at the end, scores above zero."""
    pipeline = make()
    outcome = pipeline.process(STREAM)
    assert {alert.activity for alert in outcome.alerts} >= {"create", "close"}
    assert pipeline.gauges()["forest_fits"] >= 2
    assert np.isfinite(outcome.scores).all()
    assert (outcome.scores > 0).mean() > 0.3


@pytest.mark.parametrize("size", [7, 512])
def test_output_does_not_depend_on_the_size_of_batches(size: int) -> None:
    """Scores, alerts and state are equal to those of the whole stream at once."""
    assert faults_of_cuts(make, STREAM, [range(size, len(STREAM), size)]) == []


def test_output_does_not_depend_on_batches_when_events_come_one_by_one() -> None:
    """The smallest batch there is."""
    assert faults_of_cuts(make, STREAM[:400], [range(400)]) == []


@pytest.mark.slow
@settings(max_examples=8)
@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=12))
def test_output_does_not_depend_on_where_the_stream_is_cut(cuts: list[int]) -> None:
    """Any cuts at all, also next to the event at which a forest takes over."""
    assert faults_of_cuts(make, STREAM, [cuts]) == []


@pytest.mark.slow
@settings(max_examples=6)
@given(place=st.integers(0, len(STREAM)))
def test_a_restored_pipeline_goes_on_as_if_it_had_never_stopped(place: int) -> None:
    """Same scores, same alerts, same state at the end, wherever it stopped."""
    assert faults_of_resuming(make, restore, STREAM, [place]) == []


def forest_places() -> list[int]:
    """Return the events just before, at and after which a fit begins or a forest takes over."""
    pipeline, places, last = make(), [], (0, 0)
    for place, record in enumerate(STREAM):
        pipeline.process([record])
        refit = pipeline.state.refit
        if (refit.fits, refit.served) != last:
            last = (refit.fits, refit.served)
            places += [place, place + 1]
    return places


@pytest.mark.slow
def test_a_stop_between_the_start_of_a_fit_and_its_first_use_changes_nothing() -> None:
    """The sample travels with the state; the forest takes over at the same event."""
    places = forest_places()
    assert len(places) >= 6
    assert faults_of_resuming(make, restore, STREAM, places[:6]) == []
    assert faults_of_cuts(make, STREAM, [places]) == []


@settings(max_examples=4)
@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), min_size=2, max_size=8))
def test_shards_written_piece_by_piece_equal_a_full_snapshot(cuts: list[int]) -> None:
    """What changed, laid over what was kept, is the whole state."""
    assert faults_of_increments(make, restore, STREAM, cuts) == []


def test_shards_stay_below_the_size_of_a_record() -> None:
    """A shard is one record of a topic."""
    pipeline = make()
    pipeline.process(STREAM)
    shards = pipeline.snapshot(full=True)
    assert max(map(len, shards.values())) <= 900_000


def test_a_snapshot_after_nothing_new_holds_what_little_always_goes() -> None:
    """Agents that were not touched are not written again."""
    pipeline = make()
    pipeline.process(STREAM)
    pipeline.snapshot()
    assert not [name for name in pipeline.snapshot() if name.startswith(("agents/", "groups/", "forest"))]


def test_another_seed_gives_other_scores_and_the_same_one_the_same() -> None:
    """Chance is seeded, and only forest and half-space trees draw."""
    same = [outcome_of(Pipeline(PROFILE, seed=0), STREAM).scores for _ in range(2)]
    other = outcome_of(Pipeline(PROFILE, seed=1), STREAM).scores
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[0], other)


def test_scores_are_rounded_to_a_millionth() -> None:
    """What is compared with a threshold is what is written."""
    scores = make().process(STREAM).scores
    assert np.abs(scores * 1e6 - np.rint(scores * 1e6)).max() < 1e-3


def test_a_trusted_history_raises_no_alert_and_the_same_events_untrusted_do() -> None:
    """Nobody is paged for what the operator calls history."""
    assert not Pipeline(PROFILE, trusted_until=MONDAY + 30 * DAY_S).process(STREAM).alerts
    assert Pipeline(PROFILE).process(STREAM).alerts


def test_a_trusted_history_teaches_everything() -> None:
    """The gate is off."""
    trusted, gated = Pipeline(PROFILE, trusted_until=MONDAY + 30 * DAY_S), Pipeline(PROFILE)
    counts, withheld = trusted.process(STREAM).counts, gated.process(STREAM).counts
    assert counts["sessions_learned"] == counts["sessions_closed"] > 0
    assert counts["sessions_withheld"] == 0
    assert withheld["sessions_withheld"] > 0


def test_a_repeated_event_id_is_counted_and_not_scored() -> None:
    """A record delivered twice changes nothing."""
    script = Script()
    values = ordinary(script, 3)
    once, twice = make(), make()
    first = feed(once, values)
    second = feed(twice, [values[0], *values])
    assert np.isnan(second.scores[1])
    assert second.counts["events_repeated"] == 1
    assert first.counts["events_repeated"] == 0
    assert np.array_equal(np.delete(second.scores, 1), first.scores)
    assert outcome_of(once, []).final == outcome_of(twice, []).final


def test_the_same_event_id_of_another_agent_is_no_repeat() -> None:
    """Ids are an agent's own."""
    script = Script()
    one = script.event(event_id="same", agent_id="a-1")
    other = script.event(event_id="same", agent_id="a-2", session_id="s-2")
    assert feed(make(), [one, other]).counts["events_repeated"] == 0


def test_an_event_id_is_forgotten_after_so_many_others() -> None:
    """The memory of ids is bounded, as the profile says."""
    script = Script()
    recent = PROFILE.memory.recent_ids
    values = [script.event(event_id=f"x-{n}") for n in range(recent + 1)]
    counts = feed(make(), [*values, values[0], values[recent]]).counts
    assert (counts["events_repeated"], counts["events_reusing_an_id"]) == (1, 0)


def test_another_event_under_the_same_id_is_scored_and_counted() -> None:
    """Whoever writes the next event chooses its id: the id alone repeats nothing."""
    script = Script()
    dull, odd = (
        script.event(event_id="same"),
        script.event("exfiltrate", event_id="same", target="https://evil.example"),
    )
    outcome = feed(make(), [dull, odd, odd])
    assert (outcome.counts["events_repeated"], outcome.counts["events_reusing_an_id"]) == (1, 1)
    assert np.isnan(outcome.scores).tolist() == [False, False, True]


def test_refused_lines_are_nan_in_their_place() -> None:
    """One score a line, in input order, within NDJSON too."""
    script = Script()
    good = [script.event(), script.event(), script.event()]
    record = good[1] + b"\nnot json\n" + good[2]
    outcome = make().process([Record(b"{}"), Record(good[0]), Record(record)])
    assert np.isnan(outcome.scores).tolist() == [True, False, False, True, False]
    assert [(place, refusal.reason) for place, refusal in outcome.refusals] == [(0, "missing_field"), (2, "not_json")]


def test_an_event_out_of_the_time_tolerance_is_refused_and_teaches_nothing() -> None:
    """The tolerance is the caller's, against the record's own time."""
    script = Script()
    value = script.event()
    late = Record(value, None, "events", 0, 0, int((MONDAY + 7_200.0) * 1000))
    pipeline = make()
    assert [r.reason for _, r in pipeline.process([late], tolerance_s=60.0).refusals] == ["time_out_of_tolerance"]
    assert pipeline.gauges()["agents"] == 0
    assert not pipeline.process([late], tolerance_s=10_000.0).refusals


def far(script: Script, year: int, **fields: Any) -> bytes:
    """Return an event whose clock is years off."""
    return script.event(**{**fields, "ts": f"{year}-01-01T00:00:00Z"})


@pytest.mark.parametrize("year", [1970, 2099])
def test_a_clock_years_off_poisons_nobody(year: int) -> None:
    """It moves the watermark by a day at most; the others are scored as without it."""
    clean, poisoned = make(), make()
    script = Script()
    values = ordinary(script, 40)
    feed(clean, values)
    feed(poisoned, values)
    odd = far(script, year, agent_id="odd", session_id="odd", agent_type="odd")
    feed(poisoned, [odd])
    assert abs(poisoned.gauges()["watermark"] - clean.gauges()["watermark"]) <= DAY_S
    later = ordinary(script, 5, first=40)
    expected, found = feed(clean, later).scores, feed(poisoned, later).scores
    assert np.abs(expected - found).max() < 1.5


def test_a_session_with_a_clock_years_ahead_closes_like_any_other() -> None:
    """Idle time is measured by the watermark, not by the event's own clock."""
    script = Script()
    pipeline = make()
    feed(pipeline, [*ordinary(script, 2), far(script, 2099, agent_id="odd", session_id="odd")])
    script.now += 2 * DAY_S
    feed(pipeline, ordinary(script, 2, first=2))
    script.now += 2 * DAY_S
    feed(pipeline, ordinary(script, 2, first=4))
    assert pipeline.gauges()["sessions_open"] == 0


def test_a_first_event_from_2099_stops_no_clock() -> None:
    """The next agent's event takes the watermark back, and the session it opened closes like any other."""
    script = Script()
    pipeline = make()
    feed(pipeline, [far(script, 2099, agent_id="odd", session_id="odd")] * 2)
    script.now += 2 * DAY_S
    feed(pipeline, ordinary(script, 2, first=2))
    assert abs(pipeline.gauges()["watermark"] - script.now) <= DAY_S
    assert pipeline.gauges()["sessions_open"] <= 1
    script.now += DAY_S / 2
    feed(pipeline, ordinary(script, 2, first=4))
    assert pipeline.gauges()["sessions_open"] == 0


def test_a_watermark_two_agents_confirmed_falls_back_no_more() -> None:
    """One agent whose clock is a week behind changes nothing."""
    script = Script()
    pipeline = make()
    feed(pipeline, ordinary(script, 4))
    before = pipeline.gauges()["watermark"]
    feed(pipeline, [far(script, 1970, agent_id="odd", session_id="odd")])
    assert pipeline.gauges()["watermark"] == before


def test_open_sessions_of_one_agent_stay_below_their_cap() -> None:
    """The least active one closes, is counted, and the next is scored."""
    script = Script()
    values = [script.event(session_id=f"s-{n}", target=f"/x/{n}") for n in range(80)]
    pipeline = make()
    outcome = feed(pipeline, values)
    assert pipeline.gauges()["sessions_open"] == PROFILE.sessions.open_per_agent
    assert outcome.counts["sessions_capped"] == 80 - PROFILE.sessions.open_per_agent
    assert np.isfinite(outcome.scores).all()


def test_a_session_closes_at_its_cap_of_observations_and_goes_on_as_the_next() -> None:
    """Ten times the events, still bounded; every one of them is scored."""
    few = quick(sessions={"observations": 256})
    script = Script()
    values = [script.event(target=f"/x/{n}", attributes={"a": f"v{n}"}) for n in range(500)]
    pipeline = Pipeline(few)
    outcome = feed(pipeline, values)
    assert outcome.counts["sessions_capped"] >= 5
    assert pipeline.state.memory.sessions["count"][:, 4].max() <= 256
    assert np.isfinite(outcome.scores).all()


def test_a_session_closes_at_its_age_while_it_is_still_active() -> None:
    """An agent that never ends a session is learned from all the same."""
    aged = quick(sessions={"age_s": 600.0})
    script = Script()
    values = []
    for n in range(100):
        script.now += 29.0
        values.append(script.event(target=f"/x/{n % 3}"))
    assert feed(Pipeline(aged), values).counts["sessions_closed"] == 4


def test_a_session_closes_when_idle_and_not_before() -> None:
    """Idle time of the profile, by the watermark."""
    script = Script()
    pipeline = make()
    feed(pipeline, [script.event(session_id="one")])
    script.now += PROFILE.sessions.idle_s - 10.0
    assert feed(pipeline, [script.event(session_id="two", agent_id="a-2")]).counts["sessions_closed"] == 0
    script.now += 20.0
    assert feed(pipeline, [script.event(session_id="two", agent_id="a-2")]).counts["sessions_closed"] == 1


def test_peer_groups_beyond_the_cap_share_one_row() -> None:
    """A flood of invented types takes no more memory and raises nothing."""
    few = quick(memory={"groups": 4})
    script = Script()
    pipeline = Pipeline(few)
    values = [script.event(agent_type=f"t-{n}", agent_id=f"a-{n}", session_id=f"s-{n}") for n in range(40)]
    assert np.isfinite(feed(pipeline, values).scores).all()
    assert pipeline.gauges()["groups"] == 2
    assert len(pipeline.state.memory.groups) == 4


@pytest.mark.slow
def test_memory_does_not_grow_with_the_events_of_known_agents() -> None:
    """Ten times the events of the same agents: the same rows, slots and chunks."""
    script = Script()
    pipeline = make()
    feed(pipeline, ordinary(script, 220))
    memory = pipeline.state.memory
    before = [len(memory.agents), len(memory.groups), len(memory.sessions), len(memory.chunks.following)]
    feed(pipeline, ordinary(script, 1_100, first=220))
    memory = pipeline.state.memory
    assert [len(memory.agents), len(memory.groups), len(memory.sessions), len(memory.chunks.following)] == before
    assert memory.ends[OPEN] == 0
    assert memory.chunks.free[1] == len(memory.chunks.following)


amounts = st.one_of(st.floats(0, 1e15), st.sampled_from([0.0, 1e15, 1e-300, 5e-324]))
numbers = st.floats(-1e30, 1e30, allow_nan=False)
texts = st.text(max_size=120)


@settings(max_examples=40)
@given(
    events=st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["a", "b", "\x00", "ü" * 40])},
            optional={
                "target": texts,
                "kind": st.sampled_from(["tool_call", "data_access", "llm_call", "lifecycle", "network"]),
                "outcome": st.sampled_from(["ok", "error", "denied"]),
                "bytes_out": amounts,
                "tokens_in": amounts,
                "tenant": texts,
                "session_id": st.sampled_from(["s-1", "s-2"]),
                "attributes": st.dictionaries(texts, st.one_of(texts, numbers, st.booleans(), st.none()), max_size=6),
                "arg_origin": st.dictionaries(texts, st.sampled_from(["user", "tool", "none"]), max_size=3),
            },
        ),
        min_size=1,
        max_size=12,
    )
)
def test_no_event_that_is_valid_makes_a_score_that_is_not_finite(events: list[dict[str, Any]]) -> None:
    """Whatever may be written: no crash, no NaN, no infinity."""
    script = Script()
    values = [script.event(**fields) for fields in events]
    outcome = feed(HARD, values)
    odd = [r for _, r in outcome.refusals]
    assert not odd
    assert np.isfinite(outcome.scores[: len(values)]).sum() == len(values) - outcome.counts["events_repeated"]
    assert all(np.isfinite(list(HARD.gauges().values())[:3]))


HARD = make()
feed(HARD, ordinary(Script(MONDAY - DAY_S), 40))


def test_gauges_tell_what_was_promised_and_what_was_spent() -> None:
    """Shares of closed sessions; the threshold is infinite until there is one."""
    pipeline = make()
    assert pipeline.gauges()["threshold"] == float("inf")
    outcome = pipeline.process(STREAM)
    outcome.counts.update(pipeline.finish().counts)
    gauges = pipeline.gauges()
    sessions = outcome.counts["sessions_closed"]
    assert gauges["promised"] == 0.1
    assert gauges["sessions_closed"] == sessions
    assert gauges["sessions_open"] == gauges["incidents_open"] == 0
    assert 0 < gauges["spent"] < 0.4
    assert np.isfinite(gauges["threshold"])


def test_alerts_carry_where_their_bytes_stand() -> None:
    """Topic, partition, offset and line lead back to the event."""
    alerts = make().process(STREAM).alerts
    assert alerts
    for alert in alerts:
        assert alert.partition == 3
        for evidence in alert.evidence:
            assert evidence.topic == "events"
            assert json.loads(STREAM[evidence.offset].value)["event_id"] == evidence.event_id


@pytest.mark.parametrize("year", [None, 1970])
def test_an_agent_that_sets_its_clock_back_is_not_taken_for_trusted_history(year: int | None) -> None:
    """It alerts and is withheld as it would with a clock that is right."""
    script = Script()
    pipeline = trained(script)
    feed(pipeline, ordinary(script, 3, first=300))
    clock = {} if year is None else {"ts": f"{year}-01-01T00:00:00Z"}
    odd = [
        {"name": "exfiltrate", "target": f"https://d{n}.evil.example", "attributes": {"a": f"Zz{n}!"}, **clock}
        for n in range(5)
    ]
    outcome = feed(pipeline, script.session("odd", odd, agent_id="a-1"))
    assert [alert.activity for alert in outcome.alerts][-1] == "close"
    assert outcome.counts["sessions_withheld"] == 1
