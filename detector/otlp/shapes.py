"""What is left of a table for records with the same attributes, worked out once.

Most sources of a table are not there in most records: a rule whose condition the attributes settle, and a source they
do not have, are looked at no more. What is left is a *shape*. Which of its rules hold then rests on a few *words* of a
record, such as its operation; `detector/otlp/branches.py` works out what is left for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import Any, Final, NamedTuple

from msgspec import Struct

from detector.otlp.conditions import Clause, asked, prune
from detector.otlp.facts import HEARD, Getter, Take, is_dead
from detector.otlp.item import Attributes, Item
from detector.otlp.plans import CompiledRule, Source, Takes, like
from detector.otlp.sources import first_of

Named = Sequence[tuple[str, Getter]]
Words = tuple[int, int, str, tuple[Any, ...]]
"""Kind, status and name of a record, and the values of the attributes that decide over it."""

_ALWAYS_KNOWN: Final = frozenset({"@scope", "@kind", "@status"})
_NAME_FACTS: Final = frozenset({"@name", "@event"})
_NO_NAMES: Final = ("@", "$", "=", "resource:", "event:")


class Way(NamedTuple):
    """One place an agent's id may come from: the source, how it is taken, and whether the product stands before it."""

    source: str
    get: Getter
    is_under: bool


class Who(Struct, eq=False, gc=False):
    """Where an agent's id comes from, for one shape.

    Parameters
    ----------
    ways : sequence of Way
        What comes before the names of agents, in order: the fleet, the person, the workload or key, the user.
    product : str or None
        Of the table.
    not_names : frozenset of str
        Constants of libraries.
    are_instances : bool
        Whether the names of agents are those of instances.
    hears : bool
        Whether it matters what other records told.
    """

    ways: Sequence[Way]
    product: str | None
    not_names: frozenset[str]
    are_instances: bool
    hears: bool


class LeftRule(Struct, eq=False):
    """A rule that may hold, what is left of its condition, and whether what it has not was taken out of it."""

    rule: CompiledRule
    where: Sequence[Clause]
    is_thin: bool = False

    def thin(self, present: AbstractSet[str]) -> CompiledRule:
        """Return the rule without sources that records with just these attributes do not have."""
        if not self.is_thin:
            rule, self.is_thin = self.rule, True
            self.rule = rule._replace(
                fields=_thin(rule.fields, present),
                outcome=[(one, left) for one, clauses in rule.outcome if (left := prune(clauses, present)) is not None],
                carry=_thin(rule.carry, present),
                event_id=[way for way in rule.event_id if not any(is_dead(take, present) for take in way)],
            )
        return self.rule


class Shape(Struct, eq=False):
    """What is left of a source for records with the same attributes.

    Parameters
    ----------
    source : Source
        The table.
    name : str or None
        Of a log record, prefix off; None for a span.
    who : Who
        Where its agent comes from.
    session, call, seq : callable or None
        Take conversation, call and number.
    marks : sequence of (str, sequence of Clause)
        What it may tell the span above it, and when.
    derived : sequence of (str, callable)
        What the table derives.
    names : sequence of Take
        Where the name of its agent may stand.
    rules : sequence of LeftRule
        Rules that may hold.
    present : frozenset of str
        Attributes of the record, and those of its resource with ``resource:`` before them.
    words_of : callable
        Takes from attributes the values that decide.
    by_name : bool
        Whether the name of the record decides too.
    known : frozenset of str
        Everything that is the same in two records of the same words.
    branches : dict
        Words -> what is left for them.
    """

    source: Source
    name: str | None
    who: Who
    session: Getter | None
    call: Getter | None
    seq: Getter | None
    marks: Sequence[tuple[str, Sequence[Clause]]]
    derived: Named
    names: Sequence[Take]
    rules: Sequence[LeftRule]
    present: frozenset[str]
    words_of: Callable[[Attributes], tuple[Any, ...]]
    by_name: bool
    known: frozenset[str]
    branches: dict[Words, Any] = {}

    def words(self, item: Item) -> Words:
        """Return what decides over a record of this shape."""
        return (item.kind, item.status, item.name if self.by_name else "", self.words_of(item.attributes))


def shape_of(
    source: Source, signal: str, name: str | None, attributes: Attributes, resource: Mapping[str, Any]
) -> Shape:
    """Return what is left of a source for records of a signal with these attributes.

    Parameters
    ----------
    source : Source
        The table.
    signal : str
        ``log`` or ``span``.
    name : str or None
        Of a log record, prefix off; None for a span, whose names are without number.
    attributes, resource : dict
        Of the record and of its resource: their names count, not their values.
    """
    present = frozenset({*attributes, *(f"resource:{one}" for one in resource)})
    rules = [LeftRule(rule, left) for rule in source.rules if (left := _left(rule, signal, name, present)) is not None]
    marks = [(mark, left) for mark, clauses in source.marks if (left := prune(clauses, present)) is not None]
    names = [take for take in source.names if not is_dead(take, present)]
    reads = frozenset().union(
        *(take.reads for take in names),
        *(asked(clauses) for _, clauses in marks),
        *(asked(left.where) | left.rule.asks for left in rules),
    )
    by_name = "@name" in reads or (name is None and "@event" in reads)
    words = sorted(one for one in reads & attributes.keys() if _is_attribute(one))
    return Shape(
        source=source,
        name=name,
        who=_who(source, present),
        session=first_alive(source.session, present),
        call=first_alive(source.call, present),
        seq=first_alive(source.seq, present),
        marks=marks,
        derived=alive(source.derived, present),
        names=names,
        rules=rules,
        present=present,
        words_of=_picker(words),
        by_name=by_name,
        known=_ALWAYS_KNOWN.union(words, _NAME_FACTS if by_name else {"@event"} if name is not None else ()),
    )


def _who(source: Source, present: AbstractSet[str]) -> Who:
    """Return where an agent's id comes from; users count only where the table knows its product."""
    identity = source.table.identity
    groups = ["fleet", "person", "workload", *(["user"] if source.product is not None else [])]
    return Who(
        ways=[
            Way(one, get, group in {"person", "user"})
            for group in groups
            for one, get in alive(source.identity[group], present)
        ],
        product=source.product,
        not_names=frozenset(identity.not_names),
        are_instances=identity.names_are == "instances",
        hears=any(
            not take.reads.isdisjoint(HEARD) for group in groups for _, some in source.identity[group] for take in some
        ),
    )


def _left(rule: CompiledRule, signal: str, name: str | None, present: AbstractSet[str]) -> Sequence[Clause] | None:
    """Return what is left of a rule's condition; None if it cannot hold."""
    table = rule.table
    if table.signal not in {None, signal}:
        return None
    if name is None:
        return prune([*rule.where, *rule.named], present)
    if table.names and not any(like(name, one) for one in table.names):
        return None
    return prune(rule.where, present)


def _is_attribute(source: str) -> bool:
    """Return whether a table that names this means the record's attribute of just this name."""
    return "#" not in source and not source.startswith(_NO_NAMES)


def _picker(words: Sequence[str]) -> Callable[[Attributes], tuple[Any, ...]]:
    """Return the function that takes the values of some attributes, all of which are there, in one pass."""
    if not words:
        return lambda _: ()
    if len(words) == 1:
        only = words[0]
        return lambda attributes: (attributes[only],)
    return itemgetter(*words)


def _thin(named: Takes, present: AbstractSet[str]) -> Takes:
    """Return the named sources without those that have no value."""
    thin = [(name, [take for take in takes if not is_dead(take, present)]) for name, takes in named]
    return [(name, takes) for name, takes in thin if takes]


def alive(named: Takes, present: AbstractSet[str]) -> Named:
    """Return the named sources that can have a value."""
    return [(name, getter) for name, takes in named if (getter := first_alive(takes, present)) is not None]


def first_alive(takes: Sequence[Take], present: AbstractSet[str]) -> Getter | None:
    """Return the function that takes the first value of those sources that can have one; None if none can."""
    left = [take for take in takes if not is_dead(take, present)]
    return first_of(left) if left else None
