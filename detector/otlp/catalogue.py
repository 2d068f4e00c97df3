"""Which table a record is for, and its shape: asked once for all records that look alike."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from detector.otlp.facts import Home
from detector.otlp.item import Item
from detector.otlp.plans import Source, compile_table, like
from detector.otlp.shapes import Shape, shape_of
from detector.otlp.tables import Match, Table, shipped

MAX_SHAPES: Final = 4_096
"""Shapes remembered, the ones seen last; senders invent attributes. One that is new costs about 0.3 ms."""
_Key = tuple[str, str, str, tuple[str, ...]]


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
        self._shapes: OrderedDict[tuple[str, tuple[str, ...], _Key], Shape | None] = OrderedDict()

    def shape(self, item: Item, name: str, home: Home) -> Shape | None:
        """Return the shape of a record called `name`, of the table for it; None if there is no table.

        Within a batch the records of one resource ask its `home` first.
        """
        key: _Key = (item.signal, item.scope, name if item.signal == "log" else "", tuple(item.attributes))
        if key in home.shapes:
            met: Shape | None = home.shapes[key]
            return met
        whole = (home.said, home.names, key)
        if whole in self._shapes:
            self._shapes.move_to_end(whole)
            found = self._shapes[whole]
        else:
            found = self._shapes[whole] = self._made(item, name)
            if len(self._shapes) > MAX_SHAPES:
                self._shapes.popitem(last=False)
        home.shapes[key] = found
        return found

    def _made(self, item: Item, name: str) -> Shape | None:
        """Return the shape of a record that looks like none before."""
        source = next((source for test, source in self._tests if test(item, name)), None)
        if source is None:
            return None
        plain = source.stripped(name) if item.signal == "log" else None
        return shape_of(source, item.signal, plain, item.attributes, item.resource)


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
