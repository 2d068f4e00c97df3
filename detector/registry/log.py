"""The log of changes: one line a change, a hash chain by agent, so that what is edited, dropped or forged shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Final, Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from detector.registry.changes import Change, Stamp, digest_of, fields_changed
from detector.schema.registry import RegistryEntry
from detector.views.shown import shown

GENESIS: Final = "0" * 64
"""What the first change of an agent follows."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ChangeRecord(BaseModel):
    """One change of one entry; `hash` covers the record and `previous`, the hash of the change before.

    `entry` is the digest of the entry as it was written, so that the log vouches for what stands.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    schema_: Annotated[Literal["agent.registry.log/1"], Field(alias="schema")] = "agent.registry.log/1"
    agent_id: str
    tenant: str
    revision: Annotated[int, Field(ge=1)]
    at: float
    by: str
    reason: str
    lifecycle: str
    changed: tuple[str, ...]
    entry: Digest
    previous: Digest = GENESIS
    hash: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""

    def digest(self) -> str:
        """Return what `hash` must be, 64 hexadecimal digits."""
        body = self.model_copy(update={"hash": ""}).model_dump_json(by_alias=True)
        return hashlib.sha256(body.encode()).hexdigest()


class Tip(NamedTuple):
    """Last change of an agent: its revision, and its hash."""

    revision: int = 0
    hash: str = GENESIS


def tips_of(records: Iterable[ChangeRecord]) -> dict[str, Tip]:
    """Return each agent's last change; of two with one revision the first, as the worker takes the first entry."""
    found: dict[str, Tip] = {}
    for one in records:
        if one.revision > found.get(one.agent_id, Tip()).revision:
            found[one.agent_id] = Tip(one.revision, one.hash)
    return found


def record_for(change: Change, stamp: Stamp, tips: Mapping[str, Tip]) -> ChangeRecord:
    """Return the record of a change that is about to be made."""
    entry = change.entry(stamp)
    made = ChangeRecord(
        agent_id=entry.agent_id,
        tenant=entry.tenant,
        revision=entry.revision,
        lifecycle=entry.lifecycle,
        changed=tuple(fields_changed(change.stands, entry)),
        entry=digest_of(entry),
        previous=tips.get(entry.agent_id, Tip()).hash,
        **stamp._asdict(),
    )
    return made.model_copy(update={"hash": made.digest()})


def faults_of(records: Iterable[ChangeRecord], standing: Mapping[str, RegistryEntry]) -> list[str]:
    """Return what is wrong with a log and the inventory it vouches for, one sentence each; empty: nothing is.

    A log whose oldest changes were deleted by retention verifies from the first that is there. A log that lost its tail
    shows, because the entry that stands is not in it.
    """
    by_agent: dict[str, list[ChangeRecord]] = {}
    for one in records:
        by_agent.setdefault(one.agent_id, []).append(one)
    faults: list[str] = []
    for agent, changes in sorted(by_agent.items()):
        faults += [f"{shown(agent)}: {fault}" for fault in chain_faults(changes)]
    for agent, entry in sorted(standing.items()):
        if not any(one.entry == digest_of(entry) for one in by_agent.get(agent, [])):
            faults.append(
                f"{shown(agent)}: what stands (revision {entry.revision}, by {shown(entry.by)}) is not in the log: "
                "it was written past `detector registry`"
            )
    for agent, changes in sorted(by_agent.items()):
        last = max(one.revision for one in changes)
        if agent not in standing or standing[agent].revision < last:
            faults.append(f"{shown(agent)}: revision {last} was logged and does not stand: it was taken back, or lost")
    return faults


class Chained(Protocol):
    """A change on a log whose records follow each other by hash."""

    @property
    def revision(self) -> int:
        """Which change it is."""

    @property
    def by(self) -> str:
        """Who made it."""

    @property
    def previous(self) -> str:
        """Hash of the change before."""

    @property
    def hash(self) -> str:
        """Its own, as it was written."""

    def digest(self) -> str:
        """Return what its hash must be."""


def chain_faults(changes: Iterable[Chained]) -> list[str]:
    """Return where the changes of one thing do not follow each other, one sentence each."""
    unique = {(one.revision, one.hash): one for one in changes}
    ordered = sorted(unique.values(), key=lambda one: one.revision)
    faults = [
        f"revision {one.revision} was edited: its hash does not fit" for one in ordered if one.hash != one.digest()
    ]
    for before, after in pairwise(ordered):
        if after.revision == before.revision:
            faults.append(f"revision {after.revision} stands twice, by {before.by} and {after.by}: two wrote at once")
        elif after.revision != before.revision + 1:
            faults.append(f"revisions {before.revision + 1} to {after.revision - 1} are missing")
        elif after.previous not in {one.hash for one in ordered if one.revision == before.revision}:
            faults.append(f"revision {after.revision} does not follow revision {before.revision}")
    return faults
