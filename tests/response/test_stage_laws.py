"""What holds for every sequence of alerts and releases."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.response.breaker import end_of
from detector.response.chain import verify
from detector.response.ladder import RANK, Levels
from detector.response.settings import ResponseSettings
from detector.response.stage import ResponseStage
from detector.response.turn import StageDecision
from detector.schema.alert import Alert
from detector.schema.command import PolicyLogEntry, PolicyState
from detector.schema.feedback import Release

MakeAlert = Callable[..., Alert]
LEVELS = Levels(limit=2.0, isolate=2.7)
FLEET = 20
CAP, RATE = 3, 4
SETTINGS = ResponseSettings(
    mode="enforce", limit_s=1_000.0, isolate_s=2_500.0, fleet_share=CAP / FLEET, rate_per_hour=RATE
)


class Act(NamedTuple):
    """One thing that happens: an alert, or (score below 0) a release."""

    agent: int
    score: float
    time: float
    session: int


ACTS = st.lists(
    st.builds(
        Act,
        agent=st.integers(0, 7),
        score=st.sampled_from([-1.0, 1.0, 2.0, 2.3, 2.7, 3.3]),
        time=st.floats(0.0, 12_000.0).map(lambda value: round(value, 1)),
        session=st.integers(0, 2),
    ),
    max_size=40,
)
IN_ORDER = ACTS.map(lambda acts: sorted(acts, key=lambda act: act.time))
"""Where time goes back, a stage that was restarted may remember a held command whose term another has seen pass."""


def _stage() -> ResponseStage:
    return ResponseStage(SETTINGS, "default/v1", LEVELS)


def _do(stage: ResponseStage, act: Act, make_alert: MakeAlert) -> StageDecision:
    agent = f"agent-{act.agent}"
    if act.score < 0:
        values = {"agent_id": agent, "tenant": "acme", "by": "kim", "reason": "known", "at": act.time}
        return stage.on_release(Release.model_validate({**values, "id": f"{agent}@{act.time}"}), now=act.time)
    alert = make_alert(
        agent, act.score, act.time, session_id=f"s-{act.session}", event_id=f"e-{act.session}", partition_agents=FLEET
    )
    return stage.on_alert(alert)


def _weaker(old: PolicyState, new: PolicyState, since: float) -> bool:
    moments = [since, *(end for end in (old.expires_at, old.steps_down_until) if end is not None and end >= since)]
    steps = [moment + shift for moment in moments for shift in (-0.05, 0.0) if moment + shift >= since]
    return any(RANK[new.tier_at(moment)] < RANK[old.tier_at(moment)] for moment in steps)


def _states(decision: StageDecision) -> list[PolicyState]:
    return [record for record in decision.records if isinstance(record, PolicyState)]


def _entries(decision: StageDecision) -> list[PolicyLogEntry]:
    return [record for record in decision.records if isinstance(record, PolicyLogEntry)]


@given(ACTS)
@settings(deadline=None)
def test_a_detector_never_lowers_a_tier_and_revisions_rise_by_one(make_alert: MakeAlert, acts: list[Act]) -> None:
    """From its cause on, a detector's state is at no moment weaker than the one it replaces, unless it yields."""
    stage = _stage()
    stands: dict[str, PolicyState] = {}
    for act in acts:
        for command in _states(_do(stage, act, make_alert)):
            old = stands.get(command.subject)
            assert command.revision == (old.revision if old else 0) + 1
            assert command.supersedes == (old.revision if old else None)
            if command.yielded_to is not None and old is not None and command.issuer.kind == "detector":
                assert (command.state, old.tier_at(max(act.time, old.begins_at))) == ("released", "limit")
            elif old is not None and command.issuer.kind == "detector":
                assert not _weaker(old, command, max(act.time, command.begins_at))
            else:
                assert (command.state == "released") == (command.issuer.kind == "human")
            stands[command.subject] = command
        assert stage.states == stands


@given(ACTS)
@settings(deadline=None)
def test_the_caps_are_never_passed(make_alert: MakeAlert, acts: list[Act]) -> None:
    """Neither the share of the fleet at any moment of event time, nor the agents of any hour."""
    stage = _stage()
    for act in acts:
        _do(stage, act, make_alert)
        terms = [(state.contained_since or 0.0, end_of(state) or -1.0) for state in stage.states.values()]
        for start, _ in terms:
            assert sum(begin <= start < end for begin, end in terms) <= CAP
            # limits do not hold isolations: as many of the one as of the other
            assert sum(start <= begin < start + 3_600.0 for begin, _ in terms) <= 2 * RATE


@given(ACTS)
@settings(deadline=None)
def test_the_same_acts_give_the_same_bytes_and_a_whole_chain(make_alert: MakeAlert, acts: list[Act]) -> None:
    """Commands, entries and incidents: all of it, in one order, and the log verifies."""
    one, two = _stage(), _stage()
    first = [_do(one, act, make_alert) for act in acts]
    second = [_do(two, act, make_alert) for act in acts]
    assert [record.model_dump_json() for decision in first for record in decision.records] == [
        record.model_dump_json() for decision in second for record in decision.records
    ]
    assert verify(entry for decision in first for entry in _entries(decision)) == []
    for decision in first:
        own = [record for record in (decision.command, decision.entry, decision.incident) if record is not None]
        assert [record for record in decision.records if any(record is one for one in own)] == own


@given(IN_ORDER, st.integers(0, 40))
@settings(deadline=None)
def test_a_restart_goes_on_where_it_was(make_alert: MakeAlert, acts: list[Act], cut: int) -> None:
    """A stage that reads the compacted topic and the log's tail decides what the first would have decided."""
    whole = _stage()
    decisions = [_do(whole, act, make_alert) for act in acts]
    before, after = decisions[:cut], acts[cut:]
    restarted = _stage()
    restarted.restore(
        (state for decision in before for state in _states(decision)),
        (entry for decision in before for entry in _entries(decision)),
    )
    again = [_do(restarted, act, make_alert) for act in after]
    assert [(one.command, one.entry) for one in again] == [(one.command, one.entry) for one in decisions[cut:]]
    assert [_states(one) for one in again] == [_states(one) for one in decisions[cut:]]


@given(IN_ORDER, st.integers(0, 39), st.integers(0, 8))
@settings(deadline=None)
def test_a_decision_that_breaks_off_is_carried_out_after_the_restart(
    make_alert: MakeAlert, acts: list[Act], last: int, published: int
) -> None:
    """Wherever it breaks off, the alert comes again, and what stands in the end is what stands without a crash."""
    whole = _stage()
    decisions = [_do(whole, act, make_alert) for act in acts[: last + 1]]
    out = [record for decision in decisions[:-1] for record in decision.records]
    out += [record for decision in decisions[-1:] for record in decision.records[:published]]
    restarted = _stage()
    restarted.restore(
        (record for record in out if isinstance(record, PolicyState)),
        (record for record in out if isinstance(record, PolicyLogEntry)),
    )
    for act in acts[: last + 1][-1:]:
        again = _do(restarted, act, make_alert)
        assert restarted.states == whole.states
        entries = [record for record in (*out, *again.records) if isinstance(record, PolicyLogEntry)]
        assert verify(entries) == []


@given(ACTS)
@settings(deadline=None)
def test_acts_delivered_twice_contain_nobody_twice(make_alert: MakeAlert, acts: list[Act]) -> None:
    """After a crash the last act is delivered again: no new command comes of it."""
    stage = _stage()
    for act in acts:
        _do(stage, act, make_alert)
        assert _states(_do(stage, act, make_alert)) == []
