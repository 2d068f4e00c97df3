"""Histograms kept from the right: the mid-p-value of a bin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.checks.calibration import faults_of_p_value, faults_of_uniformity
from detector.sketches.survival import BINS, PER_UNIT, allocate_survival, bin_of, note_bin, tail_p

values = st.lists(st.floats(0, 60), max_size=150)


@given(seen=values, x=st.floats(-5, 80))
def test_the_p_value_is_the_share_beyond_and_half_of_the_share_alike(seen: list[float], x: float) -> None:
    """``(beyond + alike / 2 + 1/2) / (n + 1)`` over 160 bins of a quarter."""
    survival = allocate_survival(1)[0]
    bins = [min(max(int(value * PER_UNIT), 0), BINS - 1) for value in seen]
    for value in seen:
        note_bin(survival, bin_of(value))
    place = bin_of(x)
    assert place == min(max(int(x * PER_UNIT), 0), BINS - 1)
    beyond, alike = sum(b > place for b in bins), sum(b == place for b in bins)
    expected = (beyond + 0.5 * alike + 0.5) / (len(bins) + 1.0) if bins else 0.5
    assert tail_p(survival, place) == pytest.approx(expected, rel=1e-12)


@given(seen=values)
def test_a_histogram_keeps_the_law_of_p_values(seen: list[float]) -> None:
    """Within 0 and 1, and never larger for what is larger."""
    survival = allocate_survival(1)[0]
    for value in seen:
        note_bin(survival, bin_of(value))
    assert faults_of_p_value(lambda x: float(tail_p(survival, bin_of(x))), [0.0, 0.1, 1.0, 5.0, 39.9, 41.0, 1e9]) == []


def test_p_values_of_what_was_learned_are_spread_evenly() -> None:
    """A tenth of them is below a tenth."""
    survival = allocate_survival(1)[0]

    def learn(x: float) -> None:
        note_bin(survival, bin_of(10.0 * x))

    assert faults_of_uniformity(learn, lambda x: float(tail_p(survival, bin_of(10.0 * x))), slack=0.03) == []
