"""Running mean and variance of a quantity, against the formula in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.sketches.hashing import hash_text
from detector.sketches.numbers import LEAST, MEMORY, deviation, find_cell, is_ready, note_number

KEY = hash_text("quantity")
values = st.lists(st.floats(-100, 100), min_size=1, max_size=80)


def cells(size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return an owner's empty tags and moments."""
    return np.zeros(size, np.uint16), np.zeros((size, 3), np.float32)


def plain(xs: list[float]) -> tuple[float, float, float]:
    """Return count, mean and variance by the study's rule: memory 500, steps cut at four deviations."""
    count, mean, variance = 1.0, xs[0], 1.0
    for x in xs[1:]:
        count = min(count + 1.0, MEMORY)
        limit = 4.0 * math.sqrt(variance + 0.02)
        step = min(max(x - mean, -limit), limit)
        mean += step / count
        variance = (1.0 - 1.0 / count) * (variance + step * step / count)
    return count, mean, variance


@given(xs=values, x=st.floats(-100, 100))
def test_mean_variance_and_deviation_are_the_formulas(xs: list[float], x: float) -> None:
    """In float32, so to a few parts in ten thousand."""
    tags, moments = cells()
    for value in xs:
        note_number(tags, moments, KEY, value)
    cell = find_cell(tags, KEY)
    count, mean, variance = plain(xs)
    assert moments[cell, 0] == count
    assert moments[cell, 1] == pytest.approx(mean, rel=1e-3, abs=1e-3)
    assert moments[cell, 2] == pytest.approx(variance, rel=1e-3, abs=1e-3)
    assert is_ready(moments, cell) == (len(xs) >= LEAST)
    expected = (x - mean) / math.sqrt(variance + 0.15**2) * math.sqrt(count / (count + 4.0))
    assert deviation(moments, cell, x) == pytest.approx(expected, rel=2e-2, abs=2e-2)


def test_one_wild_value_teaches_no_more_than_four_deviations() -> None:
    """Winsorised: nobody shifts a mean with one event."""
    tame, wild = cells(), cells()
    for _ in range(50):
        for tags, moments in (tame, wild):
            note_number(tags, moments, KEY, 10.0)
    note_number(*wild, KEY, 1e6)
    spread = math.sqrt(float(tame[1][find_cell(tame[0], KEY), 2]) + 0.02)
    moved = float(wild[1][find_cell(wild[0], KEY), 1]) - 10.0
    assert 0.0 < moved <= 4.0 * spread / 51 + 1e-6


def test_a_mean_follows_what_becomes_usual() -> None:
    """The memory is five hundred observations, not for ever."""
    tags, moments = cells()
    for x in [5.0] * 2_000 + [9.0] * 2_000:
        note_number(tags, moments, KEY, x)
    assert moments[find_cell(tags, KEY), 1] == pytest.approx(9.0, abs=0.2)


def test_quantities_beyond_the_room_take_the_place_of_the_least_seen() -> None:
    """Bounded, and the busiest quantity stays."""
    tags, moments = cells(16)
    for _ in range(40):
        note_number(tags, moments, KEY, 3.0)
    for n in range(500):
        note_number(tags, moments, hash_text(f"other {n}"), 1.0)
    assert moments[find_cell(tags, KEY), 0] == 40.0
    assert np.isfinite(moments).all()


def test_a_quantity_nobody_learned_has_no_cell() -> None:
    """And is not ready."""
    tags, moments = cells()
    assert find_cell(tags, KEY) == -1
    assert not is_ready(moments, -1)
