"""How rare a symbol is in a context: the mass of symbols at most as frequent.

A context keeps its total, how often something new was met, and the mass of its symbols in
buckets of log2 of their count; the counts themselves are kept by :mod:`detector.sketches.keys`. Formulas and
constants: ``docs/science.md``, *Sequence*.

References
----------
.. [1] Vovk, Gammerman & Shafer (2005). *Algorithmic Learning in a Random World*, ch. 2.
"""

from __future__ import annotations

import math

import numpy as np

from detector.sketches.kernel import kernel
from detector.sketches.survival import HALF

PROBES = 8
"""Slots a context may stand in, from its home on."""
_TAG, _TOTAL, _NEW, _MASS = 0, 1, 2, 3
FLOOR = 1e-9
"""No symbol is rarer than this."""
PRIOR_WEIGHT = 2.0
"""Observations that the coarser context's answer weighs as."""
LEAST_PRIOR = 0.02
"""What a symbol unseen here counts as elsewhere at least, when the mass of the new is shared out."""
NARROW_LIMIT, WIDE_LIMIT = 65_000, 4_000_000_000
"""Total at which a context is halved, before its cells overflow."""
NARROW, WIDE = 12, 23
"""Columns of a context: tag, total, new, then one bucket per bit of a count; of uint16 (agents) or uint32 (groups)."""


@kernel
def _tag(tails: np.ndarray, context: np.uint64) -> int:
    bits = np.uint64(8 * tails.itemsize)
    return np.int64(context >> (np.uint64(64) - bits)) | 1


@kernel
def find_context(tails: np.ndarray, context: np.uint64) -> int:
    """Return the slot of a context, or -1."""
    slots = len(tails)
    tag = _tag(tails, context)
    home = np.int64(context % np.uint64(slots))
    for probe in range(PROBES):
        slot = (home + probe) % slots
        if tails[slot, _TAG] == tag:
            return slot
        if tails[slot, _TAG] == 0:
            return -1
    return -1


@kernel
def _claim(tails: np.ndarray, context: np.uint64) -> int:
    """Return the slot of a context, making room for it in place of the least used of its neighbours."""
    slot = find_context(tails, context)
    if slot >= 0:
        return slot
    slots = len(tails)
    home = np.int64(context % np.uint64(slots))
    best = home
    for probe in range(PROBES):
        slot = (home + probe) % slots
        if tails[slot, _TAG] == 0:
            best = slot
            break
        if tails[slot, _TOTAL] < tails[best, _TOTAL]:
            best = slot
    tails[best, :] = 0
    tails[best, _TAG] = _tag(tails, context)
    return best


@kernel
def _bucket(tails: np.ndarray, count: int) -> int:
    bits = 0
    while count:
        bits += 1
        count >>= 1
    return min(bits, tails.shape[1] - _MASS - 1)


@kernel
def blend(tails: np.ndarray, context: np.uint64, count: int, prior: float) -> float:
    """Return the tail probability of a symbol, backed off to `prior`.

    Parameters
    ----------
    tails : ndarray of uint16 or uint32, shape (contexts, 12 or 23)
        Contexts of one owner.
    context : uint64
    count : int
        How often this symbol was counted in this context; 0 if never.
    prior : float
        The same probability in the next coarser context; weighs as two observations.
    """
    slot = find_context(tails, context)
    if slot < 0:
        return prior
    total = np.float64(tails[slot, _TOTAL])
    if total == 0:
        return prior
    if count > 0:
        mass = 0.0
        for bucket in range(_bucket(tails, count) + 1):
            mass += tails[slot, _MASS + bucket]
        share = min((mass + HALF) / (total + 1.0), 1.0)
    else:
        share = min((tails[slot, _NEW] + HALF) / (total + 1.0), 1.0) * math.sqrt(max(prior, LEAST_PRIOR))
    return max(min((total * share + PRIOR_WEIGHT * prior) / (total + PRIOR_WEIGHT), 1.0), FLOOR)


@kernel
def _age(tails: np.ndarray, slot: int) -> None:
    """Halve a context before its total overflows."""
    limit = NARROW_LIMIT if tails.itemsize == 2 else WIDE_LIMIT
    if tails[slot, _TOTAL] >= limit:
        for column in range(_TOTAL, tails.shape[1]):
            tails[slot, column] = tails[slot, column] // 2


@kernel
def note_new(tails: np.ndarray, context: np.uint64) -> None:
    """Count a symbol that is new, or still on probation, in its context."""
    slot = _claim(tails, context)
    _age(tails, slot)
    tails[slot, _TOTAL] += 1
    tails[slot, _NEW] += 1
    tails[slot, _MASS] += 1


@kernel
def move_mass(tails: np.ndarray, context: np.uint64, before: int, after: int) -> None:
    """Carry a symbol's mass from the bucket of its old count to that of its new one."""
    slot = _claim(tails, context)
    if before > 0:
        bucket = _MASS + _bucket(tails, before)
        tails[slot, bucket] = max(np.int64(tails[slot, bucket]) - before, 0)
    tails[slot, _MASS + _bucket(tails, after)] += after


@kernel
def note_known(tails: np.ndarray, context: np.uint64, before: int) -> None:
    """Count a known symbol once more in its context."""
    slot = _claim(tails, context)
    _age(tails, slot)
    tails[slot, _TOTAL] += 1
    move_mass(tails, context, before, before + 1)
