"""When a rule of a mapping table holds: a source and what its value may be, all of them together.

``where = { decision = ["reject", "abort"], "http.status" = [">=400"] }``: a list is *or*, names together are *and*.
Values are compared as lower-case text. ``"*"`` is anything, ``"!"`` nothing there, ``"~word"`` a text with the word in
it, ``"word*"`` a beginning, ``">=n"`` and ``">n"`` numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from detector.otlp.facts import Subject, Take, is_dead, simple
from detector.otlp.values import text
from detector.schema.amends import number_in

Condition = Callable[[Subject], bool]
Test = Callable[[Any], bool]
_FAR = 1e300
_SIGNS = ("!", "~", ">")


class Clause(NamedTuple):
    """One source, the test of its value, and whether that asks which word it is, not only whether it is there."""

    take: Take
    test: Test
    asks_word: bool


def compile_where(where: Mapping[str, Sequence[Any]]) -> list[Clause]:
    """Return the clauses of a condition.

    Raises
    ------
    ValueError
        If a source or a value is none.
    """
    return [Clause(simple(source), _any(values), _asks_word(values)) for source, values in where.items()]


def _asks_word(values: Sequence[Any]) -> bool:
    return any(one not in {"*", "!"} and not str(one).startswith(">") for one in values)


def asked(clauses: Sequence[Clause]) -> frozenset[str]:
    """Return everything whose word decides over some clauses."""
    return frozenset().union(*(clause.take.reads for clause in clauses if clause.asks_word))


def holds_all(clauses: Sequence[Clause]) -> Condition:
    """Return the function that tells whether all clauses hold for a record; at least one must be given."""
    if len(clauses) == 1:
        get, test = clauses[0].take.get, clauses[0].test
        return lambda subject: test(get(subject))
    pairs = [(clause.take.get, clause.test) for clause in clauses]

    def holds(subject: Subject) -> bool:
        for get, test in pairs:  # noqa: SIM110 - a generator costs more than what it goes over
            if not test(get(subject)):
                return False
        return True

    return holds


def prune(clauses: Sequence[Clause], present: AbstractSet[str]) -> list[Clause] | None:
    """Return the clauses that records with just these attributes do not settle; None if one of them cannot hold."""
    left = []
    for clause in clauses:
        if not is_dead(clause.take, present):
            left.append(clause)
        elif not clause.test(None):
            return None
    return left


def settle(clauses: Sequence[Clause], known: AbstractSet[str], subject: Subject) -> list[Clause] | None:
    """Return the clauses that do not rest on what is known alone; None if one that does fails for this record."""
    left = []
    for clause in clauses:
        if not clause.take.reads <= known:
            left.append(clause)
        elif not clause.test(clause.take.get(subject)):
            return None
    return left


def _any(wanted: Sequence[Any]) -> Test:
    """Return the test that holds if one of several values does; plain words are looked up at once."""
    words = [(text(one) or "").lower() for one in wanted]
    plain = frozenset(word for word in words if word and not word.startswith(_SIGNS) and not word.endswith("*"))
    tests = [_test(word) for word in words if word not in plain]
    if not tests:
        return lambda value: _is_one(value, plain)
    if len(words) == 1:
        return tests[0]
    return lambda value: _is_one(value, plain) or any(test(value) for test in tests)


def _test(word: str) -> Test:
    """Return the test of one value of a condition that is no plain word."""
    if word == "*":
        return lambda value: value is not None and value != ""
    if word == "!":
        return lambda value: value is None or value == ""
    if word.startswith("~"):
        return lambda value: isinstance(value, str) and word[1:] in value.lower()
    if word.startswith(">"):
        return _above(word)
    return lambda value: isinstance(value, str) and value.lower().startswith(word[:-1])


def _is_one(value: object, words: frozenset[str]) -> bool:
    """Return whether a value is one of some words; of marks, whether one of them is."""
    if type(value) is str:
        return value in words or value.lower() in words
    if value is None:
        return False
    return not words.isdisjoint(value) if isinstance(value, frozenset) else text(value) in words


def _above(word: str) -> Test:
    bound = number_in(word.lstrip(">="), -_FAR, _FAR)
    if bound is None:
        raise ValueError(f"value of a condition must be a number behind > or >=, got {word}")
    if word.startswith(">="):
        return lambda value: (number := number_in(value, -_FAR, _FAR)) is not None and number >= bound
    return lambda value: (number := number_in(value, -_FAR, _FAR)) is not None and number > bound
