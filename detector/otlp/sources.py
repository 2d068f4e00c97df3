"""Where the value of a field comes from: the small language of the mapping tables, compiled to functions.

=====================  =====================================================================================
in a table             what it takes
=====================  =====================================================================================
``"a.b"``              the record's attribute ``a.b``
``"resource:a.b"``     the resource's attribute
``"a.b#c"``            member ``c`` of the JSON object that attribute ``a.b`` holds as text (or as a table)
``"event:n:a"``        attribute ``a`` of the first event called ``n`` of a span
``"@name"``            a fact of the record (``FACTS`` of ``detector/otlp/facts.py``)
``"$name"``            what the table derives under that name
``"=word"``            the word itself
``{sum = [...]}``      the sum of what is a number among its sources; None if none is
``{join = "x{}y{}"}``  with ``of = [...]``: the sources put into the form, if all are there
``{after = "text "}``  with ``of``: the word behind the first occurrence of a text
``{before = ".run"}``  with ``of``: the value without this ending, if it has it
``{last = true}``      with ``of``: the last word, if there are at least two
``{digest = true}``    with ``of = [...]``: a digest of the first of the sources that is a text
``{scale = 1000}``     with ``of``: the number times a factor
=====================  =====================================================================================

Each of the forms in braces may add ``where = {...}`` (``detector/otlp/conditions.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from detector.otlp.conditions import compile_where, holds_all
from detector.otlp.facts import Getter, Subject, Take, simple
from detector.otlp.values import REDACTED, amount, text
from detector.schema.amends import number_in

Source = str | dict[str, Any]
FORMS: Final = frozenset({"sum", "join", "after", "before", "last", "digest", "scale"})
_MAX_SEARCHED: Final = 8_192
"""Characters of a text in which a marker is looked for."""


def compile_source(source: Source) -> Take:
    """Return a source of a mapping table, compiled.

    Raises
    ------
    ValueError
        If the source is none: the sentence says what of it.
    """
    if isinstance(source, str):
        return simple(source)
    form = set(FORMS & source.keys())
    if len(form) != 1 or source.keys() - FORMS - {"of", "where"}:
        raise ValueError(f"source must have one of {', '.join(sorted(FORMS))}, and of and where, got {source}")
    kind = form.pop()
    of = source[kind] if kind == "sum" else source.get("of", ())
    if not of:
        raise ValueError(f"source must name in `of` what it is made of, got {source}")
    takes = [compile_source(one) for one in ([of] if isinstance(of, str) else of)]
    get = _form(kind, source[kind], [take.get for take in takes])
    needs = _needs_of_any(takes) if kind in {"sum", "digest"} else takes[0].needs
    reads = frozenset().union(*(take.reads for take in takes))
    if "where" not in source:
        return Take(get, reads, needs)
    clauses = compile_where(source["where"])
    holds = holds_all(clauses)
    reads = reads.union(*(clause.take.reads for clause in clauses))
    return Take(lambda subject: get(subject) if holds(subject) else None, reads, needs)


def is_there(value: object) -> bool:
    """Return whether a value is one: not absent, not empty, not left out by a library."""
    return value is not None and value != "" and not (type(value) is str and value in REDACTED)


def first_of(takes: Sequence[Take]) -> Getter:
    """Return the function that takes the first value of several sources that is there."""
    getters = [take.get for take in takes]
    if len(getters) == 1:
        return getters[0]

    def get(subject: Subject) -> Any:  # noqa: ANN401 - values of any type
        for one in getters:
            value = one(subject)
            if is_there(value):
                return value
        return None

    return get


def _needs_of_any(takes: Sequence[Take]) -> frozenset[str] | None:
    """Return the attributes of which one must be there for any of the sources to have a value."""
    needs: set[str] = set()
    for take in takes:
        if take.needs is None:
            return None
        needs |= take.needs
    return frozenset(needs)


def _form(kind: str, how: Any, of: list[Getter]) -> Getter:  # noqa: ANN401 - of the type its form wants
    """Return the function of a form in braces."""
    match kind:
        case "sum":
            return lambda subject: _sum([amount(one(subject)) for one in of])
        case "digest":
            return lambda subject: _digest([one(subject) for one in of])
        case "join":
            return lambda subject: _joined(how, [text(one(subject)) for one in of])
        case "after":
            return lambda subject: _after(how, of[0](subject))
        case "before":
            return lambda subject: _before(how, of[0](subject))
        case "last":
            return lambda subject: _last(of[0](subject))
    return lambda subject: _scaled(how, of[0](subject))


def _sum(numbers: list[float | None]) -> float | None:
    found = [one for one in numbers if one is not None]
    return sum(found) if found else None


def _digest(values: list[Any]) -> str | None:
    """Return 16 hexadecimal characters that stand for the first text that is there."""
    text_of = next((one for one in values if isinstance(one, str) and one and one not in REDACTED), None)
    return None if text_of is None else hashlib.blake2b(text_of.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _joined(form: str, words: list[str | None]) -> str | None:
    return None if None in words else form.format(*words)


def _after(marker: str, value: object) -> str | None:
    """Return the word behind a marker: what stands further back is somebody's output, the head is the program's."""
    if not isinstance(value, str):
        return None
    _, found, rest = value[:_MAX_SEARCHED].partition(marker)
    words = rest[:64].split(maxsplit=1)
    return words[0] if found and words else None


def _before(ending: str, value: object) -> str | None:
    if isinstance(value, str) and value.endswith(ending) and len(value) > len(ending):
        return value.removesuffix(ending)
    return None


def _last(value: object) -> str | None:
    words = value.split() if isinstance(value, str) else []
    return words[-1] if len(words) > 1 else None


def _scaled(factor: float, value: object) -> float | None:
    number = number_in(value, 0.0, 1e15)
    return None if number is None else number * factor
