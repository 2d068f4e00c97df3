"""Which keys an owner has used: fingerprints, counts and probation in four-way buckets.

The cells of one owner are an array, its length a power of two. A cell packs fingerprint | count |
stamp. A stamp of 0 means *known*; any other value is the time of first sight on a clock of 255
ticks, sixteen to the probation time: a key counts as known once seventeen ticks have passed, that
is after 1 to 1.06 probation times. A key seen again more than fifteen probation times later may
have to wait once more.

Narrow cells (uint32: 16-bit fingerprint, 8-bit count) serve agents, wide ones (uint64: 32 and
24 bits) serve peer groups. A full bucket gives up its oldest key on probation, else the known
key with the smallest count, so a flood of invented keys costs each bucket at most one known key.
A fingerprint of 0 is kept as 1, so that no cell in use looks free: a key an agent never used is taken for a known one
by chance in at most 4 of 65,536 probes. Constants: ``docs/science.md``, *Hashing and memory*.
"""

from __future__ import annotations

import numpy as np

from detector.sketches.kernel import kernel

WAYS = 4
"""Cells of a bucket."""
TICKS_OF_PROBATION = 16
"""Ticks of the stamp's clock to one probation time."""
TICKS = 255
"""Values of a stamp, before its clock goes round: one byte, less 0 for *known*."""
_ONE = np.uint64(1)
_EIGHT = np.uint64(8)
_LOW = np.uint64(255)

NEW, WAITING, PROMOTED, KNOWN = 0, 1, 2, 3


@kernel
def _count_bits(cells: np.ndarray) -> np.uint64:
    return np.uint64(8 if cells.itemsize == 4 else 24)


@kernel
def tick_of(now: float, probation_s: float) -> np.uint64:
    """Return the stamp of a time: 1 to 255."""
    return np.uint64(1 + np.int64(now * TICKS_OF_PROBATION / probation_s) % TICKS)


@kernel
def _is_ripe(stamp: np.uint64, tick: np.uint64) -> bool:
    age = (np.int64(tick) - np.int64(stamp)) % TICKS
    return age > TICKS_OF_PROBATION


@kernel
def _mark(cells: np.ndarray, key: np.uint64) -> np.uint64:
    mark = key >> np.uint64(48 if cells.itemsize == 4 else 32)
    return mark if mark != 0 else _ONE


@kernel
def _find(cells: np.ndarray, key: np.uint64) -> int:
    """Return the slot that holds `key`, or -1."""
    shift = _EIGHT + _count_bits(cells)
    mark = _mark(cells, key)
    base = np.int64(key & np.uint64(len(cells) // WAYS - 1)) * WAYS
    for way in range(WAYS):
        if np.uint64(cells[base + way]) >> shift == mark:
            return base + way
    return -1


@kernel
def is_known(cells: np.ndarray, key: np.uint64, tick: np.uint64) -> bool:
    """Return whether the key is known, or has served its probation."""
    slot = _find(cells, key)
    if slot < 0:
        return False
    stamp = np.uint64(cells[slot]) & _LOW
    return stamp == 0 or _is_ripe(stamp, tick)


@kernel
def holds(cells: np.ndarray, key: np.uint64) -> bool:
    """Return whether the key is there, on probation or known."""
    return _find(cells, key) >= 0


@kernel
def count_of(cells: np.ndarray, key: np.uint64) -> int:
    """Return how often a known key was learned; 0 for any other."""
    slot = _find(cells, key)
    if slot < 0:
        return 0
    cell = np.uint64(cells[slot])
    if cell & _LOW != 0:
        return 0
    return np.int64((cell >> _EIGHT) & ((_ONE << _count_bits(cells)) - _ONE))


@kernel
def _victim(cells: np.ndarray, key: np.uint64, tick: np.uint64) -> int:
    """Return the slot a new key takes: a free one, else the oldest on probation, else the rarest."""
    base = np.int64(key & np.uint64(len(cells) // WAYS - 1)) * WAYS
    count_mask = (_ONE << _count_bits(cells)) - _ONE
    best, best_rank = base, np.int64(1) << 40
    for way in range(WAYS):
        cell = np.uint64(cells[base + way])
        if cell == 0:
            return base + way
        stamp = cell & _LOW
        if stamp != 0:
            rank = -np.int64((np.int64(tick) - np.int64(stamp)) % TICKS) - 1
        else:
            rank = np.int64((cell >> _EIGHT) & count_mask)
        if rank < best_rank:
            best, best_rank = base + way, rank
    return best


@kernel
def learn_key(cells: np.ndarray, key: np.uint64, tick: np.uint64) -> tuple[int, int]:
    """Count a key once.

    Returns
    -------
    what : int
        NEW (its probation begins), WAITING (still on probation), PROMOTED (probation just
        served) or KNOWN.
    count : int
        Its count before this call (KNOWN), else its count with this call.
    """
    limit = (_ONE << _count_bits(cells)) - _ONE
    slot = _find(cells, key)
    if slot < 0:
        slot = _victim(cells, key, tick)
        cells[slot] = (_mark(cells, key) << _EIGHT + _count_bits(cells)) | (_ONE << _EIGHT) | tick
        return NEW, 1
    cell = np.uint64(cells[slot])
    stamp = cell & _LOW
    count = (cell >> _EIGHT) & limit
    if count < limit:
        cell += _ONE << _EIGHT
    what = KNOWN
    if stamp != 0:
        what = WAITING
        if _is_ripe(stamp, tick):
            what = PROMOTED
            cell -= stamp
        count = (cell >> _EIGHT) & limit
    cells[slot] = cell
    return what, np.int64(count)


@kernel
def trust_key(cells: np.ndarray, key: np.uint64, tick: np.uint64) -> None:
    """Make a key known without probation: a person answers for it."""
    learn_key(cells, key, tick)
    slot = _find(cells, key)
    cells[slot] = np.uint64(cells[slot]) & ~_LOW


@kernel
def forget_key(cells: np.ndarray, key: np.uint64) -> None:
    """Forget a key, known or on probation."""
    slot = _find(cells, key)
    if slot >= 0:
        cells[slot] = 0


@kernel
def count_known(cells: np.ndarray, key: np.uint64) -> None:
    """Count a key that is known; leave any other alone."""
    slot = _find(cells, key)
    if slot < 0:
        return
    cell = np.uint64(cells[slot])
    limit = (_ONE << _count_bits(cells)) - _ONE
    if cell & _LOW == 0 and (cell >> _EIGHT) & limit < limit:
        cells[slot] = cell + (_ONE << _EIGHT)


@kernel
def add_count(cells: np.ndarray, key: np.uint64) -> bool:
    """Count a key without probation; return whether it is new."""
    slot = _find(cells, key)
    if slot >= 0:
        limit = (_ONE << _count_bits(cells)) - _ONE
        cell = np.uint64(cells[slot])
        if (cell >> _EIGHT) & limit < limit:
            cells[slot] = cell + (_ONE << _EIGHT)
        return False
    slot = _victim(cells, key, np.uint64(1))
    cells[slot] = (_mark(cells, key) << _EIGHT + _count_bits(cells)) | (_ONE << _EIGHT)
    return True
