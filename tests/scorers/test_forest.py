"""The flat isolation forest: equal to scikit-learn to the last bit, whatever the batch."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from detector.scorers import forest as flat
from detector.scorers.forest_fit import fit


def residuals(seed: int, n: int, features: int = 7) -> np.ndarray:
    """Return skewed rows with ties and a constant column, as residual features have them."""
    rng = np.random.default_rng(seed)
    rows = rng.gamma(1.0, 1.5, (n, features))
    rows[:, 0] = np.round(rows[:, 0])
    rows[:, -1] = 1.0
    return rows


def sklearn_scores(rows: np.ndarray, trees: int, samples: int, seed: int, asked: np.ndarray) -> np.ndarray:
    """Return what scikit-learn answers when fitted on the same rows."""
    from sklearn.ensemble import IsolationForest

    model = IsolationForest(n_estimators=trees, max_samples=min(samples, len(rows)), random_state=seed)
    return np.asarray(-model.fit(rows.astype(np.float32)).score_samples(asked))


def scores_of(forest: flat.FlatForest, x: np.ndarray) -> np.ndarray:
    """Return the scores of some rows."""
    out = np.full(len(x), np.nan)
    flat.score(forest, x, out)
    return out


@pytest.mark.parametrize(
    ("n", "features", "trees", "samples", "seed"),
    [
        (8_192, 7, 50, 256, 0),
        (8_192, 7, 50, 256, 11),
        (8_192, 20, 100, 256, 1),
        (100, 7, 50, 256, 2),
        (3_000, 3, 10, 1_024, 3),
        (40, 2, 5, 2, 4),
    ],
)
def test_every_score_of_6500_rows_equals_scikit_learns(
    n: int, features: int, trees: int, samples: int, seed: int
) -> None:
    """The flat copy answers -score_samples to the last bit, also beyond the training range."""
    rows, asked = residuals(seed, n, features), residuals(seed + 100, 6_500, features) * 1.3 - 0.2
    found = scores_of(fit(rows, trees, samples, seed), asked)
    assert np.array_equal(found, sklearn_scores(rows, trees, samples, seed, asked))


def test_a_value_on_a_threshold_goes_where_scikit_learn_sends_it() -> None:
    """Thresholds rounded down to float32 keep the comparison exact, also for the neighbours of a threshold."""
    rows = residuals(0, 2_000)
    forest = fit(rows)
    on = np.resize(forest.threshold[np.isfinite(forest.threshold)], (900, 7))
    asked = np.concatenate([np.nextafter(on, np.float32(side)) for side in (-np.inf, np.inf)] + [on]).astype(np.float64)
    assert np.array_equal(scores_of(forest, asked), sklearn_scores(rows, 50, 256, 0, asked))


def test_rows_are_read_as_float32_as_scikit_learn_does() -> None:
    """A difference that float32 cannot hold does not change a score."""
    forest = fit(residuals(0, 500))
    x = np.full((1, 7), 0.1)
    assert scores_of(forest, x)[0] == scores_of(forest, x + 1e-12)[0]


@given(cuts=st.lists(st.integers(1, 130), max_size=8))
@settings(max_examples=20, deadline=None)
def test_scores_do_not_depend_on_how_rows_are_cut(cuts: list[int]) -> None:
    """Batches of any size give the same bits."""
    asked = residuals(9, 130)
    expected = scores_of(FOREST, asked)
    edges = sorted({0, 130, *cuts})
    found = np.concatenate([scores_of(FOREST, asked[a:b]) for a, b in pairwise(edges)])
    assert np.array_equal(found, expected)


FOREST = fit(residuals(0, 1_000))


def test_an_empty_batch_is_no_error() -> None:
    """Nothing in, nothing out."""
    assert len(scores_of(FOREST, np.empty((0, 7)))) == 0


def test_a_row_far_from_the_training_rows_scores_higher_than_one_among_them() -> None:
    """High is strange."""
    ordinary, strange = scores_of(FOREST, np.array([[1.0] * 7, [50.0] * 7]))
    assert strange > 0.6
    assert ordinary < 0.5


def test_evidence_is_the_mid_share_of_training_scores_at_least_as_high() -> None:
    """The strangest gets -log10(.5 / (n + 1)), the most ordinary nearly nothing."""
    found = flat.rank_evidence(FOREST, np.array([1.0, 0.0, FOREST.ranks[500]]))
    assert found[0] == -np.log10(0.5 / 1_001)
    assert found[1] == -np.log10(1_000.5 / 1_001)
    at_least = int((FOREST.ranks >= FOREST.ranks[500]).sum())
    assert found[2] == -np.log10((at_least + 0.5) / 1_001)


def test_evidence_grows_with_the_score() -> None:
    """A stranger row never has less evidence."""
    found = flat.rank_evidence(FOREST, np.linspace(0, 1, 2_000))
    assert (np.diff(found) >= 0).all()


@njit
def _evidence_in_a_kernel(forest: flat.FlatForest, x: np.ndarray, out: np.ndarray) -> None:
    flat.evidence(forest, x, out)


def test_another_kernel_gets_the_same_evidence() -> None:
    """The compiled way and the numpy way rank alike, for every row."""
    asked, out = residuals(5, 6_500), np.empty(6_500)
    _evidence_in_a_kernel(FOREST, asked, out)
    assert np.array_equal(out, flat.rank_evidence(FOREST, scores_of(FOREST, asked)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_a_value_that_float32_cannot_hold_is_refused(bad: float) -> None:
    """The row is named."""
    x = np.ones((3, 7))
    x[1, 4] = bad
    with pytest.raises(ValueError, match=r"x of an isolation forest must be finite as float32, got .* in row 1"):
        scores_of(FOREST, x)


@pytest.mark.parametrize("shape", [(3, 6), (3, 8), (7,)])
def test_rows_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    """A column too few or too many is not guessed at."""
    with pytest.raises(ValueError, match=r"must be of shape \(rows, 7\)"):
        scores_of(FOREST, np.ones(shape))


PLAIN = """
import sys
import numpy as np
from detector.scorers import forest as flat
rng = np.random.default_rng(0)
feature = rng.integers(0, 3, (6, 15), dtype=np.uint8)
ranks = flat.rounded_scores(np.sort(rng.random(40)))
trees = flat.FlatForest(
    feature, rng.random((6, 15), dtype=np.float32), 4 * rng.random((6, 16)), 30.0, 4, 3, ranks, flat.ladder_of(40)
)
x, out, ranked = rng.random((45, 3)), np.empty(45), np.empty(45)
flat.score(trees, x, out)
flat.evidence(trees, x, ranked)
sys.stdout.write((out.tobytes() + ranked.tobytes()).hex())
"""


@pytest.mark.integration
def test_plain_python_gives_what_the_compiled_kernel_gives() -> None:
    """NUMBA_DISABLE_JIT=1 runs the same functions uncompiled."""
    root = Path(__file__).resolve().parents[2]
    outputs = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", PLAIN],
            env={**os.environ, "NUMBA_DISABLE_JIT": flag, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for flag in ("0", "1")
    ]
    assert outputs[0] == outputs[1] != b""


def test_golden_scores_of_a_fixed_forest() -> None:
    """A change of scores is a decision, not an accident (compared as the product uses them, to 1e-6)."""
    forest = fit(((np.arange(600)[:, None] * 37 + np.arange(7) * 101) % 97) / 9.7)
    found = scores_of(forest, np.array([[1.0] * 7, [9.9] * 7, [0, 0, 0, 20, 0, 0, 0], [5, 1, 7, 3, 9, 2, 4]]))
    assert np.round(found, 6).tolist() == [0.547084, 0.653524, 0.664362, 0.592286]
    assert np.round(flat.rank_evidence(forest, found), 6).tolist() == [0.589946, 3.079904, 3.079904, 1.093133]
