"""Fitting a forest: seeded, bounded, and refused where it cannot be honest."""

from __future__ import annotations

import numpy as np
import pytest

from detector.scorers.codec import to_bytes
from detector.scorers.forest import rounded_scores, score
from detector.scorers.forest_fit import fit


def rows(n: int) -> np.ndarray:
    """Return residual-like rows."""
    return np.random.default_rng(3).gamma(1.0, 1.0, (n, 7))


def test_the_same_rows_and_seed_give_the_same_bytes() -> None:
    """A refit can be replayed."""
    assert to_bytes(fit(rows(400), seed=5)) == to_bytes(fit(rows(400), seed=5))


def test_another_seed_gives_other_trees() -> None:
    """The seed is used."""
    assert to_bytes(fit(rows(400), seed=5)) != to_bytes(fit(rows(400), seed=6))


def test_float32_rows_give_the_same_forest_as_float64_rows() -> None:
    """Rows are read as float32 either way."""
    assert to_bytes(fit(rows(400))) == to_bytes(fit(rows(400).astype(np.float32)))


def test_the_ranks_are_the_sorted_scores_of_the_training_rows() -> None:
    """Evidence is a rank among what the forest was fitted on."""
    forest = fit(rows(400))
    scores = np.empty(400)
    score(forest, rows(400).astype(np.float32).astype(np.float64), scores)
    assert np.array_equal(forest.ranks, np.sort(rounded_scores(scores)))
    assert len(forest.ladder) == 401


def test_fewer_rows_than_samples_are_all_used_without_a_warning() -> None:
    """A young fleet gets a forest of what there is."""
    assert fit(rows(50), samples=256).depth == 6


def test_rows_that_are_all_alike_give_a_forest_that_finds_nothing_strange() -> None:
    """No split is possible; every row is ordinary."""
    forest = fit(np.ones((60, 7)))
    assert np.unique(forest.ranks).tolist() == [0.5]


@pytest.mark.parametrize("shape", [(1, 7), (0, 7), (5, 0), (5, 256), (5,)])
def test_a_sample_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    """The message says what is needed."""
    with pytest.raises(ValueError, match=r"sample of an isolation forest must be at least 2 rows"):
        fit(np.ones(shape))


def test_a_sample_with_a_missing_value_is_refused() -> None:
    """Not yet is not zero, and not a number either."""
    sample = rows(30)
    sample[7, 2] = np.nan
    with pytest.raises(ValueError, match=r"finite as float32, got .* in row 7"):
        fit(sample)


@pytest.mark.parametrize(("name", "value"), [("trees", 0), ("trees", 1_001), ("samples", 1), ("samples", 4_097)])
def test_a_setting_out_of_range_is_refused(name: str, value: int) -> None:
    """The message names the parameter, the rule and the value."""
    with pytest.raises(ValueError, match=rf"{name} of an isolation forest must be between \d+ and \d+, got {value}"):
        fit(rows(30), **{name: value})
