"""Looking for any of a few pieces of text in the bytes of an event, upper and lower case alike, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from detector.sketches.kernel import kernel

SLOTS: Final = 4_096
"""Slots that three bytes fall into; a power of two, so that the bytes before them leave no trace."""
_BEGIN: Final = 3
_BITS, _SLOT = np.uint64(4), np.uint64(SLOTS - 1)
_LOWER, _ONE = np.uint64(0x20), np.uint64(1)


class Pieces(NamedTuple):
    """Pieces by how they begin: so that of most places in a text one look shows that none of them is there.

    Parameters
    ----------
    begins : ndarray of uint8, shape (4096,)
        Of three bytes, by their slot, the number of a piece that begins so, from 1 on; 0 where none does.
    following : ndarray of uint8, shape (n,)
        Of each piece the number of another that begins in the same slot; 0 where there is none.
    letters : ndarray of uint8
        The pieces in lower case, one behind the other.
    ends : ndarray of int64, shape (n + 1,)
        Where each of them ends; entry 0 is 0.
    """

    begins: np.ndarray
    following: np.ndarray
    letters: np.ndarray
    ends: np.ndarray


def pieces_of(texts: Sequence[str]) -> Pieces:
    """Return pieces in the form the kernel reads.

    Raises
    ------
    ValueError
        One of them is shorter than three letters or not ASCII, or there are more than 255.
    """
    if len(texts) > 255 or any(len(one) < _BEGIN or not one.isascii() for one in texts):
        msg = f"pieces must be at most 255, of three ASCII letters or more, got {list(texts)}"
        raise ValueError(msg)
    lowered = [one.lower().encode() for one in texts]
    begins, following = np.zeros(SLOTS, np.uint8), np.zeros(len(texts), np.uint8)
    for number, piece in enumerate(lowered):
        slot = 0
        for byte in piece[:_BEGIN]:
            slot = ((slot << 4) ^ (byte | 0x20)) % SLOTS
        following[number], begins[slot] = begins[slot], number + 1
    ends = np.cumsum([0, *map(len, lowered)]).astype(np.int64)
    return Pieces(begins, following, np.frombuffer(b"".join(lowered) or b"\0", np.uint8).copy(), ends)


@kernel
def has_piece(buffer: np.ndarray, start: int, stop: int, pieces: Pieces) -> bool:
    """Tell whether any of the pieces is in ``buffer[start:stop]``."""
    slot = np.uint64(0)
    for at in range(start, stop):
        # every letter as if it were a small one: a few others look alike, and are told apart below
        slot = ((slot << _BITS) ^ (np.uint64(buffer[np.uint64(at)]) | _LOWER)) & _SLOT
        number = pieces.begins[slot]
        while number:
            if _is_at(buffer, at + 1 - _BEGIN, stop, pieces, np.int64(number) - 1, start):
                return True
            number = pieces.following[np.int64(number) - 1]
    return False


@kernel
def _is_at(buffer: np.ndarray, at: int, stop: int, pieces: Pieces, piece: int, start: int) -> bool:
    """Tell whether a piece begins at a place of the text."""
    first, end = pieces.ends[piece], pieces.ends[piece + 1]
    if at < start or at + end - first > stop:
        return False
    for k in range(end - first):
        byte = buffer[at + k]
        if 65 <= byte <= 90:
            byte |= 0x20
        if byte != pieces.letters[first + k]:
            return False
    return True
