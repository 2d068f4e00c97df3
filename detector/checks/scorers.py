"""What every fitted scorer must keep: finite, the same for the same row, rows alone or together, high is strange.

Each check returns faults, a sentence each; none if it holds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def faults_of_scorer(score: Callable[[Floats], Floats], ordinary: Floats, strange: Floats) -> list[str]:
    """Return where a scorer that learns nothing while it scores breaks the law of scorers.

    Parameters
    ----------
    score : callable
        Returns one score a row, shape (n,).
    ordinary, strange : ndarray of float64, shape (n, features)
        Rows like those it was fitted on, and rows unlike them.

    Examples
    --------
    >>> rows = np.array([[0.0], [0.1]])
    >>> faults_of_scorer(lambda x: abs(x).sum(axis=1), rows, rows + 9.0)
    []
    >>> faults_of_scorer(lambda x: abs(x - x.mean(axis=0)).sum(axis=1), rows, rows + 9.0)[0]
    'score of row 0 must not depend on its neighbours, got 0.0 for 4.55'
    """
    x = np.concatenate([ordinary, strange])
    kept = x.copy()
    found = score(x)
    if found.shape != (len(x),):
        return [f"scores of {len(x)} rows must have shape ({len(x)},), got {found.shape}"]
    faults = []
    if not np.isfinite(found).all():
        faults.append(f"score of row {int(np.argmin(np.isfinite(found)))} must be finite, got {found.min()!r}")
    if not np.array_equal(x, kept):
        faults.append("rows must be left as they are, got others after scoring")
    if not np.array_equal(found, score(x)):
        faults.append("scores must be the same the second time, got others")
    alone = np.array([score(x[row : row + 1])[0] for row in range(len(x))])
    if not np.array_equal(alone, found, equal_nan=True):
        row = int(np.argmin(alone == found))
        faults.append(f"score of row {row} must not depend on its neighbours, got {alone[row]} for {found[row]}")
    if not np.median(found[len(ordinary) :]) > np.median(found[: len(ordinary)]):
        faults.append("strange rows must score higher than ordinary ones, got as low or lower")
    return faults
