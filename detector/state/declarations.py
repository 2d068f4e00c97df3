"""Records of the registry take effect: an entry is held against the one that stands, or refused with a reason."""

from __future__ import annotations

from typing import Final

import msgspec
from pydantic import ValidationError

from detector.memory.layout import NOW
from detector.rules.declared import Facts, facts_of
from detector.rules.inventory import Became
from detector.rules.zoned import MOST_TENANTS, BecameOfZones, ZonesFacts, zones_facts_of
from detector.schema.control import Control
from detector.schema.declaration import Declaration, unpack_declarations
from detector.schema.decode import Refusal
from detector.schema.registry import RegistryEntry
from detector.schema.zones import ZoneDeclaration
from detector.sketches.hashing import hash_text
from detector.state.partition import Partition
from detector.state.report import Outcome

BAD_ENTRY: Final = "bad_registry"
KEY_MISMATCH: Final = "registry_key_mismatch"
REFUSED: Final[dict[Became, tuple[str, str]]] = {
    "outdated": ("registry_outdated", "revision must be above that of the entry that stands, got one that is not"),
    "other_tenant": ("registry_other_tenant", "tenant must be that of the entry that stands, got another's agent"),
    "full": ("registry_full", "entries must fit into [rules] registered of the profile, got one too many"),
}
"""Reason and sentence of what is refused for what stands already."""
REFUSED_ZONES: Final[dict[BecameOfZones, tuple[str, str]]] = {
    "outdated": ("registry_outdated", "revision must be above that of the zones that stand, got one that is not"),
    "full": ("registry_full", f"zones must be those of at most {MOST_TENANTS} tenants a partition, got one too many"),
}


def take_declarations(state: Partition, control: Control, first: int, outcome: Outcome) -> int:
    """Let the records of a control take effect, in order; return how many there are.

    Parameters
    ----------
    state : Partition
        Its inventory is changed.
    control : Control
        Of the registry.
    first : int
        Index of its first record, for refusals.
    outcome : Outcome
        Counts and refusals are added to it.
    """
    try:
        records = unpack_declarations(control.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = f"records of the registry must be readable, got {error}"
        outcome.refusals.append((first, Refusal(BAD_ENTRY, detail, None, control.value)))
        return 1
    for index, record in enumerate(records, start=first):
        refusal = _take(state, record, outcome)
        if refusal is not None:
            outcome.counts["registry_refused"] += 1
            outcome.refusals.append((index, refusal))
    return len(records)


def _take(state: Partition, record: Declaration, outcome: Outcome) -> Refusal | None:
    if record.subject == "zones":
        return _take_zones(state, record, outcome)
    agent = int(hash_text(record.key, state.settings.keyed.key))
    if record.value is None:
        outcome.counts["registry_removed" if state.inventory.remove(agent) else "registry_absent"] += 1
        return None
    facts = _facts(record.key, record.value)
    if isinstance(facts, Refusal):
        return facts
    became = state.inventory.take(agent, facts, float(state.memory.clock[NOW]))
    if became not in REFUSED:
        outcome.counts[f"registry_{became}"] += 1
        return None
    reason, sentence = REFUSED[became]
    return Refusal(reason, f"{sentence}: {record.key!r}, revision {facts.revision}", None, record.value)


def _take_zones(state: Partition, record: Declaration, outcome: Outcome) -> Refusal | None:
    zones = state.inventory.zones
    if record.value is None:
        outcome.counts["zones_removed" if zones.remove(record.key) else "zones_absent"] += 1
        return None
    facts = _zones_facts(record.key, record.value)
    if isinstance(facts, Refusal):
        return facts
    became = zones.take(record.key, facts)
    if became in {"applied", "repeated"}:
        outcome.counts[f"zones_{became}"] += 1
        return None
    reason, sentence = REFUSED_ZONES[became]
    detail = f"{sentence}: zones of tenant {record.key!r}, revision {facts.revision}"
    return Refusal(reason, detail, None, record.value)


def _zones_facts(tenant: str, value: bytes) -> ZonesFacts | Refusal:
    """Return a declaration of zones as rules need it, or why it is none of this tenant."""
    try:
        declared = ZoneDeclaration.model_validate_json(value)
        if declared.tenant == tenant:
            return zones_facts_of(declared, value)
    except ValidationError as error:
        return Refusal(BAD_ENTRY, f"zones must fit their schema: {_fault_of(error)}", None, value)
    except ValueError as error:
        return Refusal(BAD_ENTRY, str(error), None, value)
    detail = f"tenant must be the record key's {tenant!r}, got {declared.tenant!r}"
    return Refusal(KEY_MISMATCH, detail, None, value)


def _fault_of(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where or 'the whole'}: {fault['msg']}"


def _facts(key: str, value: bytes) -> Facts | Refusal:
    """Return an entry as rules need it, or why it is none of this agent."""
    try:
        entry = RegistryEntry.model_validate_json(value)
    except ValidationError as error:
        return Refusal(BAD_ENTRY, f"entry must fit its schema: {_fault_of(error)}", None, value)
    if entry.agent_id != key:
        return Refusal(KEY_MISMATCH, f"agent_id must be the record's key {key!r}, got {entry.agent_id!r}", None, value)
    try:
        return facts_of(entry, value)
    except ValueError as error:
        return Refusal(BAD_ENTRY, str(error), None, value)
