"""Peer groups beyond the cap: who shares a row, who leaves, whose row is whose afterwards."""

from __future__ import annotations

import numpy as np

from detector.memory.homes import YOUNG_GROUP
from detector.memory.layout import STRANGERS
from detector.pipeline import Pipeline
from detector.simulate.fleet import DAY_S
from detector.state.turnover import TURN_S, UNTAUGHT_S
from tests.streams import Script, feed, quick

FOUR = quick(memory={"groups": 4}, learning={"warm_sessions": 1_000_000})
"""Every session teaches."""
STEPS = [{"name": "read", "target": "/docs/a"}]


def sessions(script: Script, agent_type: str, count: int) -> list[bytes]:
    """Return short sessions of two agents of one type."""
    return [
        value
        for n in range(count)
        for value in script.session(
            f"{agent_type}-{script.now}", STEPS, agent_id=f"{agent_type}-{n % 2}", agent_type=agent_type
        )
    ]


def is_stranger(pipeline: Pipeline, script: Script, agent_type: str) -> bool:
    """Tell whether an event of a type is held against the strangers."""
    return bool(feed(pipeline, sessions(script, agent_type, 1)).counts["events_of_strangers"])


def test_a_type_that_finds_no_row_shares_one_and_pollutes_nobody() -> None:
    """The two types that came first learn from their own sessions alone."""
    script, pipeline = Script(), Pipeline(FOUR)
    feed(pipeline, [*sessions(script, "one", 3), *sessions(script, "two", 3), *sessions(script, "three", 5)])
    taught = pipeline.state.memory.groups["totals"][:, 0]
    assert taught.tolist() == [0, 5, 3, 3]
    assert pipeline.gauges()["groups"] == 2.0


def test_the_least_useful_type_leaves_at_the_next_turn() -> None:
    """One that was taught enough stays; the invented one makes room, and its row is blank for the next."""
    script, pipeline = Script(), Pipeline(FOUR)
    feed(pipeline, [*sessions(script, "solid", YOUNG_GROUP), *sessions(script, "invented", 3)])
    assert is_stranger(pipeline, script, "late")
    script.now += TURN_S
    assert not is_stranger(pipeline, script, "late")
    assert not is_stranger(pipeline, script, "solid")
    assert is_stranger(pipeline, script, "invented")
    assert pipeline.gauges()["groups_evicted"] == 1.0
    assert pipeline.state.memory.groups["totals"][3, 0] == 1
    assert pipeline.state.models.masses.seen[3] == 1


def test_a_type_that_nobody_teaches_leaves_after_a_week() -> None:
    """Not before, and not one that is taught."""
    script, pipeline = Script(), Pipeline(FOUR)
    feed(pipeline, sessions(script, "solid", YOUNG_GROUP))
    feed(pipeline, sessions(script, "other", YOUNG_GROUP))
    found = []
    for _ in range(9):
        script.now += DAY_S
        feed(pipeline, sessions(script, "other", 1))
        found.append(is_stranger(pipeline, script, "third"))
    assert found == [day * DAY_S < UNTAUGHT_S for day in range(1, 10)]
    assert not is_stranger(pipeline, script, "other")


def test_an_open_session_holds_no_young_type() -> None:
    """Whoever keeps sessions of invented types open keeps no rows: they go on among the strangers."""
    script, pipeline = Script(), Pipeline(FOUR)
    feed(pipeline, sessions(script, "solid", YOUNG_GROUP))
    act = {"agent_id": "i", "agent_type": "invented", "session_id": "open"}
    feed(pipeline, [script.event(**act), *sessions(script, "late", 1)])
    assert is_stranger(pipeline, script, "late")
    turn = script.now // TURN_S
    while (script.now + 1_500.0) // TURN_S == turn:
        script.now += 1_400.0
        assert feed(pipeline, [script.event(**act)]).counts["events_of_strangers"] == 0
    script.now += 1_500.0
    assert not is_stranger(pipeline, script, "late")
    assert feed(pipeline, [script.event(**act)]).counts["events_of_strangers"] == 1


def test_a_settled_agent_buys_no_strangers() -> None:
    """Naming a type beyond the cap does not change whom an agent is held against."""
    script, pipeline = Script(), Pipeline(FOUR)
    feed(pipeline, [*sessions(script, "one", 3), *sessions(script, "two", 3), *sessions(script, "many", YOUNG_GROUP)])
    acts = script.session("odd", STEPS, agent_id="one-0", agent_type="another")
    assert feed(pipeline, acts).counts["events_of_strangers"] == 0


def test_agents_of_a_type_that_left_belong_to_no_row() -> None:
    """Whoever takes its row over does not take over its agents."""
    script, pipeline = Script(), Pipeline(FOUR)
    feed(pipeline, [*sessions(script, "solid", YOUNG_GROUP), *sessions(script, "gone", 3)])
    script.now += TURN_S
    feed(pipeline, sessions(script, "late", 1))
    homes = pipeline.state.memory.agents["group"][:6]
    assert np.count_nonzero(homes == STRANGERS + 2) == 1
