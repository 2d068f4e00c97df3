"""Which table a record is for, and its shape: asked once for all records that look alike."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, TypeVar

from detector.otlp.facts import Home
from detector.otlp.item import Item
from detector.otlp.plans import Source, compile_table, like
from detector.otlp.shapes import Shape, shape_of
from detector.otlp.tables import Match, Table, shipped

MAX_SHAPES: Final = 4_096
"""Shapes remembered, the ones seen last, and as many ways in which attributes were named: of names that no table looks
at, senders may invent any number. A shape that is new costs about 0.3 ms, new names of no meaning some 10 us."""
MAX_LETTERS: Final = 16_384
"""Characters of all names of a record by which it is remembered; one with more is looked up each time."""
_Names = tuple[str, ...]
_Key = tuple[str, str, str, _Names]
_Whole = tuple[str, _Names, _Key]
_Kept = TypeVar("_Kept")


def compile_all(tables: Sequence[Table]) -> list[Source]:
    """Return the tables that are for records, compiled; those that only others extend are left out."""
    return [compile_table(table) for table in tables if table.match != Match()]


@cache
def shipped_sources() -> tuple[Source, ...]:
    """Return the tables that are shipped, compiled once a process."""
    return tuple(compile_all(shipped()))


class Catalogue:
    """All tables, compiled; tells which one a record is for.

    Parameters
    ----------
    sources : sequence of Source
        By rank.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._tests: list[tuple[Callable[[Item, str], bool], Source]] = [
            (_test(source.table.match), source) for source in sources
        ]
        self._vocabulary = frozenset().union(*(source.reads for source in sources))
        self._shapes: OrderedDict[_Whole, Shape | None] = OrderedDict()
        self._named: OrderedDict[_Whole, _Whole] = OrderedDict()

    def shape(self, item: Item, name: str, home: Home) -> Shape | None:
        """Return the shape of a record called `name`, of the table for it; None if there is no table.

        Within a batch the records of one resource ask its `home` first.
        """
        key: _Key = (item.signal, item.scope, name if item.signal == "log" else "", tuple(item.attributes))
        if key in home.shapes:
            met: Shape | None = home.shapes[key]
            return met
        found = home.shapes[key] = self._shape(item, name, self._few((home.said, home.names, key)))
        return found

    def _few(self, whole: _Whole) -> _Whole:
        """Return what tables look at of a record's names: one that means nothing to any of them makes no new shape."""
        if whole in self._named:
            self._named.move_to_end(whole)
            return self._named[whole]
        said, resource, (signal, scope, called, attributes) = whole
        about = tuple(sorted(one for one in resource if f"resource:{one}" in self._vocabulary))
        own = tuple(sorted(one for one in attributes if one in self._vocabulary))
        few = (said, about, (signal, scope, called, own))
        _remember(self._named, whole, few)
        return few

    def _shape(self, item: Item, name: str, few: _Whole) -> Shape | None:
        """Return the shape of records of these names, from memory if it is there."""
        if few in self._shapes:
            self._shapes.move_to_end(few)
            return self._shapes[few]
        found = self._made(item, name)
        _remember(self._shapes, few, found)
        return found

    def _made(self, item: Item, name: str) -> Shape | None:
        """Return the shape of a record that looks like none before."""
        source = next((source for test, source in self._tests if test(item, name)), None)
        if source is None:
            return None
        plain = source.stripped(name) if item.signal == "log" else None
        return shape_of(source, item.signal, plain, item.attributes, item.resource)


def _remember(known: OrderedDict[_Whole, _Kept], whole: _Whole, kept: _Kept) -> None:
    """Put what was worked out for names among what is known, within the caps."""
    said, resource, (_, scope, called, attributes) = whole
    if len(said) + len(scope) + len(called) + sum(map(len, resource)) + sum(map(len, attributes)) > MAX_LETTERS:
        return
    known[whole] = kept
    if len(known) > MAX_SHAPES:
        known.popitem(last=False)


def _test(match: Match) -> Callable[[Item, str], bool]:
    """Return the function that tells whether a table is for a record, by any of its ways."""
    own = [name for name in match.has if not name.startswith("resource:")]
    resource = [name.removeprefix("resource:") for name in match.has if name.startswith("resource:")]

    def fits(item: Item, name: str) -> bool:
        if match.signal not in {None, item.signal}:
            return False
        service = item.resource.get("service.name")
        return (
            (isinstance(service, str) and any(like(service, one) for one in match.service))
            or any(like(item.scope, one) for one in match.scope)
            or (item.signal == "log" and any(like(name, one) for one in match.event))
            or any(one in item.attributes for one in own)
            or any(one in item.resource for one in resource)
        )

    return fits
