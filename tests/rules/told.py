"""What tests of rules share: events by one agent, sent through the pipeline, and the records of real programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from detector.otlp.mapper import Mapper
from detector.otlp.read import read
from detector.pipeline import Pipeline
from detector.rules import RULES
from detector.schema.alert import Alert
from tests.streams import Script, feed, quick

ALL = {"enabled": tuple(RULES)}
PROFILE = quick(rules=ALL)


def found_in(pipeline: Pipeline, *events: bytes) -> list[Alert]:
    """Return the alerts that events lead to."""
    return feed(pipeline, events).alerts


def of_one(*bodies: Mapping[str, Any], **rules: Any) -> list[Alert]:
    """Return the alerts of the events of one agent's session under all rules, or those named as ``enabled``."""
    script = Script()
    return found_in(Pipeline(quick(rules=rules or ALL)), *(script.event(**body) for body in bodies))


def causes(alerts: Sequence[Alert]) -> list[str]:
    """Return every cause told, in order, once."""
    return list(dict.fromkeys(cause for alert in alerts for cause in alert.causes))


def news(pipeline: Pipeline, *events: bytes) -> list[str]:
    """Return the causes by rules that events open incidents with."""
    found = [alert for alert in found_in(pipeline, *events) if alert.activity == "create"]
    return [cause for cause in causes(found) if cause.startswith("rule.")]


def recorded(path: Path, change: Mapping[str, Mapping[str, Any]] | None = None) -> list[bytes]:
    """Return a recording as native events; `change`: attributes by the name of the record that shall have them."""
    document = recorded_document(path)
    for request in document:
        for resource in request.get("resourceLogs", []):
            for scope in resource["scopeLogs"]:
                for record in scope["logRecords"]:
                    _change(record, change or {})
    return recorded_events(document)


def recorded_document(path: Path) -> list[dict[str, Any]]:
    """Return the export requests of a recording."""
    document = json.loads(path.read_bytes())
    return document if isinstance(document, list) else [document]


def recorded_events(document: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> list[bytes]:
    """Return the native events that export requests become."""
    items = read(json.dumps(document).encode())
    return [msgspec.json.encode(one.event) for one in Mapper().map(items) if one.event is not None]


def _change(record: dict[str, Any], change: Mapping[str, Mapping[str, Any]]) -> None:
    """Put other attributes into a record of a recording, as OTLP writes them."""
    held = {one["key"]: one for one in record.get("attributes", [])}
    name = held.get("event.name", {}).get("value", {}).get("stringValue", "")
    for key, value in change.get(name, {}).items():
        held[key] = {"key": key, "value": {"stringValue": str(value)}}
    record["attributes"] = list(held.values())
