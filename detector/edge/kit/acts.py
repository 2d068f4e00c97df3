"""A call's arguments become the fields of its event: place, digests, and where each value came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from detector.edge.kit.keyed import Redactor
from detector.edge.kit.origins import Provenance
from detector.edge.kit.sizes import size_of
from detector.otlp.arguments import PREFIX, short_values, target_of
from detector.otlp.facts import MAX_JSON
from detector.schema.amends import canonical

MOST_DEEP: Final = 3
"""Objects inside objects whose members count as arguments."""
MOST_FLAT: Final = 64


class Act(NamedTuple):
    """A call that has not returned: when it began, and the fields of its event so far."""

    begun: float
    fields: dict[str, Any]


def described(arguments: object, redactor: Redactor, provenance: Provenance | None) -> tuple[dict[str, Any], int]:
    """Return the fields that arguments give an event, and how many values have an origin that cannot be told.

    Parameters
    ----------
    arguments : object
        A dictionary, its JSON, an object of pydantic, or one value.
    redactor : Redactor
        Takes the content out.
    provenance : Provenance or None
        None: nothing is told of origins.
    """
    named = _named(arguments)
    holders = [named] if isinstance(named, str) else list(_holders(named, 0))
    place = next((found for one in holders if (found := target_of(one)) is not None), None)
    target = next((found for one in holders if (found := redactor.target(one)) is not None), None)
    flat = named if isinstance(named, str) else dict(islice(_flat(named, "", 0), MOST_FLAT))
    fields = {"target": target, "bytes_in": size_of(arguments), "attributes": redactor.attributes(flat, place)}
    if provenance is None:
        return fields, 0
    values = {"target": place, **{name.removeprefix(PREFIX): one for name, one in short_values(flat, place).items()}}
    told = {
        name if name == "target" else PREFIX + redactor.name(name): provenance.origin_of_list(str(value))
        for name, value in values.items()
        if value is not None and not isinstance(value, bool)
    }
    known = {name: origin for name, origin in told.items() if origin is not None}
    return fields | {"arg_origin": known}, len(told) - len(known)


def definition_hash(name: str, description: str | None, schema: object) -> str | None:
    """Return the digest of a tool's definition: a changed one is a finding; None of one that is no JSON.

    >>> definition_hash("t", None, {"b": 1, "a": 2}) == definition_hash("t", "", {"a": 2, "b": 1})
    True
    """
    try:
        return hashlib.sha256(canonical([name, description or "", schema]).encode()).hexdigest()
    except (TypeError, ValueError, RecursionError):  # the call is worth more than its tool's digest
        return None


def _named(arguments: object) -> dict[str, Any] | str:
    """Return arguments by name; the one value if it has none."""
    if hasattr(arguments, "model_dump"):
        arguments = arguments.model_dump(mode="json")
    if isinstance(arguments, str) and len(arguments) <= MAX_JSON and arguments.lstrip()[:1] == "{":
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return str(arguments)
    if isinstance(arguments, dict):
        return {str(name): value for name, value in arguments.items()}
    return arguments if isinstance(arguments, str) else ""


def _holders(arguments: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    """Yield the arguments, then the objects in them: the outermost place counts."""
    yield arguments
    if depth < MOST_DEEP:
        for value in list(arguments.values())[:MOST_FLAT]:
            if isinstance(value, dict):
                yield from _holders({str(name): one for name, one in value.items()}, depth + 1)


def _flat(arguments: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in list(arguments.items())[:MOST_FLAT]:
        if isinstance(value, dict) and depth < MOST_DEEP:
            yield from _flat({str(one): inner for one, inner in value.items()}, f"{path}{name}.", depth + 1)
        else:
            yield f"{path}{name}", value
