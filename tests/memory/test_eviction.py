"""Agents beyond the cap: who leaves, who stays, what is kept of those that left."""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.memory.eviction import admit, evict, hear, is_established
from detector.memory.layout import USED_AGENTS, allocate_memory
from detector.memory.roster import ESTABLISHED_DAYS, GRAVE, SPARE
from detector.pipeline import Pipeline
from detector.schema.alert import Alert
from detector.simulate.fleet import DAY_S
from detector.state.settings import settings_of
from detector.state.turnover import SILENT_S
from tests.streams import Script, feed, ordinary, quick, quiet, records_of

CAP = 16
SMALL = {"memory": {"agents": CAP}}
RULES = {"rules": {"enabled": ("credential_expired",)}}


def one_shots(script: Script, count: int, prefix: str = "fake") -> list[bytes]:
    """Return the sessions of as many invented ids: one action each, and the end."""
    steps = [{"name": "read", "target": "/docs/team/file-1"}]
    return [value for n in range(count) for value in script.session(f"{prefix}-{n}", steps, agent_id=f"{prefix}-{n}")]


def days_of(script: Script, agent: str, days: int) -> list[bytes]:
    """Return one ordinary session of an agent on each of some days."""
    values: list[bytes] = []
    for day in range(days):
        values += script.session(f"{agent}-{day}", [{"name": "read", "target": "/docs/team/file-1"}], agent_id=agent)
        values += quiet(script, 1.0)
    return values


def is_known(pipeline: Pipeline, script: Script, agent: str) -> bool:
    """Tell whether an agent had a row before an event of it; all rows are taken."""
    before = pipeline.gauges()["agents_evicted"]
    feed(pipeline, [script.event("session_end", kind="lifecycle", session_id=f"probe-{agent}", agent_id=agent)])
    return pipeline.gauges()["agents_evicted"] == before


def test_invented_ids_take_no_more_rows_than_the_cap() -> None:
    """A thousand of them: as many rows as the cap and the spare ones, all events scored, each that left counted."""
    script, pipeline = Script(), Pipeline(quick(**SMALL))
    outcome = feed(pipeline, one_shots(script, 1_000))
    gauges, memory = pipeline.gauges(), pipeline.state.memory
    assert outcome.counts["events_scored"] == 1_000
    assert gauges["agents"] == CAP
    assert gauges["agents_evicted"] == 1_000 - CAP
    assert len(memory.agents) == memory.used[USED_AGENTS] == CAP + SPARE


def test_an_established_agent_stays_under_a_flood_of_invented_ones() -> None:
    """It taught on several days; a newcomer that taught on one leaves."""
    script, pipeline = Script(), Pipeline(quick(**SMALL))
    feed(pipeline, days_of(script, "known", ESTABLISHED_DAYS))
    before = pipeline.gauges()["agents_established"]
    feed(pipeline, [*days_of(script, "new", 1), *one_shots(script, 400)])
    assert pipeline.gauges()["agents_established"] == before >= 1.0
    assert is_known(pipeline, script, "known")
    assert not is_known(pipeline, script, "new")


def test_who_taught_nothing_leaves_before_who_taught() -> None:
    """Ids that only end sessions compete among themselves."""
    script, pipeline = Script(), Pipeline(quick(**SMALL))
    feed(pipeline, one_shots(script, 3, "honest"))
    ends = [script.event("session_end", kind="lifecycle", session_id=f"s-{n}", agent_id=f"f-{n}") for n in range(200)]
    feed(pipeline, ends)
    assert all(is_known(pipeline, script, f"honest-{n}") for n in range(3))


def test_an_agent_with_an_open_session_does_not_leave() -> None:
    """Whatever comes and goes beside it; once the session is over, it does."""
    script, pipeline = Script(), Pipeline(quick(**SMALL))
    feed(pipeline, [script.event(agent_id="busy", session_id="long"), *one_shots(script, 300)])
    assert is_known(pipeline, script, "busy")
    feed(pipeline, [script.event("session_end", kind="lifecycle", agent_id="busy", session_id="long")])
    feed(pipeline, one_shots(script, 300, "more"))
    assert not is_known(pipeline, script, "busy")


def test_a_full_pool_of_sessions_closes_a_newcomers_first() -> None:
    """The established agent's is the least active of all and goes on; where there is no newcomer, it is closed."""
    script, pipeline = Script(), Pipeline(quick(**SMALL))
    feed(pipeline, days_of(script, "known", ESTABLISHED_DAYS))
    script.now += 4_000.0
    values = [script.event(agent_id="known", session_id="long")]
    values += [script.event(agent_id=f"f-{n}", session_id=f"f-{n}") for n in range(40)]
    assert feed(pipeline, values).counts["sessions_capped"] == 41 - CAP // 2
    sessions = pipeline.gauges()["sessions_open"]
    feed(pipeline, [script.event("session_end", kind="lifecycle", agent_id="known", session_id="long")])
    assert pipeline.gauges()["sessions_open"] == sessions - 1 == CAP // 2 - 1


def test_a_silent_agent_leaves_a_tombstone_and_comes_back_as_one_that_is_known() -> None:
    """After 90 days without an event; the days it taught on count as before."""
    script, pipeline = Script(), Pipeline(quick(**RULES))
    feed(pipeline, days_of(script, "known", ESTABLISHED_DAYS))
    feed(pipeline, quiet(script, SILENT_S / DAY_S + 1.0))
    gauges = pipeline.gauges()
    assert (gauges["tombstones"], gauges["agents_evicted_established"]) == (1.0, 1.0)
    assert _alerts(pipeline, script, "known")[0].established
    gauges = pipeline.gauges()
    assert (gauges["tombstones"], gauges["agents_returned"], gauges["agents_evicted"]) == (0.0, 1.0, 1.0)


def _alerts(pipeline: Pipeline, script: Script, agent: str) -> list[Alert]:
    """Return what a rule says of an act with a credential that is over."""
    over = {"id": "c-1", "expires_at": "2020-01-01T00:00:00Z"}
    act = script.event(agent_id=agent, session_id=f"over-{agent}-{script.now}", credential=over)
    return feed(pipeline, [act]).alerts


def test_an_alert_says_whether_its_agent_is_established_and_how_many_are() -> None:
    """Invented ids do not make the fleet larger; an agent of trusted history counts from its first closed session."""
    script = Script()
    history = ordinary(script, 20)
    pipeline = Pipeline(quick(**RULES), trusted_until=script.now)
    feed(pipeline, [*history, *one_shots(script, 100)])
    known, new = (_alerts(pipeline, script, agent)[0] for agent in ("a-1", "fake-7"))
    assert (known.established, known.partition_agents) == (True, 3)
    assert (new.established, new.partition_agents) == (False, 3)
    assert pipeline.gauges()["agents"] == 103.0


def test_two_sessions_of_a_day_are_one_day() -> None:
    """Days count, not sessions: invented ids are not established by being busy."""
    script, pipeline = Script(), Pipeline(quick())
    for n in range(20):
        feed(pipeline, script.session(f"s-{n}", [{"name": "read"}], agent_id="a"))
    assert pipeline.gauges()["agents_established"] == 0.0


@pytest.mark.parametrize("alerts", [True, False])
def test_who_alerted_lately_leaves_after_other_newcomers(*, alerts: bool) -> None:
    """Its twin that did not alert is gone."""
    script, pipeline = Script(), Pipeline(quick(memory={"agents": 1_200}, **RULES))
    feed(pipeline, one_shots(script, 700, "before"))
    if alerts:
        assert _alerts(pipeline, script, "odd")
    feed(pipeline, script.session("odd", [{"name": "read", "target": "/docs/team/file-1"}], agent_id="odd"))
    feed(pipeline, [script.event("beat", kind="lifecycle", agent_id="clock", session_id="clock")])
    script.now += 4_000.0
    feed(pipeline, one_shots(script, 2_500))
    assert is_known(pipeline, script, "odd") == alerts


def test_the_tombstones_of_newcomers_take_no_place_of_established_ones() -> None:
    """Each kind has a ring; in a full ring the oldest leaves and is counted."""
    sizes = settings_of(quick(memory={"agents": 4}), None).sizes
    memory = allocate_memory(sizes)
    for name in range(1, 40):
        row = admit(memory, np.uint64(name))
        memory.agents[row]["standing"][1] = ESTABLISHED_DAYS if name <= 2 else 1
        evict(memory, row)
    kept = {int(name) for name in memory.roster.graves["name"] if name}
    assert kept == {1, 2, 36, 37, 38, 39}
    assert GRAVE.itemsize == 16


def test_a_row_that_is_used_again_holds_nothing_of_its_last_owner() -> None:
    """Every field but name and what the roster writes itself."""
    memory = allocate_memory(settings_of(quick(memory={"agents": 4}), None).sizes)
    memory = memory._replace(agents=np.zeros(4 + SPARE, memory.agents.dtype))
    memory.agents.view(np.uint8)[:] = 0
    clean = admit(memory, np.uint64(1))
    expected = memory.agents[clean].copy()
    for name in range(2, 2 * SPARE):
        row = admit(memory, np.uint64(name))
        agent = memory.agents[row]
        assert not is_established(agent)
        for field in ("seen", "heard", "sums", "keys", "recent", "number_moments", "number_tags", "tails", "gate"):
            assert not np.any(agent[field]), field
        assert agent["tally"].tolist() == expected["tally"].tolist()
        for field in ("seen", "sums", "keys", "recent", "number_moments", "number_tags", "tails", "gate"):
            memory.agents[field][row] = 7
        hear(memory, row)


@pytest.mark.slow
@settings(max_examples=8)
@given(data=st.data())
def test_an_invented_id_that_does_not_return_is_not_missed(data: st.DataObject) -> None:
    """The law: with a row for each id or hardly any, the same scores and alerts for everybody, to the bit."""
    script, own = Script(), Script()
    values = ordinary(own, 30)
    since, number = own.now, 0
    for value in ordinary(own, 40, first=30):
        flood = data.draw(st.integers(0, 3))
        values.append(value)
        for _ in range(flood):
            number += 1
            script.now = _time(value)
            step = {"name": data.draw(st.sampled_from(["read", "delete"])), "target": f"/x/{number % 7}"}
            values += script.session(f"x-{number}", [step], agent_id=f"x-{number}", agent_type="clerk")
    few, many = (Pipeline(quick(memory={"agents": agents}), trusted_until=since) for agents in (CAP, 4_096))
    one, other = (pipeline.process(records_of(values)) for pipeline in (few, many))
    assert np.array_equal(one.scores, other.scores, equal_nan=True)
    assert [alert.model_dump_json() for alert in one.alerts] == [alert.model_dump_json() for alert in other.alerts]
    assert few.gauges()["agents"] <= CAP


def _time(value: bytes) -> float:
    return datetime.fromisoformat(json.loads(value)["ts"]).timestamp()
