"""Tables compiled: the rules of a source, their conditions, and where each field of an event comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from detector.errors import ProfileError
from detector.otlp.conditions import Clause, asked, compile_where
from detector.otlp.facts import HEARD, Take
from detector.otlp.sources import compile_source
from detector.otlp.tables import Fields, RuleTable, Table, fields
from detector.schema.amends import cut
from detector.schema.event import Outcome

MAX_TITLE: Final = 60
WORD_FIELDS: Final = frozenset({"name", "model"})
"""Fields whose values are few: names of operations, tools and models decide with, so that they are read once."""
Takes = Sequence[tuple[str, Sequence[Take]]]


class CompiledRule(NamedTuple):
    """A rule, compiled.

    `named` is the condition that its names are for spans. `asks` is what decides over its outcome, name and model;
    `hears` tells whether its event is made of what others told. `reads` is everything that it looks at.
    """

    table: RuleTable
    title: str
    named: Sequence[Clause]
    where: Sequence[Clause]
    fields: Takes
    outcome: Sequence[tuple[Outcome, Sequence[Clause]]]
    carry: Takes
    event_id: Sequence[Sequence[Take]]
    asks: frozenset[str]
    hears: bool
    reads: frozenset[str]


class Source(NamedTuple):
    """A table, compiled."""

    table: Table
    name: str
    product: str | None
    identity: Mapping[str, Takes]
    names: Sequence[Take]
    session: Sequence[Take]
    call: Sequence[Take]
    seq: Sequence[Take]
    marks: Sequence[tuple[str, Sequence[Clause]]]
    derived: Takes
    rules: Sequence[CompiledRule]

    @property
    def reads(self) -> frozenset[str]:
        """Return every attribute that the table looks at, ``resource:`` before those of a resource."""
        takes = [*self.names, *self.session, *self.call, *self.seq]
        takes += [take for named in [*self.identity.values(), self.derived] for _, some in named for take in some]
        takes += [clause.take for _, clauses in self.marks for clause in clauses]
        return _reads(takes).union(self.table.match.has, *(rule.reads for rule in self.rules))

    def stripped(self, name: str) -> str:
        """Return a record's name without the prefix that this source may or may not put before it."""
        for prefix in self.table.strip:
            if name.startswith(prefix) and len(name) > len(prefix):
                return name[len(prefix) :]
        return name


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
            name=table.source,
            product=table.product,
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


def _reads(takes: Sequence[Take]) -> frozenset[str]:
    return frozenset().union(*(take.reads | (take.needs or frozenset()) for take in takes))


def _takes(sources: Sequence[Any]) -> list[Take]:
    return [compile_source(one) for one in sources]


def _named(sources: Sequence[Any]) -> Takes:
    return [(one if isinstance(one, str) else str(one), [compile_source(one)]) for one in sources]


def _rule(rule: RuleTable, table: Table) -> CompiledRule:
    """Return a rule compiled, with what its table says of every rule and of its kind."""
    of_kind = table.kinds.get(rule.kind, {}) if rule.kind else {}
    found: Fields = fields(rule.fields, fields(of_kind, table.fields))
    what = "/".join(rule.names) or " ".join(f"{name}={'|'.join(map(str, ok))}" for name, ok in rule.where.items())
    if found.get("session_id") == table.fields.get("session_id"):
        found.pop("session_id", None)  # the session that was found for the record already
    outcomes = table.outcome if rule.outcome is None else rule.outcome
    named = compile_where({"@event": list(rule.names)} if rule.names else {})
    where = compile_where(rule.where)
    outcome = [(one.outcome, compile_where(one.where)) for one in outcomes]
    takes = [(name, _takes(sources)) for name, sources in found.items()]
    carry = [(name.lstrip("$@"), some) for name, some in _named([*rule.carry, *table.carry])]
    ways = [_takes(way) for way in [*rule.event_id, *table.event_id]]
    made_of = [*(one for _, some in [*takes, *carry] for one in some), *(one for way in ways for one in way)]
    made_of += [clause.take for _, clauses in outcome for clause in clauses]
    return CompiledRule(
        table=rule,
        title=f"{table.source} v{table.version}: {cut(what, MAX_TITLE) or 'any'}",
        named=named,
        where=where,
        fields=takes,
        outcome=outcome,
        carry=carry,
        event_id=ways,
        asks=frozenset().union(
            *(asked(clauses) for _, clauses in outcome),
            *(take.reads for field, some in takes if field in WORD_FIELDS for take in some),
        ),
        reads=_reads([*made_of, *(clause.take for clause in [*where, *named])]),
        hears=any(not take.reads.isdisjoint(HEARD) for take in made_of),
    )


def like(value: str, pattern: str) -> bool:
    """Return whether a text is a pattern of a table: itself, or its beginning before ``*``."""
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
