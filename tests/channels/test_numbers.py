"""Numbers: the agent's own mean first, its peers' where it has none; reads among peers only."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detector.channels.numbers import (
    NOT_READY,
    deviation_of,
    field_key,
    gap_log,
    read_any_key,
    read_deviation,
    read_key,
)
from detector.memory.layout import agent_dtype, group_dtype
from detector.sketches.hashing import hash_text
from detector.sketches.numbers import note_number
from detector.state.settings import settings_of
from tests.streams import profile

SIZES = settings_of(profile(), None).sizes
TOOL, FILE = hash_text("read"), hash_text("file")
KEY = field_key(TOOL, hash_text("duration_ms"))


def owners() -> tuple[np.void, np.void]:
    """Return an agent and a group nothing is known of."""
    return np.zeros(1, agent_dtype(SIZES))[0], np.zeros(1, group_dtype(SIZES))[0]


def teach(owner: np.void, key: np.uint64, x: float, times: int) -> None:
    """Let an owner see a value so many times."""
    for _ in range(times):
        note_number(owner["number_tags"], owner["number_moments"], key, x)


def test_the_own_mean_goes_before_the_peers() -> None:
    """What is odd for peers may be ordinary for this agent."""
    agent, group = owners()
    teach(group, KEY, 3.0, 50)
    assert deviation_of(agent, group, KEY, 10.0).mean == pytest.approx(3.0)
    teach(agent, KEY, 10.0, 20)
    found = deviation_of(agent, group, KEY, 10.0)
    assert (found.mean, found.count) == (pytest.approx(10.0), 20.0)
    assert abs(found.size) < 0.1


def test_seven_observations_are_too_few_and_eight_enough() -> None:
    """Below eight the peers speak, and where they have too few nobody does."""
    agent, group = owners()
    teach(agent, KEY, 1.0, 7)
    assert deviation_of(agent, group, KEY, 9.0) == (0.0, 0.0, 0.0, 0.0)
    teach(agent, KEY, 1.0, 1)
    assert deviation_of(agent, group, KEY, 9.0).size > 5.0


def test_less_than_usual_deviates_downwards() -> None:
    """The sign is kept; who wants the size takes it."""
    agent, group = owners()
    teach(agent, KEY, 8.0, 50)
    assert deviation_of(agent, group, KEY, 2.0).size < -5.0


def test_a_read_is_held_against_its_target_else_against_its_tool() -> None:
    """More than usual only; never below zero."""
    _, group = owners()
    assert read_deviation(group, TOOL, FILE, 30.0) == NOT_READY
    teach(group, read_any_key(TOOL), 20.0, 20)
    by_tool = read_deviation(group, TOOL, FILE, 30.0)
    teach(group, read_key(TOOL, FILE), 30.0, 20)
    assert by_tool > 5.0
    assert read_deviation(group, TOOL, FILE, 30.0) < 0.1
    assert read_deviation(group, TOOL, FILE, 1.0) == 0.0


def test_a_gap_is_a_logarithm_and_nobodys_first_event_has_one() -> None:
    """Clocks that go back make no gap."""
    assert gap_log(110.0, 103.0) == 3.0
    assert gap_log(100.0, 103.0) == 0.0
    assert math.isnan(gap_log(100.0, 0.0))
