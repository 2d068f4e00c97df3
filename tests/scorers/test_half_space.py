"""Half-space trees: equal to river to the last bit, bounded, and not ready before the first window."""

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

from detector.scorers import half_space
from detector.scorers.artifacts import half_space_structure

SMALL = {"features": 3, "trees": 4, "height": 3, "window": 20}


def events(seed: int, n: int, groups: int, features: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return peer groups and p-values, a tenth of them exactly 0 and a tenth exactly 1."""
    rng = np.random.default_rng(seed)
    x = rng.beta(0.5, 0.5, (n, features))
    x[rng.random(x.shape) < 0.1] = 0.0
    x[rng.random(x.shape) < 0.1] = 1.0
    return rng.integers(0, groups, n), x


def run(
    structure: half_space.Structure, masses: half_space.Masses, groups: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and readiness of a stream."""
    out, ready = np.full(len(x), np.nan), np.zeros(len(x), bool)
    half_space.score_then_learn(structure, masses, groups, x, out, ready)
    return out, ready


def river_scores(seed: int, shape: dict[str, int], groups: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return what river answers with one model per peer group."""
    from river.anomaly import HalfSpaceTrees

    models = [
        HalfSpaceTrees(
            n_trees=shape["trees"],
            height=shape["height"],
            window_size=shape["window"],
            limits=dict.fromkeys(range(shape["features"]), (0.0, 1.0)),
            seed=seed,
        )
        for _ in range(int(groups.max()) + 1)
    ]
    scores = []
    for group, row in zip(groups, x.tolist(), strict=True):
        event = dict(enumerate(row))
        scores.append(models[group].score_one(event))
        models[group].learn_one(event)
    return np.array(scores, np.float64)


DEFAULT = {"features": 8, "trees": 10, "height": 6, "window": 250}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "shape"),
    [
        (0, DEFAULT),
        (1, DEFAULT),
        (42, DEFAULT),
        (7, {"features": 2, "trees": 7, "height": 4, "window": 33}),
        (3, {"features": 5, "trees": 25, "height": 8, "window": 256}),
    ],
)
def test_every_score_of_6500_events_in_three_groups_equals_rivers(seed: int, shape: dict[str, int]) -> None:
    """The flat copy answers river's score_one, then learns as its learn_one, to the last bit."""
    groups, x = events(seed, 6_500, groups=3, features=shape["features"])
    structure = half_space.build(seed, **shape)
    out, ready = run(structure, half_space.allocate(structure, 3), groups, x)
    assert np.array_equal(out, river_scores(seed, shape, groups, x))
    assert 0.5 < ready.mean() < 1
    assert len(np.unique(out)) > 30


def test_the_shipped_splits_are_the_ones_river_draws() -> None:
    """The file spares the import of river and changes nothing."""
    shipped, drawn = half_space_structure(0), half_space.build(0)
    assert np.array_equal(shipped.feature, drawn.feature)
    assert np.array_equal(shipped.threshold, drawn.threshold)
    assert (shipped.height, shipped.window) == (drawn.height, drawn.window) == (6, 250)


def test_another_seed_is_drawn_by_river_and_differs() -> None:
    """What the file does not hold comes from river."""
    assert not np.array_equal(half_space_structure(1).threshold, half_space_structure(0).threshold)


def test_a_group_is_not_ready_before_its_first_window_is_full() -> None:
    """Not yet is not zero: the mask says so, group by group."""
    structure = half_space.build(0, **SMALL)
    groups = np.array([0] * 20 + [1] + [0] * 5)
    x = np.array([[0.05] * 3] * 21 + [[0.95] * 3] * 5)
    out, ready = run(structure, half_space.allocate(structure, 2), groups, x)
    assert ready.tolist() == [False] * 21 + [True] * 5
    assert (out[~ready] == 0).all()
    assert (out[ready] > 0).all()


def test_an_event_unlike_the_window_scores_higher_than_its_like() -> None:
    """High is strange."""
    structure = half_space.build(0)
    masses = half_space.allocate(structure, 1)
    rng = np.random.default_rng(0)
    run(structure, masses, np.zeros(250, np.int64), rng.uniform(0.6, 1.0, (250, 8)))
    out, _ = run(structure, masses, np.zeros(2, np.int64), np.array([[0.8] * 8, [0.01] * 8]))
    assert out[1] > out[0]


@given(cuts=st.lists(st.integers(1, 120), max_size=6), seed=st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_scores_do_not_depend_on_how_events_are_cut(cuts: list[int], seed: int) -> None:
    """Any cut into calls gives the same scores and the same memory."""
    structure = half_space.build(0, **SMALL)
    groups, x = events(seed, 120, groups=2, features=3)
    whole, pieces = half_space.allocate(structure, 2), half_space.allocate(structure, 2)
    expected, _ = run(structure, whole, groups, x)
    edges = sorted({0, 120, *cuts})
    found = np.concatenate([run(structure, pieces, groups[a:b], x[a:b])[0] for a, b in pairwise(edges)])
    assert np.array_equal(found, expected)
    assert all(np.array_equal(getattr(whole, name), getattr(pieces, name)) for name in whole._fields)


def test_masses_never_pass_the_window_even_when_every_event_is_the_same() -> None:
    """The counts of a leaf fit their integers whatever is sent."""
    structure = half_space.build(0, features=8, trees=2, height=6, window=half_space.MAX_WINDOW)
    masses = half_space.allocate(structure, 1)
    n = half_space.MAX_WINDOW
    x = np.full((n - 1, 8), 0.3)
    run(structure, masses, np.zeros(n - 1, np.int64), x)
    assert masses.latest.max() == n - 1
    run(structure, masses, np.zeros(1, np.int64), x[:1])
    assert masses.latest.max() == 0
    assert masses.reference.max() == n * (2**7 - 1)


def test_memory_is_the_same_after_many_windows() -> None:
    """A group takes 6 bytes a leaf, whatever it has seen."""
    structure = half_space.build(0)
    masses = half_space.allocate(structure, 4)
    before = sum(part.nbytes for part in masses)
    groups, x = events(0, 5_000, groups=4)
    run(structure, masses, groups, x)
    assert sum(part.nbytes for part in masses) == before == 4 * (10 * 64 * 6 + 8)


def test_growing_keeps_what_was_learned() -> None:
    """New groups start empty; the old ones score as before."""
    structure = half_space.build(0, **SMALL)
    groups, x = events(1, 200, groups=2, features=3)
    small, large = half_space.allocate(structure, 2), half_space.allocate(structure, 5)
    run(structure, small, groups[:90], x[:90])
    run(structure, large, groups[:90], x[:90])
    grown = half_space.grow(small, 5)
    assert np.array_equal(run(structure, grown, groups[90:], x[90:])[0], run(structure, large, groups[90:], x[90:])[0])
    assert len(half_space.grow(grown, 1).seen) == 5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_and_nothing_is_learned(bad: float) -> None:
    """The row is named; the memory is untouched."""
    structure = half_space.build(0, **SMALL)
    masses = half_space.allocate(structure, 1)
    x = np.full((4, 3), 0.5)
    x[2, 1] = bad
    with pytest.raises(ValueError, match=r"x of half-space trees must be finite, got .* in row 2"):
        run(structure, masses, np.zeros(4, np.int64), x)
    assert masses.seen[0] == 0


@pytest.mark.parametrize("group", [-1, 2])
def test_a_group_without_a_row_is_refused(group: int) -> None:
    """No write outside the arrays; the message says what to do."""
    structure = half_space.build(0, **SMALL)
    with pytest.raises(ValueError, match="grow the masses first"):
        run(structure, half_space.allocate(structure, 2), np.array([0, group]), np.full((2, 3), 0.5))


@pytest.mark.parametrize(
    ("name", "value"), [("features", 128), ("trees", 0), ("height", 13), ("window", 65_536), ("window", 0)]
)
def test_a_shape_that_does_not_fit_the_arrays_is_refused(name: str, value: int) -> None:
    """The message names the parameter, the rule and the value."""
    with pytest.raises(ValueError, match=rf"{name} of half-space trees must be between 1 and \d+, got {value}"):
        half_space.build(0, **{**DEFAULT, name: value})


@njit
def _one_by_one(
    structure: half_space.Structure, masses: half_space.Masses, groups: np.ndarray, x: np.ndarray, out: np.ndarray
) -> None:
    for row in range(len(groups)):
        out[row] = half_space.score_then_learn_one(structure, masses, groups[row], x[row])


def test_another_kernel_may_score_one_event_at_a_time() -> None:
    """The inner function gives the same as the outer one."""
    structure = half_space.build(0, **SMALL)
    groups, x = events(2, 100, groups=2, features=3)
    out = np.empty(100)
    _one_by_one(structure, half_space.allocate(structure, 2), groups, x, out)
    assert np.array_equal(out, run(structure, half_space.allocate(structure, 2), groups, x)[0])


PLAIN = """
import sys
import numpy as np
from detector.scorers import half_space
rng = np.random.default_rng(0)
feature, threshold = rng.integers(0, 3, (7, 7), dtype=np.int8), rng.random((7, 7))
structure = half_space.Structure(feature, threshold, 3, 20)
groups, x = rng.integers(0, 2, 150), rng.random((150, 3))
out, ready = np.empty(150), np.empty(150, bool)
half_space.score_then_learn(structure, half_space.allocate(structure, 2), groups, x, out, ready)
sys.stdout.write(out.tobytes().hex())
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


def test_golden_scores_of_a_fixed_stream() -> None:
    """A change of scores is a decision, not an accident (compared as the product uses them, to 1e-6)."""
    x = ((np.arange(300)[:, None] * 37 + np.arange(8) * 101) % 97) / 97
    structure = half_space_structure(0)
    out, _ = run(structure, half_space.allocate(structure, 1), np.zeros(300, np.int64), x)
    assert np.round(out[250:256], 6).tolist() == [0.772397, 0.883868, 0.805468, 0.791181, 0.920894, 0.784957]
