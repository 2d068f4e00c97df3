"""The audit log as a hash chain per tenant: what is edited, dropped or moved shows."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from detector.schema.command import GENESIS, PolicyLogEntry

if TYPE_CHECKING:
    from collections.abc import Iterable


class Link(Protocol):
    """What the chain needs of an entry: a whole :class:`PolicyLogEntry`, or just this of it."""

    @property
    def tenant(self) -> str:
        """Whose chain."""

    @property
    def sequence(self) -> int:
        """Number of the entry, from 1."""

    @property
    def hash(self) -> str:
        """Its digest as it stands: an entry of a newer version links all the same."""


class Head(NamedTuple):
    """Where a tenant's chain ends: number and hash of its last entry."""

    sequence: int = 0
    hash: str = GENESIS


def heads(entries: Iterable[Link]) -> dict[str, Head]:
    """Return each tenant's last entry; the entries may come in any order.

    Of a log with one partition any end of it that has an entry of a tenant has its last one. Of a log with several,
    in which a tenant's entries lie here and there because it is keyed by subject, only the whole will do.
    """
    found: dict[str, Head] = {}
    for entry in entries:
        if entry.sequence > found.get(entry.tenant, Head()).sequence:
            found[entry.tenant] = Head(entry.sequence, entry.hash)
    return found


def verify(entries: Iterable[PolicyLogEntry], start: Head | None = None) -> list[str]:
    """Return every fault of one tenant's log, one sentence each; an empty list means the chain holds.

    Parameters
    ----------
    entries : iterable of PolicyLogEntry
        All entries of one tenant, in any order. A record delivered twice counts once.
    start : Head or None
        Entry before the first one, if the log was cut by retention.

    Returns
    -------
    list of str
        Names the sequence numbers. A log that lost its tail verifies: only somebody who
        remembers the last head can see that. Two entries with one number mean that two
        stages wrote at once (or that somebody forged one).
    """
    unique = {(entry.sequence, entry.hash): entry for entry in entries}
    faults: list[str] = []
    sequence, tips = start.sequence if start else 0, {start.hash if start else GENESIS}
    for number, group in groupby(sorted(unique), key=itemgetter(0)):
        found = [unique[key] for key in group]
        faults += [f"entry {number} was edited: its hash does not fit" for one in found if one.hash != one.digest()]
        if len(found) > 1:
            faults.append(f"entry {number} stands {len(found)} times: two writers, or a forgery")
        if number != sequence + 1:
            faults.append(f"entries {sequence + 1} to {number - 1} are missing")
        elif any(one.previous not in tips for one in found):
            faults.append(f"entry {number} does not follow entry {sequence}: one of them was replaced")
        sequence, tips = number, {one.hash for one in found}
    return faults
