"""OTLP in protobuf: trace and log export requests, told apart by what is in them.

Most of what a record costs here is fetching attributes from the parser's objects. A compiled scan of the whole request
into columns of offsets was tried and left out: names and values must become Python's all the same, which left three
quarters of the cost, and a second parser of hostile bytes would have to agree with the first in everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from detector.otlp.item import MAX_ATTRIBUTES, MAX_DEPTH, MAX_SPAN_EVENTS, Attributes, Item, broken
from detector.otlp.wire import frames, parts

_SPAN_ID_BYTES: Final = 8
_TRACE_ID_BYTES: Final = 16
_CONTAINERS: Final = 2
"""Number of the field that holds the scopes of a resource, and the records of a scope, in every signal."""


def items_of(raw: bytes) -> Iterator[Item]:
    """Yield the records of one or many export requests; one broken item if there is none in the bytes."""
    for read in (_spans, _logs, _metrics):
        items = read(raw)
        if items is not None:
            yield from items
            return
    framed = frames(raw)
    if framed is not None:
        for one in framed:
            yield from items_of(one) if one != raw else (broken("unreadable"),)
        return
    salvaged = list(_one_by_one(raw))
    yield from salvaged or [broken("unreadable")]


def _spans(raw: bytes) -> list[Item] | None:
    """Return the spans of a trace export request; None if the bytes are no such thing."""
    try:
        request = ExportTraceServiceRequest.FromString(raw)
    except DecodeError:
        return None
    items = [
        _span(span, resource, scope.scope.name)
        for group in request.resource_spans
        for resource in (_attributes(group.resource.attributes),)
        for scope in group.scope_spans
        for span in scope.spans
    ]
    return items if any(item.span_id for item in items) else None


def _logs(raw: bytes) -> list[Item] | None:
    """Return the records of a log export request; None if the bytes are no such thing."""
    try:
        request = ExportLogsServiceRequest.FromString(raw)
    except DecodeError:
        return None
    items = [
        _log(record, resource, scope.scope.name)
        for group in request.resource_logs
        for resource in (_attributes(group.resource.attributes),)
        for scope in group.scope_logs
        for record in scope.log_records
    ]
    return items if any(item.time_ns or item.observed_ns or item.attributes for item in items) else None


def _metrics(raw: bytes) -> list[Item] | None:
    """Return the names in a metric export request; None if the bytes are no such thing."""
    try:
        request = ExportMetricsServiceRequest.FromString(raw)
    except DecodeError:
        return None
    items = [
        Item(signal="metric", resource=resource, scope=scope.scope.name, name=metric.name)
        for group in request.resource_metrics
        for resource in (_attributes(group.resource.attributes),)
        for scope in group.scope_metrics
        for metric in scope.metrics
        if metric.WhichOneof("data")
    ]
    return items or None


def _one_by_one(raw: bytes) -> Iterator[Item]:
    """Yield the records of a request that the parser refuses as a whole: of each what can be read."""
    for group in parts(memoryview(raw), 1):
        resource = _attributes(_first(Resource, parts(group, 1)).attributes)
        for scope in parts(group, _CONTAINERS):
            name = _first(InstrumentationScope, parts(scope, 1)).name
            for record in parts(scope, _CONTAINERS):
                yield _record(bytes(record), resource, name)


def _first(kind: Any, found: Iterator[memoryview]) -> Any:  # noqa: ANN401 - a class and its instance
    for one in found:
        try:
            return kind.FromString(bytes(one))
        except DecodeError:
            break
    return kind()


def _record(raw: bytes, resource: Attributes, scope: str) -> Item:
    """Return one span or log record that stands alone."""
    ways: tuple[tuple[Any, Callable[[Any, Attributes, str], Item]], ...] = ((Span, _span), (LogRecord, _log))
    for kind, make in ways:
        try:
            item = make(kind.FromString(raw), resource, scope)
        except DecodeError:
            continue
        if item.span_id if kind is Span else item.time_ns or item.observed_ns:
            return item
    item = broken("unreadable")
    item.resource, item.scope = resource, scope
    return item


def _span(span: Span, resource: Attributes, scope: str) -> Item:
    """Return a span; without ids where they have not the lengths of ids."""
    span_id, trace_id, status, events = span.span_id, span.trace_id, span.status, span.events
    is_span = len(span_id) == _SPAN_ID_BYTES and len(trace_id) == _TRACE_ID_BYTES
    return Item(
        signal="span",
        resource=resource,
        scope=scope,
        attributes=_attributes(span.attributes),
        name=span.name,
        time_ns=span.end_time_unix_nano,
        start_ns=span.start_time_unix_nano,
        trace_id=trace_id.hex() if is_span else "",
        span_id=span_id.hex() if is_span else "",
        parent_id=span.parent_span_id.hex(),
        status=status.code,
        kind=span.kind,
        message=status.message,
        events=[(one.name, _attributes(one.attributes)) for one in events[:MAX_SPAN_EVENTS]] if events else [],
    )


def _log(record: LogRecord, resource: Attributes, scope: str) -> Item:
    """Return a log record."""
    return Item(
        signal="log",
        resource=resource,
        scope=scope,
        attributes=_attributes(record.attributes),
        name=record.event_name,
        body=record.body.string_value,
        time_ns=record.time_unix_nano,
        observed_ns=record.observed_time_unix_nano,
        trace_id=record.trace_id.hex(),
        span_id=record.span_id.hex(),
    )


def _attributes(pairs: Any) -> Attributes:  # noqa: ANN401 - a repeated field of protobuf
    """Return attributes by name."""
    found: Attributes = {}
    for pair in pairs if len(pairs) <= MAX_ATTRIBUTES else pairs[:MAX_ATTRIBUTES]:
        value = pair.value
        found[pair.key] = value.string_value or value.int_value or _value(value, 0)
    return found


def _value(value: Any, depth: int) -> Any:  # noqa: ANN401 - a message of protobuf, and a value of any type
    """Return a value that is neither a text nor a whole number, or is empty or zero."""
    kind = value.WhichOneof("value")
    if kind is None or depth > MAX_DEPTH:
        return None
    inner = getattr(value, kind)
    if kind == "array_value":
        return [_value(one, depth + 1) for one in inner.values[:MAX_ATTRIBUTES]]
    if kind == "kvlist_value":
        return {one.key: _value(one.value, depth + 1) for one in inner.values[:MAX_ATTRIBUTES]}
    return inner.hex() if kind == "bytes_value" else inner
