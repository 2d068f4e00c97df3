"""What is left of a shape for records of the same words: usually one rule, and the few values it does not know yet.

A shape's rules compare a handful of attributes with words. Where these are the same, so are the rule, the outcome and
every field that is made of them alone: a *branch* holds them. Only what differs between records is then looked at.
Nothing is remembered by what somebody wrote: words are short, and shapes and branches have caps that evict.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from msgspec import Struct

from detector.otlp.conditions import Condition, holds_all, settle
from detector.otlp.facts import HEARD, Getter, Subject, Take
from detector.otlp.plans import CompiledRule, Takes
from detector.otlp.shapes import LeftRule, Shape, Words
from detector.otlp.sources import first_of, is_there
from detector.otlp.tables import AMOUNTS, TEXTS
from detector.otlp.values import MAX_ATTRIBUTE, amount, text
from detector.schema.amends import number_in
from detector.schema.event import MAX_NUMBER, Kind, Outcome

MAX_NAME: Final = 128
"""Characters of a record's name."""
MAX_WORD: Final = 256
"""Characters of a word that is remembered: longer ones are worked out each time."""
MAX_OF_SHAPE: Final = 512
"""Branches of one shape that are remembered: names without number in one source push out no other source's."""
MAX_BRANCHES: Final = 8_192
"""Branches remembered in all, of some 3 KB each; one that is new costs about 40 us."""


_NUMBER: Final = (int, float)
_APART: Final = {"ts": "ts", "seq": "seq", "arguments": "arguments", "place": "place", "credential_id": "credential"}
"""Field of a table -> where a plan has it: not fields of an event as they are."""


class Carried(NamedTuple):
    """What an event carries of a record: a value that is known, or how it is taken."""

    name: str
    value: str | float | bool | None
    get: Getter | None


class RulePlan(Struct, eq=False):
    """What becomes of a record: an event, or nothing for a reason.

    Parameters
    ----------
    title : str
        The rule, for a reader.
    kind : str or None
        Of the event.
    drop : str or None
        The reason for none.
    why : str
        The same for a reader.
    constants : dict
        Fields of the event that are known.
    of_resource, texts, amounts : sequence of (str, callable)
        Fields that the resource alone decides, other texts, numbers.
    attributes : sequence of (str, str)
        Texts that are one attribute as it is: the field, and the attribute.
    ts, seq, arguments, place, credential : callable or None
        What else the event is made of.
    outcomes : sequence of (str, callable or None)
        The first that holds; ``ok`` if none does.
    carry : sequence of Carried
        What else is worth knowing.
    event_id : sequence of sequence of callable
        Ways to an id; the first whose parts are all there.
    """

    title: str
    kind: Kind | None
    drop: str | None
    why: str
    constants: dict[str, Any]
    of_resource: list[tuple[str, Getter]]
    attributes: list[tuple[str, str]]
    texts: list[tuple[str, Getter]]
    amounts: list[tuple[str, Getter]]
    ts: Getter | None
    seq: Getter | None
    arguments: Getter | None
    place: Getter | None
    credential: Getter | None
    outcomes: Sequence[tuple[Outcome, Condition | None]]
    carry: Sequence[Carried]
    event_id: Sequence[Sequence[Getter]]


class RuleBranch(Struct, eq=False):
    """What is left of a shape for records of the same words.

    Parameters
    ----------
    types : tuple of type or None
        Types of its words where one is no text: to Python 1, 1.0 and true are equal, to a table they are not.
    name : str
        Name of a record, prefix off; of no use where the shape does not decide by name.
    agent : str or None
        Name of the agent, where it is known.
    agent_of : callable or None
        Takes it otherwise.
    marks : sequence of (str, callable or None)
        What the record tells the span above it.
    hears : bool
        Whether it matters what other records told.
    rules : sequence of (callable or None, RulePlan)
        In order, the first that holds counts.
    """

    types: tuple[type, ...] | None
    name: str
    agent: str | None
    agent_of: Getter | None
    marks: Sequence[tuple[str, Condition | None]]
    hears: bool
    rules: Sequence[tuple[Condition | None, RulePlan]]


class Branches:
    """The branches that are remembered: of each shape, and at most :data:`MAX_BRANCHES` in all, the oldest go first."""

    def __init__(self) -> None:
        self._order: deque[tuple[Shape, Words]] = deque()

    def of(self, shape: Shape, subject: Subject) -> RuleBranch:
        """Return the branch of a record, and give the record its name, prefix off."""
        words = shape.words(subject.item)
        try:
            found: RuleBranch | None = shape.branches.get(words)
        except TypeError:  # a list or table where a word is looked for
            return _made(shape, subject, None)
        if found is not None and (found.types is None or found.types == tuple(map(type, words[3]))):
            subject.name = found.name if shape.by_name or shape.name is not None else _name(shape, subject)
            return found
        types = None if all(one is None or type(one) is str for one in words[3]) else tuple(map(type, words[3]))
        branch = _made(shape, subject, types)
        if found is None and all(type(one) is not str or len(one) <= MAX_WORD for one in (words[2], *words[3])):
            self._remember(shape, words, branch)
        return branch

    def _remember(self, shape: Shape, words: Words, branch: RuleBranch) -> None:
        if len(shape.branches) >= MAX_OF_SHAPE:
            del shape.branches[next(iter(shape.branches))]
        shape.branches[words] = branch
        self._order.append((shape, words))
        if len(self._order) > MAX_BRANCHES:
            forgotten, key = self._order.popleft()
            forgotten.branches.pop(key, None)


def _name(shape: Shape, subject: Subject) -> str:
    """Return a record's name, prefix off."""
    return shape.source.stripped(text(subject.item.name, MAX_NAME) or "") if shape.name is None else shape.name


def _made(shape: Shape, subject: Subject, types: tuple[type, ...] | None) -> RuleBranch:
    """Return what is left of a shape for records of a subject's words."""
    name = subject.name = _name(shape, subject)
    agent, agent_of = _field(shape.names, shape.known, subject)
    agent = text(agent)
    marks = [
        (mark, left) for mark, clauses in shape.marks if (left := settle(clauses, shape.known, subject)) is not None
    ]
    rules: list[tuple[Condition | None, RulePlan]] = []
    hears = shape.who.hears
    for one in shape.rules:
        left = settle(one.where, shape.known, subject)
        if left is not None:
            rules.append((holds_all(left) if left else None, _plan(one, shape, subject)))
            hears = hears or one.rule.hears or any(not clause.take.reads.isdisjoint(HEARD) for clause in left)
            if not left:
                break
    return RuleBranch(
        types=types,
        name=name,
        agent=None if agent in shape.who.not_names else agent,
        agent_of=agent_of,
        marks=[(mark, holds_all(left) if left else None) for mark, left in marks],
        hears=hears,
        rules=rules,
    )


def _plan(left: LeftRule, shape: Shape, subject: Subject) -> RulePlan:
    """Return what is left of a rule that may hold."""
    rule, table, known = left.rule, left.rule.table, shape.known
    plan = RulePlan(
        title=rule.title, kind=table.kind, drop=table.drop, why=table.why, constants={}, of_resource=[], attributes=[],
        texts=[], amounts=[], ts=None, seq=None, arguments=None, place=None, credential=None, outcomes=[], carry=[],
        event_id=[],
    )  # fmt: skip
    if table.drop is None:
        rule = left.thin(shape.present)
        _fill(plan, rule.fields, known, subject)
        plan.outcomes = _outcomes(rule, known, subject)
        plan.carry = [one for name, takes in rule.carry if (one := _carried(name, takes, known, subject)) is not None]
        plan.event_id = [[take.get for take in way] for way in rule.event_id]
    return plan


def _fill(plan: RulePlan, fields: Takes, known: AbstractSet[str], subject: Subject) -> None:
    """Put into a plan what is known of an event's fields, and how the others are taken."""
    for field, takes in fields:
        value, getter = _field(takes, known, subject)
        if field in _APART:
            setattr(plan, _APART[field], getter if getter is not None or value is None else _constant(value))
        elif field not in AMOUNTS + TEXTS:
            continue
        elif getter is None:
            constant = amount(value) if field in AMOUNTS else text(value)
            if constant is not None:
                plan.constants[field] = constant
        elif field in AMOUNTS:
            plan.amounts.append((field, getter))
        else:
            _fill_text(plan, field, takes, known, getter)


def _constant(value: object) -> Getter:
    return lambda _: value


def _fill_text(plan: RulePlan, field: str, takes: Sequence[Take], known: AbstractSet[str], getter: Getter) -> None:
    """Put into a plan how a text is taken."""
    if len(takes) == 1 and takes[0].attribute is not None:
        plan.attributes.append((field, takes[0].attribute))
    elif all(_is_of_resource(take, known) for take in takes):
        plan.of_resource.append((field, getter))
    else:
        plan.texts.append((field, getter))


def _is_of_resource(take: Take, known: AbstractSet[str]) -> bool:
    return all(one.startswith("resource:") or one in known for one in take.reads)


def _field(takes: Sequence[Take], known: AbstractSet[str], subject: Subject) -> tuple[Any, Getter | None]:
    """Return the first value of several sources, if it is known; else how it is taken."""
    left: list[Take] = []
    for take in takes:
        if not take.reads <= known:
            left.append(take)
            continue
        value = take.get(subject)
        if is_there(value):
            if not left:
                return value, None
            left.append(Take(_constant(value), frozenset()))
            break
    return (None, first_of(left)) if left else (None, None)


def _outcomes(
    rule: CompiledRule, known: AbstractSet[str], subject: Subject
) -> Sequence[tuple[Outcome, Condition | None]]:
    """Return the outcomes that may hold, up to the first that does."""
    found: list[tuple[Outcome, Condition | None]] = []
    for outcome, clauses in rule.outcome:
        left = settle(clauses, known, subject)
        if left is None:
            continue
        found.append((outcome, holds_all(left) if left else None))
        if not left:
            break
    return found


def _carried(name: str, takes: Sequence[Take], known: AbstractSet[str], subject: Subject) -> Carried | None:
    """Return what an event carries under a name; None if that is nothing."""
    value, getter = _field(takes, known, subject)
    if getter is not None:
        return Carried(name, None, getter)
    constant = worth(value)
    return None if constant is None else Carried(name, constant, None)


def worth(value: object) -> str | float | bool | None:
    """Return a value as an event carries it: a truth, a number, a short text; None for what is none of them."""
    if value is None or value == "":
        return None
    if type(value) is bool:
        return value
    number = number_in(value, -MAX_NUMBER, MAX_NUMBER)
    if number is not None:
        return number
    return None if isinstance(value, _NUMBER) else text(value, MAX_ATTRIBUTE)
