"""An inventory in one YAML file, with its log beside it: for a folder under version control, and to try things out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from detector.errors import SetupError
from detector.registry.changes import content_of
from detector.registry.documents import comment, exact_time, lines_of_mapping, read_document, seconds_in
from detector.registry.drafts import UNSTAMPED, check, drafts_of, entries_in
from detector.registry.log import ChangeRecord
from detector.registry.log_file import LoggedFile
from detector.registry.pages import timed
from detector.registry.store import StandingEntries
from detector.schema.registry import RegistryEntry

HEAD: Final = (
    "Inventory of agents, written by `detector registry`. Do not edit it here: `detector registry export` gives a copy",
    "to edit and apply, so that who changed what stands in the log beside this file.",
)


class FileStore:
    """One file; it need not be there yet. Two that write at once wait for each other.

    Parameters
    ----------
    path : Path
        The inventory; its log is the same name with ``.log.ndjson`` behind it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = LoggedFile(path)

    @property
    def place(self) -> str:
        """The file's name."""
        return str(self._path)

    def read(self) -> StandingEntries:
        """Return what stands in the file; nothing if there is none.

        Raises
        ------
        SetupError
            It cannot be read, or is no inventory.
        """
        if not self._path.exists():
            return StandingEntries({})
        tables = entries_in(read_document(self._path), self._path)
        drafts = drafts_of(tables, self._path)
        stood = [_stamped(draft.entry, table) for draft, table in zip(drafts, tables, strict=True)]
        return StandingEntries({entry.agent_id: entry for entry in stood})

    def log(self) -> list[ChangeRecord]:
        """Return the changes in the log beside the file.

        Raises
        ------
        SetupError
            It cannot be read, or a line of it is no change.
        """
        return self._file.changes(ChangeRecord)

    def write(self, entries: Sequence[RegistryEntry], records: Sequence[ChangeRecord]) -> None:
        """Add to the log, then put a new file in the old one's place; a crash leaves the one or the other whole.

        Raises
        ------
        SetupError
            A file cannot be written, or another hand was faster.
        """
        try:
            with self._file.alone():
                now = self.read().entries
                _check_still(now, entries)
                now.update({entry.agent_id: entry for entry in entries})
                self._file.append(record.model_dump_json(by_alias=True).encode() for record in records)
                self._file.replace("\n".join(_lines(now)) + "\n")
        except OSError as error:
            raise SetupError(f"file of the inventory must be writable, got {self._path}: {error.strerror}") from error


def _check_still(now: Mapping[str, RegistryEntry], entries: Sequence[RegistryEntry]) -> None:
    for entry in entries:
        stands = now.get(entry.agent_id)
        if (stands.revision if stands else 0) != entry.revision - 1:
            by = f"{stands.by} changed it" if stands else "it was removed"
            raise SetupError(
                f"entry of {entry.agent_id} must be made from what stands, but {by} meanwhile: apply again"
            )


def _stamped(entry: RegistryEntry, table: Mapping[str, Any]) -> RegistryEntry:
    """Return an entry with the stamp that stands in the file; one that was written by hand has none."""
    stamp = {
        "at": seconds_in(table.get("at", 0.0)),
        "by": table.get("by", UNSTAMPED),
        "reason": table.get("reason", "-"),
    }
    body = entry.model_dump(by_alias=True) | stamp | {"revision": max(1, int(table.get("revision", 1)))}
    try:
        found = RegistryEntry.model_validate(body)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise SetupError(f"stamp of {entry.agent_id} must be whole, got a wrong {fault['loc'][0]}") from error
    check(found)
    return found


def _lines(entries: Mapping[str, RegistryEntry]) -> Iterator[str]:
    yield from (comment(line) for line in HEAD)
    yield "inventory:" if entries else "inventory: []"
    for _, entry in sorted(entries.items()):
        body = {
            "agent_id": entry.agent_id,
            "revision": entry.revision,
            "at": exact_time(entry.at),
            "by": entry.by,
            "reason": entry.reason,
            **timed(content_of(entry)),
        }
        for number, line in enumerate(lines_of_mapping(body, 4)):
            yield f"  - {line[4:]}" if number == 0 else line
