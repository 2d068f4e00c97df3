"""Where zones stand and how they are changed: one promise that a file and Kafka keep alike; the file is here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from detector.errors import SetupError
from detector.registry.changes import Stamp
from detector.registry.documents import comment, exact_time, lines_of_mapping, read_document, seconds_in
from detector.registry.drafts import STAMP, UNSTAMPED
from detector.registry.log_file import LoggedFile
from detector.registry.zones.changes import ZonesChange, ZonesRecord, zones_record_for
from detector.registry.zones.drafts import HEAD, checked, zones_content_of, zones_draft_of, zones_tables
from detector.schema.zones import ZoneDeclaration
from detector.views.shown import shown

TITLE: Final = (
    "Zones of tenants, written by `detector registry zones apply`. Do not edit them here: `show` gives a copy to edit",
    "and apply, so that who changed what stands in the log beside this file.",
)


@dataclass(frozen=True, slots=True)
class StandingZones:
    """Zones as they stand.

    Parameters
    ----------
    declared : dict
        By tenant, the declaration that counts.
    refused : int
        Records that are no zones of ours.
    behind : dict
        By tenant, the partitions in which something else stands, or nothing: a partition that is new, or two that wrote
        at once. Applying again, or the next revision, makes them equal.
    """

    declared: dict[str, ZoneDeclaration]
    refused: int = 0
    behind: dict[str, list[int]] = field(default_factory=dict)


class ZonesStore(Protocol):
    """Where the zones of tenants and the log of their changes stand."""

    @property
    def place(self) -> str:
        """Where they stand, in words."""

    def read(self) -> StandingZones:
        """Return what stands."""

    def log(self) -> list[ZonesRecord]:
        """Return every change that was made here, in the order they were written."""

    def write(self, declared: Sequence[ZoneDeclaration], records: Sequence[ZonesRecord]) -> None:
        """Write the log, then the zones: a change that is not in the log is not made."""


def apply_zones(store: ZonesStore, changes: Sequence[ZonesChange], stamp: Stamp) -> list[str]:
    """Make the changes; return whose change lost against another written at the same time.

    1. All or none: a change that is refused refuses the file. 2. The log, then the zones; those that stand already are
    written again if a partition lacks them. 3. Read again: where another hand was faster its zones stand.

    Raises
    ------
    SetupError
        A change is refused, or the store cannot be written.
    """
    # 1.
    if refused := [change for change in changes if change.kind == "refused"]:
        told = "".join(f"\n  {shown(change.draft.declared.tenant)}: {change.why_not}" for change in refused)
        raise SetupError(f"zones must be made from what stands, got {len(refused)} that are not:{told}")
    # 2.
    wanted = [change for change in changes if change.kind in {"new", "changed"}]
    behind = store.read().behind
    again = [one.stands for one in changes if one.kind == "same" and one.stands and behind.get(one.stands.tenant)]
    log = store.log()
    written = [change.declaration(stamp) for change in wanted]
    if written or again:
        store.write([*written, *again], [zones_record_for(change, stamp, log) for change in wanted])
    # 3.
    now = store.read()
    lost = [one for one in [*written, *again] if now.declared.get(one.tenant) != one or now.behind.get(one.tenant)]
    return [f"{shown(one.tenant)}: {_told_of(now, one.tenant)}" for one in lost]


def _told_of(now: StandingZones, tenant: str) -> str:
    stands = now.declared.get(tenant)
    if stands is None:
        return "nothing stands"
    places = ", ".join(map(str, now.behind.get(tenant, [])))
    told = f"revision {stands.revision} by {shown(stands.by)} stands"
    return told + (f", and not in partitions {places}" if places else "")


class FileZones:
    """Zones of tenants in one YAML file, with their log beside it; the file need not be there yet.

    Parameters
    ----------
    path : Path
        The file; its log is the same name with ``.log.ndjson`` behind it.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, LoggedFile(path)

    @property
    def place(self) -> str:
        """The file's name."""
        return str(self._path)

    def read(self) -> StandingZones:
        """Return what stands in the file; nothing if there is none.

        Raises
        ------
        SetupError
            It cannot be read, or holds no zones.
        """
        if not self._path.exists():
            return StandingZones({})
        found = [self._stamped(table) for table in zones_tables(read_document(self._path), self._path)]
        return StandingZones({one.tenant: one for one in found})

    def log(self) -> list[ZonesRecord]:
        """Return the changes in the log beside the file.

        Raises
        ------
        SetupError
            It cannot be read, or a line of it is no change.
        """
        return self._file.changes(ZonesRecord)

    def write(self, declared: Sequence[ZoneDeclaration], records: Sequence[ZonesRecord]) -> None:
        """Add to the log, then put a new file in the old one's place; a crash leaves the one or the other whole.

        Raises
        ------
        SetupError
            A file cannot be written, or another hand was faster.
        """
        try:
            with self._file.alone():
                now = self.read().declared
                for one in declared:
                    _check_still(now.get(one.tenant), one)
                    now[one.tenant] = one
                self._file.append(record.model_dump_json(by_alias=True).encode() for record in records)
                self._file.replace("\n".join(_lines(now)) + "\n")
        except OSError as error:
            raise SetupError(f"file of the zones must be writable, got {self._path}: {error.strerror}") from error

    def _stamped(self, table: Any) -> ZoneDeclaration:  # noqa: ANN401 - what a file holds
        try:
            declared = zones_draft_of(table).declared
            stamp = {"by": table.get("by", UNSTAMPED), "reason": table.get("reason", "-")}
            body = declared.model_dump(by_alias=True) | stamp | {"at": seconds_in(table.get("at", 0.0))}
            return checked(ZoneDeclaration.model_validate(body | {"revision": max(1, table.get("revision", 1))}))
        except ValueError as error:
            fault = " ".join(str(error).split())
            raise SetupError(f"content of {self._path} must be zones as they were written, got: {fault}") from error


def _check_still(stands: ZoneDeclaration | None, made: ZoneDeclaration) -> None:
    if (stands.revision if stands else 0) != made.revision - 1:
        raise SetupError(
            f"zones of {made.tenant} must be made from what stands, but they changed meanwhile: apply again"
        )


def _lines(declared: Mapping[str, ZoneDeclaration]) -> Iterator[str]:
    yield from (comment(line) for line in TITLE)
    yield f"{HEAD}:" if declared else f"{HEAD}: []"
    for _, one in sorted(declared.items()):
        stamp = {name: getattr(one, name) for name in STAMP} | {"at": exact_time(one.at)}
        content = zones_content_of(one)
        body = {"tenant": content.pop("tenant"), **stamp, **content}
        for number, line in enumerate(lines_of_mapping(body, 4)):
            yield f"  - {line[4:]}" if number == 0 else line
