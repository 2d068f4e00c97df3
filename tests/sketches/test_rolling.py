"""The last so many values, against a sorted list."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.checks.calibration import faults_of_p_value, faults_of_uniformity
from detector.sketches.rolling import Rolling, allocate_rolling, log_rarity, note_value, upper_quantile

SIZE = 60
values = st.lists(st.floats(0, 100), max_size=200)


def filled(xs: list[float], size: int = SIZE) -> Rolling:
    """Return windows of which the second holds the values; the first must not be touched."""
    rolling = allocate_rolling(2, size)
    for x in xs:
        note_value(rolling, 1, x)
    return rolling


@given(xs=values)
def test_the_window_holds_the_last_values_in_order(xs: list[float]) -> None:
    """A sorted list of the last sixty, whatever came."""
    rolling = filled(xs)
    used = int(rolling.used[1, 0])
    assert rolling.ordered[1, :used].tolist() == sorted(xs[-SIZE:])
    assert int(rolling.used[1, 1]) == len(xs)
    assert not rolling.used[0].any()


@given(xs=values, x=st.floats(0, 120))
def test_rarity_within_the_window_is_the_share_at_least_as_large(xs: list[float], x: float) -> None:
    """With half a count added; the tail is asked only beyond the largest share."""
    rolling = filled(xs)
    held = xs[-SIZE:]
    share = (sum(v >= x for v in held) + 0.5) / (len(held) + 1.0)
    expected = max(-math.log10(share), 0.0)
    assert log_rarity(rolling, 1, x, 0.1, 10_000) == pytest.approx(expected, abs=1e-9)
    many = max(int(0.1 * len(held)), 5)
    if len(held) >= 20 and x <= sorted(held)[-many]:
        assert log_rarity(rolling, 1, x, 0.1, 20) == pytest.approx(expected, abs=1e-9)


def test_values_beyond_the_largest_ever_seen_stay_ordered_by_the_tail() -> None:
    """An exponential tail with the mean excess of the largest tenth."""
    rolling = filled([float(x) for x in range(60)])
    edge, excess = 54.0, (54 + 55 + 56 + 57 + 58 + 59) / 6 - 54.0
    for x in (60.0, 70.0, 100.0):
        expected = -math.log10(6 / 60) + (x - edge) / excess / math.log(10.0)
        assert log_rarity(rolling, 1, x, 0.1, 20) == pytest.approx(expected)


@given(xs=st.lists(st.floats(0, 100), min_size=20, max_size=120))
def test_rarity_keeps_the_law_of_p_values_up_to_the_joint_of_its_tail(xs: list[float]) -> None:
    """Never below zero, never less for what is larger beyond the edge."""
    rolling = filled(xs)
    edge = sorted(xs[-SIZE:])[-max(int(0.1 * min(len(xs), SIZE)), 5)]
    beyond = [edge + step for step in (0.001, 0.1, 1.0, 10.0, 1e6)]
    assert faults_of_p_value(lambda x: 10.0 ** -float(log_rarity(rolling, 1, x, 0.1, 20)), beyond) == []


def test_rarities_of_what_was_learned_are_spread_evenly() -> None:
    """A share of a hundredth is reached by a hundredth."""
    rolling = allocate_rolling(1, 2_000)
    faults = faults_of_uniformity(
        lambda x: note_value(rolling, 0, x), lambda x: 10.0 ** -float(log_rarity(rolling, 0, x, 0.05, 40)), slack=0.03
    )
    assert faults == []


@given(xs=st.lists(st.floats(0, 100), min_size=20, max_size=120), share=st.floats(1e-9, 1.0))
def test_the_quantile_is_the_level_that_so_many_reach(xs: list[float], share: float) -> None:
    """Within the window by rank, beyond it by the tail: finite, and above every level that more reach."""
    rolling = filled(xs)
    held = sorted(xs[-SIZE:])
    many = max(int(0.1 * len(held)), 5)
    level = upper_quantile(rolling, 1, share, 0.1)
    assert math.isfinite(level)
    if share * len(held) >= many:
        assert level == held[len(held) - int(share * len(held))]
    else:
        assert level >= held[-many]


def test_quantile_and_rarity_undo_each_other_in_the_tail() -> None:
    """A level that one in ten thousand reaches is as rare as one in ten thousand."""
    chance = np.random.default_rng(1)
    rolling = filled(chance.exponential(3.0, 500).tolist(), 500)
    for share in (0.01, 0.001, 1e-4):
        level = upper_quantile(rolling, 1, share, 0.05)
        assert log_rarity(rolling, 1, level, 0.05, 40) == pytest.approx(-math.log10(share), abs=1e-6)


def test_without_a_tail_nothing_is_rarer_than_the_window_reaches() -> None:
    """A tail of 0 is switched off: the largest value ever is one in so many, and so is all beyond it."""
    rolling = filled([float(x) for x in range(60)])
    assert log_rarity(rolling, 1, 1e9, 0.0, 20) == pytest.approx(-math.log10(0.5 / 61))
    assert log_rarity(rolling, 1, 1e9, 0.1, 20) > 30.0
    assert upper_quantile(rolling, 1, 1e-9, 0.0) == 59.0
    assert upper_quantile(rolling, 1, 0.5, 0.0) == 30.0


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_window_of_a_few_values_is_read_within_its_bounds(n: int) -> None:
    """A tail asked for before there are five values takes what there are."""
    rolling = filled([float(x + 1) for x in range(n)])
    assert 0.0 <= log_rarity(rolling, 1, 0.5, 0.1, 1) < log_rarity(rolling, 1, 50.0, 0.1, 1) < math.inf
    assert 1.0 <= upper_quantile(rolling, 1, 1.0, 0.1) <= upper_quantile(rolling, 1, 1e-6, 0.1) < math.inf
