"""Whatever time the alerts say they are from: by the clock of their records, no cap is ever passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.response.breaker import end_of, in_force
from detector.response.chain import verify
from detector.response.ladder import Levels, term_s
from detector.response.settings import ResponseSettings
from detector.response.stage import ResponseStage
from detector.response.turn import StageDecision
from detector.schema.alert import Alert
from detector.schema.command import PolicyState
from detector.schema.feedback import Release
from tests.response.scenes import entries_of, states_of

MakeAlert = Callable[..., Alert]
FLEET, CAP, NEW = 20, 3, 2
SETTINGS = ResponseSettings(
    mode="enforce", limit_s=1_000.0, isolate_s=2_500.0, fleet_share=CAP / FLEET, rate_per_hour=4, newcomer_most=NEW
)
LEVELS = Levels(limit=2.0, isolate=2.7)
START = 1_000_000.0


class Dated(NamedTuple):
    """An alert, or (score below 0) a release: what it says of its time, and how long after the last its record came."""

    agent: int
    score: float
    says: float
    after_s: float


SAYS = st.floats(-20_000.0, 20_000.0) | st.sampled_from([-1e6, 0.0, 59.0, 1e5, 2.4e9])
DATED = st.lists(
    st.builds(
        Dated,
        agent=st.integers(0, 9),
        score=st.sampled_from([-1.0, 2.0, 2.3, 2.7, 3.3]),
        says=SAYS,
        after_s=st.sampled_from([0.0, 1.0, 400.0, 2_000.0]),
    ),
    max_size=30,
)


def _established(state: PolicyState) -> bool:
    return int(state.subject.rpartition("-")[2]) % 3 > 0


def _act(make_alert: MakeAlert, acts: list[Dated], number: int, stage: ResponseStage) -> StageDecision:
    """Return what a stage decides on one act; a third of the agents are new."""
    act, now = acts[number], START + sum(one.after_s for one in acts[: number + 1])
    agent = f"agent-{act.agent}"
    if act.score < 0:
        told = {"agent_id": agent, "tenant": "acme", "by": "kim", "reason": "known", "at": now + act.says}
        return stage.on_release(Release.model_validate({**told, "id": str(number)}), now)
    changes = {"event_id": str(act.agent % 2), "causes": (str(number % 3),), "established": act.agent % 3 > 0}
    return stage.on_alert(make_alert(agent, act.score, now + act.says, partition_agents=FLEET, **changes), now)


def _walk(make_alert: MakeAlert, acts: list[Dated]) -> Iterator[tuple[float, ResponseStage, StageDecision]]:
    """Yield the wall clock, the stage and its decision after each act."""
    stage, now = ResponseStage(SETTINGS, "default/v1", LEVELS), START
    for number, act in enumerate(acts):
        now += act.after_s
        yield now, stage, _act(make_alert, acts, number, stage)


@given(DATED)
@settings(deadline=None)
def test_no_more_agents_are_contained_at_any_moment_than_the_caps_say(make_alert: MakeAlert, acts: list[Dated]) -> None:
    """Neither now nor at any moment to come, of established agents and of newcomers; enforcement points do as told."""
    for now, stage, _ in _walk(make_alert, acts):
        states = list(stage.states.values())
        moments = {now, *(moment for state in states for moment in (state.begins_at, end_of(state)) if moment)}
        for moment in (one for one in moments if one >= now):
            contained = [state for state in states if state.tier_at(moment) != "observe"]
            assert sum(map(_established, contained)) <= CAP
            assert sum(not _established(state) for state in contained) <= NEW


@given(DATED)
@settings(deadline=None)
def test_nothing_begins_after_its_record_and_nothing_lasts_longer_than_its_term(
    make_alert: MakeAlert, acts: list[Dated]
) -> None:
    """An alert of 2099 isolates for no longer than the tier's term, and its release does not outdate later alerts."""
    for now, stage, decision in _walk(make_alert, acts):
        for state in stage.states.values():
            assert state.begins_at <= now
            assert state.effective_at <= now
            assert (end_of(state) or now) <= now + term_s(SETTINGS, "isolate")
            assert state.answer is None or max(state.answer.at, state.answer.cause_at) <= now
        assert decision.entry.time <= now


@given(DATED)
@settings(deadline=None)
def test_no_isolation_waits_while_a_weaker_agent_has_a_place(make_alert: MakeAlert, acts: list[Dated]) -> None:
    """The agent that must be stopped is never held behind an automatic limit; nor does anything wait beside room."""
    for now, stage, decision in _walk(make_alert, acts):
        held = decision.entry.command
        if decision.entry.decision != "held" or held is None or now >= (held.expires_at or 0.0):
            continue
        if held.tier == "isolate" and "are contained" in decision.entry.detail:
            others = [state for state in stage.states.values() if _established(state) == _established(held)]
            contained = [in_force(state, now) for state in others if state.tier_at(now) != "observe"]
            assert contained.count("isolate") >= (CAP if _established(held) else NEW)


@given(DATED, st.integers(1, 30), st.integers(0, 8))
@settings(deadline=None)
def test_a_decision_that_breaks_off_is_carried_out_after_the_restart(
    make_alert: MakeAlert, acts: list[Dated], last: int, published: int
) -> None:
    """Whatever clocks say and whoever is new: what stands in the end is what stands without a crash."""
    walked = list(_walk(make_alert, acts[:last]))
    if not walked:
        return
    *before, (_, whole, broken) = walked
    read = [record for _, _, decision in before for record in decision.records]
    read += broken.records[:published]
    stage = ResponseStage(SETTINGS, "default/v1", LEVELS)
    stage.restore(states_of(read), entries_of(read))
    again = _act(make_alert, acts, len(walked) - 1, stage)
    assert stage.states == whole.states
    assert verify(entries_of([*read, *again.records])) == []


@given(DATED, st.integers(0, 30))
@settings(deadline=None)
def test_a_restart_decides_what_would_have_been_decided(make_alert: MakeAlert, acts: list[Dated], cut: int) -> None:
    """From the states and the whole log: the same records, to the byte, of the incidents all but their count."""
    walked = list(_walk(make_alert, acts))
    read = [record for _, _, decision in walked[:cut] for record in decision.records]
    stage = ResponseStage(SETTINGS, "default/v1", LEVELS)
    stage.restore(states_of(read), entries_of(read))
    for number in range(cut, len(walked)):
        again, decision = _act(make_alert, acts, number, stage), walked[number][2]
        assert states_of(again.records) == states_of(decision.records)
        assert entries_of(again.records) == entries_of(decision.records)
