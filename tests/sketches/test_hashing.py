"""Hashes of texts: SipHash under a key, and what a secret gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.sketches.hashing import PUBLIC_KEY, HashKey, digest_of, hash_bytes, hash_key, hash_text

ZERO = HashKey(np.uint64(0), np.uint64(0))
HALVES = st.integers(0, 2**64 - 1).map(np.uint64)
KEYS = st.builds(HashKey, HALVES, HALVES)
LOW = np.uint64(0xFFFF)


def hashed(raw: bytes, key: HashKey) -> int:
    """Return the hash of bytes that need not be a text."""
    return int(hash_bytes(np.frombuffer(raw, np.uint8), 0, len(raw), key))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", 4644417185603328019),
        ("target", 4910923944995468643),
        ("twelve bytes", 12801197783337660906),
        ("ü", 7498400204538634261),
        ("x" * 40, 2303902467218227611),
    ],
)
def test_the_hash_is_siphash_1_3_as_python_has_it(text: str, expected: int) -> None:
    """``hash(text.encode())`` of a CPython with ``PYTHONHASHSEED=0``, whose key is zero."""
    assert hash_text(text, ZERO) == expected


def test_the_hash_of_nothing_is_that_of_the_paper() -> None:
    """With the key of the paper's vectors, the bytes 0 to 15; Rust's standard library keeps the same."""
    first, second = np.frombuffer(bytes(range(16)), np.uint64)
    assert hashed(b"", HashKey(first, second)) == int.from_bytes(bytes.fromhex("dcc40f055801acab"), "little")


@given(raw=st.binary(min_size=16, max_size=24), key=KEYS)
def test_no_difference_of_two_texts_is_forgotten_under_every_key(raw: bytes, key: HashKey) -> None:
    """A hash that multiplies and shifts forgets the highest bit of a word if two bits of the next one follow it."""
    words = np.frombuffer(raw[:16], np.uint64) ^ np.array([1 << 63, 1 << 63 | 1 << 30], np.uint64)
    assert hashed(words.tobytes() + raw[16:], key) != hashed(raw, key)


@given(raw=st.binary(min_size=1, max_size=40), key=KEYS, data=st.data())
def test_one_bit_of_a_text_or_of_a_key_changes_about_half_of_the_hash(
    raw: bytes, key: HashKey, data: st.DataObject
) -> None:
    """Ten bits of 64 at least, whichever it is: a hash that keeps more is one to search in."""
    before = hashed(raw, key)
    at = data.draw(st.integers(0, 8 * len(raw) - 1))
    other = bytearray(raw)
    other[at // 8] ^= 1 << at % 8
    assert 10 <= (before ^ hashed(bytes(other), key)).bit_count() <= 54
    turned = HashKey(key.first ^ np.uint64(1 << data.draw(st.integers(0, 63))), key.second)
    assert 10 <= (before ^ hashed(raw, turned)).bit_count() <= 54


def test_texts_that_share_the_low_16_bits_under_one_key_share_them_under_another_by_chance_alone() -> None:
    """Of some thousand pairs found under the public key, none or one is a pair under a secret one."""
    texts = [f"user{n}@evil.example" for n in range(20_000)]
    secret = hash_key("a secret of the group")
    marks = [int(hash_text(text) & LOW) for text in texts]
    others = [int(hash_text(text, secret) & LOW) for text in texts]
    seen: dict[int, int] = {}
    pairs = [(seen.setdefault(mark, n), n) for n, mark in enumerate(marks) if seen.setdefault(mark, n) != n]
    assert len(pairs) > 2_000
    assert sum(others[a] == others[b] for a, b in pairs) <= 2


def test_a_secret_gives_a_key_of_its_own_and_none_gives_the_public_one() -> None:
    """The same on every machine: hashes are written into state."""
    assert hash_key(None) == hash_key("") == PUBLIC_KEY
    assert len({hash_key(secret) for secret in ("a", "b", "a ", "a" * 64, "a" * 65, "ü")} | {PUBLIC_KEY}) == 7
    assert [hex(half) for half in hash_key("a secret of the group")] == OF_A_SECRET


def test_what_tells_keys_apart_does_not_give_them_away() -> None:
    """Neither digest nor what is printed holds the key or its secret."""
    keys = [hash_key(secret) for secret in (None, "a", "b")]
    assert len({digest_of(key) for key in keys}) == 3
    for key in keys:
        assert len(digest_of(key)) == 16
        assert not {f"{int(half):016x}" for half in key} & {digest_of(key)}
        assert str(int(key.first)) not in repr(key)


OF_A_SECRET = ["0x185d2c5dd7516d59", "0x521c44bc07d9e4a9"]
