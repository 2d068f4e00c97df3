"""What an open session has noted, to be learned when it closes: each kind of row packed and unpacked side by side.

A row is four words of 64 bits. The first row of a kind names it in the low bits of its last word; where a row holds a
target or coarse place, that word carries it above its low 12 bits.

========  ====================  ====================  ====================  =================================
kind      word 0                word 1                word 2                word 3
========  ====================  ====================  ====================  =================================
PART      tool                  argument's name       value                 place | notes | PART
STEP      tool                  tool before           tool before that      target | failed | STEP
  then    bins of channels 0-7  bins 8-15             bins 16-23            bins 24-31
  then    measures 0-3, as the bits of doubles
  then    measures 4-7
CONTEXT   tool                  argument's name       value                 place | CONTEXT
QUANTITY  agent's key or 0      peers' key or 0       bits of the number    QUANTITY
========  ====================  ====================  ====================  =================================
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.intake.columns import MAX_NUMBERS, MAX_PARTS, PLACE
from detector.memory.layout import CHUNK, HEAD, LAST, OBSERVED, Chunks, take_chunk
from detector.sketches.kernel import kernel

PART, STEP, QUANTITY, CONTEXT = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
STEP_ROWS = 4
_READING_ROWS = 2
_GAP_ROWS = 1
_NAME_ROWS = 1
_COUNTED = 2 * MAX_PARTS + _NAME_ROWS + MAX_NUMBERS + _GAP_ROWS + STEP_ROWS + _READING_ROWS
MOST_OF_ONE_EVENT = -(-_COUNTED // CHUNK) * CHUNK
"""Rows that one event can leave at most, rounded up to whole chunks: 104 are counted, 128 held free."""

_KIND = np.uint64(15)
_LEVEL, _FAILED, _FIRST, _ORIGIN, _IS_TARGET = (np.uint64(bit) for bit in (4, 7, 8, 9, 11))
"""Where each note starts in the last word."""
_IS_READ, _HAS_VALUES, _TELLS, _DENIED = (np.uint64(bit) for bit in (8, 9, 10, 11))
"""The same for a step."""
_ONE, _TWO_BITS, _THREE_BITS = np.uint64(1), np.uint64(3), np.uint64(7)
_NOTHING = np.uint64(0)
_BYTE = np.uint64(255)


class PartNotes(NamedTuple):
    """Notes of a target part or an argument."""

    place: np.uint64
    level: int
    failed: int
    is_first: bool
    origin: int
    is_target: bool


class StepNotes(NamedTuple):
    """Notes of an action."""

    target: np.uint64
    failed: int
    is_read: bool
    has_values: bool
    tells: bool
    denied: bool


@kernel
def _note_row(session: np.void, chunks: Chunks, words: tuple[np.uint64, np.uint64, np.uint64, np.uint64]) -> None:
    """Append one row to a session's notes; the caller has made sure that there is a free chunk."""
    count, ends = session["count"], session["chunk"]
    place = np.int64(count[OBSERVED]) % CHUNK
    if place == 0:
        taken = take_chunk(chunks)
        if ends[LAST] < 0:
            ends[HEAD] = taken
        else:
            chunks.following[ends[LAST]] = taken
        ends[LAST] = taken
    row = chunks.cells[ends[LAST], place]
    for k in range(4):
        row[k] = words[k]
    count[OBSERVED] += 1


@kernel
def row_after(chunks: Chunks, chunk: int, place: int) -> tuple[int, int]:
    """Return the chunk and place of the row after this one."""
    return (chunk, place + 1) if place + 1 < CHUNK else (np.int64(chunks.following[chunk]), 0)


@kernel
def kind_of(row: np.ndarray) -> np.uint64:
    """Return PART, STEP, QUANTITY or CONTEXT, from the first row of a kind."""
    return row[3] & _KIND


@kernel
def note_part(
    session: np.void, chunks: Chunks, tool: np.uint64, part: np.ndarray, notes: tuple[int, int, int, int, int]
) -> None:
    """Note a target part or an argument; ``notes``: level, failed, first in session, origin, is target."""
    level, failed, first, origin, is_target = notes
    word = (part[2] & PLACE) | PART | (np.uint64(level) << _LEVEL) | (np.uint64(failed) << _FAILED)
    word |= (np.uint64(first) << _FIRST) | (np.uint64(origin) << _ORIGIN) | (np.uint64(is_target) << _IS_TARGET)
    _note_row(session, chunks, (tool, part[0], part[1], word))


@kernel
def part_of(row: np.ndarray) -> PartNotes:
    """Return what :func:`note_part` put into the last word."""
    word = row[3]
    return PartNotes(
        word & PLACE,
        np.int64((word >> _LEVEL) & _THREE_BITS),
        np.int64((word >> _FAILED) & _ONE),
        (word >> _FIRST) & _ONE != 0,
        np.int64((word >> _ORIGIN) & _TWO_BITS),
        (word >> _IS_TARGET) & _ONE != 0,
    )


@kernel
def note_context(
    session: np.void, chunks: Chunks, tool: np.uint64, name: np.uint64, value: np.uint64, place: np.uint64
) -> None:
    """Note a value of an event that is only context: its keys will be known, and no level is learned from it."""
    _note_row(session, chunks, (tool, name, value, (place & PLACE) | CONTEXT))


@kernel
def note_step(
    session: np.void, chunks: Chunks, tool: np.uint64, target: np.uint64, notes: tuple[int, int, int, int, int],
    bins: np.ndarray, measures: np.ndarray,
) -> None:  # fmt: skip
    """Note an action in four rows: what came before and its notes, the bins of its channels, its measures.

    ``notes``: failed, is a read, has values, tells where its values came from, was denied.
    """
    before = session["previous"]
    failed, is_read, has_values, tells, denied = notes
    word = (target & PLACE) | STEP | (np.uint64(failed) << _FAILED) | (np.uint64(is_read) << _IS_READ)
    word |= (np.uint64(has_values) << _HAS_VALUES) | (np.uint64(tells) << _TELLS) | (np.uint64(denied) << _DENIED)
    _note_row(session, chunks, (tool, before[0], before[1], word))
    first = second = third = fourth = _NOTHING
    for k in range(len(bins)):
        word = np.uint64(bins[k]) << np.uint64(8 * (k % 8))
        if k < 8:
            first |= word
        elif k < 16:
            second |= word
        elif k < 24:
            third |= word
        else:
            fourth |= word
    _note_row(session, chunks, (first, second, third, fourth))
    words = measures.view(np.uint64)
    _note_row(session, chunks, (words[0], words[1], words[2], words[3]))
    _note_row(session, chunks, (words[4], words[5], words[6], words[7] if len(words) > 7 else _NOTHING))


@kernel
def step_of(row: np.ndarray) -> StepNotes:
    """Return what :func:`note_step` put into the last word of a step's first row."""
    word = row[3]
    return StepNotes(
        word & PLACE,
        np.int64((word >> _FAILED) & _ONE),
        (word >> _IS_READ) & _ONE != 0,
        (word >> _HAS_VALUES) & _ONE != 0,
        (word >> _TELLS) & _ONE != 0,
        (word >> _DENIED) & _ONE != 0,
    )


@kernel
def bin_in(row: np.ndarray, channel: int) -> int:
    """Return the bin of a channel, from a step's second row."""
    return np.int64((row[channel // 8] >> np.uint64(8 * (channel % 8))) & _BYTE)


@kernel
def measures_in(third: np.ndarray, fourth: np.ndarray, out: np.ndarray) -> None:
    """Write an action's measures, from a step's third and fourth row."""
    early, late = third.view(np.float64), fourth.view(np.float64)
    for k in range(len(out)):
        out[k] = early[k] if k < 4 else late[k - 4]


@kernel
def note_quantity(session: np.void, chunks: Chunks, own_key: np.uint64, peer_key: np.uint64, x: float) -> None:
    """Note a number under the agent's key, the group's key, or both; 0 stands for no key."""
    _note_row(session, chunks, (own_key, peer_key, np.float64(x).view(np.uint64), QUANTITY))


@kernel
def quantity_of(row: np.ndarray) -> float:
    """Return the number that :func:`note_quantity` noted."""
    return np.uint64(row[2]).view(np.float64)
