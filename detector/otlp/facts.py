"""What a mapping table may ask of a record beside its attributes."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from msgspec import Struct

from detector.otlp.item import Attributes, Item
from detector.otlp.values import text

MAX_JSON: Final = 65_536
"""Characters of an attribute that is read as JSON; longer ones are not."""
MAX_ERROR_TEXT: Final = 2_048


class Home(Struct, eq=False):
    """What is worked out once for all records of a batch that share a resource.

    Parameters
    ----------
    service : str or None
        ``service.name`` as text.
    said : str
        The same as it was sent, empty for what is no text.
    tenant : str
        Its tenant as text, empty for none.
    names : tuple of str
        Attributes of the resource.
    shapes, fields : dict
        Shapes of its records that were met in this batch; by plan, the fields of an event that are known.
    """

    service: str | None
    said: str
    tenant: str
    names: tuple[str, ...]
    shapes: dict[tuple[str, str, str, tuple[str, ...]], Any] = {}
    fields: dict[Any, dict[str, Any]] = {}


def home_of(resource: Attributes) -> Home:
    """Return what is known of a resource before a record of it is looked at."""
    service = resource.get("service.name")
    said = service if isinstance(service, str) else ""
    return Home(text(service), said, text(resource.get("tenant")) or "", tuple(resource))


class Subject(Struct, eq=False, gc=False):
    """A record while it is mapped.

    Parameters
    ----------
    item : Item
        The record.
    home : Home
        What is known of its resource.
    name : str
        Its name as its table calls it, prefix off.
    session, agent, agent_id : str or None
        Found before its rule is chosen: conversation, the name of a (sub-)agent where the record has one, and the whole
        id that name makes, where agents are known by their names.
    children : frozenset of str
        Marks that spans below it left, as far as they have arrived.
    is_told, is_call_told : bool
        Whether log records tell of the same session, of the same call.
    objects : dict or None
        JSON texts that were read already, by attribute.
    derived : dict or None
        What the table derives, by name.
    who : Found or None
        Who acted, where that is known before its event is made (``detector/otlp/who.py``).
    followed : (str, str, str) or None
        What its number is followed by (``detector/otlp/sequences.py``).
    """

    item: Item
    home: Home
    name: str = ""
    session: str | None = None
    agent: str | None = None
    agent_id: str | None = None
    children: frozenset[str] = frozenset()
    is_told: bool = False
    is_call_told: bool = False
    objects: dict[str, dict[str, Any]] | None = None
    derived: dict[str, Any] | None = None
    who: Any = None
    followed: tuple[str, str, str] | None = None


Getter = Callable[[Subject], Any]
"""Takes a value from a record; None if it is not there."""


def dug(subject: Subject, holder: str, member: str) -> Any:  # noqa: ANN401 - a JSON value
    """Return a member of the object an attribute holds, as a table or as JSON text."""
    if subject.objects is None:
        subject.objects = {}
    if holder not in subject.objects:
        subject.objects[holder] = object_of(subject.item.attributes.get(holder))
    return subject.objects[holder].get(member)


def object_of(value: object) -> dict[str, Any]:
    """Return the object a value is, or is the JSON text of; an empty one for anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or not value.startswith("{") or len(value) > MAX_JSON:
        return {}
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _duration_ms(subject: Subject) -> float | None:
    item = subject.item
    if item.start_ns <= 0 or item.time_ns < item.start_ns:
        return None
    return (item.time_ns - item.start_ns) / 1e6


def _error_text(subject: Subject) -> str:
    """Return what a span says about its failure: type, message, exceptions."""
    item = subject.item
    found = [item.message, item.attributes.get("error.type"), item.attributes.get("exception.type")]
    for _, attributes in item.events:
        found += [value for name, value in attributes.items() if name.endswith((".type", ".message", "error_code"))]
    return " ".join(one[:MAX_ERROR_TEXT] for one in found if isinstance(one, str))[:MAX_ERROR_TEXT]


def _in_event(subject: Subject, name: str, attribute: str) -> Any:  # noqa: ANN401 - a value of any type
    """Return an attribute of the first event of a span that has this name."""
    for event, attributes in subject.item.events:
        if event == name:
            return attributes.get(attribute)
    return None


def _body(subject: Subject) -> str:
    return subject.item.body


FACTS: Final[dict[str, Callable[[Subject], Any]]] = {
    "@name": lambda subject: subject.item.name or subject.name,
    "@event": lambda subject: subject.name,
    "@body": _body,
    "@scope": lambda subject: subject.item.scope,
    "@trace_id": lambda subject: subject.item.trace_id,
    "@span_id": lambda subject: subject.item.span_id,
    "@kind": lambda subject: subject.item.kind,
    "@status": lambda subject: subject.item.status,
    "@message": lambda subject: subject.item.message,
    "@error_text": _error_text,
    "@duration_ms": _duration_ms,
    "@session": lambda subject: subject.session,
    "@agent": lambda subject: subject.agent,
    "@children": lambda subject: subject.children,
    "@told_by_logs": lambda subject: subject.is_told,
    "@call_told_by_logs": lambda subject: subject.is_call_told,
}
"""Name in a table -> what it takes from a record."""
HEARD: Final = frozenset({"@children", "@told_by_logs", "@call_told_by_logs"})
"""Facts that other records told."""


class Take(NamedTuple):
    """A source of a value, compiled.

    Parameters
    ----------
    get : callable
        Takes the value from a record; None if it is not there.
    reads : frozenset of str
        Everything its value depends on, as tables name it: where these are the same, so is the value.
    needs : frozenset of str or None
        Attributes of which one must be there, or there is no value (``resource:`` before those of the resource); None
        if that cannot be said.
    attribute : str or None
        Name of the record's attribute that it is, where it is nothing else.
    """

    get: Getter
    reads: frozenset[str]
    needs: frozenset[str] | None = None
    attribute: str | None = None


def is_dead(take: Take, present: AbstractSet[str]) -> bool:
    """Return whether a source has no value in any record with just these attributes."""
    return take.needs is not None and take.needs.isdisjoint(present)


def simple(source: str) -> Take:
    """Return the source without braces that a table names.

    Raises
    ------
    ValueError
        If it names a fact that there is not.
    """
    reads = frozenset({source})
    if source.startswith("="):
        word = source[1:]
        return Take(lambda _: word, frozenset())
    if source.startswith("@"):
        if source not in FACTS:
            raise ValueError(f"fact must be one of {', '.join(FACTS)}, got {source}")
        return Take(FACTS[source], reads)
    if source.startswith("$"):
        return Take(lambda subject: None if subject.derived is None else subject.derived.get(source[1:]), reads)
    if source.startswith("resource:"):
        name = source.removeprefix("resource:")
        return Take(lambda subject: subject.item.resource.get(name), reads, reads)
    if source.startswith("event:"):
        _, event, attribute = source.split(":", 2)
        return Take(lambda subject: _in_event(subject, event, attribute), reads)
    if "#" in source:
        holder, member = source.split("#", 1)
        return Take(lambda subject: dug(subject, holder, member), reads, frozenset({holder}))
    return Take(lambda subject: subject.item.attributes.get(source), reads, reads, source)
