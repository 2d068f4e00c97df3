"""The index from hashes to rows, against a dictionary; and the hashes themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from detector.sketches.hashing import hash_text, mix
from detector.sketches.index import allocate_index, drop_row, find_row, put_row, rebuild_index

CAPACITY = 32


def crowded(number: int) -> np.uint64:
    """Return a key; many of them share a home cell, so that clusters form and wrap around."""
    return np.uint64((number // 4 + 1) * CAPACITY * 1_000_003 + 28 + number % 4)


class IndexAgainstDictionary(RuleBasedStateMachine):
    """Puts, drops and finds in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.index = allocate_index(CAPACITY)
        self.reference: dict[int, int] = {}

    @precondition(lambda self: len(self.reference) < CAPACITY // 2)
    @rule(number=st.integers(0, 40), row=st.integers(0, 1000))
    def put(self, number: int, row: int) -> None:
        """Enter a key that is not there."""
        if number not in self.reference:
            put_row(self.index, crowded(number), row)
            self.reference[number] = row

    @rule(number=st.integers(0, 40))
    def drop(self, number: int) -> None:
        """Take a key out, there or not."""
        drop_row(self.index, crowded(number))
        self.reference.pop(number, None)

    @invariant()
    def finds_what_the_dictionary_holds(self) -> None:
        """Every key, there or not; and no tombstones."""
        found = {n: int(find_row(self.index, crowded(n))) for n in range(41)}
        assert found == {n: self.reference.get(n, -1) for n in range(41)}
        assert int((self.index.key != 0).sum()) == len(self.reference)


TestIndexAgainstDictionary = pytest.mark.slow(IndexAgainstDictionary.TestCase)


@given(numbers=st.lists(st.integers(0, 40), unique=True, max_size=16))
def test_a_rebuilt_index_finds_every_name_at_its_place(numbers: list[int]) -> None:
    """Names of zero are free rows and are skipped."""
    index = allocate_index(64)
    names = np.array([crowded(n) for n in numbers] + [np.uint64(0)], np.uint64)
    rebuild_index(index, names, len(names))
    assert [int(find_row(index, crowded(n))) for n in numbers] == list(range(len(numbers)))
    assert int((index.key != 0).sum()) == len(numbers)


def test_a_hash_is_the_same_on_every_machine() -> None:
    """Hashes are written into state: these must never change."""
    assert [hex(hash_text(text)) for text in ("a", "target", "twelve bytes", "ü")] == GOLDEN


def test_hashes_of_many_names_do_not_collide_and_use_every_bit() -> None:
    """Names that differ in one sign, in length, or in order of a pair."""
    names = [f"{stem}{n}" for stem in ("a", "agent-", "x" * 40) for n in range(20_000)]
    hashes = np.array([hash_text(name) for name in names])
    assert len(set(hashes.tolist())) == len(names)
    bits = ((hashes[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).mean(axis=0)
    assert (abs(bits - 0.5) < 0.1).all()
    one, other = hash_text("one"), hash_text("other")
    assert mix(one, other) != mix(other, one)


GOLDEN = ["0xd110ea71b77c4b70", "0x9697ac6e41233733", "0xf6cf0f2bcd414113", "0xe97e7006aa81e555"]
