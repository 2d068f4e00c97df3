"""The forest is fitted again on event time, and the new one takes over at a point of the input."""

from __future__ import annotations

import numpy as np

from detector.profile.trees import Forest
from detector.state.refit import Refit

SETTINGS = Forest(trees=3, samples=16, window=64, refit_s=100.0, lag_s=10.0, least=20)
SAMPLE = np.random.default_rng(0).random((64, 7)).astype(np.float32)


def serve(marks: list[float], sampled: int = 200) -> list[tuple[float, int, int]]:
    """Return, for each watermark, how many fits began and how many forests came into use by then."""
    refit = Refit(SETTINGS)
    seen = []
    array = np.array(marks)
    start = 0
    while start < len(marks):
        stop = refit.next_change(array, start)
        if stop == start:
            refit.change(marks[start], SAMPLE, sampled)
            stop = refit.next_change(array, start)
        seen += [(mark, refit.fits, refit.served) for mark in marks[start:stop]]
        start = stop
    return seen


def test_a_fit_begins_with_the_period_and_serves_a_lag_later() -> None:
    """At the first event at or past each of the two points."""
    found = serve([50.0, 99.0, 100.0, 105.0, 109.9, 110.0, 150.0, 205.0, 215.0])
    assert [(fits, served) for _, fits, served in found] == [
        (0, 0), (0, 0), (1, 0), (1, 0), (1, 0), (1, 1), (1, 1), (2, 1), (2, 2),
    ]  # fmt: skip


def test_too_small_a_sample_is_not_fitted() -> None:
    """The voice stays silent until there is enough."""
    assert serve([50.0, 150.0, 250.0], sampled=19)[-1] == (250.0, 0, 0)


def test_a_jump_past_both_points_takes_over_one_lag_after_the_fit_began() -> None:
    """Never a forest that was fitted on what came after."""
    assert [row[1:] for row in serve([50.0, 350.0, 355.0, 360.0])] == [(0, 0), (1, 0), (1, 0), (1, 1)]


def test_the_sample_is_the_newest_of_the_ring_in_order() -> None:
    """Oldest first; only what was ever written."""
    refit = Refit(SETTINGS)
    ring = np.arange(64, dtype=np.float32)[:, None].repeat(7, axis=1)
    refit.change(50.0, ring, 0)
    refit.change(150.0, ring, 70)
    assert refit.sample is not None
    assert refit.sample[:, 0].tolist() == [*range(6, 64), *range(6)]
    few = Refit(SETTINGS)
    few.change(50.0, ring, 0)
    few.change(150.0, ring, 30)
    assert few.sample is not None
    assert few.sample[:, 0].tolist() == list(range(30))
