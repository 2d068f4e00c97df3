"""How rare a symbol is in a context: the mass of symbols at most as frequent.

A context keeps its total, how often something new was met, and the mass of its symbols in
buckets of log2 of their count; the counts themselves are kept by :mod:`detector.sketches.keys`.

References
----------
.. [1] Vovk, Gammerman & Shafer (2005). *Algorithmic Learning in a Random World*, ch. 2.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PROBES = 8
_TAG, _TOTAL, _NEW, _MASS = 0, 1, 2, 3
FLOOR = 1e-9


def allocate_tails(owners: int, contexts: int, *, wide: bool) -> np.ndarray:
    """Return empty contexts, shape (owners, contexts, 12) of uint16, or (…, 23) of uint32 if `wide`.

    Columns: tag, total, new, then one bucket per bit of a count (9 or 20 of them).
    """
    return np.zeros((owners, contexts, 23), np.uint32) if wide else np.zeros((owners, contexts, 12), np.uint16)


@njit(cache=True)
def _tag(tails: np.ndarray, context: np.uint64) -> int:
    bits = np.uint64(8 * tails.itemsize)
    return np.int64(context >> (np.uint64(64) - bits)) | 1


@njit(cache=True)
def find_context(tails: np.ndarray, owner: int, context: np.uint64) -> int:
    """Return the slot of a context, or -1."""
    slots = tails.shape[1]
    tag = _tag(tails, context)
    home = np.int64(context % np.uint64(slots))
    for probe in range(PROBES):
        slot = (home + probe) % slots
        if tails[owner, slot, _TAG] == tag:
            return slot
        if tails[owner, slot, _TAG] == 0:
            return -1
    return -1


@njit(cache=True)
def _claim(tails: np.ndarray, owner: int, context: np.uint64) -> int:
    """Return the slot of a context, making room for it in place of the least used of its neighbours."""
    slot = find_context(tails, owner, context)
    if slot >= 0:
        return slot
    slots = tails.shape[1]
    home = np.int64(context % np.uint64(slots))
    best = home
    for probe in range(PROBES):
        slot = (home + probe) % slots
        if tails[owner, slot, _TAG] == 0:
            best = slot
            break
        if tails[owner, slot, _TOTAL] < tails[owner, best, _TOTAL]:
            best = slot
    tails[owner, best, :] = 0
    tails[owner, best, _TAG] = _tag(tails, context)
    return best


@njit(cache=True)
def _bucket(tails: np.ndarray, count: int) -> int:
    bits = 0
    while count:
        bits += 1
        count >>= 1
    return min(bits, tails.shape[2] - _MASS - 1)


@njit(cache=True)
def blend(tails: np.ndarray, owner: int, context: np.uint64, count: int, prior: float) -> float:
    """Return the tail probability of a symbol, backed off to `prior`.

    Parameters
    ----------
    tails : ndarray
        Contexts of all owners.
    owner : int
    context : uint64
    count : int
        How often this symbol was counted in this context; 0 if never.
    prior : float
        The same probability in the next coarser context; weighs as two observations.
    """
    slot = find_context(tails, owner, context)
    if slot < 0:
        return prior
    total = float(tails[owner, slot, _TOTAL])
    if total == 0:
        return prior
    if count > 0:
        mass = 0.0
        for bucket in range(_bucket(tails, count) + 1):
            mass += tails[owner, slot, _MASS + bucket]
        share = min((mass + 0.5) / (total + 1.0), 1.0)
    else:
        share = min((tails[owner, slot, _NEW] + 0.5) / (total + 1.0), 1.0) * math.sqrt(max(prior, 0.02))
    return max(min((total * share + 2.0 * prior) / (total + 2.0), 1.0), FLOOR)


@njit(cache=True)
def _age(tails: np.ndarray, owner: int, slot: int) -> None:
    """Halve a context before its total overflows."""
    limit = 65_000 if tails.itemsize == 2 else 4_000_000_000
    if tails[owner, slot, _TOTAL] >= limit:
        for column in range(_TOTAL, tails.shape[2]):
            tails[owner, slot, column] = tails[owner, slot, column] // 2


@njit(cache=True)
def note_new(tails: np.ndarray, owner: int, context: np.uint64) -> None:
    """Count a symbol that is new, or still on probation, in its context."""
    slot = _claim(tails, owner, context)
    _age(tails, owner, slot)
    tails[owner, slot, _TOTAL] += 1
    tails[owner, slot, _NEW] += 1
    tails[owner, slot, _MASS] += 1


@njit(cache=True)
def move_mass(tails: np.ndarray, owner: int, context: np.uint64, before: int, after: int) -> None:
    """Carry a symbol's mass from the bucket of its old count to that of its new one."""
    slot = _claim(tails, owner, context)
    if before > 0:
        bucket = _MASS + _bucket(tails, before)
        tails[owner, slot, bucket] = max(np.int64(tails[owner, slot, bucket]) - before, 0)
    tails[owner, slot, _MASS + _bucket(tails, after)] += after


@njit(cache=True)
def note_known(tails: np.ndarray, owner: int, context: np.uint64, before: int) -> None:
    """Count a known symbol once more in its context."""
    slot = _claim(tails, owner, context)
    _age(tails, owner, slot)
    tails[owner, slot, _TOTAL] += 1
    move_mass(tails, owner, context, before, before + 1)
