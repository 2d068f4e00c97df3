"""Tables compiled: which table a record is for, which of its rules, and where each field of the event comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from detector.errors import ProfileError
from detector.otlp.conditions import Condition, compile_where
from detector.otlp.facts import Getter, Subject
from detector.otlp.item import Item
from detector.otlp.sources import compile_source, first_of
from detector.otlp.tables import AMOUNTS, TEXTS, Fields, Match, OutcomeTable, RuleTable, Table, fields, shipped
from detector.schema.amends import cut
from detector.schema.event import Kind, Outcome

MAX_KNOWN: Final = 4_096
"""Pairs of service and scope whose table is remembered: senders invent names."""
MAX_TITLE: Final = 60
Named = Sequence[tuple[str, Getter]]


class RulePlan(NamedTuple):
    """A rule, compiled: what becomes of a record."""

    title: str
    kind: Kind | None
    drop: str | None
    why: str
    holds: Condition | None
    texts: Named
    amounts: Named
    others: dict[str, Getter]
    outcome: Sequence[tuple[Outcome, Condition]]
    carry: Sequence[tuple[str, Getter]]
    event_id: Sequence[Sequence[Getter]]


class Who(NamedTuple):
    """Where an agent's name comes from, compiled."""

    fleet: Named
    person: Named
    workload: Named
    user: Named
    name: Getter
    not_names: frozenset[str]
    are_instances: bool


class Source(NamedTuple):
    """A table, compiled."""

    table: Table
    who: Who
    session: Getter
    call: Getter
    marks: Sequence[tuple[str, Condition]]
    derived: Named
    logs: dict[str, list[RulePlan]]
    log_wildcards: Sequence[tuple[str, list[RulePlan]]]
    log_any: list[RulePlan]
    spans: list[RulePlan]

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


def compile_table(table: Table) -> Source:
    """Return a table, compiled.

    Raises
    ------
    ProfileError
        If one of its sources or conditions has no meaning.
    """
    try:
        return _compiled(table)
    except ValueError as error:
        raise ProfileError(table.source, [str(error)]) from None


def _compiled(table: Table) -> Source:
    identity = table.identity
    who = Who(
        fleet=_named(identity.fleet),
        person=_named(identity.person),
        workload=_named(identity.workload),
        user=_named(identity.user),
        name=first_of(identity.names) if identity.names else lambda _: None,
        not_names=frozenset(identity.not_names),
        are_instances=identity.names_are == "instances",
    )
    logs: dict[str, list[RulePlan]] = {}
    wild: dict[str, list[RulePlan]] = {}
    log_any: list[RulePlan] = []
    spans: list[RulePlan] = []
    for rule in table.rules:
        plan = _plan(rule, table)
        if rule.signal != "log":
            spans.append(plan if not rule.names else plan._replace(holds=_with_name(rule.names, plan.holds)))
        if rule.signal != "span":
            for name in rule.names:
                group = wild.setdefault(name[:-1], []) if name.endswith("*") else logs.setdefault(name, [])
                group.append(plan)
            if not rule.names:
                log_any.append(plan)
    return Source(
        table=table,
        who=who,
        session=first_of(table.fields.get("session_id") or ["@session"]),
        call=first_of(table.fields.get("call") or ["$call"]),
        marks=[(one.mark, compile_where(one.where)) for one in table.marks],
        derived=[(name, compile_source(source)) for name, source in table.derived.items()],
        logs=logs,
        log_wildcards=list(wild.items()),
        log_any=log_any,
        spans=spans,
    )


def _named(sources: Sequence[Any]) -> Named:
    return [(one if isinstance(one, str) else str(one), compile_source(one)) for one in sources]


def _with_name(names: Sequence[str], holds: Condition | None) -> Condition:
    """Return a condition that also asks for the record's name."""
    is_named = compile_where({"@event": list(names)})
    return is_named if holds is None else lambda subject: is_named(subject) and holds(subject)


def _plan(rule: RuleTable, table: Table) -> RulePlan:
    """Return a rule compiled, with what its table says of every rule and of its kind."""
    of_kind = table.kinds.get(rule.kind, {}) if rule.kind else {}
    found: Fields = fields(rule.fields, fields(of_kind, table.fields))
    getters = {name: first_of(sources) for name, sources in found.items() if sources}
    what = "/".join(rule.names) or " ".join(f"{name}={'|'.join(map(str, ok))}" for name, ok in rule.where.items())
    outcomes: list[OutcomeTable] = table.outcome if rule.outcome is None else rule.outcome
    return RulePlan(
        title=f"{table.source} v{table.version}: {cut(what, MAX_TITLE) or 'any'}",
        kind=rule.kind,
        drop=rule.drop,
        why=rule.why,
        holds=compile_where(rule.where) if rule.where else None,
        texts=[(name, getters[name]) for name in TEXTS if name in getters],
        amounts=[(name, getters[name]) for name in AMOUNTS if name in getters],
        others={name: getter for name, getter in getters.items() if name not in TEXTS + AMOUNTS},
        outcome=[(one.outcome, compile_where(one.where)) for one in outcomes],
        carry=[(name.lstrip("$@"), getter) for name, getter in _named([*rule.carry, *table.carry])],
        event_id=[[compile_source(one) for one in way] for way in [*rule.event_id, *table.event_id]],
    )


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
        self.sources = sources
        self._known: dict[tuple[str, str, str], Source | None] = {}
        self._tests: list[tuple[Callable[[Item, str], bool], Source]] = []
        for source in self.sources:
            match = source.table.match
            if match.event:
                self._tests.append((_event_test(match.event), source))
            if match.has:
                self._tests.append((_has_test(match.has, match.signal), source))

    def find(self, item: Item, name: str) -> Source | None:
        """Return the table for a record called `name`; None if there is none."""
        service = item.resource.get("service.name")
        key = (service if isinstance(service, str) else "", item.scope, item.signal)
        if key in self._known:
            found = self._known[key]
        else:
            found = next((one for one in self.sources if _fits(one.table, *key)), None)
            if len(self._known) < MAX_KNOWN:
                self._known[key] = found
        for test, source in self._tests:
            if found is not None and source.table.rank >= found.table.rank:
                break
            if test(item, name):
                return source
        return found


def _fits(table: Table, service: str, scope: str, signal: str) -> bool:
    match = table.match
    if match.signal not in {None, signal}:
        return False
    return any(_like(service, one) for one in match.service) or any(_like(scope, one) for one in match.scope)


def _like(value: str, pattern: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _event_test(patterns: Sequence[str]) -> Callable[[Item, str], bool]:
    return lambda item, name: item.signal == "log" and any(_like(name, one) for one in patterns)


def _has_test(names: Sequence[str], signal: str | None) -> Callable[[Item, str], bool]:
    own = [name for name in names if not name.startswith("resource:")]
    resource = [name.removeprefix("resource:") for name in names if name.startswith("resource:")]
    return lambda item, _: (
        signal in {None, item.signal}
        and (any(one in item.attributes for one in own) or any(one in item.resource for one in resource))
    )


def rule_for(source: Source, subject: Subject) -> RulePlan | None:
    """Return the first rule of a source that holds for a record; None if there is none."""
    if subject.item.signal == "span":
        plans = source.spans
    else:
        plans = source.logs.get(subject.name, [])
        for prefix, more in source.log_wildcards:
            if subject.name.startswith(prefix):
                plans = plans + more
        plans = plans + source.log_any if source.log_any else plans
    for plan in plans:
        if plan.holds is None or plan.holds(subject):
            return plan
    return None
