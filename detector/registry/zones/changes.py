"""What a file of zones would change, and the log of such changes: a hash chain by tenant."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from detector.registry.changes import Stamp, compared
from detector.registry.log import GENESIS, Digest, chain_faults
from detector.registry.zones.drafts import ZonesDraft, zones_content_of, zones_record_of
from detector.schema.zones import ZoneDeclaration
from detector.views.shown import moment, shown


class ZonesChange(NamedTuple):
    """One draft held against what stands: `same` needs nothing, `refused` was made from something else (`why_not`)."""

    kind: Literal["new", "changed", "same", "refused"]
    draft: ZonesDraft
    stands: ZoneDeclaration | None
    lines: list[str]
    why_not: str = ""

    def declaration(self, stamp: Stamp) -> ZoneDeclaration:
        """Return the zones as they are written: the next revision, stamped."""
        revision = 1 if self.stands is None else self.stands.revision + 1
        return self.draft.declared.model_copy(update={"revision": revision, **stamp._asdict()})


def zones_changes_of(drafts: Iterable[ZonesDraft], standing: Mapping[str, ZoneDeclaration]) -> list[ZonesChange]:
    """Return what each draft would change; one that says what stands already is the same, whatever it came from."""
    return [_change(draft, standing.get(draft.declared.tenant)) for draft in drafts]


def _change(draft: ZonesDraft, stands: ZoneDeclaration | None) -> ZonesChange:
    old = {} if stands is None else zones_content_of(stands)
    lines = list(compared(old, zones_content_of(draft.declared)))
    if stands is not None and not lines:
        return ZonesChange("same", draft, stands, lines)
    if draft.made_from == (0 if stands is None else stands.revision):
        return ZonesChange("new" if stands is None else "changed", draft, stands, lines)
    if stands is None:
        why = f"they were made from revision {draft.made_from}, and none stand: set revision to 0 to make new ones"
    else:
        why = (
            f"they were made from revision {draft.made_from}; revision {stands.revision} stands, changed by "
            f"{shown(stands.by)} at {moment(stands.at)} ({shown(stands.reason, 120)}): enter your change in what "
            f"`detector registry zones show` gives, and keep its revision"
        )
    return ZonesChange("refused", draft, stands, lines, why)


class ZonesRecord(BaseModel):
    """One change of a tenant's zones on the log; `hash` covers the record and `previous`.

    `declared` is the digest of the record as it was written, so that the log vouches for what stands.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    schema_: Annotated[Literal["agent.zones.log/1"], Field(alias="schema")] = "agent.zones.log/1"
    tenant: str
    revision: Annotated[int, Field(ge=1)]
    at: float
    by: str
    reason: str
    changed: tuple[str, ...]
    declared: Digest
    previous: Digest = GENESIS
    hash: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""

    def digest(self) -> str:
        """Return what `hash` must be, 64 hexadecimal digits."""
        return hashlib.sha256(self.model_copy(update={"hash": ""}).model_dump_json(by_alias=True).encode()).hexdigest()


def zones_record_for(change: ZonesChange, stamp: Stamp, log: Iterable[ZonesRecord]) -> ZonesRecord:
    """Return the record of a change that is about to be made; it follows the tenant's last one on the log."""
    made = change.declaration(stamp)
    old = {} if change.stands is None else zones_content_of(change.stands)
    new = zones_content_of(made)
    before = [one for one in log if one.tenant == made.tenant]
    # of two with one revision the first, as the workers take the first declaration
    last = max(before, key=lambda one: one.revision, default=None)
    record = ZonesRecord(
        tenant=made.tenant,
        revision=made.revision,
        changed=tuple(sorted(name for name in old | new if old.get(name) != new.get(name))),
        declared=digest_of_zones(made),
        previous=GENESIS if last is None else last.hash,
        **stamp._asdict(),
    )
    return record.model_copy(update={"hash": record.digest()})


def digest_of_zones(declared: ZoneDeclaration) -> str:
    """Return sha256 of a declaration as its record has it, 64 hexadecimal digits."""
    return hashlib.sha256(zones_record_of(declared)).hexdigest()


def zones_faults_of(log: Iterable[ZonesRecord], standing: Mapping[str, ZoneDeclaration]) -> list[str]:
    """Return what is wrong with a log and the zones it vouches for, one sentence each; empty: nothing is."""
    by_tenant: dict[str, list[ZonesRecord]] = {}
    for one in log:
        by_tenant.setdefault(one.tenant, []).append(one)
    faults = [
        f"{shown(tenant)}: {fault}" for tenant, records in sorted(by_tenant.items()) for fault in chain_faults(records)
    ]
    for tenant, declared in sorted(standing.items()):
        if all(one.declared != digest_of_zones(declared) for one in by_tenant.get(tenant, [])):
            by = f"revision {declared.revision}, by {shown(declared.by)}"
            faults.append(f"{shown(tenant)}: what stands ({by}) is not in the log: it was written past this command")
    for tenant, records in sorted(by_tenant.items()):
        last = max(one.revision for one in records)
        if tenant not in standing or standing[tenant].revision < last:
            faults.append(f"{shown(tenant)}: revision {last} was logged and does not stand: taken back, or lost")
    return faults
