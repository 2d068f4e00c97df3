"""Doors tried one after another, and the muddled errands that look like it."""

from __future__ import annotations

from typing import Any

from detector.pipeline import Pipeline
from detector.rules.counting import TIMES
from detector.rules.probing import DENIED_S, LEAST_DENIED, LEAST_MISSED, MISSED_S
from tests.rules.told import causes, found_in, news, of_one
from tests.streams import Script, feed, quick

PROBING, ENUMERATION = {"enabled": ("access_probing",)}, {"enabled": ("enumeration",)}


def denials(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Return denials of as many different things."""
    return [{"name": "open", "target": f"/vault/{first + n}", "outcome": "denied"} for n in range(count)]


def misses(count: int, tool: str = "get_user") -> list[dict[str, Any]]:
    """Return failures of a tool on as many different targets."""
    return [{"name": tool, "target": f"id-{n}", "outcome": "error"} for n in range(count)]


def test_eight_different_things_denied_within_an_hour_alert_once_with_their_number() -> None:
    """What follows is folded."""
    (alert,) = of_one(*denials(3 * LEAST_DENIED), **PROBING)
    assert (alert.detection, alert.severity) == ("rule.access_probing", "medium")
    assert alert.contributions[0].observed == "8 different things denied within an hour"


def test_fewer_the_same_again_other_agents_and_other_outcomes_are_silent() -> None:
    """The twins."""
    assert of_one(*denials(LEAST_DENIED - 1), **PROBING) == []
    assert of_one(*denials(1) * 50, **PROBING) == []
    assert of_one(*({**one, "agent_id": f"a-{n}"} for n, one in enumerate(denials(30))), **PROBING) == []
    assert of_one(*({**one, "outcome": "ok"} for one in denials(30)), **PROBING) == []
    assert of_one(*({**one, "outcome": "error"} for one in denials(30)), **PROBING) == []
    assert of_one(*({**one, "kind": "llm_call"} for one in denials(30)), **PROBING) == []


def test_denials_spread_over_hours_are_silent() -> None:
    """They never stand together."""
    script, pipeline = Script(), Pipeline(quick(rules=PROBING))
    for one in denials(4 * LEAST_DENIED):
        script.now += DENIED_S / (LEAST_DENIED - 1)
        assert found_in(pipeline, script.event(**one)) == []


def test_an_agent_that_meets_as_many_every_day_is_silent_and_four_times_as_many_are_not() -> None:
    """Its own most is what it is held against: the first stretch alone alerts."""
    script, pipeline = Script(), Pipeline(quick(rules=PROBING))
    found = []
    for day in range(4):
        script.now += 90_000.0
        found.append(news(pipeline, *(script.event(**{**one, "session_id": f"s-{day}"}) for one in denials(10))))
    assert found == [["rule.access_probing/denied"], [], [], []]
    script.now += 90_000.0
    many = [script.event(**{**one, "session_id": "s-9"}) for one in denials(TIMES * 10 + 5)]
    assert "rule.access_probing/denied" in causes(found_in(pipeline, *many))


def test_a_tool_that_misses_sixteen_targets_in_minutes_alerts_and_names_the_tool() -> None:
    """Whether they are not there or not to be had."""
    (alert,) = of_one(*misses(2 * LEAST_MISSED), **ENUMERATION)
    assert alert.causes == ("rule.enumeration/get_user",)
    assert alert.contributions[0].observed == "get_user failed on 16 different targets within ten minutes"


def test_one_target_again_targets_that_are_there_and_several_tools_are_silent() -> None:
    """The twins: a retry, a list that is worked through, a poor day."""
    assert of_one(*misses(1) * 50, **ENUMERATION) == []
    assert of_one(*({**one, "outcome": "ok"} for one in misses(50)), **ENUMERATION) == []
    assert of_one(*misses(LEAST_MISSED - 1), *misses(LEAST_MISSED - 1, "get_order"), **ENUMERATION) == []
    assert of_one(*({"name": "get_user", "outcome": "error"} for _ in range(50)), **ENUMERATION) == []
    script, pipeline = Script(), Pipeline(quick(rules=ENUMERATION))
    for one in misses(4 * LEAST_MISSED):
        script.now += MISSED_S / (LEAST_MISSED - 1)
        assert found_in(pipeline, script.event(**one)) == []


def test_who_is_denied_thousands_of_things_fills_no_memory() -> None:
    """What is counted is bounded by what is told, and so is what of tools is followed."""
    script, pipeline = Script(), Pipeline(quick(rules={"enabled": ("access_probing", "enumeration")}))
    feed(pipeline, [script.event(**one) for one in denials(3_000)])
    feed(pipeline, [script.event(**one) for n in range(100) for one in misses(2, f"tool-{n}")])
    ((_, facts),) = pipeline.state.rule_memory.shards(full=True).items()
    assert len(facts["access_probing"][0][3]["denied"]["seen"]) == TIMES * TIMES * LEAST_DENIED
    assert len(facts["enumeration"][0][3]) == 16
