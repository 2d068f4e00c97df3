"""Rarity of a symbol in a context, against the study's formula on dictionaries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.sketches.hashing import hash_text
from detector.sketches.tails import NARROW, WIDE, blend, find_context, move_mass, note_known, note_new

KINDS = {"narrow": (np.uint16, NARROW), "wide": (np.uint32, WIDE)}


class Study:
    """The study's rule without bounds: counts, novelties and mass by log2 of the count, per context."""

    def __init__(self) -> None:
        self.count: dict[tuple[int, int], int] = {}
        self.total: dict[int, int] = {}
        self.novel: dict[int, int] = {}
        self.mass: dict[int, list[float]] = {}

    def p(self, context: int, symbol: int, prior: float) -> float:
        """Return the blended tail probability of a symbol in one context."""
        total = self.total.get(context, 0)
        if not total:
            return prior
        count = self.count.get((context, symbol), 0)
        if count == 0:
            share = min((self.novel[context] + 0.5) / (total + 1.0), 1.0) * max(prior, 0.02) ** 0.5
        else:
            share = min((sum(self.mass[context][: count.bit_length() + 1]) + 0.5) / (total + 1.0), 1.0)
        return max(min((total * share + 2.0 * prior) / (total + 2.0), 1.0), 1e-9)

    def see_new(self, context: int) -> None:
        """Count a symbol that is new or on probation."""
        self.total[context] = self.total.get(context, 0) + 1
        self.novel[context] = self.novel.get(context, 0) + 1
        self.mass.setdefault(context, [0.0] * 24)[0] += 1

    def add(self, context: int, symbol: int, times: int, *, is_counted: bool) -> None:
        """Count a symbol, or carry over what it collected on probation."""
        before = self.count.get((context, symbol), 0)
        mass = self.mass.setdefault(context, [0.0] * 24)
        if is_counted:
            self.total[context] = self.total.get(context, 0) + times
        if before:
            mass[before.bit_length()] -= before
        self.count[context, symbol] = before + times
        mass[(before + times).bit_length()] += before + times


def key(context: int) -> np.uint64:
    """Return a context's hash."""
    return hash_text(f"context {context}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@given(steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), max_size=150), prior=st.floats(0.001, 1.0))
def test_the_blend_is_the_studys_formula(kind: str, steps: list[tuple[int, int]], prior: float) -> None:
    """New symbols, promotion after three sights, then counts: probability for probability."""
    dtype, columns = KINDS[kind]
    tails, study = np.zeros((64, columns), dtype), Study()
    waiting: dict[tuple[int, int], int] = {}
    for context, symbol in steps:
        place = (context, symbol)
        if place in study.count:
            note_known(tails, key(context), study.count[place])
            study.add(context, symbol, 1, is_counted=True)
            continue
        waiting[place] = waiting.get(place, 0) + 1
        note_new(tails, key(context))
        study.see_new(context)
        if waiting[place] == 3:
            move_mass(tails, key(context), 0, 3)
            study.add(context, symbol, 3, is_counted=False)
    for context in range(3):
        for symbol in range(8):
            count = study.count.get((context, symbol), 0)
            assert blend(tails, key(context), count, prior) == pytest.approx(study.p(context, symbol, prior), rel=1e-6)


def test_a_context_nobody_met_says_what_the_coarser_one_says() -> None:
    """Back off."""
    assert blend(np.zeros((8, WIDE), np.uint32), key(1), 0, 0.3) == 0.3


def test_a_frequent_symbol_is_ordinary_and_a_new_one_rare() -> None:
    """High is rare only for what is rare."""
    tails = np.zeros((8, WIDE), np.uint32)
    note_new(tails, key(1))
    move_mass(tails, key(1), 0, 1)
    for before in range(1, 200):
        note_known(tails, key(1), before)
    assert blend(tails, key(1), 200, 1.0) > 0.9
    assert blend(tails, key(1), 0, 0.02) < 0.02


@given(contexts=st.lists(st.integers(0, 400), max_size=300))
def test_more_contexts_than_room_keep_probabilities_and_the_busiest(contexts: list[int]) -> None:
    """The least used neighbour goes; a probability stays one."""
    tails = np.zeros((16, NARROW), np.uint16)
    for _ in range(50):
        note_new(tails, key(10_000))
    for context in contexts:
        note_new(tails, key(context))
        assert 0.0 < blend(tails, key(context), 0, 0.5) <= 1.0
    assert find_context(tails, key(10_000)) >= 0


def test_a_full_total_is_halved_and_never_wraps() -> None:
    """Sixteen bits hold an agent's tools for good."""
    tails = np.zeros((4, NARROW), np.uint16)
    note_new(tails, key(1))
    move_mass(tails, key(1), 0, 1)
    for before in range(1, 66_000):
        note_known(tails, key(1), min(before, 255))
    slot = find_context(tails, key(1))
    assert 32_000 < int(tails[slot, 1]) <= 65_000
    assert blend(tails, key(1), 255, 1.0) > 0.9
