"""Findings that spread along calls are one incident; findings that chance spreads are not."""

from __future__ import annotations

from typing import Any

import pytest

from detector.response.cascade import LAG_S, MOST_MEMBERS, RARE, cascade_of
from detector.response.graph import MOST_FOUND, DelegationGraph, SpreadingFinding
from detector.response.joined import JoinedStage
from detector.schema.alert import Alert
from tests.response.hearings import heard, incidents, stage, tiding
from tests.sinks.alerts import make

FLEET = 200


def finding(agent: str, at: float, **more: Any) -> Alert:
    """Return a new finding about an agent."""
    return make(agent, 1.5, at, event_id=f"f-{agent}", partition_agents=FLEET, **more)


def connected(*pairs: str, **more: Any) -> JoinedStage:
    """Return a stage that knows who calls whom, as ``ab`` for a calls b."""
    one = stage()
    heard(one, *(tiding(pair[0], pair[1], 100.0, is_new=False, partition_agents=FLEET, **more) for pair in pairs))
    return one


def test_findings_that_follow_calls_are_one_incident_that_names_them_in_order() -> None:
    """Who, by which detection, how long after whom; it is nobody's and everybody's."""
    found = [finding("a", 1_000.0), finding("b", 1_300.0), finding("c", 1_900.0, detection="rule.toxic_flow")]
    (told,) = incidents(connected("ab", "bc"), found)
    assert (told.agent_id, told.severity, told.counter, told.events) == ("*", "high", 1, 3)
    assert told.contributions[0].observed == (
        "a (behaviour.session); b (behaviour.session) 300 s after a; c (rule.toxic_flow) 600 s after b"
    )
    assert told.contributions[1].observed == "2 by behaviour.session, 1 by rule.toxic_flow"
    assert [act.event_id for act in told.evidence] == ["f-a", "f-b", "f-c"]
    assert (told.first_seen, told.last_seen) == (1_000.0, 1_900.0)


def test_a_cascade_that_grows_is_the_same_incident_and_says_so_when_it_has_doubled() -> None:
    """Six members are the second record: a wave through the fleet is a handful of them."""
    one = connected("ab", "bc", "cd", "de", "ef")
    told = incidents(one, [finding(agent, 1_000.0 + 60.0 * step) for step, agent in enumerate("abcdef")])
    assert [(record.counter, record.activity, record.events) for record in told] == [(1, "create", 3), (2, "update", 6)]
    assert len({record.finding_uid for record in told}) == 1


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        (("ab",), [finding("a", 1_000.0), finding("b", 1_100.0)]),
        (("ab", "cd"), [finding("a", 1_000.0), finding("b", 1_100.0), finding("c", 1_200.0)]),
        (("ab", "bc"), [finding("a", 0.0), finding("b", LAG_S + 1.0), finding("c", 2.0 * LAG_S + 2.0)]),
        (("ab", "bc"), [finding("a", 1_000.0), finding("b", 1_100.0), finding("c", 1_200.0, learning=True)]),
        (("ab", "bc"), [finding("a", 1_000.0), finding("b", 1_100.0), finding("c", 1_200.0, activity="update")]),
    ],
    ids=["two agents", "no call between", "hours between", "a finding too early to tell", "no new finding"],
)
def test_what_resembles_a_cascade_is_none(pairs: tuple[str, ...], found: list[Alert]) -> None:
    """Too few, not connected, too late, or nothing that is found."""
    assert incidents(connected(*pairs), found) == []


def test_findings_all_over_the_fleet_are_no_cascade() -> None:
    """Where every fourth agent has one, neighbours have too: something common is wrong, and other counts say so."""
    one = connected("ab", "bc")
    storm = [finding(f"other-{n}", 1_000.0 + n) for n in range(FLEET // 4)]
    chain = [finding(agent, 1_100.0 + 60.0 * step) for step, agent in enumerate("abc")]
    assert incidents(one, [*storm, *chain]) == []


def test_findings_around_an_agent_that_everybody_calls_are_no_cascade() -> None:
    """Of a hundred who call one, some have findings in any hour."""
    one = stage()
    heard(one, *(tiding(f"w{n}", "hub", 100.0, is_new=False, partition_agents=FLEET) for n in range(100)))
    around = [finding("hub", 1_000.0), *(finding(f"w{n}", 1_010.0 + n) for n in range(3))]
    others = [finding(f"o{n}", 1_005.0 + n) for n in range(3)]
    assert incidents(one, [*others, *around]) == []


def test_a_lone_call_of_somebody_busy_is_a_cascade_where_others_are_not() -> None:
    """The same three findings in a chain where nobody has others are."""
    around = [finding(agent, 1_000.0 + 60.0 * step) for step, agent in enumerate("abc")]
    others = [finding(f"o{n}", 1_005.0 + n) for n in range(3)]
    assert len(incidents(connected("ab", "bc"), [*others, *around])) == 1


def test_the_chance_of_a_cascade_is_that_of_the_binomial_law() -> None:
    """Two steps, each of an agent with one and two neighbours, at a share of one in 201."""
    graph = DelegationGraph()
    for call in (tiding("a", "b", 1.0), tiding("b", "c", 1.0)):
        graph.know(call)
        graph.connect(call)
    last = SpreadingFinding("3", "c", 30.0, "d", None)
    for one in (SpreadingFinding("1", "a", 10.0, "d", None), SpreadingFinding("2", "b", 20.0, "d", None), last):
        graph.note(one)
    found = cascade_of(graph, last, FLEET)
    share = 1.0 / (FLEET + 1)
    assert found is not None
    assert found.chance == pytest.approx(share * (1.0 - (1.0 - share) ** 2))
    assert found.chance < RARE


def test_a_cascade_is_heard_again_without_being_told_again() -> None:
    """A stage that starts anew knows what was answered, and counts on."""
    found = [finding(agent, 1_000.0 + 60.0 * step) for step, agent in enumerate("abcdef")]
    pairs = ("ab", "bc", "cd", "de", "ef")
    whole = incidents(connected(*pairs), found)
    again = connected(*pairs)
    for one in found[:4]:
        again.hear_again(one)
    assert incidents(again, found[4:]) == whole[1:]


def invented(count: int, at: float = 1_000.0) -> list[Alert]:
    """Return findings about agents that somebody invented."""
    return [finding(f"!{n}", at + n / 100.0, established=False) for n in range(count)]


SPREAD = [finding(agent, 1_000.0 + 60.0 * step) for step, agent in enumerate("abc")]


def test_invented_agents_with_findings_hide_no_cascade() -> None:
    """They are no part of the fleet that chance is reckoned from, and push out no finding of it."""
    assert len(incidents(connected("ab", "bc"), [*invented(FLEET), *SPREAD])) == 1
    assert len(incidents(connected("ab", "bc"), [*SPREAD[:2], *invented(MOST_FOUND[True]), SPREAD[2]])) == 1


@pytest.mark.parametrize("is_caller", [True, False], ids=["as they say", "as the called one says"])
def test_invented_callers_hide_no_cascade(is_caller: bool) -> None:
    """Hundreds of them make no agent one that everybody calls."""
    one = connected("ab", "bc")
    calls = [(f"!{n}", agent) for n in range(2 * FLEET) for agent in "abc"]
    for caller, called in calls:
        who = (caller, called) if is_caller else (called, caller)
        heard(one, tiding(*who, 100.0, is_caller=is_caller, established=not is_caller, partition_agents=FLEET))
    assert len(incidents(one, SPREAD)) == 1


def test_invented_members_crowd_nobody_out_and_come_between_no_two() -> None:
    """However many call the first one, who has findings is told, each behind the one it followed."""
    one = connected("ab", "bc", "cd")
    calls = [(f"!{n}", agent) for n in range(2 * MOST_MEMBERS) for agent in "abcd"]
    heard(one, *(tiding(*call, 100.0, established=False, partition_agents=FLEET) for call in calls))
    told = incidents(one, [SPREAD[0], *invented(2 * MOST_MEMBERS), *SPREAD[1:], finding("d", 1_180.0)])
    assert [record.events for record in told] == [2 + MOST_MEMBERS, 4 + MOST_MEMBERS]
    for each in ("b (behaviour.session) 60 s after a", "c (behaviour.session) 60 s after b"):
        assert each in told[-1].contributions[0].observed


def test_newcomers_make_no_cascade_among_themselves() -> None:
    """Whoever invents three agents that call each other takes no place of a finding."""
    one = connected("ab", "bc", established=False)
    assert incidents(one, [each.model_copy(update={"established": False}) for each in SPREAD]) == []


def test_a_newcomer_may_begin_a_cascade() -> None:
    """An intruder is one: two established agents follow it."""
    first, *rest = SPREAD
    (told,) = incidents(connected("ab", "bc"), [first.model_copy(update={"established": False}), *rest])
    assert told.title.startswith("Findings spread from a over 3 agents")
