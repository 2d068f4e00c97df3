"""Agents that come, leave and come back, rows used again: the same bytes however the input is cut, stopped, written."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming
from detector.memory.layout import FUSED, ODD, SCORED
from detector.memory.roster import SPARE
from detector.schema.record import Record
from detector.sketches.hashing import mix
from detector.steps.reference import _AGENT
from tests.streams import Script, makers, ordinary, quick, records_of

TIGHT = quick(
    sessions={"open_per_agent": 2, "observations": 256, "idle_s": 600.0, "age_s": 7_200.0},
    time={"step_s": 8_640_000.0},
    memory={"groups": 4, "agents": 6},
    learning={"warm_sessions": 3},
    budget={"least": 5, "window": 20, "alerts": 0.3, "quarantine": 0.1, "tail": 0.4},
    forest={"trees": 2, "least": 8, "window": 64, "samples": 16, "refit_s": 7_200.0, "lag_s": 600.0},
    half_space={"window": 10},
    rules={"enabled": ("credential_expired",)},
)
START = datetime(2026, 3, 2, tzinfo=UTC)
LONG = 2 * SPARE
OVER = {"id": "c", "expires_at": "2020-01-01T00:00:00Z"}

steps = st.lists(
    st.fixed_dictionaries(
        {
            "wait": st.sampled_from([0, 1, 1, 1, 1, 30, 700, 22_000, 90_000, 8_000_000]),
            "agent": st.integers(0, 11),
            "name": st.sampled_from(["read", "write", "session_end"]),
            "type": st.sampled_from(["x", "y", "z", None]),
            "tenant": st.sampled_from(["t", "t", "u"]),
            "over": st.booleans(),
        }
    ),
    min_size=5,
    max_size=30,
)


def crowd(chosen: list[dict[str, Any]]) -> list[Record]:
    """Return a stream in which a dozen agents share six rows, between ids that are seen once."""
    values, now = [], START
    for number in range(LONG):
        step = chosen[number % len(chosen)]
        # a long wait each time around would leave nobody to be evicted
        now += timedelta(seconds=min(step["wait"], 60) if number % 97 else step["wait"])
        is_end = step["name"] == "session_end"
        who = f"a-{step['agent']}" if number % 3 else f"once-{number}"
        body: dict[str, Any] = {
            "event_id": f"e-{number}", "ts": now.isoformat(), "agent_id": who, "name": step["name"],
            "agent_type": step["type"] or f"t-{number}", "kind": "lifecycle" if is_end else "tool_call",
            "session_id": f"s-{who}", "target": f"/p/{number % 5}", "tenant": step["tenant"],
        }  # fmt: skip
        values.append(json.dumps(body | ({"credential": OVER} if step["over"] and not is_end else {})).encode())
    return records_of(values)


make, restore = makers(TIGHT)


@pytest.mark.slow
@settings(max_examples=6)
@given(chosen=steps, cuts=st.lists(st.integers(1, LONG), max_size=6))
def test_evictions_are_the_same_however_the_input_is_cut(chosen: list[dict[str, Any]], cuts: list[int]) -> None:
    """Also one by one: a row is never used again within a batch, nor a hold taken up."""
    assert faults_of_cuts(make, crowd(chosen), [cuts, range(LONG)]) == []


def test_a_peer_group_that_leaves_within_a_batch_is_still_the_one_its_cases_name() -> None:
    """Three seeded crowds, whole and in batches of fifty; the quick half of the law above."""
    kinds, tenants = ["x", "y", "z", None], ["t", "t", "u"]
    waits = [0, 1, 30, 700, 22_000, 90_000, 8_000_000]
    for seed in (0, 1, 6):
        odds = random.Random(seed)
        chosen = [
            {
                "wait": odds.choice(waits), "agent": odds.randrange(12), "name": odds.choice(["read", "session_end"]),
                "type": odds.choice(kinds), "tenant": odds.choice(tenants), "over": odds.random() < 0.5,
            }
            for _ in range(20)
        ]  # fmt: skip
        assert faults_of_cuts(make, crowd(chosen), [range(0, LONG, 50)]) == []


@pytest.mark.slow
@settings(max_examples=6)
@given(chosen=steps, places=st.lists(st.integers(0, LONG), min_size=1, max_size=2))
def test_evictions_go_on_after_a_stop(chosen: list[dict[str, Any]], places: list[int]) -> None:
    """Queues, free rows and tombstones are as they were."""
    assert faults_of_resuming(make, restore, crowd(chosen), places) == []


@pytest.mark.slow
@settings(max_examples=6)
@given(chosen=steps, cuts=st.lists(st.integers(1, LONG), min_size=2, max_size=8))
def test_evictions_are_written_down_piece_by_piece(chosen: list[dict[str, Any]], cuts: list[int]) -> None:
    """A row that another agent took over, one that is free, a tombstone taken up: all are in the next piece."""
    assert faults_of_increments(make, restore, crowd(chosen), cuts) == []


def test_the_crowd_is_one() -> None:
    """Rows are used again, agents return to tombstones, groups leave: else the laws above would say little."""
    pipeline = make()
    step = {"wait": 22_000, "type": None, "over": False, "tenant": "t"}
    chosen = [{**step, "agent": n % 12, "name": "session_end" if n % 4 == 3 else "read"} for n in range(24)]
    pipeline.process(crowd(chosen))
    gauges = pipeline.gauges()
    assert gauges["agents_evicted"] > SPARE
    assert gauges["agents_returned"] > 0
    assert gauges["groups_evicted"] > 0
    assert gauges["agents"] <= 6


def test_a_loud_agent_that_leaves_in_the_batch_its_session_closes_in_is_the_same_cause() -> None:
    """Its row is given up before the session is judged, if both are in one batch; its name is not."""

    def entries(at_once: int) -> tuple[int, int]:
        """Return the entries of the reference, and agents evicted, where so many records are given at once."""
        script = Script()
        pipeline = make()
        odd = script.session("odd", [{"name": "exfiltrate", "target": "https://evil.example/x"}], agent_id="odd")
        pipeline.process(records_of([*ordinary(script, 30), odd[0]]))
        row = int(np.flatnonzero(pipeline.state.memory.agents["sums"][:, SCORED] == 0.0)[0])
        name = pipeline.state.memory.agents["name"][row]
        pipeline.state.memory.agents["sums"][row, ODD] = 100.0
        rolling, reference = pipeline.state.standing.rolling, pipeline.state.standing.reference
        reference.cause[0], reference.entered[0] = mix(name, _AGENT), rolling.used[FUSED, 1]
        end = script.event(agent_id="odd", session_id="odd", name="session_end", kind="lifecycle")
        values = [end, *(script.event(agent_id=f"n-{n}", session_id=f"n-{n}") for n in range(12))]
        for first in range(0, len(values), at_once):
            pipeline.process(records_of(values[first : first + at_once], 1_000 + first))
        assert name not in pipeline.state.memory.agents["name"]
        return int(rolling.used[FUSED, 1]), int(pipeline.gauges()["agents_evicted"])

    assert entries(1) == entries(13)
