"""What an open session has noted, to be learned when it closes: packed into words here, and unpacked here."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.memory.layout import CHANNELS, CHUNK, OBSERVED, Chunks, take_chunk


@njit(cache=True)
def note_observation(
    session: np.void, chunks: Chunks, words: tuple[np.uint64, np.uint64, np.uint64, np.uint64]
) -> None:
    """Remember one observation, to be learned when the session closes."""
    count, ends = session["count"], session["chunk"]
    place = np.int64(count[OBSERVED]) % CHUNK
    if place == 0:
        taken = take_chunk(chunks)
        if ends[1] < 0:
            ends[0] = taken
        else:
            chunks.following[ends[1]] = taken
        ends[1] = taken
    row = chunks.cells[ends[1], place]
    for k in range(4):
        row[k] = words[k]
    count[OBSERVED] += 1


PART, STEP, QUANTITY = np.uint64(1), np.uint64(2), np.uint64(3)


TYPE = np.uint64(15)


LEVEL, FAILED, FIRST, ORIGIN, IS_TARGET = (np.uint64(n) for n in (4, 7, 8, 9, 11))


ONE = np.uint64(1)


PLACE = ~np.uint64(0xFFF)


@njit(cache=True)
def note_part(
    session: np.void, chunks: Chunks, tool: np.uint64, part: np.ndarray, notes: tuple[int, int, int, int, int]
) -> None:
    """Remember a target part or an argument; ``notes``: level, failed, first in session, origin, is target."""
    level, failed, first, origin, is_target = notes
    word = (part[2] & PLACE) | PART | (np.uint64(level) << LEVEL) | (np.uint64(failed) << FAILED)
    word |= (np.uint64(first) << FIRST) | (np.uint64(origin) << ORIGIN) | (np.uint64(is_target) << IS_TARGET)
    note_observation(session, chunks, (tool, part[0], part[1], word))


@njit(cache=True)
def note_step(
    session: np.void, chunks: Chunks, tool: np.uint64, target: np.uint64, failed: int,
    bins: np.ndarray, residual: np.ndarray,
) -> None:  # fmt: skip
    """Remember an action: what came before, its outcome, the bins of its channels and its residuals."""
    word = (target & PLACE) | STEP | (np.uint64(failed) << FAILED)
    before = session["previous"]
    note_observation(session, chunks, (tool, before[0], before[1], word))
    low = high = np.uint64(0)
    for k in range(8):
        low |= np.uint64(bins[k]) << np.uint64(8 * k)
    for k in range(8, len(CHANNELS)):
        high |= np.uint64(bins[k]) << np.uint64(8 * (k - 8))
    note_observation(session, chunks, (low, high, np.uint64(0), np.uint64(0)))
    words = residual.view(np.uint64)
    note_observation(session, chunks, (words[0], words[1], words[2], words[3]))
    note_observation(session, chunks, (words[4], words[5], words[6], np.uint64(0)))


@njit(cache=True)
def note_quantity(session: np.void, chunks: Chunks, own_key: np.uint64, peer_key: np.uint64, x: float) -> None:
    """Remember a number under the agent's key, the group's key, or both; 0 stands for no key."""
    bits = np.float64(x).view(np.uint64)
    note_observation(session, chunks, (own_key, peer_key, bits, QUANTITY))
