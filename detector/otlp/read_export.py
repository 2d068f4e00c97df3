"""Export requests in JSON as every exporter writes them, decoded straight into records: most of what comes.

Whatever is not exactly so, other names or other types, is not judged here: the answer is None, and
:mod:`detector.otlp.read_json` reads the same bytes forgivingly. Both give the same items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from detector.otlp.item import MAX_ATTRIBUTES, MAX_SPAN_EVENTS, Attributes, Item
from detector.otlp.read_json import (
    id_of,
    kind_of,
    list_value,
    nanoseconds,
    number_value,
    status_of,
    table_value,
    text_of,
    text_value,
    truth_value,
    whole_value,
)


class _Exact(Struct, rename="camel", forbid_unknown_fields=True, eq=False, gc=False):
    """A table with just these names, all of which may be left out."""


class _Value(_Exact):
    string_value: Any = UNSET
    int_value: Any = UNSET
    double_value: Any = UNSET
    bool_value: Any = UNSET
    array_value: Any = UNSET
    kvlist_value: Any = UNSET
    bytes_value: Any = UNSET


class _Pair(Struct, forbid_unknown_fields=True, eq=False, gc=False):
    key: str
    value: _Value | None = None


class _Status(_Exact):
    code: Any = None
    message: Any = None


class _SpanEvent(_Exact):
    name: Any = None
    attributes: list[_Pair] = []
    time_unix_nano: Any = None
    dropped_attributes_count: Any = None


class _Span(_Exact):
    trace_id: Any = None
    span_id: Any = None
    parent_span_id: Any = None
    name: Any = None
    kind: Any = None
    start_time_unix_nano: Any = None
    end_time_unix_nano: Any = None
    attributes: list[_Pair] = []
    events: list[_SpanEvent] = []
    status: _Status | None = None
    flags: Any = None
    trace_state: Any = None
    links: Any = None
    dropped_attributes_count: Any = None
    dropped_events_count: Any = None
    dropped_links_count: Any = None


class _LogRecord(_Exact):
    time_unix_nano: Any = None
    observed_time_unix_nano: Any = None
    event_name: Any = None
    body: _Value | None = None
    attributes: list[_Pair] = []
    trace_id: Any = None
    span_id: Any = None
    severity_number: Any = None
    severity_text: Any = None
    flags: Any = None
    dropped_attributes_count: Any = None


class _Scope(_Exact):
    name: Any = None
    version: Any = None
    attributes: Any = None
    dropped_attributes_count: Any = None


class _Resource(_Exact):
    attributes: list[_Pair] = []
    dropped_attributes_count: Any = None
    entity_refs: Any = None


class _Scoped(_Exact):
    scope: _Scope | None = None
    spans: list[_Span] = []
    log_records: list[_LogRecord] = []
    schema_url: Any = None


class _Group(_Exact):
    resource: _Resource | None = None
    scope_spans: list[_Scoped] = []
    scope_logs: list[_Scoped] = []
    schema_url: Any = None


class _Export(_Exact):
    resource_spans: list[_Group] = []
    resource_logs: list[_Group] = []


class _OddError(Exception):
    """A value that only the forgiving reader can judge."""


_decoder: Final = msgspec.json.Decoder(_Export)


def export_of(raw: bytes) -> list[Item] | None:
    """Return the records of an export request; None if it is not written exactly as the protocol says."""
    try:
        export = _decoder.decode(raw)
        return [*_spans(export.resource_spans), *_logs(export.resource_logs)] or None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _OddError):
        return None


def _spans(groups: Sequence[_Group]) -> Iterator[Item]:
    for group in groups:
        if group.scope_logs:
            raise _OddError
        about = {} if group.resource is None else _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            if scoped.log_records:
                raise _OddError
            scope = "" if scoped.scope is None else text_of(scoped.scope.name)
            for span in scoped.spans:
                yield _span(span, about, scope)


def _logs(groups: Sequence[_Group]) -> Iterator[Item]:
    for group in groups:
        if group.scope_spans:
            raise _OddError
        about = {} if group.resource is None else _attributes(group.resource.attributes)
        for scoped in group.scope_logs:
            if scoped.spans:
                raise _OddError
            scope = "" if scoped.scope is None else text_of(scoped.scope.name)
            for record in scoped.log_records:
                yield _log(record, about, scope)


def _span(span: _Span, about: Attributes, scope: str) -> Item:
    item = Item(
        signal="span",
        resource=about,
        scope=scope,
        attributes=_attributes(span.attributes),
        name=text_of(span.name),
        time_ns=nanoseconds(span.end_time_unix_nano),
        start_ns=nanoseconds(span.start_time_unix_nano),
        trace_id=id_of(span.trace_id),
        span_id=id_of(span.span_id),
        parent_id=id_of(span.parent_span_id),
        kind=kind_of(span.kind),
    )
    if span.status is not None:
        item.status, item.message = status_of(span.status.code), text_of(span.status.message)
    if span.events:
        item.events = [(text_of(one.name), _attributes(one.attributes)) for one in span.events[:MAX_SPAN_EVENTS]]
    return item


def _log(record: _LogRecord, about: Attributes, scope: str) -> Item:
    body = None if record.body is None else _other(record.body)
    return Item(
        signal="log",
        resource=about,
        scope=scope,
        attributes=_attributes(record.attributes),
        name=text_of(record.event_name),
        body=body if isinstance(body, str) else "",
        time_ns=nanoseconds(record.time_unix_nano),
        observed_ns=nanoseconds(record.observed_time_unix_nano),
        trace_id=id_of(record.trace_id),
        span_id=id_of(record.span_id),
    )


def _attributes(pairs: Sequence[_Pair]) -> Attributes:
    """Return attributes by name."""
    found: Attributes = {}
    for pair in pairs if len(pairs) <= MAX_ATTRIBUTES else pairs[:MAX_ATTRIBUTES]:
        value = pair.value
        if value is None:
            found[pair.key] = None
            continue
        text = value.string_value
        found[pair.key] = text if type(text) is str else _other(value)
    return found


def _other(value: _Value) -> Any:  # noqa: ANN401 - a value of any type
    """Return a value that is no text, by the first kind that is given, in the order of the forgiving reader."""
    if value.string_value is not UNSET:
        return text_value(value.string_value)
    if value.int_value is not UNSET:
        return whole_value(value.int_value)
    if value.double_value is not UNSET:
        return number_value(value.double_value)
    if value.bool_value is not UNSET:
        return truth_value(value.bool_value)
    if value.array_value is not UNSET:
        return list_value(value.array_value)
    if value.kvlist_value is not UNSET:
        return table_value(value.kvlist_value)
    return text_value(value.bytes_value)
