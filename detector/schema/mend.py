"""An event out of what was refused: the slow path behind the refusal, so that being unreadable hides nobody.

Unreadable is an act. What stands in the bytes is kept as far as the schema can hold it; what was done to it is said in
attributes whose names begin with ``(unreadable)``, where novelty of arguments sees it like any other argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, get_args

import msgspec

from detector.schema.amends import Notes, canonical, cut, number_in, shown, text_of, time_of, word_for
from detector.schema.claims import MISSING, Situation, claim_of
from detector.schema.event import (
    MAX_AMOUNT,
    MAX_EVENT_BYTES,
    MAX_NUMBER,
    MAX_STRING,
    Kind,
    Origin,
    Outcome,
    StrictEvent,
)
from detector.schema.salvage import salvage

UNREADABLE: Final = "(unreadable)"
"""Name of an event without a name; beginning of the name of one that breaks off, and of the names of attributes that
say what was mended."""
SENDERS: Final = "(sender) "
"""What is put before the name of a sender's own attribute that begins like ours."""

WHO_AND_WHAT: Final = ("agent_type", "tenant", "session_id", "name", "target")
"""Texts cut to one length only: cut shorter because of padding elsewhere, they would be another agent's or act's."""
TEXTS: Final = (
    "agent_version", "instance_id", "spiffe_id", "zone", "trace_id", "parent_agent_id", "model", "peer_agent_id",
    "peer_zone", "data_class", "tool_hash", "prompt_hash", "on_behalf_of",
)  # fmt: skip
AMOUNTS: Final = ("duration_ms", "tokens_in", "tokens_out", "bytes_in", "bytes_out", "cost_usd")
CHOICES: Final = {"kind": ("tool_call", frozenset(get_args(Kind))), "outcome": ("ok", frozenset(get_args(Outcome)))}
"""What stands for a value that does not exist: never one that lowers a score."""
PARTS: Final = {"credential": ("issued_at", "expires_at"), "grant": ("granted_at", "expires_at")}
BEFORE_NOTES: Final = 6
"""Items of arguments that may stand before the notes: with them, the most parts of a target and all notes there are 27.
At least 29 are looked at, of each argument its first four items (``detector/intake/columns.py``)."""
BEHIND_A_BREAK: Final = ("target", "attributes", "arg_origin")
"""What an act is judged by and may stand where nobody can read it any more."""
_MOST_ITEMS: Final = 4
_NEVER_EMPTY: Final = frozenset({"agent_type", "session_id", "name"})
_ORIGINS: Final = frozenset(get_args(Origin))

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StrictEvent).decode


class Allowance(NamedTuple):
    """What a mended event may take: characters of a text that names nobody, and how many attributes."""

    text: int
    attributes: int


ROOMS: Final = (Allowance(MAX_STRING, MAX_EVENT_BYTES), Allowance(256, 64), Allowance(64, 24), Allowance(24, 8))
"""Tried in this order until the event fits 64 KiB; the last one always does."""


def mend(found: Situation) -> StrictEvent | None:
    """Return the event that can be made of what was refused; None if no agent or no time is known.

    Encoded, it passes the strict decoder and has at most 64 KiB. The work grows with the record's length and no faster.
    """
    read = salvage(found.record.value)
    claim = claim_of(read, found)
    if claim is None:
        return None
    for room in ROOMS:
        notes = Notes(UNREADABLE, found.reason, claim.notes)
        body = _body(read.fields, found, room, notes) if read.is_whole else _broken(read.fields, found, room, notes)
        raw = _encode({**claim.fields, **body})
        if len(raw) <= MAX_EVENT_BYTES:
            return _decode(raw)
    return None


def _body(fields: Mapping[str, Any], found: Situation, room: Allowance, notes: Notes) -> dict[str, Any]:
    """Return everything but who, when and which: what was done, and what was mended of it."""
    body: dict[str, Any] = _choices(fields, notes)
    body |= _texts(fields, room, notes)
    body |= _numbers(fields, notes) if fields else {"bytes_in": float(len(found.record.value))}
    body |= {field: part for field in PARTS if (part := _part(fields, field, room, notes))}
    attributes = _attributes(fields.get("attributes"), room, notes)
    body["arg_origin"] = _origins(fields.get("arg_origin"), fields.get("attributes"), room, notes)
    body["attributes"] = _ordered(attributes, notes.attributes(body.get("target")))
    return body


def _broken(fields: Mapping[str, Any], found: Situation, room: Allowance, notes: Notes) -> dict[str, Any]:
    """Return the body of an event that breaks off: what may stand behind the break is noted, its name is one apart.

    Else whoever cuts an event off behind the name of an ordinary tool shows no value at all, and is ordinary.
    """
    for field in BEHIND_A_BREAK:
        if fields and field not in fields:
            notes.add(field, MISSING)
    body = _body(fields, found, room, notes)
    if body["name"] != UNREADABLE:
        body["name"] = cut(f"{UNREADABLE} {body['name']}", MAX_STRING)
    return body


def _ordered(own: Mapping[str, str | float | bool | None], noted: Mapping[str, str]) -> dict[str, Any]:
    """Return a sender's first attributes, the notes, then the rest of his.

    Of equally odd arguments an alert names the first, and that should be what was done rather than that it could not be
    read. But there is a cap on the arguments looked at, and he must not fill it up before the notes.
    """
    items, first = 0, 0
    for value in own.values():
        items += min(value.count(",") + 1, _MOST_ITEMS) if isinstance(value, str) else 1
        if items > BEFORE_NOTES:
            break
        first += 1
    pairs = list(own.items())
    return {**dict(pairs[:first]), **noted, **dict(pairs[first:])}


def _choices(fields: Mapping[str, Any], notes: Notes) -> dict[str, str]:
    """Return kind and outcome; also another schema version is noted here."""
    body: dict[str, str] = {}
    for field, (otherwise, known) in CHOICES.items():
        value = fields.get(field)
        if isinstance(value, str) and value in known:
            body[field] = value
            continue
        body[field] = otherwise
        if value is not None or field == "kind":
            notes.add(field, MISSING if value is None else shown(value))
    version = fields.get("v", 1)
    if isinstance(version, bool) or version != 1:
        notes.add("v", shown(version))
    return body


def _texts(fields: Mapping[str, Any], room: Allowance, notes: Notes) -> dict[str, str]:
    """Return the fields that are texts; only the name is never left out."""
    body = {"name": UNREADABLE}
    if not fields.get("name"):
        notes.add("name", MISSING)
    for field in (*WHO_AND_WHAT, *TEXTS):
        if fields.get(field) is None:
            continue
        text, wrong = text_of(fields[field], room.text if field in TEXTS else MAX_STRING)
        if wrong is not None:
            notes.add(field, wrong)
        if text or field not in _NEVER_EMPTY:
            body[field] = text
    return body


def _numbers(fields: Mapping[str, Any], notes: Notes) -> dict[str, float]:
    """Return amounts and sequence number; what is none is left out."""
    body: dict[str, float] = {}
    for field in AMOUNTS:
        value = fields.get(field)
        number = number_in(value, 0.0, MAX_AMOUNT)
        if number is not None:
            body[field] = number
        if value is not None and (number is None or isinstance(value, str)):
            notes.add(field, shown(value) if number is None else "text")
    seq = fields.get("seq")
    if isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < 1 << 63:
        body["seq"] = seq
    elif seq is not None:
        notes.add("seq", shown(seq))
    return body


def _part(fields: Mapping[str, Any], field: str, room: Allowance, notes: Notes) -> dict[str, Any]:
    """Return what can be kept of a credential or a grant; nothing without its id.

    What stood there is told as a digest only: a producer that errs may put the secret there.
    """
    value = fields.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict) or not value.get("id"):
        notes.add(field, _secret(value))
        return {}
    identity, wrong = text_of(value["id"], room.text)
    if wrong is not None:
        notes.add(f"{field}.id", wrong)
    part: dict[str, Any] = {"id": identity}
    for name in PARTS[field]:
        if (at := time_of(value.get(name))) is not None:
            part[name] = at
        elif value.get(name) is not None:
            notes.add(f"{field}.{name}", _secret(value[name]))
    temporary = value.get("temporary", False)
    if field == "grant" and isinstance(temporary, bool):
        part["temporary"] = temporary
    elif field == "grant":
        notes.add("grant.temporary", _secret(temporary))
    return part


def _secret(value: object) -> str:
    return f"{word_for(value)} #{hashlib.sha256(canonical(value).encode()).hexdigest()[:16]}"


def _own(name: str, room: Allowance) -> str:
    """Return the name of a sender's attribute: never one of ours."""
    text = text_of(name, MAX_STRING)[0]
    return cut(SENDERS + text if text.startswith(UNREADABLE) else text, room.text)


def _attributes(value: object, room: Allowance, notes: Notes) -> dict[str, str | float | bool | None]:
    """Return a sender's attributes: lists and objects as text, also numbers that are none."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        notes.add("attributes", word_for(value))
        value = {"attributes": value}
    if len(value) > room.attributes:
        rest = dict(list(value.items())[room.attributes :])
        notes.add("attributes", f"{len(rest)} more {_secret(rest)}")
    kept: dict[str, str | float | bool | None] = {}
    for name, item in list(value.items())[: room.attributes]:
        own = _own(name, room)
        while own in kept:
            own = cut(SENDERS + own, room.text)
        number = None if isinstance(item, str) else number_in(item, -MAX_NUMBER, MAX_NUMBER)
        if number is not None or item is None or isinstance(item, bool):
            kept[own] = item if number is None else number
            continue
        kept[own], wrong = text_of(item, room.text)
        if wrong is not None or own != name:
            notes.add(f"attributes.{name}", wrong or "name")
    return kept


def _origins(value: object, attributes: object, room: Allowance, notes: Notes) -> dict[str, str]:
    """Return where values came from, by the names that attributes have now; none speaks of a note."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        notes.add("arg_origin", shown(value))
        return {}
    known = attributes if isinstance(attributes, dict) else {}
    kept: dict[str, str] = {}
    for name, origin in sorted(value.items(), key=lambda item: item[0] not in known)[: room.attributes]:
        if isinstance(origin, str) and origin in _ORIGINS:
            kept[_own(name, room)] = origin
        else:
            notes.add(f"arg_origin.{name}", shown(origin))
    return kept
