"""Texts of usual values: what the table of hashes (:mod:`detector.sketches.usual`) may show in an alert.

A text is taken from an event that bears it, once its agent or peers know the value; which text may be shown when is
the table's business, so that when one is dropped here changes nothing that is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from detector.intake.names import parts_of
from detector.schema.shown import cut
from detector.sketches.usual import PLACES_A_SHARD, TAKEN, Usual, count_wanted
from detector.state.shards import pack, unpack

if TYPE_CHECKING:
    from detector.schema.event import Event
    from detector.state.partition import Partition

MOST_USUAL: Final = 48
"""Letters of a usual value that are kept; of a longer one a digest says which it was."""
FEW: Final = 1_024
"""Texts from which on those that nobody shows are dropped, at each doubling of those somebody does."""
SHARD: Final = "usual/"


class UsualTexts:
    """The texts of one partition.

    Attributes
    ----------
    known : dict of int to str
        By the hash of the value: all that the table may show, and for a while what it no longer does; at most twice
        the slots of the table.
    """

    def __init__(self) -> None:
        self.known: dict[int, str] = {}
        self._most = FEW

    def prune(self, usual: Usual) -> None:
        """Drop the texts that the table does not show, if there are many; once the batch that may show them is told."""
        if len(self.known) > self._most:
            self.known = {one: self.known[one] for one in _shown(usual.rows) if one in self.known}
            self._most = FEW + 2 * len(self.known)


def keep_texts(state: Partition, events: Sequence[Event]) -> None:
    """Take the texts that the events of a batch bear and the table wants; changes the partition's texts."""
    work, ignored = state.work, state.profile.features.ignored_attributes
    columns, context = work.columns, work.context
    for i, m in context.told[: int(context.told_count[0])].tolist():
        part = parts_of(events[i], ignored)[m - int(columns.parts_end[i])]
        state.texts.known[int(columns.part[m, 1])] = cut(part.value, MOST_USUAL)
    context.told_count[0] = 0


def usual_shards(state: Partition, *, full: bool) -> dict[str, bytes]:
    """Return the shards that changed since the last snapshot, or all that hold anything."""
    usual = state.memory.usual
    taken = usual.place.reshape(-1, PLACES_A_SHARD).any(axis=1)
    blocks = np.flatnonzero(taken if full else usual.touched).tolist()
    usual.touched[:] = 0
    return {f"{SHARD}{block:04}": _shard(state, block) for block in blocks}


def _shard(state: Partition, block: int) -> bytes:
    """Return some places with their values and the texts that may be shown of them."""
    usual, span = state.memory.usual, slice(block * PLACES_A_SHARD, (block + 1) * PLACES_A_SHARD)
    rows = np.zeros(PLACES_A_SHARD, usual.rows.dtype)
    for field in rows.dtype.names or ():
        rows[field] = usual.rows[field][span]
    texts = [[value, state.texts.known[value]] for value in _shown(rows)]
    return pack({"place": usual.place[span], "rows": rows, "life": usual.life[span]}, {"texts": texts})


def restore_usual(state: Partition, held: Mapping[str, bytes]) -> None:
    """Read the table and its texts back from the shards of a snapshot; one from before the table has none."""
    usual = state.memory.usual
    for name in (name for name in held if name.startswith(SHARD)):
        arrays, facts = unpack(name, held[name], {"rows": usual.rows.dtype})
        first = int(name.removeprefix(SHARD)) * PLACES_A_SHARD
        span = slice(first, first + PLACES_A_SHARD)
        usual.place[span], usual.life[span] = arrays["place"], arrays["life"]
        usual.rows[span] = arrays["rows"]
        state.texts.known |= {int(value): str(text) for value, text in facts["texts"]}
    usual.tally[TAKEN] = np.count_nonzero(usual.place)
    count_wanted(usual)


def _shown(rows: np.ndarray) -> list[int]:
    """Return the hashes of the values whose text may be shown, each once, in order."""
    told: list[int] = np.unique(rows["value"][rows["told"] != 0]).tolist()
    return told
