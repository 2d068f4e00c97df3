"""Amounts in words: units, and the range an amount was held against."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detector.alerts.amounts import SPREAD, amount, usual_range
from detector.sketches.numbers import deviation, note_number


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("bytes_out", 0.0, "0 B"),
        ("bytes_out", 999.4, "999 B"),
        ("bytes_out", 999.6, "1 kB"),
        ("bytes_in", 3e21, "3e+06 PB"),
        ("duration_ms", 12.0, "12 ms"),
        ("cost_usd", 1.5, "1.5 USD"),
        ("bytes", 2_048.0, "2048"),
    ],
)
def test_an_amount_has_its_unit(name: str, value: float, words: str) -> None:
    """Only fields of ours have one: an argument may be called anything."""
    assert amount(name, value) == words


@pytest.mark.parametrize("value", [5.0, 8_388_608.0, 0.0])
def test_the_range_is_mean_and_spread_of_what_was_learned(value: float) -> None:
    """Whatever amount it is found by: the range does not depend on it."""
    tags, moments = np.zeros(16, np.uint16), np.zeros((16, 3), np.float32)
    for k in range(60):
        note_number(tags, moments, np.uint64(77 << 48), math.log2(1.0 + 1_000.0 + 40.0 * (k % 7)))
    cell = int(np.flatnonzero(tags)[0])
    far = deviation(moments, cell, math.log2(1.0 + value))
    row = np.array([far, moments[cell, 1], moments[cell, 0], 1.0])
    found = usual_range(value, row, is_size=True)
    reach = SPREAD * math.sqrt(float(moments[cell, 2]) + 0.15**2)
    assert found.low == pytest.approx(2.0 ** (float(moments[cell, 1]) - reach) - 1.0, rel=1e-3)
    assert found.high == pytest.approx(2.0 ** (float(moments[cell, 1]) + reach) - 1.0, rel=1e-3)
    assert 800.0 < found.low < found.middle < found.high < 1_600.0


def test_a_size_is_never_usually_below_zero_and_an_argument_may_be() -> None:
    """A balance can be owed; bytes cannot."""
    row = np.array([9.0, -3.0, 12.0, 1.0])
    assert usual_range(40.0, row, is_size=False).low < usual_range(40.0, row, is_size=False).middle == -7.0
    assert usual_range(40.0, row, is_size=True).low == 0.0


def test_a_range_beyond_all_numbers_is_finite() -> None:
    """Whoever reports sizes chooses them."""
    assert math.isfinite(usual_range(1e308, np.array([1e-3, 5.0, 9.0, 0.0]), is_size=False).high)
