"""What differs between two courses over the same events."""

from __future__ import annotations

import numpy as np

from detector.offline.course import Course, difference

BEFORE = Course(np.array([0.0, 1.0, np.nan, 2.0]), {"a": "score", "b": "score"})


def test_a_course_does_not_differ_from_itself() -> None:
    """What neither scored is no difference."""
    gap = difference(BEFORE, BEFORE)
    assert (gap.events, gap.rescored, gap.largest, gap.hidden, gap.added) == (4, 0, 0.0, (), ())


def test_what_is_scored_otherwise_hidden_or_added_is_told() -> None:
    """A score that moved, one that only one of them has, a session that is quiet now, and one that was before."""
    after = Course(np.array([0.0, 1.5, 3.0, 2.0]), {"b": "score", "c": "indicator"})
    gap = difference(BEFORE, after)
    assert (gap.rescored, gap.largest, gap.hidden, gap.added) == (2, 0.5, ("a",), ("c",))


def test_nothing_at_all_is_no_difference() -> None:
    """A stretch without events."""
    empty = Course(np.zeros(0), {})
    assert difference(empty, empty) == (0, 0, 0.0, (), ())
