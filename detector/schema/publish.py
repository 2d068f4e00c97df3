"""JSON Schemas of everything that crosses a wire, generated from the code: ``python -m detector.schema.publish``."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from detector.schema.acks import PolicyAck
from detector.schema.alert import Alert
from detector.schema.command import PolicyLogEntry, PolicyState
from detector.schema.containment import Containment
from detector.schema.event import Event
from detector.schema.feedback import feedback_adapter
from detector.schema.registry import RegistryEntry
from detector.schema.zones import ZoneDeclaration

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "docs" / "schema"

Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """Return the published schemas by file name.

    `finding.json` describes the OCSF rendering on `agent.alerts` loosely: the fields this product always sets. The
    whole of it is OCSF's own schema, class 2004 of 1.8.0.
    """
    return {
        "event.json": _titled(_event(), "Agent event, schema version 1 (agent.events)"),
        "alert.json": _titled(_model(Alert), "Alert, internal form (<group>.by-tenant)"),
        "finding.json": _titled(_finding(), "Alert as OCSF 1.8.0 Detection Finding (agent.alerts)"),
        "command.json": _titled(_model(PolicyState), "Desired state of a subject (agent.policy)"),
        "policy-log.json": _titled(_model(PolicyLogEntry), "Decision with its cause (agent.policy.log)"),
        "ack.json": _titled(_model(PolicyAck), "Acknowledgement of an enforcement point (agent.policy.acks)"),
        "feedback.json": _titled(
            feedback_adapter.json_schema(), "Verdict, release, case, suppression (agent.feedback)"
        ),
        "registry.json": _titled(_model(RegistryEntry), "Entry of an agent, whole (agent.registry)"),
        "zones.json": _titled(_model(ZoneDeclaration), "Zones of a tenant and their crossings (agent.registry)"),
        "containment.json": _titled(_model(Containment), "What a partition is told of a command (agent.feedback)"),
    }


def publish(folder: Path = FOLDER) -> list[str]:
    """Write every schema into `folder` and return the names of those that changed, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = drift(folder)
    for name in changed:
        (folder / name).write_text(_text(schemas()[name]), encoding="utf-8")
    return changed


def drift(folder: Path = FOLDER) -> list[str]:
    """Return the names of schemas whose file in `folder` is not what the code says, sorted."""
    changed = []
    for name, schema in schemas().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != _text(schema):
            changed.append(name)
    return sorted(changed)


def main(arguments: list[str] | None = None) -> int:
    """Return 0, or 1 if ``--check`` found a schema that is not what the code says."""
    parser = argparse.ArgumentParser(prog="python -m detector.schema.publish", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not what the code says")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the schemas stand (default: docs/schema)")
    options = parser.parse_args(arguments)
    changed = drift(options.folder) if options.check else publish(options.folder)
    for name in changed:
        sys.stdout.write(f"{name} {'differs from the code: run without --check' if options.check else 'written'}\n")
    return 1 if options.check and changed else 0


def _event() -> Schema:
    """Return the event's schema with the event itself at the top, its parts under ``$defs``."""
    _, components = msgspec.json.schema_components((Event,), ref_template="#/$defs/{name}")
    top: Schema = components.pop("Event")
    # msgspec keeps a docstring's indentation, and what it calls unknown is ignored here, not refused
    top["description"] = inspect.cleandoc(top["description"]) + "\n\nUnknown fields are ignored and counted."
    return {**top, "$defs": components}


def _model(model: type[BaseModel]) -> Schema:
    """Return a model's schema by the names that stand on the wire."""
    return model.model_json_schema(by_alias=True, mode="serialization")


def _finding() -> Schema:
    """Return the shape of the OCSF rendering: what a consumer may rely on."""
    text, number, whole = {"type": "string"}, {"type": "number"}, {"type": "integer"}
    uid = {"type": "object", "required": ["uid"], "properties": {"uid": text}}
    return {
        "type": "object",
        "required": [
            "activity_id",
            "category_uid",
            "class_uid",
            "type_uid",
            "severity_id",
            "time",
            "metadata",
            "finding_info",
            "risk_score",
            "unmapped",
        ],
        "properties": {
            "activity_id": {"enum": [1, 2, 3], "description": "1 create, 2 update, 3 close"},
            "category_uid": {"const": 2},
            "class_uid": {"const": 2004},
            "type_uid": {"enum": [200401, 200402, 200403]},
            "severity_id": {"enum": [2, 3, 4, 5]},
            "time": {**whole, "description": "milliseconds since the epoch, of the event behind this record"},
            "metadata": {
                "type": "object",
                "required": ["version", "product", "sequence"],
                "properties": {
                    "version": {"const": "1.8.0"},
                    "product": {"type": "object", "required": ["name", "vendor_name"]},
                    "sequence": {**whole, "description": "the finding's counter: drop repeats by (uid, sequence)"},
                },
            },
            "finding_info": uid,
            "risk_score": {**whole, "minimum": 0, "maximum": 100},
            "confidence_score": number,
            "message": text,
            "evidences": {"type": "array", "items": {"type": "object"}},
            "anomaly_analyses": {"type": "array", "items": {"type": "object"}},
            "resources": {"type": "array", "items": uid},
            "unmapped": {"type": "object"},
        },
    }


def _titled(schema: Schema, title: str) -> Schema:
    """Return the schema with its dialect and a title first."""
    rest = {name: value for name, value in schema.items() if name not in {"$schema", "title"}}
    return {"$schema": DIALECT, "title": title, **rest}


def _text(schema: Schema) -> str:
    """Return a schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
