"""Where in a batch a rule has to look: events by field, kind, outcome, name or text, each found once for all rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Final, Literal, TypeVar

import numpy as np

from detector.rules.words import BIT_OF, Group, bytes_of
from detector.schema.event import Event, Kind, Outcome
from detector.schema.marks import OF_FIELD, OF_KIND, OF_OUTCOME, WATCHED

ACTING: Final[tuple[Kind, ...]] = ("tool_call", "data_access", "network", "message", "memory", "auth")
"""Kinds of acts: neither a model's calls nor what is told about an agent."""
T = TypeVar("T")

Field = Literal[
    "seq", "tool_hash", "prompt_hash", "credential", "grant", "on_behalf_of", "peer_agent_id", "peer_zone", "zone",
    "model", "data_class", "session_id", "target",
]  # fmt: skip
"""Fields that rules look for."""
ACTS: Final = sum(OF_KIND[kind] for kind in ACTING)
_FIRST_NAME: Final = 2 * WATCHED
OF_NAME: Final[dict[Group, int]] = {group: _FIRST_NAME * bit for group, bit in BIT_OF.items()}
"""The bit of an act whose name has a word of a group; behind all bits that an event brings along."""
_NAMED: Final = sum(OF_NAME.values())


class Places:
    """Places in a batch, in order; what no rule asks for is not looked up, and what no event has is found at once.

    Parameters
    ----------
    events : sequence of Event
        A batch.
    marks : ndarray of uint64, shape (n,)
        What each of them has, in the bits of :mod:`detector.schema.marks`.
    """

    def __init__(self, events: Sequence[Event], marks: np.ndarray) -> None:
        if np.bitwise_or.reduce(marks) & np.uint64(WATCHED):  # of an act; what else has texts is read by nobody
            marks = np.where(marks & np.uint64(ACTS), marks, marks & ~np.uint64(WATCHED))
        self._events, self._marks = events, marks
        self._any, self._all = int(np.bitwise_or.reduce(marks)), int(np.bitwise_and.reduce(marks))
        self._has_names = False
        self._found: dict[tuple[int, ...], list[int]] = {}
        self._shared: dict[str, list[Any]] = {}

    def once(self, key: str, find: Callable[[], list[T]]) -> list[T]:
        """Return what several rules look for in the batch, found by the first of them that asks."""
        if (found := self._shared.get(key)) is None:
            found = self._shared[key] = find()
        return found

    def where(self, *asked: int) -> list[int]:
        """Return where events have, of each of several sets of bits, at least one."""
        if (found := self._found.get(asked)) is None:
            found = self._found[asked] = self._where(asked)
        return found

    def _where(self, asked: tuple[int, ...]) -> list[int]:
        hits: np.ndarray | bool = True
        for bits in asked:
            if bits & _NAMED and not self._has_names:
                self._mark_names()
            if not bits & self._any:
                return []
            if not bits & self._all:
                hits = hits & (self._marks & np.uint64(bits) != 0)
        found: list[int] = np.arange(len(self._events)).tolist() if hits is True else np.flatnonzero(hits).tolist()
        return found

    def of_kind(self, *kinds: Kind) -> list[int]:
        """Return where the events of some kinds are."""
        return self.where(sum(OF_KIND[kind] for kind in kinds))

    def acts_that(self, outcome: Outcome) -> list[int]:
        """Return where acts came out so; neither a model's calls nor what is told about an agent are acts."""
        return self.where(OF_OUTCOME[outcome], ACTS)

    def having(self, field: Field) -> list[int]:
        """Return where a field has a value."""
        return self.where(OF_FIELD[field])

    def named(self, group: Group) -> list[int]:
        """Return where an act's name has a word of a group."""
        return self.where(OF_NAME[group])

    def watched(self) -> list[int]:
        """Return where an act's target, or an attribute, has a piece of text that rules look for: few are read."""
        return self.where(WATCHED)

    @cached_property
    def names(self) -> list[str]:
        """The names of the events."""
        return [one.name for one in self._events]

    def _mark_names(self) -> None:
        """Mark what the names of acts tell."""
        self._has_names = True
        told = np.frombuffer(bytes_of(self.names), np.uint8)
        if told.any():
            bits = told.astype(np.uint64) * np.uint64(_FIRST_NAME) * (self._marks & np.uint64(ACTS) != 0)
            self._marks = self._marks | bits
            self._any |= int(np.bitwise_or.reduce(bits))


def in_order(*places: Iterable[int]) -> list[int]:
    """Return the places of several lists, each once, in order.

    Examples
    --------
    >>> in_order([1, 4], [0, 4])
    [0, 1, 4]
    """
    return sorted(set().union(*places))


def texts_of(event: Event) -> list[str]:
    """Return the texts of an act: its target and the values of its attributes."""
    values: list[Any] = [event.target, *event.attributes.values()]
    return [one for one in values if isinstance(one, str)]
