"""The table of usual values: what it holds, what leaves, and what a flood costs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detector.sketches.usual import (
    EVICTED,
    MOST_LIFE,
    SLOTS,
    TAKEN,
    WAYS,
    Usual,
    allocate_usual,
    copy_usual,
    count_wanted,
    find_place,
    forget_usual,
    is_wanted,
    note_usual,
    tell_usual,
)

PLACE = np.uint64(7)


def learned(usual: Usual, value: int, times: int, place: np.uint64 = PLACE) -> None:
    """Let so many sessions teach a value, counted from 1."""
    for count in range(1, times + 1):
        note_usual(usual, place, np.uint64(value), count)


def shown(usual: Usual, but: int = 0, place: np.uint64 = PLACE) -> dict[int, int]:
    """Return the values of a place that may be shown, with their counts."""
    values, counts = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.int64)
    copy_usual(usual, place, np.uint64(but), values, counts)
    return {int(value): int(count) for value, count in zip(values, counts, strict=True) if count}


def test_a_value_is_shown_with_the_sessions_that_taught_it_once_its_text_was_told() -> None:
    """Not before: there is no text."""
    usual = allocate_usual(16)
    learned(usual, 5, 3)
    assert shown(usual) == {}
    assert is_wanted(usual, np.uint64(5))
    assert tell_usual(usual, PLACE, np.uint64(5))
    assert shown(usual) == {5: 3}
    assert not is_wanted(usual, np.uint64(5))
    assert not tell_usual(usual, PLACE, np.uint64(5))


def test_a_value_takes_the_slot_of_the_rarest_once_it_was_learned_more_often() -> None:
    """A value as often learned takes none: the table does not swing between equals."""
    usual = allocate_usual(16)
    for value in range(1, SLOTS + 1):
        learned(usual, value, 2 + value)
        assert tell_usual(usual, PLACE, np.uint64(value))
    learned(usual, 99, 3)
    assert shown(usual) == {value: 2 + value for value in range(1, SLOTS + 1)}
    note_usual(usual, PLACE, np.uint64(99), 4)
    assert not tell_usual(usual, PLACE, np.uint64(1))
    assert tell_usual(usual, PLACE, np.uint64(99))
    assert shown(usual) == {99: 4, 2: 4, 3: 5, 4: 6}


def test_what_stands_out_is_not_shown_beside_itself() -> None:
    """It is what was observed, not what is usual."""
    usual = allocate_usual(16)
    learned(usual, 5, 3)
    tell_usual(usual, PLACE, np.uint64(5))
    assert shown(usual, but=5) == {}


def test_a_value_that_is_forgotten_is_neither_shown_nor_wanted() -> None:
    """A person says it was an attack's."""
    usual = allocate_usual(16)
    for value in (5, 6):
        learned(usual, value, 3)
    tell_usual(usual, PLACE, np.uint64(5))
    for value in (5, 6):
        forget_usual(usual, PLACE, np.uint64(value))
    assert shown(usual) == {}
    assert not usual.wanted.any()


def test_a_flood_of_invented_places_costs_a_bucket_one_place_and_that_one_its_life_first() -> None:
    """It outlives as many as it was touched; then it leaves, that is counted, and the flood drowns itself."""
    usual = allocate_usual(WAYS)
    for place in range(1, WAYS + 1):
        learned(usual, 5, MOST_LIFE, np.uint64(place))
    for place in range(100, 100 + MOST_LIFE):
        note_usual(usual, np.uint64(place), np.uint64(9), 1)
    assert [find_place(usual, np.uint64(place)) for place in range(1, WAYS + 1)] == list(range(WAYS))
    assert usual.tally[EVICTED] == 0
    note_usual(usual, np.uint64(9_999), np.uint64(9), 1)
    assert find_place(usual, np.uint64(9_999)) >= 0
    assert (usual.tally[TAKEN], usual.tally[EVICTED]) == (WAYS, 1)
    for place in range(10_000, 12_000):
        note_usual(usual, np.uint64(place), np.uint64(9), 1)
    assert [find_place(usual, np.uint64(place)) for place in range(2, WAYS + 1)] == list(range(1, WAYS))


STEPS = st.lists(st.tuples(st.sampled_from("note tell forget".split()), st.integers(1, 40), st.integers(1, 9)))


@given(STEPS)
def test_what_is_wanted_follows_from_the_rows(steps: list[tuple[str, int, int]]) -> None:
    """Whatever came before: a table read back wants the same texts."""
    usual, counts = allocate_usual(8), dict[tuple[int, int], int]()
    for what, place, value in steps:
        key = np.uint64(place), np.uint64(value)
        if what == "note":
            counts[place, value] = counts.get((place, value), 0) + 1
            note_usual(usual, *key, counts[place, value])
        elif what == "tell":
            tell_usual(usual, *key)
        else:
            forget_usual(usual, *key)
    kept = usual.wanted.copy()
    count_wanted(usual)
    assert np.array_equal(kept, usual.wanted)


@given(STEPS)
def test_a_count_is_never_more_than_the_sessions_that_taught(steps: list[tuple[str, int, int]]) -> None:
    """What is shown is never more usual than it was."""
    usual, counts = allocate_usual(8), dict[tuple[int, int], int]()
    for _, place, value in steps:
        counts[place, value] = counts.get((place, value), 0) + 1
        note_usual(usual, np.uint64(place), np.uint64(value), counts[place, value])
        tell_usual(usual, np.uint64(place), np.uint64(value))
    for place in range(1, 41):
        found = shown(usual, place=np.uint64(place))
        assert all(count <= counts[place, value] for value, count in found.items())
