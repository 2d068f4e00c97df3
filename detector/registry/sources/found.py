"""What a reader of somebody's inventory gives: names to make the agent's id of, fields of an entry, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Imported(NamedTuple):
    """One agent of another inventory.

    Parameters
    ----------
    names : mapping of str to str
        What its id can be made of.
    body : dict
        Fields of an entry; nothing that allows anything.
    notes : list of str
        What a reviewer should know and an entry has no field for.
    """

    names: Mapping[str, str]
    body: dict[str, Any]
    notes: list[str]


def text_in(found: Any, *names: str) -> str | None:  # noqa: ANN401 - other people's JSON
    """Return a text at a path of mappings, None if there is none there or it is empty."""
    for name in names:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found if isinstance(found, str) and found else None


def items_in(found: Any, name: str) -> list[Any]:  # noqa: ANN401 - other people's JSON
    """Return the list under a name of a mapping; of anything else an empty one."""
    value = found.get(name) if isinstance(found, Mapping) else None
    return value if isinstance(value, list) else []


def said(**fields: str | None) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value}
