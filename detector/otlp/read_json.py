"""OTLP in JSON: export requests as the Collector and SDKs write them, and single records as CloudWatch keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from detector.otlp.item import MAX_ATTRIBUTES, MAX_DEPTH, MAX_SPAN_EVENTS, Attributes, Item, Signal, broken
from detector.schema.amends import clean, cut

_LONGEST_INTEGER: Final = 20
_PLAIN: Final = (str, int, float)
_NUMBER: Final = (int, float)
_LONGEST_ID: Final = 64
_MAX_NS: Final = 1 << 63
_STATUS: Final = {"ok": 1, "status_code_ok": 1, "error": 2, "status_code_error": 2}
_KIND: Final = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_EXPORTS: Final[tuple[tuple[str, str, str, Signal], ...]] = (
    ("resourceSpans", "scopeSpans", "spans", "span"),
    ("resourceLogs", "scopeLogs", "logRecords", "log"),
    ("resourceMetrics", "scopeMetrics", "metrics", "metric"),
)


def _snake(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name)


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
            name = text_of(_table(scope.get("scope")).get("name"))
            for record in _tables(_either(scope, records)):
                yield broken("wrong_type") if record is None else _item(record, signal, about, name)


def _single(document: dict[str, Any]) -> Item:
    """Return a record that stands alone, with its resource and scope inside."""
    resource = _attributes(_table(document.get("resource")).get("attributes"))
    scope = text_of(_table(document.get("scope")).get("name"))
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
        return Item(signal=signal, resource=resource, scope=scope, name=text_of(record.get("name")))
    item = Item(
        signal=signal,
        resource=resource,
        scope=scope,
        attributes=_attributes(record.get("attributes")),
        trace_id=id_of(record.get("traceId")),
        span_id=id_of(record.get("spanId")),
    )
    if signal == "log":
        item.name = text_of(record.get("eventName"))
        body = value_of(record.get("body"), 0)
        item.body = body if isinstance(body, str) else ""
        item.time_ns = nanoseconds(record.get("timeUnixNano"))
        item.observed_ns = nanoseconds(record.get("observedTimeUnixNano"))
        return item
    item.name = text_of(record.get("name"))
    item.parent_id = id_of(record.get("parentSpanId"))
    item.start_ns, item.time_ns = (
        nanoseconds(record.get("startTimeUnixNano")),
        nanoseconds(record.get("endTimeUnixNano")),
    )
    item.kind = kind_of(record.get("kind"))
    status = _table(record.get("status"))
    item.status, item.message = status_of(status.get("code")), text_of(status.get("message"))
    if record.get("events"):
        events = [one for one in _tables(record["events"]) if one is not None][:MAX_SPAN_EVENTS]
        item.events = [(text_of(one.get("name")), _attributes(one.get("attributes"))) for one in events]
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
                found[name] = value_of(value, 0)
    return found


def value_of(value: object, depth: int) -> Any:  # noqa: ANN401 - a value of any type
    """Return an OTLP value; None for an empty one, or one that is none. Of several kinds the first listed counts."""
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        return value if isinstance(value, _PLAIN) else None
    for kind, take in _KINDS.items():
        if kind in value:
            return take(value[kind], depth)
    return None


def text_value(inner: object, _: int = 0) -> str | None:
    """Return what an OTLP value holds as text or bytes; None for anything else."""
    return inner if isinstance(inner, str) else None


def whole_value(inner: object, _: int = 0) -> Any:  # noqa: ANN401 - a whole number
    """Return what an OTLP value holds as whole number, mostly written as text; None for anything else."""
    return inner if type(inner) is int else _number(inner, int)


def number_value(inner: object, _: int = 0) -> Any:  # noqa: ANN401 - a number
    """Return what an OTLP value holds as number; None for anything else."""
    return inner if type(inner) is float else _number(inner, float)


def truth_value(inner: object, _: int = 0) -> bool | None:
    """Return what an OTLP value holds as truth; None for anything else."""
    return inner if isinstance(inner, bool) else None


def list_value(inner: object, depth: int = 0) -> list[Any]:
    """Return what an OTLP value holds as list."""
    inside = _table(inner).get("values")
    return [value_of(one, depth + 1) for one in inside[:MAX_ATTRIBUTES]] if isinstance(inside, list) else []


def table_value(inner: object, depth: int = 0) -> Attributes:
    """Return what an OTLP value holds as table."""
    pairs = [pair for pair in _tables(_table(inner).get("values")) if pair is not None]
    return {text_of(pair.get("key")): value_of(pair.get("value"), depth + 1) for pair in pairs[:MAX_ATTRIBUTES]}


_KINDS: Final[dict[str, Callable[[object, int], Any]]] = {
    name: take
    for kind, take in (
        ("stringValue", text_value),
        ("intValue", whole_value),
        ("doubleValue", number_value),
        ("boolValue", truth_value),
        ("arrayValue", list_value),
        ("kvlistValue", table_value),
        ("bytesValue", text_value),
    )
    for name in (kind, _snake(kind))
}


def _plain(value: object, depth: int) -> Any:  # noqa: ANN401 - a value of any type
    """Return a value of an object of attributes: a plain one, or one in OTLP's form."""
    if isinstance(value, dict):
        inner = value_of(value, depth)
        return inner if inner is not None or depth > MAX_DEPTH else None
    if isinstance(value, list):
        return [one for one in value[:MAX_ATTRIBUTES] if isinstance(one, _PLAIN)]
    return value if isinstance(value, _PLAIN) else None


def _number(value: object, kind: type[int | float]) -> Any:  # noqa: ANN401 - whole or not
    if isinstance(value, bool) or not isinstance(value, _PLAIN) or len(str(value)) > 2 * _LONGEST_INTEGER:
        return None
    try:
        return kind(value)
    except (ValueError, OverflowError):
        return None


def nanoseconds(value: object) -> int:
    """Return nanoseconds, written as a text or a number; 0 for anything else."""
    if type(value) is str:
        number = int(value) if value.isdecimal() and value.isascii() and len(value) <= _LONGEST_INTEGER else 0
        return number if number < _MAX_NS else 0
    if isinstance(value, bool) or not isinstance(value, _NUMBER) or not 0 <= value < _MAX_NS:
        return 0
    return int(value)


def kind_of(value: object) -> int:
    """Return the kind of a span, written as a number or a word; 0 for anything else."""
    return value if type(value) is int else _code(value, _KIND)


def status_of(value: object) -> int:
    """Return the status of a span, written as a number or a word; 0 for anything else."""
    return value if type(value) is int else _code(value, _STATUS)


def _code(value: object, words: dict[str, int]) -> int:
    return words.get(value.lower().removeprefix("span_kind_"), 0) if isinstance(value, str) else 0


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


def id_of(value: object) -> str:
    """Return an id in lower case; one longer than ids are, with a digest of the whole."""
    if not isinstance(value, str):
        return ""
    return value.lower() if len(value) <= _LONGEST_ID and value.isascii() else cut(clean(value), _LONGEST_ID)


def text_of(value: object) -> str:
    """Return a text; an empty one for anything else."""
    return value if isinstance(value, str) else ""
