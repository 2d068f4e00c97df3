"""When a rule of a mapping table holds: a source and what its value may be, all of them together.

``where = { decision = ["reject", "abort"], "http.status" = [">=400"] }``: a list is *or*, names together are *and*.
Values are compared as lower-case text. ``"*"`` is anything, ``"!"`` nothing there, ``"~word"`` a text with the word in
it, ``"word*"`` a beginning, ``">=n"`` and ``">n"`` numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from detector.otlp.facts import Subject, simple
from detector.otlp.values import text
from detector.schema.amends import number_in

Condition = Callable[[Subject], bool]
Test = Callable[[Any], bool]
_FAR = 1e300


def compile_where(where: Mapping[str, Sequence[Any]]) -> Condition:
    """Return the function that tells whether all conditions hold for a record.

    Raises
    ------
    ValueError
        If a source or a value is none.
    """
    pairs = [(simple(source), _any([_test(one) for one in values])) for source, values in where.items()]
    if len(pairs) == 1:
        getter, test = pairs[0]
        return lambda subject: test(getter(subject))
    return lambda subject: all(test(getter(subject)) for getter, test in pairs)


def _any(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


def _test(wanted: object) -> Test:
    """Return the test of one value of a condition."""
    word = (text(wanted) or "").lower()
    if word == "*":
        return lambda value: value is not None and value != ""
    if word == "!":
        return lambda value: value is None or value == ""
    if word.startswith("~"):
        return lambda value: isinstance(value, str) and word[1:] in value.lower()
    if word.startswith(">"):
        return _above(word)
    if word.endswith("*"):
        return lambda value: isinstance(value, str) and value.lower().startswith(word[:-1])
    return lambda value: _is(value, word)


def _is(value: object, word: str) -> bool:
    if isinstance(value, frozenset):
        return word in value
    if type(value) is str:
        return value == word or value.lower() == word
    return value is not None and text(value) == word


def _above(word: str) -> Test:
    bound = number_in(word.lstrip(">="), -_FAR, _FAR)
    if bound is None:
        raise ValueError(f"value of a condition must be a number behind > or >=, got {word}")
    if word.startswith(">="):
        return lambda value: (number := number_in(value, -_FAR, _FAR)) is not None and number >= bound
    return lambda value: (number := number_in(value, -_FAR, _FAR)) is not None and number > bound
