"""Other inventories as proposed entries: which form a file has, and how an agent's id is made of its names there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, Final

from detector.errors import SetupError
from detector.registry.documents import read_document
from detector.registry.drafts import Draft, drafts_of, entries_in
from detector.registry.pages import ReviewItem
from detector.registry.sources import entra, kubernetes, scim, spire
from detector.registry.sources.found import Imported

READERS: Final[dict[str, Any]] = {"scim": scim, "kubernetes": kubernetes, "spire": spire, "entra": entra}
"""Forms by name; each module has `fits`, `read` and `DEFAULT_ID`."""
OWN: Final = "own"


def read_inventory(path: Path, form: str | None, id_from: str | None, tenant: str) -> list[ReviewItem]:
    """Return the agents of a file as proposals to review.

    Parameters
    ----------
    path : Path
        YAML or JSON.
    form : str or None
        ``own`` or one of :data:`READERS`; None: told by what stands in it.
    id_from : str or None
        What ids are made of, like ``$namespace/$name``; None: the form's own.
    tenant : str
        Tenant of the entries of other inventories.

    Raises
    ------
    SetupError
        The file is of no such form, an id cannot be made, or two agents get one.
    """
    found = read_document(path)
    form = form or next((name for name, reader in READERS.items() if reader.fits(found)), OWN)
    if form == OWN:
        # revisions are those of the inventory it comes from: here each is a new entry
        tables = [_unrevised(table) for table in entries_in(found, path)]
        return [ReviewItem(draft, []) for draft in drafts_of(tables, path)]
    reader = READERS[form]
    imported = list(reader.read(found)) if reader.fits(found) else []
    if not imported:
        raise SetupError(f"content of {path} must have agents as {form} writes them, got none: see --form")
    template = Template(id_from or reader.DEFAULT_ID)
    tables = [{"agent_id": _id(template, one, path), "tenant": tenant, **one.body} for one in imported]
    drafts: list[Draft] = drafts_of(tables, path)
    return [ReviewItem(draft, [f"from {form}", *one.notes]) for draft, one in zip(drafts, imported, strict=True)]


def _unrevised(table: Any) -> Any:  # noqa: ANN401 - what a file holds
    return {name: value for name, value in table.items() if name != "revision"} if isinstance(table, Mapping) else table


def _id(template: Template, one: Imported, path: Path) -> str:
    try:
        return template.substitute(one.names)
    except (KeyError, ValueError) as error:
        names = ", ".join(f"${name}" for name in one.names)
        message = f"id-from of import must be made of {names}, got {template.template!r} for an agent of {path}"
        raise SetupError(message) from error
