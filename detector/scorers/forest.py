"""A scikit-learn isolation forest as flat arrays: scores equal ``-score_samples`` to the last bit, in micro-batches.

Every tree is stored as a perfect binary tree of the forest's depth, so that a walk is a fixed number of steps without
a branch, and eight rows walk at once. A leaf above the bottom is repeated below itself: its nodes send everything left.
No node holds the number of another, so no file, however it was made, can send the walk outside the arrays. What it
looks at and why: ``docs/science.md``, *The models*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from detector.sketches.kernel import allocating_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

U = np.uint64  # an unsigned index spares numba the test for counting from the end: a quarter of the time
ROUND = 1e6  # scores are rounded to a millionth before they are ranked, so that the last bit of a power cannot matter


class FlatForest(NamedTuple):
    """A fitted isolation forest; read only.

    Nodes of a tree are numbered as in a heap: the children of ``i`` are ``2 i + 1`` (value at most the threshold) and
    ``2 i + 2``.

    Parameters
    ----------
    feature : ndarray of uint8, shape (n_trees, 2 ** depth - 1)
        Column looked at by each inner node.
    threshold : ndarray of float32, shape (n_trees, 2 ** depth - 1)
        Split points, rounded down to float32: for float32 input the comparison with the rounded value is the same as
        scikit-learn's with the float64 one. Infinity below a leaf.
    value : ndarray of float64, shape (n_trees, 2 ** depth)
        Path length of each leaf, with the mean path of the training rows that ended there.
    denominator : float
        Path length at which the score is one half.
    depth : int
        Splits between root and bottom.
    features : int
        Columns of a row.
    ranks : ndarray of float64, shape (n_ranks,)
        Scores of the training rows, rounded to 1e-6, ascending.
    ladder : ndarray of float64, shape (n_ranks + 1,)
        Evidence by the number of training scores below the one asked for.
    """

    feature: NDArray[np.uint8]
    threshold: NDArray[np.float32]
    value: FloatArray
    denominator: float
    depth: int
    features: int
    ranks: FloatArray
    ladder: FloatArray


def ladder_of(n_ranks: int) -> FloatArray:
    """Return the evidence for each possible rank: -log10 of the mid share of training scores at least as high.

    Parameters
    ----------
    n_ranks : int
        Training scores; evidence never exceeds ``-log10(.5 / (n_ranks + 1))``.
    """
    below = np.arange(n_ranks + 1, dtype=np.float64)
    ladder: FloatArray = -np.log10((n_ranks - below + 0.5) / (n_ranks + 1))
    return ladder


@kernel(nogil=True)
def _walk_eight(forest: FlatForest, x: NDArray[np.float32], start: int, out: FloatArray) -> None:
    """Write the path lengths of eight rows; eight walks at once hide the wait of each for its next node."""
    feature, threshold, value = forest.feature, forest.threshold, forest.value
    first, inner = U(start), U(feature.shape[1])
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for tree in range(U(feature.shape[0])):
        a = b = c = d = e = f = g = h = U(0)
        for _ in range(forest.depth):
            a = U(2) * a + U(1) + U(x[first, U(feature[tree, a])] > threshold[tree, a])
            b = U(2) * b + U(1) + U(x[first + U(1), U(feature[tree, b])] > threshold[tree, b])
            c = U(2) * c + U(1) + U(x[first + U(2), U(feature[tree, c])] > threshold[tree, c])
            d = U(2) * d + U(1) + U(x[first + U(3), U(feature[tree, d])] > threshold[tree, d])
            e = U(2) * e + U(1) + U(x[first + U(4), U(feature[tree, e])] > threshold[tree, e])
            f = U(2) * f + U(1) + U(x[first + U(5), U(feature[tree, f])] > threshold[tree, f])
            g = U(2) * g + U(1) + U(x[first + U(6), U(feature[tree, g])] > threshold[tree, g])
            h = U(2) * h + U(1) + U(x[first + U(7), U(feature[tree, h])] > threshold[tree, h])
        s0 += value[tree, a - inner]
        s1 += value[tree, b - inner]
        s2 += value[tree, c - inner]
        s3 += value[tree, d - inner]
        s4 += value[tree, e - inner]
        s5 += value[tree, f - inner]
        s6 += value[tree, g - inner]
        s7 += value[tree, h - inner]
    out[start] = s0
    out[start + 1] = s1
    out[start + 2] = s2
    out[start + 3] = s3
    out[start + 4] = s4
    out[start + 5] = s5
    out[start + 6] = s6
    out[start + 7] = s7


@allocating_kernel(nogil=True)
def path_lengths(forest: FlatForest, x: FloatArray, out: FloatArray) -> None:
    """Return nothing; write the summed path length of each row, short is strange.

    Rows are read as float32 and the lengths added in the order of the trees, as scikit-learn does. May be called from
    other kernels. Values must be finite; the caller answers for that.

    Parameters
    ----------
    forest : FlatForest
        Fitted trees.
    x : ndarray of float64, shape (n_rows, n_features)
        Rows.
    out : ndarray of float64, shape (n_rows,)
        Written.
    """
    n_rows = len(out)
    padded = (n_rows + 7) // 8 * 8
    rows = np.zeros((padded, forest.features), dtype=np.float32)
    for row in range(n_rows):
        for column in range(forest.features):
            rows[row, column] = np.float32(x[row, column])
    lengths = np.empty(padded, dtype=np.float64)
    for start in range(0, padded, 8):
        _walk_eight(forest, rows, start, lengths)
    out[:] = lengths[:n_rows]


@kernel(nogil=True)
def evidence(forest: FlatForest, x: FloatArray, out: FloatArray) -> None:
    """Return nothing; write the rank evidence of each row, for callers that are kernels themselves.

    Equal to :func:`rank_evidence` of :func:`score`, in one call.

    Parameters
    ----------
    forest : FlatForest
        Fitted trees.
    x : ndarray of float64, shape (n_rows, n_features)
        Rows, finite.
    out : ndarray of float64, shape (n_rows,)
        Written: -log10 of the mid share of training scores at least as high.
    """
    path_lengths(forest, x, out)
    for row in range(len(out)):
        rounded = np.floor(2.0 ** (-out[row] / forest.denominator) * ROUND + 0.5) / ROUND
        low, high = 0, len(forest.ranks)
        while low < high:
            middle = (low + high) // 2
            if forest.ranks[middle] < rounded:
                low = middle + 1
            else:
                high = middle
        out[row] = forest.ladder[low]


def score(forest: FlatForest, x: FloatArray, out: FloatArray) -> None:
    """Return nothing; write the score of each row, equal to ``-IsolationForest.score_samples`` to the last bit.

    The result does not depend on how rows are cut into calls.

    Parameters
    ----------
    forest : FlatForest
        Fitted trees.
    x : ndarray of float64, shape (n_rows, n_features)
        Rows; read as float32, as scikit-learn does.
    out : ndarray of float64, shape (n_rows,)
        Written: between 0 and 1, high is strange.

    Raises
    ------
    ValueError
        If the columns are not the forest's or a value is not finite as float32.
    """
    check_rows(x, forest.features)
    path_lengths(forest, x, out)
    # numpy's power, as in scikit-learn: the C library's differs in the last bit for one value in twenty
    np.power(2.0, -np.divide(out, forest.denominator), out=out)


def rounded_scores(scores: FloatArray) -> FloatArray:
    """Return scores rounded to a millionth, half up: what ranks are compared in."""
    rounded: FloatArray = np.floor(scores * ROUND + 0.5) / ROUND
    return rounded


def rank_evidence(forest: FlatForest, scores: FloatArray) -> FloatArray:
    """Return -log10 of the mid share of training scores at least as high as each score.

    Parameters
    ----------
    forest : FlatForest
        Whose training scores to rank among.
    scores : ndarray of float64, shape (n_rows,)
        From :func:`score`; rounded to 1e-6 first.
    """
    found: FloatArray = forest.ladder[np.searchsorted(forest.ranks, rounded_scores(scores), side="left")]
    return found


def check_rows(x: NDArray[np.floating], features: int) -> None:
    """Return None if rows may be fitted or scored.

    Raises
    ------
    ValueError
        Naming the first row that may not.
    """
    if x.ndim != 2 or x.shape[1] != features:
        message = f"x of an isolation forest must be of shape (rows, {features}), got {x.shape}"
        raise ValueError(message)
    fits = np.abs(x) <= np.finfo(np.float32).max  # false for NaN too
    if not fits.all():
        row = int(np.flatnonzero(~fits.all(axis=1))[0])
        message = f"x of an isolation forest must be finite as float32, got {x[row].tolist()} in row {row}"
        raise ValueError(message)
