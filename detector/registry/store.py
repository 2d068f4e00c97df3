"""Where an inventory stands and how it is changed: the promise that files and Kafka keep alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from detector.errors import SetupError
from detector.registry.changes import Change, Stamp
from detector.registry.log import ChangeRecord, record_for, tips_of
from detector.schema.registry import RegistryEntry


class StandingEntries(NamedTuple):
    """An inventory as it stands.

    Parameters
    ----------
    entries : dict
        By agent, the one that counts of each.
    refused : int
        Records that are no entry of ours.
    """

    entries: dict[str, RegistryEntry]
    refused: int = 0


class Store(Protocol):
    """One inventory and its log."""

    @property
    def place(self) -> str:
        """Where it stands, in words."""

    def read(self) -> StandingEntries:
        """Return what stands."""

    def log(self) -> list[ChangeRecord]:
        """Return every change that was made here, in the order they were written."""

    def write(self, entries: Sequence[RegistryEntry], records: Sequence[ChangeRecord]) -> None:
        """Write the log, then the entries: a change that is not in the log is not made."""


def apply(store: Store, changes: Sequence[Change], stamp: Stamp) -> list[str]:
    """Make the changes that are new or changed; return whose change lost against another written at the same time.

    1. All or none: a change that is refused refuses the file. 2. The log, then the entries. 3. Read again: where
    another hand was faster its entry stands, as it does for the workers, and the log shows both.

    Raises
    ------
    SetupError
        A change is refused, or the store cannot be written.
    """
    # 1.
    if refused := [change for change in changes if change.kind == "refused"]:
        told = "".join(f"\n  {change.draft.entry.agent_id}: {change.why_not}" for change in refused[:20])
        raise SetupError(f"entries must be made from what stands, got {len(refused)} that are not:{told}")
    wanted = [change for change in changes if change.kind in {"new", "changed"}]
    if not wanted:
        return []
    # 2.
    tips = tips_of(store.log())
    entries = [change.entry(stamp) for change in wanted]
    store.write(entries, [record_for(change, stamp, tips) for change in wanted])
    # 3.
    return list(_lost(entries, store.read()))


def _lost(written: Iterable[RegistryEntry], now: StandingEntries) -> Iterable[str]:
    for entry in written:
        stands = now.entries.get(entry.agent_id)
        if stands != entry:
            by = "nothing stands" if stands is None else f"revision {stands.revision} by {stands.by} stands"
            yield f"{entry.agent_id}: {by}"
