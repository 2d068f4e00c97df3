"""Zones that tests of this room share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from detector.registry.zones.drafts import ZonesDraft, zones_draft_of
from detector.schema.zones import ZoneDeclaration

PAYING = {"from": "front", "to": "back", "tools": ["pay"], "kinds": ["tool_call"]}
ZONES: list[dict[str, Any]] = [
    {"name": "front", "members": ["shop-*"], "namespaces": ["agents-front", "agents-edge"]},
    {"name": "back", "members": ["pay-*"], "criticality": "high"},
    {"name": "lab", "purpose": "tries: \n- things"},
]


def table(revision: int = 0, **more: Any) -> dict[str, Any]:
    """Return zones as a file has them: front may pay at back, everybody may use the lab."""
    return {"revision": revision, "zones": ZONES, "crossings": [PAYING, {"from": "*", "to": "lab"}], **more}


def zones_draft(revision: int = 0, **more: Any) -> ZonesDraft:
    """Return zones that nobody has applied."""
    return zones_draft_of(table(revision, **more))


def declaration(revision: int = 1, **more: Any) -> ZoneDeclaration:
    """Return zones that stand."""
    stamp = {"revision": revision, "at": 1_000.0, "by": "ada", "reason": "test"}
    return zones_draft(**more).declared.model_copy(update=stamp)


def write_zones(path: Path, *tables: dict[str, Any]) -> Path:
    """Write a file of zones, in JSON, which is YAML as well."""
    path.write_text(json.dumps({"declared": list(tables)}), encoding="utf-8")
    return path
