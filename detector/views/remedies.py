"""What to do about each reason of a dead letter, in the words of ``docs/schema/reasons.md``."""

from __future__ import annotations

from typing import Final

REMEDIES: Final[dict[str, str]] = {
    "not_json": "mend the producer's encoder; look whether a record was cut off",
    "missing_field": "required are event_id, ts, agent_id, kind, name; id in credential and grant",
    "wrong_type": "see the field in event.json",
    "bool_as_number": "send the number, or put the flag into attributes",
    "non_finite": "leave the field out when there is no value",
    "out_of_range": "mind units; map the producer's names to the schema's",
    "bad_time": "send 2026-03-02T09:00:00Z; a date, an epoch number, or a second 60 is none",
    "too_long": "send a hash or a prefix: the detector compares, it does not read",
    "too_deep": "events are flat; flatten attributes",
    "too_large": "split NDJSON records; send sizes instead of contents",
    "unknown_version": "upgrade the detector, or set the producer back",
    "key_mismatch": "key records by agent_id: otherwise one agent could be scored on two partitions, "
    "or write another's history",
    "time_out_of_tolerance": "mend the clock; for history, replay instead",
    "empty": 'leave optional fields out instead of sending ""',
}
"""Reasons why an event is refused."""
OF_THE_WORKER: Final[dict[str, str]] = {
    "poison": "send the dead letter and the worker's log to whoever keeps the detector: it is a fault of ours",
    "bad_feedback": "a record on agent.feedback that is neither a verdict nor a release: look who wrote it",
    "bad_registry": "a record on agent.registry that is no entry or no zones, too long, or has a pattern RE2 refuses",
    "registry_key_mismatch": "key entries by their agent_id: an entry under another agent's key never applies",
    "registry_outdated": "somebody edited an older revision, or replayed one: read the entry that stands, edit that",
    "registry_other_tenant": "the agent is another tenant's: remove its entry first if it moved",
    "registry_full": "raise [rules] registered of the profile, or add partitions: entries beyond it are not held",
    "bad_alert": "that topic is internal: look who else writes there",
    "bad_tiding": "that topic is internal: look who else writes there",
}
"""The worker's own reasons, for records that are no refused event."""
NOT_OURS: Final = "no reason of this version: look who else writes agent.deadletter, or upgrade"


def remedy_of(reason: str) -> str:
    """Return what to do about a reason, whatever it is called."""
    return REMEDIES.get(reason) or OF_THE_WORKER.get(reason) or NOT_OURS
