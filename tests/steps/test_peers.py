"""Rarity among peers: a group is held against its own sessions too, and buys little by that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.memory.layout import FUSED, GROUP_SCORES, STRANGERS, Memory
from detector.pipeline import Pipeline
from detector.sketches.rolling import Rolling, allocate_rolling, log_rarity, note_value
from detector.steps.peers import (
    HELD,
    HISTORY,
    MOST_CORRECTION,
    enter_peers,
    leave_peers,
    rarity_among,
)
from tests.streams import Script, feed, ordinary, quick, trained

LEAST, TAIL, GROUP = 20, 0.05, STRANGERS + 1
SCORES = st.lists(st.floats(0, 20), min_size=0, max_size=120)


class Fleet:
    """A fleet and one peer group of it, each with scores of its own."""

    def __init__(self) -> None:
        self.rolling: Rolling = allocate_rolling(3, 200)
        self.memory: Memory = Pipeline(quick()).state.memory
        self.memory.groups["filled"][GROUP] = 0

    def know(self, fleet: list[float], peers: list[float]) -> None:
        """Remember such sessions."""
        for x in fleet:
            note_value(self.rolling, FUSED, x)
        for x in peers:
            enter_peers(self.memory, GROUP, x, False, LEAST)

    def rarity(self, x: float) -> float:
        """Return how rare a score is in the group."""
        return float(rarity_among(self.rolling, self.memory, GROUP, x, (TAIL, LEAST)))

    def alone(self, x: float) -> float:
        """Return how rare it is in the fleet."""
        return float(log_rarity(self.rolling, FUSED, x, TAIL, LEAST))


@pytest.fixture(name="fleet")
def _fleet() -> Fleet:
    return Fleet()


@given(fleet=SCORES, peers=SCORES, first=st.floats(0, 30), second=st.floats(0, 30))
def test_whatever_a_group_did_it_moves_a_rarity_by_a_factor_of_two_and_never_its_order(
    fleet: list[float], peers: list[float], first: float, second: float
) -> None:
    """The stranger score is at least as rare, and neither is far from what the fleet says."""
    both = Fleet()
    both.know(fleet, peers)
    low, high = sorted((first, second))
    assert both.rarity(low) <= both.rarity(high) + 1e-12
    for x in (low, high):
        assert both.rarity(x) >= 0.0
        assert abs(both.rarity(x) - both.alone(x)) <= MOST_CORRECTION + 1e-12


def test_a_session_is_rarer_in_a_quiet_group_and_commoner_in_a_loud_one(fleet: Fleet) -> None:
    """What the fleet holds to be one in a hundred is rarer where nobody does such things, and silent where all do."""
    other = Fleet()
    everyone = [k / 20.0 for k in range(200)]
    fleet.know(everyone, [k / 100.0 for k in range(200)])
    other.know(everyone, [5.0 + k / 20.0 for k in range(200)])
    assert fleet.rarity(9.5) > fleet.alone(9.5) > other.rarity(9.5)


def test_a_young_group_says_nothing(fleet: Fleet) -> None:
    """As long as there are too few of its sessions it is held against the fleet alone."""
    fleet.know([k / 20.0 for k in range(200)], [9.0] * (LEAST - 1))
    assert fleet.rarity(8.0) == fleet.alone(8.0)
    fleet.know([], [9.0])
    assert fleet.rarity(8.0) < fleet.alone(8.0)


def test_whoever_fills_a_group_of_his_own_is_still_seen(fleet: Fleet) -> None:
    """Ten thousand odd sessions in a made-up group hide none that is twice as rare as what is promised."""
    fleet.know([k / 20.0 for k in range(200)], [50.0] * 2_000)
    assert fleet.alone(14.0) > 2.0 + MOST_CORRECTION
    assert fleet.rarity(14.0) >= 2.0


def test_a_groups_window_is_bounded_and_history_makes_way(fleet: Fleet) -> None:
    """The last scores count; of trusted history one leaves for each live session."""
    for _ in range(100):
        enter_peers(fleet.memory, GROUP, 1.0, True, LEAST)
    fleet.know([], [2.0] * 30)
    filled = fleet.memory.groups["filled"][GROUP]
    assert (filled[HELD], filled[HISTORY]) == (100, 70)
    fleet.know([], [2.0] * 5 * GROUP_SCORES)
    assert (filled[HELD], filled[HISTORY]) == (GROUP_SCORES, 0)
    assert (fleet.memory.groups["ordered"][GROUP] == 2.0).all()


def test_what_is_taken_out_is_gone_once(fleet: Fleet) -> None:
    """A confirmed attack leaves its peers as well."""
    fleet.know([], [1.0, 7.0, 3.0])
    assert leave_peers(fleet.memory, GROUP, 7.0)
    assert not leave_peers(fleet.memory, GROUP, 7.0)
    assert fleet.memory.groups["ordered"][GROUP, :2].tolist() == [1.0, 3.0]


def test_sessions_of_a_group_enter_its_window_as_they_close() -> None:
    """What enters the reference enters the window of the peers it taught, with the same score."""
    script = Script()
    pipeline = trained(script)
    feed(pipeline, ordinary(script, 30, first=300))
    memory, rolling = pipeline.state.memory, pipeline.state.standing.rolling
    held = memory.groups["filled"][:, HELD]
    assert int(held.sum()) >= 30
    scores = {x for row, many in enumerate(held) for x in memory.groups["ordered"][row, :many].tolist()}
    assert scores >= set(rolling.ring[FUSED, :5].tolist())


def test_those_without_a_row_of_their_own_have_no_window() -> None:
    """They share nothing, not even a tenant: what one brings must not move another."""
    fleet = Fleet()
    fleet.know([float(n % 10) for n in range(100)], [])
    for _ in range(100):
        enter_peers(fleet.memory, STRANGERS, 9.9, False, LEAST)
    assert fleet.memory.groups["filled"][STRANGERS, HELD] == 0
    assert float(rarity_among(fleet.rolling, fleet.memory, STRANGERS, 9.5, (TAIL, LEAST))) == fleet.alone(9.5)
