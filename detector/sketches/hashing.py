"""Hashes of strings and of tuples of hashes: the only names the kernels know things by.

64 bits. What a sender may choose is hashed with SipHash-1-3 under a key of 128 bits, so that nobody without the key can
search for two texts that share a hash, or a part of one, other than by sending them. Two names that collide would share
a memory, at odds of about n^2 / 2^65 for n distinct names (``docs/science.md``, *Hashing and memory*).

References
----------
.. [1] Aumasson & Bernstein (2012). SipHash: a fast short-input PRF. INDOCRYPT.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from detector.sketches.kernel import kernel

_A = np.uint64(0xFF51AFD7ED558CCD)
_B = np.uint64(0xC4CEB9FE1A85EC53)
_S33 = np.uint64(33)
_S29 = np.uint64(29)
_S8 = np.uint64(8)
_S32 = np.uint64(32)
_S13, _S51, _S16, _S48, _S17, _S47, _S21, _S43 = (np.uint64(bits) for bits in (13, 51, 16, 48, 17, 47, 21, 43))
_V0, _V1, _V2, _V3 = (
    np.uint64(int.from_bytes(text, "big")) for text in (b"somepseu", b"dorandom", b"lygenera", b"tedbytes")
)
_S56, _END = np.uint64(56), np.uint64(0xFF)
_FOR_NAMES, _FOR_DIGESTS = b"detector names", b"detector digest"
"""What a secret is used for here: the same secret gives other keys elsewhere."""


class HashKey(NamedTuple):
    """The two halves of a key; never shown, it is as secret as what it was made of."""

    first: np.uint64
    second: np.uint64

    def __repr__(self) -> str:
        return "HashKey(...)"


PUBLIC_KEY = HashKey(np.uint64(0x9E3779B97F4A7C15), np.uint64(0xF39CC0605CEDC834))
"""The key where no secret was given: 128 bits of the golden ratio."""


def hash_key(secret: str | None) -> HashKey:
    """Return the key a deployment's secret gives; without one the public key of replays and tests."""
    if not secret:
        return PUBLIC_KEY
    made = hashlib.blake2b(secret.encode(), digest_size=16, person=_FOR_NAMES).digest()
    return HashKey(np.uint64(int.from_bytes(made[:8], "little")), np.uint64(int.from_bytes(made[8:], "little")))


def digest_of(key: HashKey) -> str:
    """Return what tells one key from another and gives neither away: 16 hexadecimal digits."""
    raw = b"".join(int(half).to_bytes(8, "little") for half in key)
    return hashlib.blake2b(raw, digest_size=8, person=_FOR_DIGESTS).hexdigest()


@kernel
def mix(left: np.uint64, right: np.uint64) -> np.uint64:
    """Return the hash of an ordered pair of hashes; it has no key, what goes in has.

    Finaliser constants of MurmurHash3 [1]_.

    References
    ----------
    .. [1] Appleby, A. (2011). MurmurHash3, ``fmix64``.
    """
    x = (left ^ (right >> _S32)) * _A + right
    x ^= x >> _S33
    x *= _B
    return x ^ (x >> _S29)


@kernel
def _turn(a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the four words after one round of SipHash."""
    a += b
    c += d
    b = ((b << _S13) | (b >> _S51)) ^ a
    d = ((d << _S16) | (d >> _S48)) ^ c
    a = (a << _S32) | (a >> _S32)
    c += b
    a += d
    b = ((b << _S17) | (b >> _S47)) ^ c
    d = ((d << _S21) | (d >> _S43)) ^ a
    c = (c << _S32) | (c >> _S32)
    return a, b, c, d


@kernel
def _eight_bytes(buffer: np.ndarray, at: np.uint64) -> np.uint64:
    """Return eight bytes as a number; the place has no sign, so that the compiler makes one load of them."""
    word = np.uint64(0)
    for k in range(8):
        word |= np.uint64(buffer[at + np.uint64(k)]) << np.uint64(8 * k)
    return word


@kernel
def hash_bytes(buffer: np.ndarray, start: int, stop: int, key: HashKey) -> np.uint64:
    """Return the hash of ``buffer[start:stop]`` (uint8) under a key: SipHash-1-3, eight bytes a step."""
    a, b, c, d = key.first ^ _V0, key.second ^ _V1, key.first ^ _V2, key.second ^ _V3
    at = start
    while at + 8 <= stop:
        word = _eight_bytes(buffer, np.uint64(at))
        a, b, c, d = _turn(a, b, c, d ^ word)
        a ^= word
        at += 8
    word = np.uint64(stop - start) << _S56
    shift = np.uint64(0)
    while at < stop:
        word |= np.uint64(buffer[at]) << shift
        shift += _S8
        at += 1
    a, b, c, d = _turn(a, b, c, d ^ word)
    a, b, c, d = _turn(a ^ word, b, c ^ _END, d)
    a, b, c, d = _turn(a, b, c, d)
    a, b, c, d = _turn(a, b, c, d)
    return a ^ b ^ c ^ d


def hash_text(text: str, key: HashKey = PUBLIC_KEY) -> np.uint64:
    """Return the hash of a string's UTF-8 bytes under a key, as the kernels see it."""
    raw = np.frombuffer(text.encode(), dtype=np.uint8)
    with np.errstate(over="ignore"):
        return np.uint64(hash_bytes(raw, 0, len(raw), key))
