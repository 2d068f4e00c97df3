"""Fits isolation forests with scikit-learn, off the hot path, and copies them into flat arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from detector.scorers.forest import FlatForest, check_rows, ladder_of, rounded_scores, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_ROWS = 2
MAX_SAMPLES = 4_096  # a tree is at most log2 of this deep
MAX_TREES = 1_000
MAX_FEATURES = 255


def fit(sample: NDArray[np.floating], trees: int = 50, samples: int = 256, seed: int = 0) -> FlatForest:
    """Return an isolation forest fitted by scikit-learn and flattened; the same arguments give the same arrays.

    Parameters
    ----------
    sample : ndarray of float32 or float64, shape (n_rows, n_features)
        Training rows, finite; read as float32.
    trees : int, default=50
        Trees.
    samples : int, default=256
        Rows drawn for each tree; all rows where there are fewer.
    seed : int, default=0
        Seed of the draws and splits.

    Raises
    ------
    ValueError
        If the rows or a parameter are not fit to use.
    """
    check_sample(sample, trees, samples)
    from sklearn.ensemble import IsolationForest

    rows = np.ascontiguousarray(sample, dtype=np.float32)
    model = IsolationForest(n_estimators=trees, max_samples=min(samples, len(rows)), random_state=seed)
    return flatten(model.fit(rows), rows)


def check_sample(sample: NDArray[np.floating], trees: int, samples: int) -> None:
    """Return None if a forest may be fitted.

    Raises
    ------
    ValueError
        Naming the parameter, its rule and its value.
    """
    if sample.ndim != 2 or len(sample) < MIN_ROWS or not 1 <= sample.shape[1] <= MAX_FEATURES:
        message = f"sample of an isolation forest must be at least {MIN_ROWS} rows of features, got {sample.shape}"
        raise ValueError(message)
    check_rows(sample, sample.shape[1])
    for name, value, least, most in (("trees", trees, 1, MAX_TREES), ("samples", samples, MIN_ROWS, MAX_SAMPLES)):
        if not least <= value <= most:
            message = f"{name} of an isolation forest must be between {least} and {most}, got {value}"
            raise ValueError(message)


def flatten(model: Any, rows: NDArray[np.float32]) -> FlatForest:  # noqa: ANN401 - scikit-learn is untyped
    """Return the flat copy of a fitted ``sklearn.ensemble.IsolationForest``.

    Parameters
    ----------
    model : sklearn.ensemble.IsolationForest
        Fitted with ``max_features=1.0``.
    rows : ndarray of float32, shape (n_rows, n_features)
        Training rows, whose scores become the ranks.
    """
    from sklearn.ensemble._iforest import _average_path_length

    fitted = [estimator.tree_ for estimator in model.estimators_]
    depth = max(1, *(tree.max_depth for tree in fitted))
    shape = (len(fitted), 2**depth - 1)
    feature, threshold = np.zeros(shape, np.uint8), np.full(shape, np.inf, np.float32)
    value = np.zeros((len(fitted), 2**depth), np.float64)
    # scikit-learn's own tables, private as they are: worked out again here they could differ in the last bit
    paths, averages = model._decision_path_lengths, model._average_path_length_per_tree  # noqa: SLF001
    lengths = zip(fitted, paths, averages, strict=True)
    for row, (tree, steps, rest) in enumerate(lengths):
        bottom = _unfold(tree, feature[row], threshold[row])
        value[row] = (steps + rest - 1.0)[bottom]  # scikit-learn's own order of addition
    denominator = float(len(fitted) * _average_path_length([model.max_samples_])[0])
    bare = FlatForest(feature, threshold, value, denominator, depth, rows.shape[1], np.zeros(0), ladder_of(0))
    scores = np.empty(len(rows), np.float64)
    score(bare, rows.astype(np.float64), scores)
    return bare._replace(ranks=np.sort(rounded_scores(scores)), ladder=ladder_of(len(rows)))


def _unfold(tree: Any, feature: NDArray[np.uint8], threshold: NDArray[np.float32]) -> NDArray[np.int64]:  # noqa: ANN401
    """Return the scikit-learn node at each bottom place; fill the splits above, a leaf repeated below itself."""
    left, right = tree.children_left, tree.children_right
    rounded = tree.threshold.astype(np.float32)
    is_above = rounded > tree.threshold
    rounded[is_above] = np.nextafter(rounded[is_above], np.float32(-np.inf))
    nodes = np.zeros(1, np.int64)
    start = 0
    while start < len(feature):
        is_leaf = left[nodes] < 0
        places = slice(start, start + len(nodes))
        feature[places] = np.where(is_leaf, 0, tree.feature[nodes])
        threshold[places] = np.where(is_leaf, np.float32(np.inf), rounded[nodes])
        below = np.empty(2 * len(nodes), np.int64)
        below[0::2] = np.where(is_leaf, nodes, left[nodes])
        below[1::2] = np.where(is_leaf, nodes, right[nodes])
        start, nodes = start + len(nodes), below
    return nodes
