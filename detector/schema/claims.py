"""Whose act a refused line is, when it was, and which: what the record says counts more than what the line claims."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from detector.schema.amends import cut, shown, text_of, time_of
from detector.schema.event import MAX_STRING
from detector.schema.past import Membership, Past
from detector.schema.record import Record
from detector.schema.salvage import Salvaged, salvage

MISSING: Final = "missing"
"""Note of a required field that is not there."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS: Final = 253_402_300_799_999


class Situation(NamedTuple):
    """A refused line, and what is known beside its bytes.

    Parameters
    ----------
    record : Record
        Its bytes, of NDJSON those of its line, and where they stood.
    line : int
        Its line.
    reason : str
        Why it was refused.
    past : Past
        What came before it in its partition.
    tolerance_s : float or None
        Most seconds its own time may differ from the record's; further away it is not believed.
    """

    record: Record
    line: int
    reason: str
    past: Past
    tolerance_s: float | None = None


class Claim(NamedTuple):
    """Fields that say who, when and which, and notes of those that were not believed, by field."""

    fields: dict[str, Any]
    notes: dict[str, str]


def claim_of(read: Salvaged, found: Situation) -> Claim | None:
    """Return whose act it is, when and which; None if no agent or no time is known.

    The record's key owns the line, whatever stands in it, so that nobody's evidence moves to another; without a key
    that is a name, the ``agent_id`` that can be read. The time is the line's own, else the record's, else that of the
    event before. Type, tenant and session that were to stand there and cannot be read are those of the agent's last
    event.
    """
    fields, key = read.fields, found.record.key
    owner, claimed = _owner(key), _claimed(fields)
    agent_id = owner or claimed
    own_time = _own_time(fields, found)
    ts = own_time or _record_time(found.record) or found.past.last
    if agent_id is None or ts is None:
        return None
    event_id, wrong = _event_id(fields, found)
    notes = {} if wrong is None else {"event_id": wrong}
    if claimed != agent_id:
        notes["agent_id"] = MISSING if claimed is None else shown(fields["agent_id"])
    if key is not None and owner is None:
        notes["key"] = shown(key.decode("utf-8", "surrogateescape"))
    if own_time is None:
        notes["ts"] = MISSING if fields.get("ts") is None else shown(fields["ts"])
    who = {**_membership(read, agent_id, found.past), "agent_id": agent_id}
    return Claim({**who, "event_id": event_id, "ts": ts.astimezone(UTC)}, notes)


def agent_in(raw: bytes) -> str | None:
    """Return the agent that is named in the bytes of one event, readable or not; None if none is."""
    return _claimed(salvage(raw).fields)


def _claimed(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("agent_id")
    return None if value is None else text_of(value, MAX_STRING)[0] or None


def _owner(key: bytes | None) -> str | None:
    """Return the agent a record's key names; None if it names none."""
    try:
        return cut(key.decode(), MAX_STRING) if key else None
    except UnicodeDecodeError:
        return None


def _membership(read: Salvaged, agent_id: str, past: Past) -> dict[str, str]:
    """Return type, tenant and session of an agent's last event, where its line was to tell them and cannot be read."""
    known = past.membership(agent_id)
    if known is None:
        return {}
    unread = {field for field in Membership._fields if field in read.fields or not read.is_whole}
    return {field: value for field, value in known._asdict().items() if field in unread and value is not None}


def _own_time(fields: Mapping[str, Any], found: Situation) -> datetime | None:
    """Return the time a line tells; None if it tells none, or one too far from its record's to be believed."""
    own, records = time_of(fields.get("ts")), _record_time(found.record)
    if own is None or records is None or found.tolerance_s is None:
        return own
    return own if abs((own - records).total_seconds()) <= found.tolerance_s else None


def _record_time(record: Record) -> datetime | None:
    """Return the time Kafka gave a record; it writes -1 where it gave none."""
    at = record.timestamp_ms
    return None if at is None or not 0 < at <= _LATEST_MS else _EPOCH + timedelta(milliseconds=at)


def _event_id(fields: Mapping[str, Any], found: Situation) -> tuple[str, str | None]:
    """Return the line's own id, and what is to be noted of it.

    Without one it is made of the bytes and their place, so that two such lines differ and the same one is a repeat.
    """
    text, wrong = text_of(fields.get("event_id") or "", MAX_STRING)
    if text:
        return text, wrong
    record = found.record
    place = f"\0{record.topic}\0{record.partition}\0{record.offset}\0{found.line}"
    digest = hashlib.sha256(record.value + place.encode("utf-8", "backslashreplace")).hexdigest()
    return f"unreadable-{digest[:32]}", MISSING
