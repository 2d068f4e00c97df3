"""Hashes of strings and of tuples of hashes: the only names the kernels know things by.

64 bits, seeded by :data:`SEED`; two names that collide would share a memory, at odds of
about n^2 / 2^65 for n distinct names (``docs/science.md``, *Hashing and memory*).
"""

from __future__ import annotations

import numpy as np
from numba import njit

SEED = np.uint64(0x9E3779B97F4A7C15)
_A = np.uint64(0xFF51AFD7ED558CCD)
_B = np.uint64(0xC4CEB9FE1A85EC53)
_S33 = np.uint64(33)
_S29 = np.uint64(29)
_S8 = np.uint64(8)
_S32 = np.uint64(32)


@njit(cache=True)
def mix(left: np.uint64, right: np.uint64) -> np.uint64:
    """Return the hash of an ordered pair of hashes.

    Finaliser constants of MurmurHash3 [1]_.

    References
    ----------
    .. [1] Appleby, A. (2011). MurmurHash3, ``fmix64``.
    """
    x = (left ^ (right >> _S32)) * _A + right
    x ^= x >> _S33
    x *= _B
    return x ^ (x >> _S29)


@njit(cache=True)
def hash_bytes(buffer: np.ndarray, start: int, stop: int, seed: np.uint64) -> np.uint64:
    """Return the hash of ``buffer[start:stop]`` (uint8), eight bytes a step."""
    state = seed ^ np.uint64(stop - start)
    at = start
    while at + 8 <= stop:
        word = np.uint64(0)
        for k in range(8):
            word |= np.uint64(buffer[at + k]) << np.uint64(8 * k)
        state = (state ^ word) * _A
        state ^= state >> _S33
        at += 8
    word = np.uint64(0)
    while at < stop:
        word = (word << _S8) | np.uint64(buffer[at])
        at += 1
    return mix(state, word)


def hash_text(text: str, seed: np.uint64 = SEED) -> np.uint64:
    """Return the hash of a string's UTF-8 bytes, as the kernels see it."""
    raw = np.frombuffer(text.encode(), dtype=np.uint8)
    with np.errstate(over="ignore"):
        return np.uint64(hash_bytes(raw, 0, len(raw), seed))
