"""Usual values: which values of a place were learned most often, for the words of an alert, in a table of fixed size.

A *place* is one owner's argument of one tool; an owner is an agent or a peer group. A place holds four values with
the number of sessions that taught each; a value takes the rarest one's slot once it was learned more often. Hashes
only: which of them may be shown as text stands in `told`, and the texts with the partition.

Four places share a bucket. One that is touched gains life, one more that finds no room takes life from the weakest,
and takes its row once that has none: a flood of invented places costs a bucket at most one that was touched more often
than they are, and that one only after as many of them as it was touched, at most :data:`MOST_LIFE`.

Constants: ``docs/science.md``, *Usual values*.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.sketches.hashing import mix
from detector.sketches.kernel import kernel

PLACES = 1 << 14
"""Places of a partition: 1.3 MB with all their values."""
WAYS = 4
"""Places of a bucket."""
SLOTS = 4
"""Values of a place."""
MOST_LIFE = 64
"""Touches a place lives on without another one."""
WANTED = 1 << 16
"""Counters of values whose text is wanted: one load tells of nearly every other value that it is not among them."""
PLACES_A_SHARD = 64
TAKEN, EVICTED, TURNED_AWAY = range(3)
"""Columns of the tally: places in use; those that lost their row; how often one found none."""

VALUES = np.dtype(
    [("value", np.uint64, (SLOTS,)), ("count", np.uint32, (SLOTS,)), ("told", np.uint8, (SLOTS,))], align=True
)
"""Values of one place: hash, sessions it was learned from (0: a free slot), whether its text is there."""


class Usual(NamedTuple):
    """The table.

    Parameters
    ----------
    place : ndarray of uint64, shape (places,)
        Its key, 0 for none.
    rows : structured ndarray, shape (places,)
        See :data:`VALUES`.
    life : ndarray of uint8, shape (places,)
        How many places without room it outlives.
    wanted : ndarray of uint16, shape (65536,)
        Values in slots whose text is not there, by the low bits of their hash: follows from the rows.
    touched : ndarray of uint8
        Which shards changed since somebody set it back.
    tally : ndarray of int64, shape (3,)
        Places taken, evicted, turned away.
    """

    place: np.ndarray
    rows: np.ndarray
    life: np.ndarray
    wanted: np.ndarray
    touched: np.ndarray
    tally: np.ndarray


def allocate_usual(places: int = PLACES) -> Usual:
    """Return an empty table of so many places, a power of two."""
    return Usual(
        place=np.zeros(places, np.uint64),
        rows=np.zeros(places, VALUES),
        life=np.zeros(places, np.uint8),
        wanted=np.zeros(WANTED, np.uint16),
        touched=np.zeros(-(-places // PLACES_A_SHARD), np.uint8),
        tally=np.zeros(3, np.int64),
    )


@kernel
def place_key(owner: np.uint64, tool: np.uint64, name: np.uint64) -> np.uint64:
    """Return the key of an owner's argument of a tool."""
    return mix(owner, mix(tool, name))


@kernel
def _bucket(usual: Usual, place: np.uint64) -> int:
    return np.int64(place & np.uint64(len(usual.place) // WAYS - 1)) * WAYS


@kernel
def find_place(usual: Usual, place: np.uint64) -> int:
    """Return the row of a place, or -1."""
    base = _bucket(usual, place)
    for at in range(base, base + WAYS):
        if usual.place[at] == place:
            return at
    return -1


@kernel
def _clear(usual: Usual, at: int, slot: int) -> None:
    """Free a slot; one whose text was still wanted wants it no more."""
    row = usual.rows[at]
    if row["count"][slot] > 0 and row["told"][slot] == 0:
        usual.wanted[row["value"][slot] % np.uint64(WANTED)] -= 1
    row["value"][slot], row["count"][slot], row["told"][slot] = 0, 0, 0


@kernel
def _claim(usual: Usual, place: np.uint64) -> int:
    """Return a row for a place that has none, -1 if the weakest of its bucket outlives it."""
    base = _bucket(usual, place)
    weakest = base
    for at in range(base, base + WAYS):
        if usual.place[at] == 0:
            usual.place[at] = place
            usual.tally[TAKEN] += 1
            return at
        if usual.life[at] < usual.life[weakest]:
            weakest = at
    usual.touched[weakest // PLACES_A_SHARD] = 1
    if usual.life[weakest] > 0:
        usual.life[weakest] -= 1
        usual.tally[TURNED_AWAY] += 1
        return -1
    for slot in range(SLOTS):
        _clear(usual, weakest, slot)
    usual.place[weakest] = place
    usual.tally[EVICTED] += 1
    return weakest


@kernel
def note_usual(usual: Usual, place: np.uint64, value: np.uint64, count: int) -> None:
    """Note that a session taught a value of a place that its owner knows.

    Parameters
    ----------
    usual : Usual
        Changed in place.
    place, value : uint64
        Key and hash.
    count : int
        How many sessions have taught it, as far as its owner's keys can count.
    """
    at = find_place(usual, place)
    if at < 0:
        at = _claim(usual, place)
        if at < 0:
            return
    usual.touched[at // PLACES_A_SHARD] = 1
    usual.life[at] = min(usual.life[at] + 1, MOST_LIFE)
    values, counts = usual.rows[at]["value"], usual.rows[at]["count"]
    least = 0
    for slot in range(SLOTS):
        if values[slot] == value and counts[slot] > 0:
            counts[slot] = max(np.int64(counts[slot]) + 1, count)
            return
        if counts[slot] < counts[least]:
            least = slot
    if count > counts[least]:
        _clear(usual, at, least)
        values[least], counts[least] = value, count
        usual.wanted[value % np.uint64(WANTED)] += 1


@kernel
def forget_usual(usual: Usual, place: np.uint64, value: np.uint64) -> None:
    """Forget a value of a place: a person says that it is not usual."""
    at = find_place(usual, place)
    if at < 0:
        return
    for slot in range(SLOTS):
        if usual.rows[at]["value"][slot] == value:
            _clear(usual, at, slot)
            usual.touched[at // PLACES_A_SHARD] = 1


@kernel(inline="always")
def is_wanted(usual: Usual, value: np.uint64) -> bool:
    """Return whether the text of a value may be wanted; False is sure."""
    return usual.wanted[value % np.uint64(WANTED)] > 0


@kernel
def tell_usual(usual: Usual, place: np.uint64, value: np.uint64) -> bool:
    """Return whether a place wanted the text of a value; from now on it may be shown there."""
    at = find_place(usual, place)
    if at < 0:
        return False
    row = usual.rows[at]
    for slot in range(SLOTS):
        if row["value"][slot] == value and row["count"][slot] > 0 and row["told"][slot] == 0:
            row["told"][slot] = 1
            usual.wanted[value % np.uint64(WANTED)] -= 1
            usual.touched[at // PLACES_A_SHARD] = 1
            return True
    return False


@kernel
def copy_usual(usual: Usual, place: np.uint64, but: np.uint64, values: np.ndarray, counts: np.ndarray) -> bool:
    """Write which values of a place may be shown, but for one, with their counts; return whether there is any."""
    at = find_place(usual, place)
    if at < 0:
        return False
    row, found = usual.rows[at], False
    for slot in range(SLOTS):
        is_shown = row["told"][slot] != 0 and row["value"][slot] != but
        values[slot] = row["value"][slot] if is_shown else np.uint64(0)
        counts[slot] = row["count"][slot] if is_shown else 0
        found |= is_shown
    return found


def count_wanted(usual: Usual) -> None:
    """Count anew whose text is wanted, once the rows were read back."""
    held = usual.rows["value"][(usual.rows["count"] > 0) & (usual.rows["told"] == 0)]
    usual.wanted[:] = np.bincount((held % np.uint64(WANTED)).astype(np.int64), minlength=WANTED)
