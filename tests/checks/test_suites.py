"""The suites for calibrations and scorers: silent on what ships, loud on what breaks the law."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from detector.checks.calibration import faults_of_p_value, faults_of_uniformity
from detector.checks.scorers import faults_of_scorer
from detector.scorers import forest
from detector.scorers.forest_fit import fit

CHANCE = np.random.default_rng(0)
ORDINARY, STRANGE = CHANCE.normal(0.0, 1.0, (200, 7)), CHANCE.normal(9.0, 1.0, (40, 7))
FOREST = fit(ORDINARY.astype(np.float32), 20, 64, 0)


def with_out(kernel: Callable[..., None]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a kernel that writes its answer as a function that returns it."""

    def scored(x: np.ndarray) -> np.ndarray:
        out = np.empty(len(x))
        kernel(FOREST, x, out)
        return out

    return scored


@pytest.mark.parametrize("kernel", [forest.score, forest.evidence])
def test_the_forest_passes_the_suite_of_scorers(kernel: Callable[..., None]) -> None:
    """Its score, and its rank as evidence."""
    assert faults_of_scorer(with_out(kernel), ORDINARY, STRANGE) == []


@pytest.mark.parametrize(
    ("score", "fault"),
    [
        (lambda x: -abs(x).sum(axis=1), "strange rows must score higher"),
        (lambda x: x.sum(axis=1) / 0.0, "must be finite"),
        (lambda x: x.sum(), "must have shape"),
        (lambda x: x.sum(axis=1) - x.mean(), "depend on its neighbours"),
        (lambda x: np.multiply(x, 1.5, out=x).sum(axis=1), "rows must be left as they are"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_scorer_that_breaks_the_law_is_told(score: Callable[[np.ndarray], np.ndarray], fault: str) -> None:
    """By what it broke."""
    assert any(fault in one for one in faults_of_scorer(score, ORDINARY.copy(), STRANGE.copy()))


def test_a_calibration_that_breaks_the_law_is_told() -> None:
    """Out of bounds, rising, or bunched."""
    assert faults_of_p_value(lambda x: 0.0, [1.0])[0].startswith("p-value of 1 must be above 0")
    assert "must be at most that of 1" in faults_of_p_value(lambda x: x / 10, [1.0, 2.0])[0]
    assert len(faults_of_uniformity(lambda x: None, lambda x: 0.5, slack=0.1)) == 3
    assert faults_of_uniformity(lambda x: None, lambda x: 1.0 - x, slack=0.05) == []
