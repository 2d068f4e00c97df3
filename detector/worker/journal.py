"""The journal of controls: a ring of sealed entries beside the checkpoints, in the partition they belong to.

An entry says after which input offset a control took effect, and holds the control itself, so that recovery never
depends on how long the feedback topic is kept. Entries that a checkpoint's state contains are of no use to recovery;
the ring overwrites them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from detector.errors import StateError
from detector.schema.control import JournalEntry
from detector.worker.envelope import HEADER, Place, seal, unseal

RING = 1_024
"""Entries a partition keeps. A control waits for a checkpoint rather than overwrite one that is not contained yet."""
PREFIX = b"journal#"
MOST_SEQUENCE = 2**62
"""No counting comes near it; it bounds what a forged header can make of the next number."""

_entry = msgspec.json.Decoder(JournalEntry)


class Ring(NamedTuple):
    """Whose journal it is, and the key of its digests."""

    key: bytes
    group: str
    partition: int

    def place(self, name: bytes) -> Place:
        """Return what the digest of one slot is bound to."""
        return Place(self.group, self.partition, name.decode())


def slot_of(sequence: int) -> bytes:
    """Return the record key of an entry's number.

    Examples
    --------
    >>> slot_of(1_025)
    b'journal#1'
    """
    return PREFIX + str(sequence % RING).encode()


def seal_entry(ring: Ring, entry: JournalEntry) -> bytes:
    """Return an entry in its envelope, whose epoch is the entry's number."""
    return seal(ring.key, ring.place(slot_of(entry.sequence)), entry.sequence, msgspec.json.encode(entry))


def newer(ring: Ring, name: bytes, old: bytes | None, new: bytes) -> bytes:
    """Return which of two records of one slot stands, in the order in which they lie on the topic.

    The later one, unless it is of the same number and an earlier generation: a worker that lost the partition between
    its fence and its write must not displace what the new owner wrote.
    """
    if old is None or _number(old) != _number(new):
        return new
    try:
        before, after = _opened(ring, name, old), _opened(ring, name, new)
    except StateError:
        return new
    return old if before.generation > after.generation else new


def entries_of(ring: Ring, held: Mapping[bytes, bytes], start: int = 0) -> list[JournalEntry]:
    """Return the entries from a number on, in order, every byte verified.

    Parameters
    ----------
    ring : Ring
        Whose journal.
    held : mapping
        Records of the state topic by key; those of other kinds are passed over.
    start : int, default=0
        First number wanted; older entries are not even opened.

    Raises
    ------
    StateError
        An entry is damaged, moved, or sealed with another key.
    """
    wanted = {name: blob for name, blob in held.items() if name.startswith(PREFIX) and _number(blob) >= start}
    return sorted((_opened(ring, name, blob) for name, blob in wanted.items()), key=lambda entry: entry.sequence)


def after(ring: Ring, held: Mapping[bytes, bytes], sequence: int, offset: int) -> tuple[JournalEntry, ...]:
    """Return the entries that a state does not contain.

    Parameters
    ----------
    ring : Ring
        Whose journal.
    held : mapping
        Records of the state topic by key.
    sequence : int
        First number that the state does not contain.
    offset : int
        Next input offset of the state; an entry before it is contained, whatever its number: the state was written
        by a version that knew no journal.

    Raises
    ------
    StateError
        An entry cannot be trusted, or one is missing.
    """
    entries = entries_of(ring, held, sequence)
    late = [entry for entry in entries if entry.input_offset >= offset]
    expected = sequence if len(late) == len(entries) else late[0].sequence if late else sequence
    for number, entry in enumerate(late, start=expected):
        if entry.sequence != number:
            raise StateError(
                f"journal of partition {ring.partition} must go on with entry {number}, got {entry.sequence}: "
                "controls are missing; it restarts cold from here"
            )
        entry.control()
    return tuple(late)


def next_number(held: Mapping[bytes, bytes]) -> int:
    """Return a number past every entry, also past those that cannot be opened: their headers tell theirs."""
    numbers = [_number(blob) for name, blob in held.items() if name.startswith(PREFIX)]
    return min(max(numbers, default=-1) + 1, MOST_SEQUENCE)


def _number(blob: bytes) -> int:
    """Return the number an envelope claims; who may write the topic may also drop entries, so a claim will do."""
    if len(blob) < HEADER.size:
        return -1
    return int(HEADER.unpack(blob[: HEADER.size])[3])


def _opened(ring: Ring, name: bytes, blob: bytes) -> JournalEntry:
    opened = unseal(ring.key, ring.place(name), blob)
    try:
        entry = _entry.decode(opened.payload)
    except msgspec.DecodeError as exc:
        raise StateError(f"entry {name.decode()} of the journal must be one of ours, got {exc}: cold start") from exc
    if entry.sequence != opened.epoch or entry.partition != ring.partition:
        raise StateError(
            f"entry {name.decode()} of the journal must be number {opened.epoch} of partition {ring.partition}, "
            f"got {entry.sequence} of {entry.partition}: it restarts cold from here"
        )
    return entry
