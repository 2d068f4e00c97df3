"""Kernels: they count no references, and one that makes an array has to say so."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numba.core.errors import TypingError

from detector.sketches.kernel import allocating_kernel, kernel


def _halves(x: np.ndarray) -> np.ndarray:
    out = np.empty(len(x))
    out[:] = x / 2.0
    return out


def _sum_of(x: np.ndarray) -> float:
    total = 0.0
    for k in range(len(x)):
        total += x[k]
    return total


def test_a_kernel_that_makes_an_array_unsaid_is_refused() -> None:
    """Nothing would free that array: numba says so when it compiles, not in the night."""
    with pytest.raises(TypingError):
        kernel(_halves, cache=False)(np.ones(3))


def test_a_kernel_that_says_so_makes_arrays_and_frees_them() -> None:
    """What it made is counted as anything else in Python is."""
    made = allocating_kernel(_halves, cache=False)(np.ones(3))
    assert made.tolist() == [0.5, 0.5, 0.5]
    assert sys.getrefcount(made) == 2


def test_arrays_given_to_a_kernel_are_held_as_often_as_before() -> None:
    """Uncounted within, they are neither lost nor kept."""
    compiled, given = kernel(_sum_of, cache=False), np.arange(4.0)
    before = sys.getrefcount(given)
    assert [compiled(given), compiled(given[1:])] == [6.0, 6.0]
    assert sys.getrefcount(given) == before
