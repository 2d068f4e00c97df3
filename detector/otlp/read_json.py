"""OTLP in JSON: export requests as the Collector and SDKs write them, and single records as CloudWatch keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from detector.otlp.item import MAX_ATTRIBUTES, MAX_DEPTH, MAX_SPAN_EVENTS, Attributes, Item, Signal, broken
from detector.schema.amends import clean, cut

_LONGEST_INTEGER: Final = 20
_LONGEST_ID: Final = 64
_MAX_NS: Final = 1 << 63
_STATUS: Final = {"ok": 1, "status_code_ok": 1, "error": 2, "status_code_error": 2}
_KIND: Final = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_EXPORTS: Final[tuple[tuple[str, str, str, Signal], ...]] = (
    ("resourceSpans", "scopeSpans", "spans", "span"),
    ("resourceLogs", "scopeLogs", "logRecords", "log"),
    ("resourceMetrics", "scopeMetrics", "metrics", "metric"),
)


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


_kind_decoder: Final = json.JSONDecoder(strict=False, parse_int=_integer)


def parse(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value in `raw`, control characters and bytes that are no UTF-8 forgiven.

    Raises
    ------
    ValueError
        If there is none, or it is nested too deep.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _kind_decoder.decode(raw.decode("utf-8", "replace").removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("nested too deep") from None


def items_of(document: object) -> Iterator[Item]:
    """Yield the records of one JSON document: an export request, a list of them, or one record."""
    if isinstance(document, list):
        for one in document:
            yield from items_of(one) if isinstance(one, dict) else (broken("not_otlp"),)
        return
    if not isinstance(document, dict):
        yield broken("not_otlp")
        return
    known = False
    for resources, scopes, records, signal in _EXPORTS:
        for name in (resources, _snake(resources)):
            if name in document:
                known = True
                yield from _export(document[name], scopes, records, signal)
    if not known:
        yield _single(document)


def _snake(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name)


def _export(resources: object, scopes: str, records: str, signal: Signal) -> Iterator[Item]:
    """Yield the records under a list of resources."""
    for resource in _tables(resources):
        if resource is None:
            yield broken("wrong_type")
            continue
        about = _attributes(_table(resource.get("resource")).get("attributes"))
        for scope in _tables(_either(resource, scopes)):
            if scope is None:
                yield broken("wrong_type")
                continue
            name = _text(_table(scope.get("scope")).get("name"))
            for record in _tables(_either(scope, records)):
                yield broken("wrong_type") if record is None else _item(record, signal, about, name)


def _single(document: dict[str, Any]) -> Item:
    """Return a record that stands alone, with its resource and scope inside."""
    resource = _attributes(_table(document.get("resource")).get("attributes"))
    scope = _text(_table(document.get("scope")).get("name"))
    if _either(document, "endTimeUnixNano") is not None and _either(document, "spanId"):
        return _item(document, "span", resource, scope)
    if _either(document, "timeUnixNano") is not None or _either(document, "observedTimeUnixNano") is not None:
        return _item(document, "log", resource, scope)
    return broken("not_otlp")


def _item(record: dict[str, Any], signal: Signal, resource: Attributes, scope: str) -> Item:
    """Return one span, log record or metric."""
    if "trace_id" in record or "time_unix_nano" in record:
        record = {_camel(name): value for name, value in record.items()}
    if signal == "metric":
        return Item(signal=signal, resource=resource, scope=scope, name=_text(record.get("name")))
    item = Item(
        signal=signal,
        resource=resource,
        scope=scope,
        attributes=_attributes(record.get("attributes")),
        trace_id=_id(record.get("traceId")),
        span_id=_id(record.get("spanId")),
    )
    if signal == "log":
        item.name = _text(record.get("eventName"))
        body = _value(record.get("body"), 0)
        item.body = body if isinstance(body, str) else ""
        item.time_ns = _whole(record.get("timeUnixNano"))
        item.observed_ns = _whole(record.get("observedTimeUnixNano"))
        return item
    item.name = _text(record.get("name"))
    item.parent_id = _id(record.get("parentSpanId"))
    item.start_ns, item.time_ns = _whole(record.get("startTimeUnixNano")), _whole(record.get("endTimeUnixNano"))
    item.kind = _code(record.get("kind"), _KIND)
    status = _table(record.get("status"))
    item.status, item.message = _code(status.get("code"), _STATUS), _text(status.get("message"))
    if record.get("events"):
        events = [one for one in _tables(record["events"]) if one is not None][:MAX_SPAN_EVENTS]
        item.events = [(_text(one.get("name")), _attributes(one.get("attributes"))) for one in events]
    return item


def _attributes(pairs: object) -> Attributes:
    """Return attributes by name, written as OTLP's list of pairs or as one object."""
    if isinstance(pairs, dict):
        return {name: _plain(value, 0) for name, value in list(pairs.items())[:MAX_ATTRIBUTES]}
    found: Attributes = {}
    if not isinstance(pairs, list):
        return found
    for pair in pairs[:MAX_ATTRIBUTES]:
        if type(pair) is dict and type(name := pair.get("key")) is str:
            value = pair.get("value")
            if type(value) is dict and type(text := value.get("stringValue")) is str:
                found[name] = text
            else:
                found[name] = _value(value, 0)
    return found


def _value(value: object, depth: int) -> Any:  # noqa: ANN401 - a value of any type, one branch a type
    """Return an OTLP value; None for an empty one, or one that is none."""
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        return value if isinstance(value, str | int | float) else None
    for kind, inner in value.items():
        match kind:
            case "stringValue" | "string_value" | "bytesValue" | "bytes_value":
                return inner if isinstance(inner, str) else None
            case "intValue" | "int_value":
                return inner if type(inner) is int else _number(inner, int)
            case "doubleValue" | "double_value":
                return inner if type(inner) is float else _number(inner, float)
            case "boolValue" | "bool_value":
                return inner if isinstance(inner, bool) else None
            case "arrayValue" | "array_value":
                inside = _table(inner).get("values")
                return [_value(one, depth + 1) for one in inside[:MAX_ATTRIBUTES]] if isinstance(inside, list) else []
            case "kvlistValue" | "kvlist_value":
                pairs = [pair for pair in _tables(_table(inner).get("values")) if pair is not None]
                return {_text(pair.get("key")): _value(pair.get("value"), depth + 1) for pair in pairs[:MAX_ATTRIBUTES]}
    return None


def _plain(value: object, depth: int) -> Any:  # noqa: ANN401 - a value of any type
    """Return a value of an object of attributes: a plain one, or one in OTLP's form."""
    if isinstance(value, dict):
        inner = _value(value, depth)
        return inner if inner is not None or depth > MAX_DEPTH else None
    if isinstance(value, list):
        return [one for one in value[:MAX_ATTRIBUTES] if isinstance(one, str | int | float)]
    return value if isinstance(value, str | int | float) else None


def _number(value: object, kind: type[int | float]) -> Any:  # noqa: ANN401 - whole or not
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 2 * _LONGEST_INTEGER:
        return None
    try:
        return kind(value)
    except (ValueError, OverflowError):
        return None


def _whole(value: object) -> int:
    """Return nanoseconds, written as a text or a number; 0 for anything else."""
    if type(value) is str:
        value = int(value) if value.isascii() and value.isdecimal() and len(value) <= _LONGEST_INTEGER else 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MAX_NS:
        return 0
    return int(value)


def _code(value: object, words: dict[str, int]) -> int:
    if isinstance(value, str):
        return words.get(value.lower().removeprefix("span_kind_"), 0)
    return value if type(value) is int else 0


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _either(table: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
    found = table.get(name)
    return table.get(_snake(name)) if found is None else found


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> list[dict[str, Any] | None]:
    """Return the items of a list, None for what is no object."""
    return [one if isinstance(one, dict) else None for one in value] if isinstance(value, list) else []


def _id(value: object) -> str:
    """Return an id in lower case; one longer than ids are, with a digest of the whole."""
    if not isinstance(value, str):
        return ""
    return value.lower() if len(value) <= _LONGEST_ID and value.isascii() else cut(clean(value), _LONGEST_ID)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
