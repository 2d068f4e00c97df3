"""Levels of novelty per context, against counters in a dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.sketches.hashing import hash_text
from detector.sketches.levels import COLUMNS, LEVELS, back_off, note_level, root

steps = st.lists(st.tuples(st.integers(0, 4), st.integers(0, LEVELS - 1)), max_size=120)


def key(context: int) -> np.uint64:
    """Return a context's hash."""
    return hash_text(f"context {context}")


@given(steps=steps, prior=st.floats(0.0, 1.0))
def test_the_back_off_is_counts_with_two_pseudo_counts_of_the_coarser_context(
    steps: list[tuple[int, int]], prior: float
) -> None:
    """``(at this level or higher + 2 prior) / (n + 2)``."""
    levels, reference = np.zeros((256, COLUMNS), np.uint32), dict[int, list[int]]()
    for context, level in steps:
        note_level(levels, key(context), level)
        reference.setdefault(context, [0] * LEVELS)[level] += 1
    for context in range(6):
        counts = reference.get(context)
        for level in range(LEVELS):
            found = back_off(levels, key(context), level, prior)
            if counts is None:
                assert found == prior
            else:
                expected = (sum(counts[level:]) + 2.0 * prior) / (sum(counts) + 2.0)
                assert found == pytest.approx(expected, rel=1e-12)


@given(steps=steps)
def test_a_higher_level_is_never_more_likely(steps: list[tuple[int, int]]) -> None:
    """Order of the ladder, from the root on."""
    levels = np.zeros((256, COLUMNS), np.uint32)
    for context, level in steps:
        note_level(levels, key(context), level)
    for context in range(5):
        ladder = [back_off(levels, key(context), level, root(level)) for level in range(LEVELS)]
        assert ladder == sorted(ladder, reverse=True)
        assert ladder[0] == pytest.approx(1.0)
        assert ladder[-1] > 0.0


def test_where_there_is_no_room_the_least_used_neighbour_goes() -> None:
    """The table never grows, and a busy context stays."""
    levels = np.zeros((16, COLUMNS), np.uint32)
    for _ in range(100):
        note_level(levels, key(0), 5)
    for context in range(1, 2_000):
        note_level(levels, key(context), 1)
    assert back_off(levels, key(0), 5, 0.0) == pytest.approx(100 / 102)
