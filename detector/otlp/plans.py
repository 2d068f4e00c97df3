"""Tables compiled: which table a record is for, which of its rules, and where each field of the event comes from.

Most sources of a table are not there in most records. What is left of a table for records with the same attributes, its
*shape*, is worked out once: a rule whose condition they settle, and a source they do not have, are looked at no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from detector.errors import ProfileError
from detector.otlp.conditions import Clause, Condition, compile_where, prune
from detector.otlp.facts import Getter, Take, is_dead
from detector.otlp.sources import compile_source, first_of
from detector.otlp.tables import AMOUNTS, TEXTS, Fields, RuleTable, Table, fields
from detector.schema.amends import cut
from detector.schema.event import Kind, Outcome

MAX_TITLE: Final = 60
Named = Sequence[tuple[str, Getter]]
Takes = Sequence[tuple[str, Sequence[Take]]]


class CompiledRule(NamedTuple):
    """A rule, compiled."""

    table: RuleTable
    title: str
    where: Sequence[Clause]
    fields: Takes
    outcome: Sequence[tuple[Outcome, Sequence[Clause]]]
    carry: Takes
    event_id: Sequence[Sequence[Take]]


class Source(NamedTuple):
    """A table, compiled."""

    table: Table
    identity: Mapping[str, Takes]
    names: Sequence[Take]
    session: Sequence[Take]
    call: Sequence[Take]
    seq: Sequence[Take]
    marks: Sequence[tuple[str, Sequence[Clause]]]
    derived: Takes
    rules: Sequence[CompiledRule]

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.table.source

    def stripped(self, name: str) -> str:
        """Return a record's name without the prefix that this source may or may not put before it."""
        for prefix in self.table.strip:
            if name.startswith(prefix) and len(name) > len(prefix):
                return name[len(prefix) :]
        return name


class RulePlan(NamedTuple):
    """What is left of a rule for one shape: what becomes of a record."""

    title: str
    kind: Kind | None
    drop: str | None
    why: str
    holds: Condition | None
    texts: Named
    amounts: Named
    others: Mapping[str, Getter]
    outcome: Sequence[tuple[Outcome, Condition | None]]
    carry: Named
    event_id: Sequence[Sequence[Getter]]


class Who(NamedTuple):
    """Where an agent's name comes from, for one shape."""

    fleet: Named
    person: Named
    workload: Named
    user: Named
    name: Getter | None
    not_names: frozenset[str]
    are_instances: bool


class Shape(NamedTuple):
    """What is left of a source for records with the same attributes."""

    source: Source
    name: str | None
    who: Who
    session: Getter | None
    call: Getter | None
    seq: Getter | None
    marks: Sequence[tuple[str, Condition | None]]
    derived: Named
    plans: Sequence[RulePlan]


def compile_table(table: Table) -> Source:
    """Return a table, compiled.

    Raises
    ------
    ProfileError
        If one of its sources or conditions has no meaning.
    """
    try:
        identity = table.identity
        return Source(
            table=table,
            identity={
                "fleet": _named(identity.fleet),
                "person": _named(identity.person),
                "workload": _named(identity.workload),
                "user": _named(identity.user),
            },
            names=_takes(identity.names),
            session=_takes(table.fields.get("session_id", [])),
            call=_takes(table.fields.get("call", [])),
            seq=_takes(table.fields.get("seq", [])),
            marks=[(one.mark, compile_where(one.where)) for one in table.marks],
            derived=[(name, [compile_source(source)]) for name, source in table.derived.items()],
            rules=[_rule(rule, table) for rule in table.rules],
        )
    except ValueError as error:
        raise ProfileError(table.source, [str(error)]) from None


def _takes(sources: Sequence[Any]) -> list[Take]:
    return [compile_source(one) for one in sources]


def _named(sources: Sequence[Any]) -> Takes:
    return [(one if isinstance(one, str) else str(one), [compile_source(one)]) for one in sources]


def _rule(rule: RuleTable, table: Table) -> CompiledRule:
    """Return a rule compiled, with what its table says of every rule and of its kind."""
    of_kind = table.kinds.get(rule.kind, {}) if rule.kind else {}
    found: Fields = fields(rule.fields, fields(of_kind, table.fields))
    what = "/".join(rule.names) or " ".join(f"{name}={'|'.join(map(str, ok))}" for name, ok in rule.where.items())
    outcomes = table.outcome if rule.outcome is None else rule.outcome
    return CompiledRule(
        table=rule,
        title=f"{table.source} v{table.version}: {cut(what, MAX_TITLE) or 'any'}",
        where=compile_where(rule.where),
        fields=[(name, _takes(sources)) for name, sources in found.items()],
        outcome=[(one.outcome, compile_where(one.where)) for one in outcomes],
        carry=[(name.lstrip("$@"), takes) for name, takes in _named([*rule.carry, *table.carry])],
        event_id=[_takes(way) for way in [*rule.event_id, *table.event_id]],
    )


def shape_of(source: Source, signal: str, name: str | None, present: AbstractSet[str]) -> Shape:
    """Return what is left of a source for records of a signal with these attributes.

    Parameters
    ----------
    source : Source
        The table.
    signal : str
        ``log`` or ``span``.
    name : str or None
        Of a log record, prefix off; None for a span, whose names are without number.
    present : set of str
        Attributes of the record, and those of its resource with ``resource:`` before them.
    """
    identity = source.table.identity
    groups = {group: _alive(takes, present) for group, takes in source.identity.items()}
    marks = [(mark, prune(clauses, present)) for mark, clauses in source.marks]
    return Shape(
        source=source,
        name=name,
        who=Who(
            **groups,
            name=_first(source.names, present),
            not_names=frozenset(identity.not_names),
            are_instances=identity.names_are == "instances",
        ),
        session=_first(source.session, present),
        call=_first(source.call, present),
        seq=_first(source.seq, present),
        marks=[(mark, None if left is True else left) for mark, left in marks if not isinstance(left, bool) or left],
        derived=_alive(source.derived, present),
        plans=[plan for rule in source.rules if (plan := _plan(rule, signal, name, present)) is not None],
    )


def _plan(rule: CompiledRule, signal: str, name: str | None, present: AbstractSet[str]) -> RulePlan | None:
    """Return what is left of a rule; None if it cannot hold."""
    table = rule.table
    if table.signal not in {None, signal} or (name is not None and not _is_named(table.names, name)):
        return None
    where = list(rule.where)
    if name is None and table.names:
        where += compile_where({"@event": list(table.names)})
    holds = prune(where, present)
    if holds is False:
        return None
    alive = _alive(rule.fields, present)
    outcomes = [(outcome, prune(clauses, present)) for outcome, clauses in rule.outcome]
    ways = [way for way in rule.event_id if not any(is_dead(take, present) for take in way)]
    return RulePlan(
        title=rule.title,
        kind=table.kind,
        drop=table.drop,
        why=table.why,
        holds=None if holds is True else holds,
        texts=[pair for pair in alive if pair[0] in TEXTS],
        amounts=[pair for pair in alive if pair[0] in AMOUNTS],
        others={field: getter for field, getter in alive if field not in TEXTS + AMOUNTS},
        outcome=[(one, None if left is True else left) for one, left in outcomes if left is not False],
        carry=_alive(rule.carry, present),
        event_id=[[take.get for take in way] for way in ways],
    )


def _is_named(names: Sequence[str], name: str) -> bool:
    return not names or any(like(name, one) for one in names)


def like(value: str, pattern: str) -> bool:
    """Return whether a text is a pattern of a table: itself, or its beginning before ``*``."""
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _alive(named: Takes, present: AbstractSet[str]) -> Named:
    """Return the named sources that can have a value."""
    return [(name, getter) for name, takes in named if (getter := _first(takes, present)) is not None]


def _first(takes: Sequence[Take], present: AbstractSet[str]) -> Getter | None:
    """Return the function that takes the first value of those sources that can have one; None if none can."""
    left = [take for take in takes if not is_dead(take, present)]
    return first_of(left) if left else None
