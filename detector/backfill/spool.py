"""Events of many files, put into the order of their times without holding them in memory."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from detector.errors import SetupError
from detector.schema.event import Event

MAX_EVENTS: Final = 5_000_000
"""Events of one run: 24 bytes of memory for each, and a set of their ids."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = _EPOCH.resolution


class Spool:
    """Takes events in any order, each id once, and gives their bytes back in the order of time.

    The bytes are in a temporary file without a name; events of one time keep the order in which they came.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the spool
        self._ids: set[int] = set()
        self._times, self._places, self._sizes = array("q"), array("q"), array("q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._times)

    def has(self, event_id: str) -> bool:
        """Return whether an event of this id was taken."""
        return hash(event_id) in self._ids

    def add(self, event: Event) -> bool:
        """Take an event; False if one of its id was taken before.

        Raises
        ------
        SetupError
            There are too many.
        """
        mark = hash(event.event_id)
        if mark in self._ids:
            return False
        if len(self._times) >= MAX_EVENTS:
            raise SetupError(f"events of a backfill must be at most {MAX_EVENTS}: add --since, or name fewer paths")
        raw = msgspec.json.encode(event)
        self._ids.add(mark)
        self._times.append((event.ts - _EPOCH) // _MICROSECOND)
        self._places.append(self._end)
        self._sizes.append(len(raw))
        self._file.write(raw)
        self._end += len(raw)
        return True

    def in_order(self) -> Iterator[bytes]:
        """Yield the events as JSON, the oldest first."""
        self._file.flush()
        for k in sorted(range(len(self._times)), key=self._times.__getitem__):
            self._file.seek(self._places[k])
            yield self._file.read(self._sizes[k])

    def close(self) -> None:
        """Give the temporary file back."""
        self._file.close()
