"""Keys of one owner: probation, counts, and what a flood of invented keys can push out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.sketches.hashing import hash_text
from detector.sketches.keys import (
    KNOWN,
    NEW,
    PROMOTED,
    TICKS_OF_PROBATION,
    WAITING,
    WAYS,
    add_count,
    count_known,
    count_of,
    is_known,
    learn_key,
    tick_of,
)

DAY = 86_400.0
START = 1_772_434_800.0
KINDS = {"narrow": np.uint32, "wide": np.uint64}


def at(days: float) -> np.uint64:
    """Return the stamp of a time so many days after the start."""
    return np.uint64(tick_of(START + days * DAY, DAY))


def cells_of(kind: str, size: int = 1024) -> np.ndarray:
    """Return an owner's empty cells."""
    return np.zeros(size, KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_unknown_new_waiting_promoted_and_known_in_this_order(kind: str) -> None:
    """Probation: a key is worth nothing for a day."""
    cells, key = cells_of(kind), hash_text("a")
    assert not is_known(cells, key, at(0))
    assert learn_key(cells, key, at(0))[0] == NEW
    assert not is_known(cells, key, at(0.5))
    assert learn_key(cells, key, at(0.5))[0] == WAITING
    assert count_of(cells, key) == 0
    assert is_known(cells, key, at(1.07))
    assert learn_key(cells, key, at(1.07)) == (PROMOTED, 3)
    assert learn_key(cells, key, at(1.07)) == (KNOWN, 3)
    assert count_of(cells, key) == 4


@pytest.mark.parametrize("kind", KINDS)
@given(days=st.floats(0, 30), learned=st.floats(0, 400))
def test_a_key_seen_once_is_known_after_a_day_to_a_day_and_a_sixteenth(kind: str, days: float, learned: float) -> None:
    """Neither sooner nor later, up to fifteen days, whenever it was learned."""
    cells, key = cells_of(kind), hash_text("a")
    learn_key(cells, key, at(learned))
    known = bool(is_known(cells, key, at(learned + days)))
    if days < 1.0:
        assert not known
    if 1.07 + 1.0 / TICKS_OF_PROBATION <= days <= 14.9:
        assert known


@pytest.mark.parametrize("kind", KINDS)
@given(sequence=st.lists(st.integers(0, 30), max_size=120))
def test_counts_without_probation_are_those_of_a_dictionary(kind: str, sequence: list[int]) -> None:
    """As long as buckets have room."""
    cells, reference = cells_of(kind, 4096), dict[int, int]()
    for number in sequence:
        is_new = bool(add_count(cells, hash_text(f"key {number}")))
        assert is_new == (number not in reference)
        reference[number] = reference.get(number, 0) + 1
    assert {n: int(count_of(cells, hash_text(f"key {n}"))) for n in reference} == reference


@pytest.mark.parametrize("kind", KINDS)
@given(
    steps=st.lists(st.tuples(st.integers(0, 12), st.floats(0, 0.7), st.sampled_from(["learn", "count"])), max_size=80)
)
def test_learning_and_counting_follow_a_dictionary_with_dates(kind: str, steps: list[tuple[int, float, str]]) -> None:
    """Probation and counts against the rule written out: ripe after more than sixteen ticks."""
    cells, first, counts, now = cells_of(kind, 4096), dict[int, int](), dict[int, int](), 0.0
    promoted: set[int] = set()
    for number, wait, act in steps:
        now += wait
        key, tick = hash_text(f"key {number}"), int(at(now))
        age = (tick - first.get(number, tick)) % 255
        if act == "count":
            count_known(cells, key)
            counts[number] = counts.get(number, 0) + (number in promoted)
        else:
            what, _ = learn_key(cells, key, np.uint64(tick))
            if number not in first:
                assert what == NEW
                first[number], counts[number] = tick, 1
            elif number in promoted:
                assert what == KNOWN
                counts[number] += 1
            else:
                counts[number] += 1
                assert what == (PROMOTED if age > TICKS_OF_PROBATION else WAITING)
                if what == PROMOTED:
                    promoted.add(number)
    for number in promoted:
        limit = 255 if kind == "narrow" else 2**24 - 1
        assert count_of(cells, hash_text(f"key {number}")) == min(counts[number], limit)
    for number in set(first) - promoted:
        assert count_of(cells, hash_text(f"key {number}")) == 0


def test_a_narrow_count_stops_at_255_and_a_wide_one_goes_on() -> None:
    """Counts never wrap."""
    narrow, wide, key = cells_of("narrow"), cells_of("wide"), hash_text("a")
    for _ in range(300):
        add_count(narrow, key)
        add_count(wide, key)
    assert (count_of(narrow, key), count_of(wide, key)) == (255, 300)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_of_invented_keys_costs_each_bucket_one_known_key_at_most(kind: str) -> None:
    """Keys on probation push each other out before they push out what is known."""
    size = 512
    cells = cells_of(kind, size)
    known = [hash_text(f"known {n}") for n in range(size // 2)]
    for _ in range(5):
        for key in known:
            add_count(cells, key)
    held = [key for key in known if is_known(cells, key, at(0))]
    for n in range(20_000):
        learn_key(cells, hash_text(f"flood {n}"), at(0))
    lost = sum(not is_known(cells, key, at(0)) for key in held)
    assert len(held) > 0.85 * len(known)
    assert lost <= size // WAYS
    assert lost < len(held) // 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_bucket_gives_up_its_rarest_known_key(kind: str) -> None:
    """Where nothing is on probation the smallest count goes."""
    cells = cells_of(kind, WAYS)
    keys = [hash_text(f"key {n}") for n in range(WAYS)]
    for times, key in enumerate(keys, start=2):
        for _ in range(times):
            add_count(cells, key)
    add_count(cells, hash_text("newcomer"))
    assert [int(count_of(cells, key)) for key in keys] == [0, 3, 4, 5]


def test_strangers_are_taken_for_known_ones_no_more_than_promised() -> None:
    """Sixteen bits and four ways: at most 4 of 65,536 probes, here with some room for chance."""
    cells = cells_of("narrow", 512)
    for n in range(512):
        add_count(cells, hash_text(f"key {n}"))
    strangers = sum(bool(is_known(cells, hash_text(f"stranger {n}"), at(0))) for n in range(60_000))
    assert strangers <= 16


@pytest.mark.parametrize("kind", KINDS)
def test_counting_a_known_key_leaves_an_unknown_one_unknown(kind: str) -> None:
    """What the gate withholds stays withheld."""
    cells, key = cells_of(kind), hash_text("a")
    count_known(cells, key)
    assert not cells.any()
    learn_key(cells, key, at(0))
    before = cells.copy()
    count_known(cells, key)
    assert np.array_equal(cells, before)


def test_an_agents_cells_take_no_more_strangers_for_known_than_the_page_says() -> None:
    """In a full table of known keys four probes of 65,536 hit by chance: every bit of a fingerprint tells."""
    chance = np.random.default_rng(7)
    cells, tick, probes = cells_of("narrow", 512), at(0.0), 400_000
    for key in chance.integers(1, 2**64 - 1, 8_000, np.uint64):
        add_count(cells, key)
    assert (cells != 0).all()
    hits = sum(is_known(cells, key, tick) for key in chance.integers(1, 2**64 - 1, probes, np.uint64))
    assert 2.5 < 65_536 * hits / probes < 5.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_whose_fingerprint_is_zero_is_a_key_like_any_other(kind: str) -> None:
    """Not known before it was counted, though free cells are zero; known after; and no other key with it."""
    cells, key = cells_of(kind), np.uint64(6)
    assert not is_known(cells, key, at(0))
    assert learn_key(cells, key, at(0))[0] == NEW
    assert add_count(cells, np.uint64(5 << 60 | 6))
    assert learn_key(cells, key, at(0))[0] == WAITING
