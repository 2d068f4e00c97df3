"""Why an event is refused: the slow path, taken only after the strict decoder said no."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from detector.errors import EventError
from detector.schema.event import (
    MAX_DEPTH,
    MAX_EVENT_BYTES,
    MAX_STRING,
    NOT_IN_UTC,
    Credential,
    Event,
    Grant,
    StrictEvent,
)

_generic = msgspec.json.Decoder().decode
_lenient = msgspec.json.Decoder(Event).decode

_KNOWN: Final = frozenset(Event.__struct_fields__)
_NESTED: Final = {
    "credential": frozenset(Credential.__struct_fields__),
    "grant": frozenset(Grant.__struct_fields__),
}
_MAX_NAME: Final = 64
_WHERE: Final = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`\$(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_BOOL_FOR_NUMBER: Final = re.compile(r"Expected `(?:int|float)[^`]*`, got `bool`")

# the decoder's sentences, most telling first; a test holds one event against each
_REASON_OF: Final = (
    ("Number out of range", "non_finite"),
    ("RFC3339", "bad_time"),
    ("timezone component", "bad_time"),
    (NOT_IN_UTC, "bad_time"),
    ("`datetime", "bad_time"),
    ("of length <=", "too_long"),
    ("of length >=", "empty"),
    ("Invalid enum value", "out_of_range"),
    ("` >= ", "out_of_range"),
    ("` <= ", "out_of_range"),
)


def examine(raw: bytes) -> tuple[StrictEvent, list[str]]:
    """Return the event in `raw` and the names of its unknown fields, or say why there is none.

    Parameters
    ----------
    raw : bytes
        One event that the strict decoder refused.

    Returns
    -------
    event : StrictEvent
        The event without its unknown fields.
    unknown : list of str
        Names of the fields that were left out, dotted, cut to 64 characters, in the order they stand.

    Raises
    ------
    EventError
        With one of :data:`detector.schema.event.REASONS`. The text names fields and rules, never a value of
        the event: it goes into logs.
    """
    document = _parse(raw)
    try:
        event = _lenient(raw)
    except msgspec.ValidationError as error:
        # refused it is in any case; the order of questions only decides under which name
        _bound(document)
        if not isinstance(document, dict):
            raise EventError("wrong_type", "event must be a JSON object, got another JSON value") from None
        _version(document)
        raise _named(str(error)) from None
    # the decoder bounded what it knows and passed over the rest
    unknown = _unknown(document)
    _bound(unknown)
    return msgspec.convert(event, StrictEvent, from_attributes=True), _names(unknown)


def _parse(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value may stand in a record
    """Return the JSON value in `raw`, of whatever type."""
    if len(raw) > MAX_EVENT_BYTES:
        raise EventError("too_large", f"size of event must be at most {MAX_EVENT_BYTES} bytes, got {len(raw)}")
    if not raw.strip():
        raise EventError("empty", "record must hold an event, got nothing")
    try:
        return _generic(raw)
    except RecursionError:
        raise EventError("too_deep", f"depth of event must be at most {MAX_DEPTH}, got far more") from None
    except msgspec.ValidationError:
        raise EventError("non_finite", "numbers of event must fit a double, got a larger one") from None
    except UnicodeDecodeError:
        raise EventError("not_json", "event must be UTF-8, got other bytes") from None
    except msgspec.DecodeError as error:
        if _is_json_but_for_constants(raw):
            raise EventError("non_finite", "numbers of event must be finite, got NaN or Infinity") from None
        raise EventError("not_json", f"event must be JSON: {error}") from None


def _is_json_but_for_constants(raw: bytes) -> bool:
    """Return whether only NaN and Infinity, which JSON does not know, keep `raw` from being JSON."""
    constants: list[str] = []
    try:
        json.loads(raw, parse_constant=constants.append)
    except (ValueError, RecursionError):
        return False
    return bool(constants)


def _bound(document: object) -> None:
    """Refuse what is nested too deeply, strings that are too long and integers no double can hold."""
    level: list[object] = [document]
    depth = 0
    while level:
        below: list[object] = []
        for value in level:
            if isinstance(value, str) and len(value) > MAX_STRING:
                raise EventError("too_long", f"strings of event must have at most {MAX_STRING} characters, got more")
            if isinstance(value, int) and value.bit_length() > 1_023:
                raise EventError("non_finite", "numbers of event must fit a double, got a larger one")
            if isinstance(value, dict):
                below.extend(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        depth += any(map(_is_container, level))
        if depth > MAX_DEPTH:
            raise EventError("too_deep", f"depth of event must be at most {MAX_DEPTH}, got more")
        level = below


def _is_container(value: object) -> bool:
    """Return whether a JSON value holds others."""
    return type(value) is dict or type(value) is list


def _version(document: dict[str, object]) -> None:
    """Refuse another schema version before anything else: its fields may mean other things."""
    version = document.get("v", 1)
    if isinstance(version, bool):
        raise EventError("bool_as_number", "v of event must be a number, got a boolean")
    if isinstance(version, int | float) and version != 1:
        raise EventError("unknown_version", "v of event must be 1, got another: upgrade the detector or the producer")


def _named(message: str) -> EventError:
    """Return the decoder's complaint under its stable name, without the value it may quote."""
    match = _WHERE.match(message)
    what, path = (match["what"], match["path"]) if match else (message, None)
    field = (path or "").lstrip(".") or "event"
    place = "event" if field == "event" else f"{field} of event"
    missing = _MISSING.search(what)
    if missing:
        return EventError("missing_field", f"{missing[1]} of {field} must be given, got nothing")
    if _BOOL_FOR_NUMBER.search(what):
        return EventError("bool_as_number", f"{place} must be a number, got a boolean")
    for sign, reason in _REASON_OF:
        if sign in what:
            return EventError(reason, f"{place} must be {_RULES.get(sign) or what.removeprefix('Expected ')}")
    return EventError("wrong_type", f"{place} must be {what.removeprefix('Expected ')}")


_RULES: Final = {
    "Number out of range": "a finite number, got a larger one",
    "RFC3339": "an RFC 3339 time, got another text",
    "timezone component": "an RFC 3339 time with an offset, got one without",
    "Invalid enum value": "one of the values of its schema, got another",
}


def _unknown(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without what this version knows; known parents stay around unknown fields."""
    unknown = {name: document[name] for name in document if name not in _KNOWN}
    for parent, known in _NESTED.items():
        inner = document.get(parent)
        if inner is not None:
            unknown[parent] = {name: inner[name] for name in inner if name not in known}
    return unknown


def _names(unknown: dict[str, Any]) -> list[str]:
    """Return the dotted names of unknown fields, cut to a bounded length."""
    names = [name[:_MAX_NAME] for name in unknown if name not in _NESTED]
    names.extend(f"{parent}.{name}"[:_MAX_NAME] for parent in _NESTED for name in unknown.get(parent, ()))
    return names
