"""Declarations of zones as they stand in a file that people edit: without a stamp, with the revision they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from detector.errors import SetupError
from detector.registry.documents import comment, lines_of_mapping, read_document, time_text
from detector.registry.drafts import STAMP, UNSTAMPED
from detector.rules.zoned import zones_facts_of
from detector.schema.registry import MAX_ENTRY_BYTES
from detector.schema.zones import ZoneDeclaration
from detector.views.shown import shown

HEAD: Final = "declared"
"""What a file of several tenants' zones has them under."""


class ZonesDraft(NamedTuple):
    """Zones that nobody has applied: the revision that stood when they were written (0: none), and all they say."""

    made_from: int
    declared: ZoneDeclaration


def read_zones_drafts(path: Path) -> list[ZonesDraft]:
    """Return the zones in a file: of one tenant, a list of several tenants', or that list under ``declared``.

    Raises
    ------
    SetupError
        It is no such file, or a declaration is refused: its tenant, the field and what is wrong are told.
    """
    drafts: list[ZonesDraft] = []
    for table in zones_tables(read_document(path), path):
        name = shown(str(table.get("tenant", "default")), 80) if isinstance(table, Mapping) else "a tenant"
        try:
            draft = zones_draft_of(table)
        except ValueError as error:
            raise SetupError(f"zones of {name} in {path} must be whole, got {_fault(error)}") from error
        if any(draft.declared.tenant == other.declared.tenant for other in drafts):
            raise SetupError(f"zones of {name} in {path} must stand once, got two declarations")
        drafts.append(draft)
    return drafts


def zones_tables(found: Any, path: Path) -> list[Any]:  # noqa: ANN401 - what a file holds
    """Return the tables of a document of ours, unread.

    Raises
    ------
    SetupError
        It has no zones.
    """
    if isinstance(found, Mapping):
        found = found.get(HEAD, [found] if "zones" in found else None)
    if not isinstance(found, list):
        raise SetupError(f"content of {path} must be zones of a tenant, or a list of them under {HEAD}, got none")
    return found


def zones_draft_of(table: Any) -> ZonesDraft:  # noqa: ANN401 - what a file holds
    """Return one table as a draft.

    Raises
    ------
    ValueError
        A field is wrong, a name is no pattern, or the whole is too long to be read by anybody.
    """
    if not isinstance(table, Mapping):
        raise ValueError("no mapping of fields")  # noqa: TRY004 - the file's fault, like every other
    made_from = table.get("revision", 0)
    if not isinstance(made_from, int) or isinstance(made_from, bool) or not 0 <= made_from < 2**53 - 1:
        raise ValueError("revision: it must be that of the zones this was made from, 0 for new ones")
    body = {name: value for name, value in table.items() if name not in STAMP}
    if empty := _empty_in(body):
        # a list whose last line was made a comment would say nothing, and so allow everything
        raise ValueError(f"{empty} without a value: write [] for none, or leave the line out to say nothing about it")
    stand_in = {"revision": made_from + 1, "at": 0, "by": UNSTAMPED, "reason": "-"}
    declared = ZoneDeclaration.model_validate({**body, **stand_in})
    return ZonesDraft(made_from, checked(declared))


def checked(declared: ZoneDeclaration) -> ZoneDeclaration:
    """Return a declaration whose patterns can be compiled and that is short enough for its topic.

    Raises
    ------
    ValueError
        It is not.
    """
    value = zones_record_of(declared)
    zones_facts_of(declared, value)
    if len(value) > MAX_ENTRY_BYTES:
        raise ValueError(f"{len(value)} bytes, more than {MAX_ENTRY_BYTES}: use patterns")
    return declared


def zones_record_of(declared: ZoneDeclaration) -> bytes:
    """Return zones as a record of `agent.registry`: JSON, what says nothing left out, the same for the same."""
    return declared.model_dump_json(by_alias=True, exclude_none=True).encode()


def zones_content_of(declared: ZoneDeclaration) -> dict[str, Any]:
    """Return what a declaration says, without its stamp and what it says nothing about: plain values for a file."""
    body = declared.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    kept = {name: value for name, value in body.items() if name not in STAMP and name != "schema"}
    return {"tenant": declared.tenant, "zones": [], **kept}


def zones_page(declared: ZoneDeclaration, made_from: int, notes: list[str]) -> Iterator[str]:
    """Yield the lines of one tenant's zones as a file to edit and apply; notes are comments above."""
    yield from (comment(note) for note in notes)
    content = zones_content_of(declared)
    yield from lines_of_mapping({"tenant": content.pop("tenant"), "revision": made_from, **content}, 0)


def stamp_note(declared: ZoneDeclaration) -> str:
    """Return who changed zones last, when and why, in a line."""
    return f"revision {declared.revision}, {time_text(declared.at)} by {declared.by}: {declared.reason}"


def _empty_in(body: Mapping[str, Any]) -> str | None:
    """Return the name of a field without a value, as deep as a declaration has fields; None: there is none."""
    for name, value in body.items():
        if value is None:
            return str(name)
        for one in value if isinstance(value, list) else []:
            if isinstance(one, Mapping) and (found := _empty_in(one)) is not None:
                return found
    return None


def _fault(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"
