"""Entries as a page for review: YAML that reads back as it was, beside each line what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from detector.registry.changes import content_of
from detector.registry.documents import comment, exact_time, lines_of_mapping, scalar, time_text
from detector.registry.drafts import Draft
from detector.registry.owners import Owners
from detector.schema.registry import RegistryEntry
from detector.views.shown import shown

Why = Mapping[tuple[str, str], str]
"""What a value of a field rests on."""
_NESTED: Final = ("approved",)
RARE: Final = "rare: decide; take the mark away to allow it"
NOTHING_FIRM: Final = "# nothing firm was seen: write the name alone, without [], before you take a mark away"


class ReviewItem(NamedTuple):
    """One entry on a page.

    Parameters
    ----------
    draft : Draft
        What is proposed.
    notes : list of str
        Stand above it as comments.
    why : mapping
        (field, value) -> what it rests on, behind the value.
    aside : mapping
        Field -> values that are **not** proposed, each with its reason: comments that a person may turn into lines.
    """

    draft: Draft
    notes: list[str]
    why: Why = MappingProxyType({})
    aside: Mapping[str, list[tuple[str, str]]] = MappingProxyType({})


def page_of(items: Iterable[ReviewItem], head: Iterable[str], name: str = "proposals") -> Iterator[str]:
    """Yield the lines of a page under one name, `head` as comments above it."""
    yield from (comment(line) for line in head)
    first = True
    for item in items:
        if first:
            yield f"{name}:"
        first = False
        yield from _item(item)
    if first:
        yield f"{name}: []"


def _item(item: ReviewItem) -> Iterator[str]:
    yield ""
    yield from (comment(note, 2) for note in item.notes)
    body = content_of(item.draft.entry)
    first = {"agent_id": body.pop("agent_id"), "revision": item.draft.made_from}
    for number, (field, value) in enumerate({**first, **timed(body)}.items()):
        for line in _field(field, value, item):
            yield f"  - {line}" if number == 0 else f"    {line}"
    # what is only set aside, and of which nothing is proposed
    for field in item.aside:
        if not _said(body, field):
            yield from (f"    {line}" for line in _nothing(field, item))


def _field(field: str, value: Any, item: ReviewItem) -> Iterator[str]:  # noqa: ANN401 - plain values
    if field in _NESTED and isinstance(value, dict) and value:
        yield f"{field}:"
        for name, inner in value.items():
            yield from (f"  {line}" for line in _list(name, f"{field}.{name}", inner, item))
    else:
        yield from _list(field, field, value, item)


def _list(name: str, field: str, value: Any, item: ReviewItem) -> Iterator[str]:  # noqa: ANN401 - plain values
    if value == [] and item.aside.get(field):
        yield f"{name}: []  {NOTHING_FIRM}"
    elif not isinstance(value, list) or not value or isinstance(value[0], dict):
        yield from lines_of_mapping({name: value}, 0)
    else:
        yield f"{name}:"
        for one in value:
            why = item.why.get((field, one))
            yield f"  - {scalar(one)}" + (f"  {comment(why)}" if why else "")
    if isinstance(value, list):
        yield from (f"  {line}" for line in _aside(field, item))


def _aside(field: str, item: ReviewItem) -> Iterator[str]:
    held = item.aside.get(field, [])
    if held:
        yield comment(RARE)
        # a value is quoted as YAML would have it, so that without its mark the line is a value and nothing else
        yield from (f"# - {scalar(value)}  {comment(why)}" for value, why in held)


def _nothing(field: str, item: ReviewItem) -> Iterator[str]:
    if "." in field:
        yield comment(f"{field}: nothing is firm enough to propose; seen:")
        yield from (comment(f"  {scalar(value)}: {why}") for value, why in item.aside[field])
        return
    yield f"{field}: []  {NOTHING_FIRM}"
    yield from (f"  {line}" for line in _aside(field, item))


def _said(body: Mapping[str, Any], field: str) -> bool:
    head, _, rest = field.partition(".")
    return head in body and (not rest or rest in body[head])


def timed(body: dict[str, Any]) -> dict[str, Any]:
    """Return plain values of an entry with the times of its grants as people write them."""
    if "grants" not in body:
        return body
    grants = [
        {name: exact_time(one) if name in {"granted_at", "expires_at"} else one for name, one in grant.items()}
        for grant in body["grants"]
    ]
    return {**body, "grants": grants}


def whole_of(entry: RegistryEntry) -> list[str]:
    """Return the lines of an entry as it stands, with its stamp, for a terminal."""
    body = {
        "agent_id": entry.agent_id,
        "tenant": entry.tenant,
        "revision": entry.revision,
        "at": time_text(entry.at),
        "by": entry.by,
        "reason": entry.reason,
    }
    return [shown(line, 400) for line in lines_of_mapping({**body, **timed(content_of(entry))}, 0)]


def owned(item: ReviewItem, owners: Owners) -> ReviewItem:
    """Return an item that names who answers for it, if it names nobody."""
    owner = owners.of(item.draft.entry.agent_type)
    if owner is None or item.draft.entry.owner is not None:
        return item
    entry = item.draft.entry.model_copy(update={"owner": owner})
    return item._replace(draft=Draft(item.draft.made_from, entry))
