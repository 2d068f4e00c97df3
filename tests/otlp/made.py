"""Export requests made up by tests, in JSON and in protobuf, from plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from detector.otlp.explain import explain
from detector.otlp.mapper import RecordVerdict
from detector.schema.event import Event

START_NS = 1_795_537_200_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"


def value(plain: Any) -> dict[str, Any]:
    """Return a plain value in OTLP's form."""
    if plain is None:
        return {}
    if isinstance(plain, bool):
        return {"boolValue": plain}
    if isinstance(plain, int):
        return {"intValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [value(one) for one in plain]}}
    return {"stringValue": plain}


def pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return attributes in OTLP's form."""
    return [{"key": name, "value": value(one)} for name, one in attributes.items()]


def span(name: str = "span", number: int = 1, parent: int | None = None, **more: Any) -> dict[str, Any]:
    """Return a span of one second that ends `number` seconds after the start; `more`: attributes, kind, status ..."""
    end = START_NS + number * 1_000_000_000
    made = {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(end - 1_000_000_000),
        "endTimeUnixNano": str(end),
        **more,
    }
    if parent is not None:
        made["parentSpanId"] = f"{parent:016x}"
    return made | {"attributes": pairs(more.get("attributes", {}))}


def log(attributes: Mapping[str, Any], number: int = 1, **more: Any) -> dict[str, Any]:
    """Return a log record `number` seconds after the start."""
    return {"timeUnixNano": str(START_NS + number * 1_000_000_000), "attributes": pairs(attributes), **more}


def request(
    records: Sequence[Any], service: str | None = "svc", scope: str = "", resource: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return an export request of spans, or of log records, by what the first one is."""
    is_span = bool(records) and isinstance(records[0], dict) and "spanId" in records[0]
    about = {**({} if service is None else {"service.name": service}), **(resource or {})}
    scoped = {"scope": {"name": scope}, "spans" if is_span else "logRecords": list(records)}
    group = {"resource": {"attributes": pairs(about)}, "scopeSpans" if is_span else "scopeLogs": [scoped]}
    return {"resourceSpans" if is_span else "resourceLogs": [group]}


def as_json(made: Mapping[str, Any]) -> bytes:
    """Return an export request in JSON."""
    return json.dumps(made).encode()


def as_protobuf(made: Mapping[str, Any]) -> bytes:
    """Return an export request in protobuf; ids in hexadecimal become bytes."""
    import base64

    def bare(one: Any) -> Any:
        if isinstance(one, dict):
            return {
                name: base64.b64encode(bytes.fromhex(inner)).decode()
                if name in {"traceId", "spanId", "parentSpanId"}
                else bare(inner)
                for name, inner in one.items()
            }
        return [bare(inner) for inner in one] if isinstance(one, list) else one

    kind = ExportTraceServiceRequest if "resourceSpans" in made else ExportLogsServiceRequest
    return bytes(ParseDict(bare(dict(made)), kind()).SerializeToString())


def verdicts_of(records: Sequence[Any], **about: Any) -> list[RecordVerdict]:
    """Return what becomes of records of one resource and scope."""
    return explain(as_json(request(records, **about)))


def only(records: Sequence[Any], **about: Any) -> Event:
    """Return the event that the last of some records becomes."""
    event = verdicts_of(records, **about)[-1].event
    assert event is not None
    return event
