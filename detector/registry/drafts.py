"""Entries as they stand in a file that people edit: without a stamp, and with the revision they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from detector.errors import SetupError
from detector.registry.documents import read_document, seconds_in
from detector.rules.patterns import Patterns
from detector.schema.registry import MAX_ENTRY_BYTES, RegistryEntry
from detector.views.shown import shown

STAMP: Final = ("revision", "at", "by", "reason")
"""What a change is stamped with when it is applied; nothing of it is taken from a file but the revision."""
LISTS: Final = ("tools", "targets", "peers", "delegates", "data_classes")
"""Lists of an entry that a use can fall inside or outside of."""
APPROVED: Final = ("versions", "models", "prompt_hashes")
"""The same, of what may run under the agent's name."""
HEADS: Final = ("proposals", "inventory", "entries")
MOST_FAULTS: Final = 20
"""Faults of a file that are told; the rest are counted."""
UNSTAMPED: Final = "not applied"


class Draft(NamedTuple):
    """An entry that nobody has applied.

    Parameters
    ----------
    made_from : int
        Revision that stood when it was written; 0: none did.
    entry : RegistryEntry
        All it says; its stamp is a stand-in until it is applied.
    """

    made_from: int
    entry: RegistryEntry


def read_drafts(path: Path) -> list[Draft]:
    """Return the entries in a file of ours: a list, or a list under ``proposals``, ``inventory`` or ``entries``.

    Raises
    ------
    SetupError
        It is no such file, or an entry is refused; every fault is told, with the entry and its field.
    """
    return drafts_of(entries_in(read_document(path), path), path)


def entries_in(found: Any, path: Path) -> list[Any]:  # noqa: ANN401 - what a file holds
    """Return the tables of a document of ours, unread.

    Raises
    ------
    SetupError
        It has no list of entries.
    """
    if isinstance(found, Mapping):
        heads = [head for head in HEADS if head in found]
        found = found[heads[0]] if len(heads) == 1 else [found] if "agent_id" in found else None
    if not isinstance(found, list):
        heads_text = ", ".join(HEADS)
        raise SetupError(f"content of {path} must be a list of entries, alone or under one of {heads_text}, got none")
    return found


def drafts_of(tables: Iterable[Any], path: Path) -> list[Draft]:
    """Return tables as drafts.

    Raises
    ------
    SetupError
        One is no entry, or two are of one agent; `path` names the file.
    """
    drafts, faults, seen = [], [], set[str]()
    for number, table in enumerate(tables, start=1):
        whose = table.get("agent_id") if isinstance(table, Mapping) else None
        name = f"entry {number} ({shown(str(whose), 80)})"
        try:
            draft = draft_of(table)
        except ValueError as error:
            faults += [f"{name}: {fault}" for fault in _faults_of(error)]
            continue
        if draft.entry.agent_id in seen:
            faults.append(f"{name}: agent_id must stand once in a file")
        seen.add(draft.entry.agent_id)
        drafts.append(draft)
    if faults:
        more = f"\n  and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
        told = "".join(f"\n  {fault}" for fault in faults[:MOST_FAULTS])
        raise SetupError(f"entries of {path} must be whole, got {len(faults)} faults:{told}{more}")
    return drafts


def draft_of(table: Any) -> Draft:  # noqa: ANN401 - what a file holds
    """Return one table as a draft.

    Raises
    ------
    ValueError
        A field is wrong, a name is no pattern, or the whole is too long to be read by anybody.
    """
    if not isinstance(table, Mapping):
        raise ValueError("an entry must be a mapping of fields")  # noqa: TRY004 - the file's fault, like every other
    if empty := [str(name) for name, value in table.items() if value is None]:
        # a list whose last line was made a comment would say nothing, and so allow everything
        raise ValueError(f"{empty[0]} has no value: write [] for none, or leave the line out to say nothing about it")
    body = {name: value for name, value in table.items() if name not in STAMP}
    made_from = table.get("revision", 0)
    if not isinstance(made_from, int) or isinstance(made_from, bool) or not 0 <= made_from < 2**53 - 1:
        raise ValueError("revision must be the number of the revision this was made from, 0 for a new entry")
    if isinstance(grants := body.get("grants"), list):
        body["grants"] = [_timed(grant) for grant in grants]
    entry = RegistryEntry.model_validate({**body, "revision": made_from + 1, "at": 0, "by": UNSTAMPED, "reason": "-"})
    check(entry)
    return Draft(made_from, entry)


def check(entry: RegistryEntry) -> None:
    """Return if every pattern of an entry can be compiled and the whole is short enough for its topic.

    Raises
    ------
    ValueError
        It is not.
    """
    for name, declared in declared_in(entry):
        try:
            Patterns(declared)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    size = len(record_of(entry))
    if size > MAX_ENTRY_BYTES:
        raise ValueError(f"an entry must have at most {MAX_ENTRY_BYTES} bytes, got {size}: use patterns")


def declared_in(entry: RegistryEntry) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Yield the lists of patterns that an entry has, by their place; those that say nothing are left out."""
    lists = {name: getattr(entry, name) for name in LISTS}
    lists |= {f"approved.{name}": getattr(entry.approved, name) for name in APPROVED}
    lists |= {f"approved.tool_hashes.{tool}": hashes for tool, hashes in (entry.approved.tool_hashes or {}).items()}
    for grant in entry.grants:
        lists |= {f"grant {grant.id} tools": grant.tools, f"grant {grant.id} targets": grant.targets}
    for name, declared in lists.items():
        if declared is not None:
            yield name, declared


def record_of(entry: RegistryEntry) -> bytes:
    """Return an entry as a record of `agent.registry`: JSON, what says nothing left out, the same for the same."""
    return entry.model_dump_json(by_alias=True, exclude_none=True).encode()


def _timed(grant: Any) -> Any:  # noqa: ANN401 - what a file holds
    if not isinstance(grant, Mapping):
        return grant
    return {name: seconds_in(one) if name in {"granted_at", "expires_at"} else one for name, one in grant.items()}


def _faults_of(error: ValueError) -> list[str]:
    if not isinstance(error, ValidationError):
        return [str(error)]
    return [
        f"{'.'.join(str(part) for part in one['loc']) or 'the whole'}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors(include_url=False, include_input=False)
    ]
