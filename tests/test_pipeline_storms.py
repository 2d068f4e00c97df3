"""The pipeline under events no honest fleet sends: clocks that jump, ids that repeat, types that change, floods."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming
from detector.schema.record import Record
from tests.streams import makers, quick, records_of

TIGHT = quick(
    sessions={"open_per_agent": 2, "observations": 256, "idle_s": 600.0, "age_s": 7_200.0},
    memory={"groups": 4},
    learning={"warm_sessions": 3},
    budget={"least": 5, "window": 20, "alerts": 0.3, "quarantine": 0.1, "tail": 0.4},
    forest={"trees": 2, "least": 8, "window": 64, "samples": 16, "refit_s": 7_200.0, "lag_s": 600.0},
    half_space={"window": 10},
)
START = datetime(2026, 3, 2, tzinfo=UTC)

steps = st.fixed_dictionaries(
    {
        "wait": st.sampled_from([0, 1, 1, 1, 30, 700, 3_600, 90_000, 300_000, -40, -5_000, -100_000]),
        "agent_id": st.sampled_from(["a", "b", "c"]),
        "name": st.sampled_from(["read", "write", "send", "session_end"]),
        "kind": st.sampled_from(["tool_call", "tool_call", "data_access", "llm_call", "lifecycle", "lifecycle"]),
    },
    optional={
        "session_id": st.sampled_from(["s", "t", "u", "v"]),
        "agent_type": st.sampled_from(["x", "y", "z", "w", "v"]),
        "tenant": st.sampled_from(["t", "u"]),
        "target": st.sampled_from(["p", "/q/r/s", "h@i.j", "10.0.0.1"]),
        "outcome": st.sampled_from(["ok", "error"]),
        "bytes_out": st.sampled_from([1.0, 1e3, 1e9]),
        "duration_ms": st.sampled_from([1.0, 1e3, 1e9]),
        "attributes": st.dictionaries(st.sampled_from("klm"), st.sampled_from(["1", "two", 3.0, 4e9]), max_size=3),
        "arg_origin": st.dictionaries(st.sampled_from(["target", "k"]), st.sampled_from(["user", "tool"]), max_size=2),
        "repeat": st.booleans(),
    },
)


def storm(chosen: list[dict[str, Any]], times: int) -> list[Record]:
    """Return events drawn, gone through a few times over with the clock going on."""
    values, now, last = [], START, "e-0"
    for number, step in enumerate(step for _ in range(times) for step in chosen):
        body = dict(step)
        now += timedelta(seconds=body.pop("wait"))
        last = last if body.pop("repeat", False) else f"e-{number}"
        values.append(json.dumps({"event_id": last, "ts": now.isoformat(), **body}).encode())
    return records_of(values)


make, restore = makers(TIGHT)


@pytest.mark.slow
@settings(max_examples=15)
@given(chosen=st.lists(steps, min_size=3, max_size=40), cuts=st.lists(st.integers(1, 160), max_size=6))
def test_a_storm_gives_the_same_however_it_is_cut(chosen: list[dict[str, Any]], cuts: list[int]) -> None:
    """Scores, alerts, state."""
    assert faults_of_cuts(make, storm(chosen, 4), [cuts, range(200)]) == []


@pytest.mark.slow
@settings(max_examples=15)
@given(chosen=st.lists(steps, min_size=3, max_size=40), place=st.integers(0, 160))
def test_a_storm_goes_on_after_a_stop_as_if_nothing_had_been(chosen: list[dict[str, Any]], place: int) -> None:
    """At any event."""
    assert faults_of_resuming(make, restore, storm(chosen, 4), [place]) == []


@pytest.mark.slow
@settings(max_examples=15)
@given(chosen=st.lists(steps, min_size=3, max_size=40), cuts=st.lists(st.integers(1, 160), min_size=2, max_size=6))
def test_a_storm_is_written_down_piece_by_piece(chosen: list[dict[str, Any]], cuts: list[int]) -> None:
    """Pieces over older ones are the whole."""
    assert faults_of_increments(make, restore, storm(chosen, 4), cuts) == []


@settings(max_examples=15)
@given(chosen=st.lists(steps, min_size=3, max_size=40))
def test_a_storm_leaves_every_cap_kept_and_every_number_finite(chosen: list[dict[str, Any]]) -> None:
    """Sessions per agent, groups, observations; pools come back whole at the end."""
    pipeline = make()
    records = storm(chosen, 4)
    outcome = pipeline.process(records)
    agents = {(r["agent_id"], r.get("tenant", "default")) for r in map(json.loads, (r.value for r in records))}
    assert np.isnan(outcome.scores).sum() == outcome.counts["events_repeated"]
    assert (outcome.scores[~np.isnan(outcome.scores)] < 1e6).all()
    gauges = pipeline.gauges()
    assert gauges["agents"] == len(agents)
    assert gauges["sessions_open"] <= 2 * len(agents)
    assert gauges["groups"] <= 3
    assert pipeline.state.memory.sessions["count"].max() <= 256
    pipeline.finish()
    memory = pipeline.state.memory
    assert memory.chunks.free[1] == len(memory.chunks.following)
    assert pipeline.gauges()["sessions_open"] == pipeline.gauges()["incidents_open"] == 0
    assert not memory.agents["first_open"].any()
    assert not memory.agents["tally"][:, 2].any()
    assert not memory.session_index.key.any()
