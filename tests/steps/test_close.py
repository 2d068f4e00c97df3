"""The gate: what a session may teach as it closes, by how strange it was."""

from __future__ import annotations

from typing import Any

import pytest

from detector.memory.layout import FLEET, GATE
from detector.pipeline import Pipeline
from detector.steps.close import close
from detector.steps.workspace import AT_END, EVERYTHING, HISTOGRAMS, NOTHING
from tests.streams import Script, feed, quick

BINS_OF_TWO = 17
"""Bins up to a gate score of 2, the first one included."""


def lesson_of(score: float, **fields: Any) -> int:
    """Return what a session of a gate score teaches, where 180 of 1,000 sessions scored 2 and the others 0."""
    pipeline = Pipeline(quick())
    state = pipeline.state
    feed(pipeline, [Script().event()])
    agent = state.memory.agents[0]
    for row in (FLEET, int(agent["group"])):
        gate = state.memory.groups["gate"][row]
        gate[0], gate[1:BINS_OF_TWO] = 1_000, 180
    state.memory.sessions["level"][0, GATE] = score
    rules = state.settings.rules._replace(**fields)
    return int(close(state.memory, rules, state.work.closes, 0, 0, AT_END))


@pytest.mark.parametrize(
    ("score", "lesson"), [(0.0, EVERYTHING), (1.0, HISTOGRAMS), (2.0, NOTHING)], ids=["ordinary", "odd", "oddest"]
)
def test_a_session_teaches_by_its_own_p_value(score: float, lesson: int) -> None:
    """At a p of .59 everything; at .18, between the two levels of the gate, histograms; at .09 nothing."""
    assert lesson_of(score) == lesson


def test_the_gate_s_two_levels_are_the_profile_s() -> None:
    """The same p-value of .18 teaches more or less as they are set."""
    assert lesson_of(1.0, gate_p=0.17) == EVERYTHING
    assert lesson_of(1.0, histogram_p=0.19) == NOTHING


def test_before_enough_sessions_have_closed_and_in_trusted_history_everything_teaches() -> None:
    """There is nothing yet to hold a session against, or a person vouches for it."""
    assert lesson_of(2.0, warm_sessions=1_001) == EVERYTHING
    assert lesson_of(2.0, trusted_until=float("inf")) == EVERYTHING
