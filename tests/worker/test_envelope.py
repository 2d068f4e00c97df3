"""Remembered bytes are verified before anything parses them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import StateError
from detector.worker.envelope import HEADER, Place, seal, unseal

KEY = b"k" * 32
HERE = Place("detector", 3, "agents-1")


@given(payload=st.binary(max_size=5_000), epoch=st.integers(0, 2**63))
@settings(max_examples=60)
def test_what_is_sealed_comes_back_with_its_epoch(payload: bytes, epoch: int) -> None:
    """Any payload survives the round trip."""
    assert unseal(KEY, HERE, seal(KEY, HERE, epoch, payload)) == (epoch, payload)


def test_compressible_bytes_are_packed_and_others_are_not() -> None:
    """Packing is kept only where it helps."""
    zeros = bytes(100_000)
    noise = bytes((i * i * 7919 >> 3) & 0xFF for i in range(200))
    assert len(seal(KEY, HERE, 1, zeros)) < 2_000
    assert unseal(KEY, HERE, seal(KEY, HERE, 1, zeros)).payload == zeros
    assert len(seal(KEY, HERE, 1, noise)) == HEADER.size + 32 + len(noise)


@given(at=st.integers(0, 400), flip=st.integers(1, 255))
@settings(max_examples=100)
def test_one_flipped_byte_anywhere_is_refused(at: int, flip: int) -> None:
    """No byte of header, digest or payload can be changed unseen."""
    blob = bytearray(seal(KEY, HERE, 7, bytes(range(256)) * 2))
    at %= len(blob)
    blob[at] ^= flip
    with pytest.raises(StateError):
        unseal(KEY, HERE, bytes(blob))


@pytest.mark.parametrize("length", [0, 1, HEADER.size, HEADER.size + 31, 80])
def test_a_truncated_blob_is_refused(length: int) -> None:
    """Too short is refused, wherever it was cut."""
    with pytest.raises(StateError):
        unseal(KEY, HERE, seal(KEY, HERE, 7, bytes(range(200)))[:length])


@pytest.mark.parametrize(
    "elsewhere", [HERE._replace(partition=4), HERE._replace(shard="agents-2"), HERE._replace(group="other")]
)
def test_a_blob_moved_to_another_place_is_refused(elsewhere: Place) -> None:
    """The digest binds a blob to its group, partition and shard."""
    with pytest.raises(StateError, match="digest was made for"):
        unseal(KEY, elsewhere, seal(KEY, HERE, 7, b"state"))


def test_another_key_is_refused() -> None:
    """A worker with another state_key does not read it."""
    with pytest.raises(StateError, match="state_key"):
        unseal(b"x" * 32, HERE, seal(KEY, HERE, 7, b"state"))
