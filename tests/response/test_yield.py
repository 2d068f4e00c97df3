"""At the cap the weakest automatic limit yields to an isolation; nobody else does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detector.response.chain import verify
from detector.response.stage import ResponseStage
from detector.schema.alert import Alert, VerdictNote
from detector.schema.command import command_id
from tests.response.scenes import HOUR, entries_of, release_of, restarted, stage_of, states_of, told

MakeAlert = Callable[..., Alert]


def _full(make_alert: MakeAlert, **settings: object) -> ResponseStage:
    """Return a stage of a hundred agents in which one benign agent's limit has taken the only place."""
    stage = stage_of(fleet_share=0.01, **settings)
    assert stage.on_alert(make_alert("benign", 2.1, 1_000.0), 1_000.0).command is not None
    return stage


def _verdict(make_alert: MakeAlert, word: str, agent: str = "benign", time: float = 1_100.0) -> Alert:
    note = VerdictNote(verdict=word, by="ann", reason="seen", at=time)
    return make_alert(agent, 2.1, time, counter=2, activity="verdict", verdict=note)


def test_an_isolation_takes_the_place_of_a_limit(make_alert: MakeAlert) -> None:
    """A benign agent's one-hour limit must not hold the command against the agent that exfiltrates."""
    stage = _full(make_alert)
    strong = make_alert("exfil", 3.3, 1_200.0)
    decision = stage.on_alert(strong, 1_200.0)
    assert told(decision) == [("benign", "yielded"), ("exfil", "issued")]
    freed, command = states_of(decision.records)
    assert (freed.state, freed.tier, freed.revision, freed.supersedes) == ("released", "observe", 2, 1)
    assert (freed.tier_at(1_300.0), freed.yielded_to) == ("observe", strong.finding_uid)
    assert (freed.issuer.kind, freed.answer, freed.strongest) == ("detector", None, "limit")
    assert freed.command_id == command_id(freed.subject, "observe", strong.finding_uid)
    assert (command, command.tier, command.breaker.held) == (decision.command, "isolate", False)
    assert command.breaker.fleet_share == 0.01


def test_the_log_says_who_yielded_to_what(make_alert: MakeAlert) -> None:
    """With the finding, both scores, and the command that waits from now on; the chain holds."""
    stage = stage_of(fleet_share=0.01)
    first = stage.on_alert(make_alert("benign", 2.1, 1_000.0), 1_000.0)
    strong = make_alert("exfil", 3.3, 1_200.0)
    second = stage.on_alert(strong, 1_200.0)
    entry = entries_of(second.records)[0]
    assert (entry.decision, entry.cause) == ("yielded", strong.finding_uid)
    assert entry.detail == (
        f"yielded to {strong.finding_uid} of exfil (isolate, score 3.300): "
        "revision 2 lifts a limit of score 2.100, which waits"
    )
    assert entry.command is not None
    assert (entry.command.tier, entry.command.breaker.held, entry.command.revision) == ("limit", True, 1)
    assert verify(entries_of((*first.records, *second.records))) == []


def test_a_limit_takes_nobodys_place(make_alert: MakeAlert) -> None:
    """The isolation's harmless twin, however high its score among the limits is."""
    stage = _full(make_alert)
    decision = stage.on_alert(make_alert("other", 2.6, 1_200.0), 1_200.0)
    assert told(decision) == [("other", "held")]


def test_an_isolation_yields_to_no_isolation(make_alert: MakeAlert) -> None:
    """Not to a higher score either."""
    stage = stage_of(fleet_share=0.01)
    stage.on_alert(make_alert("first", 2.7, 1_000.0), 1_000.0)
    assert told(stage.on_alert(make_alert("second", 5.0, 1_200.0), 1_200.0)) == [("second", "held")]


def test_an_isolation_that_has_stepped_down_is_a_limit_and_yields(make_alert: MakeAlert) -> None:
    """It is the weaker one now."""
    stage = stage_of(fleet_share=0.01, isolate_s=100.0)
    stage.on_alert(make_alert("first", 2.7, 1_000.0), 1_000.0)
    assert told(stage.on_alert(make_alert("second", 2.8, 1_099.0), 1_099.0)) == [("second", "held")]
    decision = stage.on_alert(make_alert("third", 2.9, 1_101.0), 1_101.0)
    assert told(decision) == [("first", "yielded"), ("third", "issued")]
    assert states_of(decision.records)[0].strongest == "isolate"


@pytest.mark.parametrize(
    ("first", "second", "yields"),
    [
        (("a", 2.4, 1_000.0), ("b", 2.1, 1_000.0), "b"),
        (("a", 2.1, 1_001.0), ("b", 2.1, 1_000.0), "b"),
        (("b", 2.1, 1_000.0), ("a", 2.1, 1_000.0), "a"),
    ],
)
def test_the_weakest_yields_by_score_then_age_then_name(
    make_alert: MakeAlert, first: tuple[str, float, float], second: tuple[str, float, float], yields: str
) -> None:
    """One and the same on every machine."""
    stage = stage_of(fleet_share=0.02)
    stage.on_alert(make_alert(*first), first[-1])
    stage.on_alert(make_alert(*second), second[-1])
    assert told(stage.on_alert(make_alert("exfil", 3.3, 1_200.0), 1_200.0))[0] == (yields, "yielded")


def test_whom_a_person_confirmed_does_not_yield(make_alert: MakeAlert) -> None:
    """A verdict that confirms the finding stands in a revision of its own, so a restart knows it."""
    stage = _full(make_alert)
    before = states_of(stage.states.values())
    confirmed = stage.on_alert(_verdict(make_alert, "confirm"), 1_100.0)
    assert confirmed.command is not None
    assert (confirmed.entry.decision, confirmed.command.revision) == ("judged", 2)
    assert (confirmed.command.confirmed_by, confirmed.command.tier) == ("ann", "limit")
    assert stage.on_alert(_verdict(make_alert, "confirm"), 1_100.0).command is None
    strong = make_alert("exfil", 3.3, 1_200.0)
    again = restarted([*before, confirmed.command, confirmed.entry], fleet_share=0.01)
    for one in (stage, again):
        assert told(one.on_alert(strong, 1_200.0)) == [("exfil", "held")]


def test_a_verdict_that_is_taken_back_or_says_something_else_protects_nobody(make_alert: MakeAlert) -> None:
    """Nor does one of another finding, or of a limit that is over."""
    stage = _full(make_alert)
    assert stage.on_alert(_verdict(make_alert, "dismiss"), 1_100.0).command is None
    other = _verdict(make_alert, "confirm").model_copy(update={"finding_uid": "f" * 32})
    assert stage.on_alert(other, 1_100.0).command is None
    assert stage.on_alert(_verdict(make_alert, "confirm"), 1_000.0 + HOUR).command is None
    stage.on_alert(_verdict(make_alert, "confirm"), 1_100.0)
    back = stage.on_alert(_verdict(make_alert, "dismiss"), 1_150.0)
    assert back.command is not None
    assert back.command.confirmed_by is None
    assert ("benign", "yielded") in told(stage.on_alert(make_alert("exfil", 3.3, 1_200.0), 1_200.0))


def test_who_calls_a_finding_safe_lifts_what_it_caused(make_alert: MakeAlert) -> None:
    """As by a release, in the person's name; of another finding, or sent again, it lifts nothing."""
    stage = _full(make_alert)
    other = _verdict(make_alert, "safe").model_copy(update={"finding_uid": "f" * 32})
    assert stage.on_alert(other, 1_100.0).command is None
    lifted = stage.on_alert(_verdict(make_alert, "safe"), 1_100.0)
    assert lifted.command is not None
    assert lifted.entry.decision == "released"
    assert (lifted.command.state, lifted.command.issuer.kind, lifted.command.issuer.id) == ("released", "human", "ann")
    assert stage.on_alert(_verdict(make_alert, "safe"), 1_110.0).command is None
    assert stage.on_alert(make_alert("benign", 2.1, 1_050.0), 1_120.0).command is None


def test_a_finding_of_a_partition_that_learns_asks_for_nothing(make_alert: MakeAlert) -> None:
    """However strong its score is: the promise behind it cannot be kept yet."""
    stage = stage_of(fleet_share=0.5)
    decision = stage.on_alert(make_alert("exfil", 3.3, 1_000.0).model_copy(update={"learning": True}), 1_000.0)
    assert decision.command is None
    assert "learning" in decision.entry.detail
    assert stage.on_alert(make_alert("exfil", 3.3, 1_000.0), 1_000.0).command is not None


def test_a_confirmation_lasts_as_long_as_the_containment(make_alert: MakeAlert) -> None:
    """Also when a later finding prolongs it; the next containment is automatic again."""
    stage = _full(make_alert)
    stage.on_alert(_verdict(make_alert, "confirm"), 1_100.0)
    longer = stage.on_alert(make_alert("benign", 2.2, 1_200.0, event_id="e-2"), 1_200.0).command
    assert longer is not None
    assert longer.confirmed_by == "ann"
    anew = stage.on_alert(make_alert("benign", 2.2, 9_000.0, event_id="e-3"), 9_000.0).command
    assert anew is not None
    assert anew.confirmed_by is None


def test_who_is_protected_now_does_not_yield(make_alert: MakeAlert) -> None:
    """The setting came after the limit: only a human moves this agent."""
    command = stage_of().on_alert(make_alert("benign", 2.1, 1_000.0), 1_000.0).command
    assert command is not None
    stage = restarted([command], fleet_share=0.01, protected=["benign"])
    assert told(stage.on_alert(make_alert("exfil", 3.3, 1_200.0), 1_200.0)) == [("exfil", "held")]


def test_an_isolation_that_is_over_before_it_was_heard_takes_nobodys_place(make_alert: MakeAlert) -> None:
    """What happened this morning frees nobody now."""
    stage = _full(make_alert)
    assert told(stage.on_alert(make_alert("late", 3.3, 1_000.0 - 4 * HOUR), 1_100.0)) == [("late", "held")]


def test_twenty_limits_an_hour_do_not_hold_an_isolation(make_alert: MakeAlert) -> None:
    """A decoy wave uses up the hour for limits, not for the agent that must be stopped."""
    stage = stage_of(fleet_share=1.0, rate_per_hour=3)
    for index in range(4):
        decision = stage.on_alert(make_alert(f"decoy-{index}", 2.1, 1_000.0 + index), 1_000.0 + index)
    assert decision.entry.decision == "held"
    assert "within an hour" in decision.entry.detail
    strong = stage.on_alert(make_alert("exfil", 3.3, 1_200.0), 1_200.0)
    assert ("exfil", "issued") in told(strong)
    assert "yielded" not in [said for _, said in told(strong)]


def test_as_many_limits_yield_as_are_too_many_or_none(make_alert: MakeAlert) -> None:
    """The fleet is smaller than it was: one for one would leave more contained than may be."""
    stage = stage_of(fleet_share=0.02)
    stage.on_alert(make_alert("a", 2.1, 1_000.0), 1_000.0)
    stage.on_alert(make_alert("b", 2.2, 1_000.0), 1_000.0)
    decision = stage.on_alert(make_alert("exfil", 3.3, 1_200.0, partition_agents=10), 1_200.0)
    assert told(decision) == [("a", "yielded"), ("b", "yielded"), ("exfil", "issued")]
    held = stage_of(fleet_share=0.02)
    held.on_alert(make_alert("a", 2.1, 1_000.0), 1_000.0)
    held.on_alert(make_alert("b", 3.0, 1_000.0), 1_000.0)
    assert told(held.on_alert(make_alert("exfil", 3.3, 1_200.0, partition_agents=10), 1_200.0)) == [("exfil", "held")]


def test_who_yielded_is_contained_again_when_there_is_room(make_alert: MakeAlert) -> None:
    """Else a forged isolation of anybody would free whom the detector had limited."""
    stage = _full(make_alert)
    stage.on_alert(make_alert("exfil", 3.3, 1_200.0), 1_200.0)
    decision = stage.on_release(release_of(1_500.0, "exfil"), 1_500.0)
    assert told(decision) == [("exfil", "released"), ("benign", "issued")]
    again = states_of(decision.records)[1]
    assert (again.subject, again.tier, again.revision) == ("acme/agent/benign", "limit", 3)
    assert (again.contained_since, again.expires_at) == (1_500.0, 1_000.0 + HOUR)
    assert again.yielded_to is None


@pytest.mark.parametrize("published", range(5))
def test_breaking_off_between_any_two_records_leaves_the_same_in_the_end(make_alert: MakeAlert, published: int) -> None:
    """The alert comes again to a stage that reads what was written: no place is given twice, nobody is freed unsaid."""
    stage = stage_of(fleet_share=0.01)
    before = stage.on_alert(make_alert("benign", 2.1, 1_000.0), 1_000.0).records
    strong = make_alert("exfil", 3.3, 1_200.0)
    whole = stage.on_alert(strong, 1_200.0)
    assert len(whole.records) == 4
    written = [*before, *whole.records[:published]]
    again = restarted(written, fleet_share=0.01)
    decision = again.on_alert(strong, 1_200.0)
    assert again.states == stage.states
    entries = entries_of([*written, *decision.records])
    assert verify(entries) == []
    assert "yielded" in [entry.decision for entry in entries]
    stands = {state.subject: state for state in states_of(written)}
    assert [state.tier_at(1_300.0) for state in stands.values()].count("observe") >= len(stands) - 1


def test_an_isolation_whose_own_term_ends_as_it_is_heard_takes_nobodys_place(make_alert: MakeAlert) -> None:
    """What is left of it is a limit; a second earlier it is an isolation still."""
    late = make_alert("late", 3.3, 1_100.0 - 4 * HOUR)
    assert told(_full(make_alert).on_alert(late, 1_100.0)) == [("late", "held")]
    assert told(_full(make_alert).on_alert(late, 1_099.0)) == [("benign", "yielded"), ("late", "issued")]


def test_a_raise_needs_room_only_past_its_own_end_and_takes_it_from_a_limit(make_alert: MakeAlert) -> None:
    """In replay, where alerts come in any order: the later limit yields, one that begins after the term does not."""
    for begins, said in ((5_000.0, [("later", "yielded"), ("mine", "issued")]), (20_000.0, [("mine", "issued")])):
        stage = stage_of(fleet_share=0.01)
        stage.on_alert(make_alert("mine", 2.1, 1_000.0))
        assert stage.on_alert(make_alert("later", 2.1, begins)).command is not None
        assert told(stage.on_alert(make_alert("mine", 3.3, 2_000.0, event_id="e-2"))) == said
    stage = stage_of(fleet_share=0.01)
    stage.on_alert(make_alert("at-the-end", 2.0, 1_000.0 + 5 * HOUR))
    stage.on_alert(make_alert("inside", 2.1, 10_000.0))
    assert told(stage.on_alert(make_alert("exfil", 3.3, 1_000.0))) == [("inside", "yielded"), ("exfil", "issued")]
