"""The inventory and its changes as lines for a terminal; what others wrote is escaped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from detector.errors import SetupError
from detector.registry.changes import Change, changes_of
from detector.registry.drafts import Draft, read_drafts, record_of
from detector.registry.log import ChangeRecord
from detector.registry.pages import ReviewItem, page_of
from detector.registry.store import Store
from detector.schema.registry import RegistryEntry
from detector.views.shown import moment, shown

NOBODY = "nobody"


def rows(head: Sequence[str], body: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield lines of a table, columns as wide as they must be."""
    table = [list(head), *(list(row) for row in body)]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def listed(entries: Sequence[RegistryEntry], *, is_json: bool) -> Iterator[str]:
    """Yield one line an entry."""
    if is_json:
        yield from (json.dumps(json.loads(record_of(entry))) for entry in entries)
        return
    head = ("agent", "tenant", "state", "criticality", "owner", "type", "tools", "targets", "grants", "rev", "changed")
    yield from rows(head, map(_row, entries))
    states = Counter(entry.lifecycle for entry in entries)
    told = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    without = sum(entry.owner is None for entry in entries)
    yield f"{len(entries)} agents" + (f": {told}; {without} without an owner" if entries else "")


def _row(entry: RegistryEntry) -> tuple[str, ...]:
    return (
        shown(entry.agent_id, 48),
        shown(entry.tenant, 24),
        entry.lifecycle,
        entry.criticality,
        shown(entry.owner or NOBODY, 32),
        shown(entry.agent_type or "-", 32),
        _many(entry.tools),
        _many(entry.targets),
        str(len(entry.grants)),
        str(entry.revision),
        f"{moment(entry.at)} {shown(entry.by, 24)}",
    )


def _many(declared: tuple[str, ...] | None) -> str:
    return "any" if declared is None else str(len(declared))


def history(log: Iterable[ChangeRecord], agent: str) -> Iterator[str]:
    """Yield the changes of one agent, the newest last."""
    found = sorted((one for one in log if one.agent_id == agent), key=lambda one: one.revision)
    if found:
        yield ""
    for one in found:
        fields = ", ".join(shown(name) for name in one.changed)
        yield f"revision {one.revision}  {moment(one.at)}  {shown(one.by)}: {shown(one.reason, 200)} ({fields})"


def prepared(store: Store, path: Path, *, activate: bool) -> list[Change]:
    """Return what a file would change in an inventory.

    Raises
    ------
    SetupError
        The file or the inventory cannot be read, or an entry that is to be active has no owner.
    """
    drafts = read_drafts(path)
    if activate:
        drafts = [Draft(one.made_from, _active(one.entry)) for one in drafts]
    return changes_of(drafts, store.read().entries)


def _active(entry: RegistryEntry) -> RegistryEntry:
    if entry.lifecycle != "proposed" or entry.tools == ():
        return entry  # nobody is held against an empty list because he was hardly seen
    if entry.owner is None:
        raise SetupError(f"entry of {shown(entry.agent_id)} must have an owner to be active, got none: write it in")
    return entry.model_copy(update={"lifecycle": "active"})


def told(changes: Sequence[Change]) -> Iterator[str]:
    """Yield what changes, agent by agent; those that stay as they are in number only."""
    for change in changes:
        if change.kind == "same":
            continue
        entry = change.draft.entry
        made = "" if change.stands is None else f", revision {change.stands.revision}"
        yield f"{change.kind}  {shown(entry.agent_id)} ({shown(entry.tenant)}){made}"
        yield from change.lines
        if change.why_not:
            yield f"  refused: {change.why_not}"
    waiting = [one.draft.entry for one in changes if one.kind in {"new", "changed"}]
    if idle := [one for one in waiting if one.lifecycle == "proposed" and one.tools == ()]:
        names = ", ".join(shown(one.agent_id, 48) for one in idle[:20])
        yield f"proposed with no tool at all, and so not to be activated by --activate: {len(idle)} ({names})"
    kinds = Counter(change.kind for change in changes)
    yield ", ".join(f"{kinds[kind]} {kind}" for kind in ("new", "changed", "same", "refused"))


def exported(entries: Mapping[str, RegistryEntry], place: str) -> Iterator[str]:
    """Yield the page of an inventory, to be edited."""
    items = [ReviewItem(Draft(entry.revision, entry), []) for _, entry in sorted(entries.items())]
    head = [f"Inventory of {place}. Edit, then: detector registry apply THIS FILE --by NAME --reason TEXT"]
    return page_of(items, head, "inventory")
