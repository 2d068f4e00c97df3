"""Where in a batch a rule has to look: events by field, kind, outcome, name or text, each found once for all rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, Literal, TypeVar, get_args

import msgspec
import numpy as np

from detector.rules.words import Group, groups_of, is_watched
from detector.schema.event import Event, Kind, Outcome

CHUNK: Final = 32
"""Events whose texts are searched at once when a batch has a watched word: whoever writes one costs his neighbours."""
_KINDS: Final[tuple[str, ...]] = get_args(Kind)
_OUTCOMES: Final[tuple[str, ...]] = get_args(Outcome)
ACTING: Final[tuple[Kind, ...]] = ("tool_call", "data_access", "network", "message", "memory", "auth")
"""Kinds of acts: neither a model's calls nor what is told about an agent."""
T = TypeVar("T")
_pack: Final = msgspec.msgpack.Encoder().encode

Rare = Literal[
    "seq", "tool_hash", "prompt_hash", "credential", "grant", "on_behalf_of", "peer_agent_id", "model", "data_class"
]
"""Fields that most events are without."""
_RARE: Final[tuple[str, ...]] = get_args(Rare)
_rare_of: Final = attrgetter(*_RARE)


class Places:
    """Places in a batch, in order; what no rule asks for is not looked up.

    Parameters
    ----------
    events : sequence of Event
        A batch.
    kinds, outcomes : ndarray of uint8
        Of each event the index of its kind and of its outcome, in the order of the schema.
    """

    def __init__(self, events: Sequence[Event], kinds: np.ndarray, outcomes: np.ndarray) -> None:
        self._events, self._kinds, self._outcomes = events, kinds, outcomes
        self._found: dict[object, list[int]] = {}
        self._shared: dict[str, list[Any]] = {}

    def _once(self, key: object, find: Callable[[], list[int]]) -> list[int]:
        if (found := self._found.get(key)) is None:
            found = self._found[key] = find()
        return found

    def once(self, key: str, find: Callable[[], list[T]]) -> list[T]:
        """Return what several rules look for in the batch, found by the first of them that asks."""
        if (found := self._shared.get(key)) is None:
            found = self._shared[key] = find()
        return found

    def of_kind(self, *kinds: Kind) -> list[int]:
        """Return where the events of some kinds are."""

        def find() -> list[int]:
            hits = self._kinds == _KINDS.index(kinds[0])
            for kind in kinds[1:]:
                hits |= self._kinds == _KINDS.index(kind)
            return _indices(hits)

        return self._once(kinds, find)

    def acts(self) -> list[int]:
        """Return where an agent acts on something: neither its model's calls nor what is told about it."""
        return self.of_kind(*ACTING)

    def acts_that(self, outcome: Outcome) -> list[int]:
        """Return where acts came out so."""

        def find() -> list[int]:
            if not (hits := self._outcomes == _OUTCOMES.index(outcome)).any():
                return []
            acts = np.zeros(len(hits), bool)
            acts[self.acts()] = True
            return _indices(hits & acts)

        return self._once(("outcome", outcome), find)

    def having(self, field: Rare) -> list[int]:
        """Return where a field has a value."""
        rare, columns = self._rare
        return self._once(field, lambda: [i for i, one in zip(rare, columns[field], strict=True) if one is not None])

    @cached_property
    def _rare(self) -> tuple[list[int], dict[str, tuple[Any, ...]]]:
        """Return where any of the rare fields has a value, and these fields there as columns: one look for all."""
        events = self._events
        rare = [
            i
            for i, one in enumerate(events)
            if one.seq is not None
            or one.model is not None
            or one.credential is not None
            or one.data_class is not None
            or one.peer_agent_id is not None
            or one.on_behalf_of is not None
            or one.tool_hash is not None
            or one.prompt_hash is not None
            or one.grant is not None
        ]
        found: list[tuple[Any, ...]] = list(zip(*[_rare_of(events[i]) for i in rare], strict=True))
        return rare, dict(zip(_RARE, found or [()] * len(_RARE), strict=True))

    def named(self, group: Group) -> list[int]:
        """Return where an act's name has a word of a group."""

        def find() -> list[int]:
            events = self._events
            names = self._by_group.get(group)
            return [i for i in self.acts() if events[i].name in names] if names else []

        return self._once(("named", group), find)

    @cached_property
    def _by_group(self) -> dict[Group, set[str]]:
        """Return the names in the batch by group: few, and so most groups are told without a look at the events."""
        found: dict[Group, set[str]] = {}
        for name in {one.name for one in self._events}:
            for group in groups_of(name):
                found.setdefault(group, set()).add(name)
        return found

    def watched(self) -> list[int]:
        """Return where an act's target, attribute or its name has a watched word: few have to be read further."""
        return self._once("watched", self._watched)

    def _watched(self) -> list[int]:
        acts = self.acts()
        events = [self._events[i] for i in acts]
        if not events or not is_watched(_texts(events)):
            return []
        found: list[int] = []
        for start in range(0, len(events), CHUNK):
            chunk = events[start : start + CHUNK]
            if is_watched(_texts(chunk)):
                found += [acts[start + k] for k, one in enumerate(chunk) if is_watched(_texts((one,)))]
        return found


def _texts(events: Sequence[Event]) -> bytes:
    """Return the texts of events one behind the other, with bytes between them that say nothing."""
    return _pack([one.target for one in events]) + _pack([one.attributes for one in events])


def _indices(hits: np.ndarray) -> list[int]:
    found: list[int] = np.flatnonzero(hits).tolist()
    return found


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
