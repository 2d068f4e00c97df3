"""Entries and events that tests of the inventory share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from detector.registry.drafts import Draft, draft_of
from detector.registry.study.seen import SeenFleet
from detector.schema.event import Event
from detector.schema.registry import RegistryEntry

FIXTURES = Path(__file__).parent / "fixtures"
MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)


def entry(agent_id: str = "a-1", revision: int = 1, **fields: Any) -> RegistryEntry:
    """Return an entry that stands, active unless said otherwise."""
    body = {"lifecycle": "active", "owner": "ada", "at": 1_000.0, "by": "ada", "reason": "test", **fields}
    return RegistryEntry.model_validate({"agent_id": agent_id, "revision": revision, **body})


def draft(agent_id: str = "a-1", revision: int = 0, **fields: Any) -> Draft:
    """Return a draft as a file has it."""
    return draft_of({"agent_id": agent_id, "revision": revision, "lifecycle": "active", "owner": "ada", **fields})


def event(day: int = 0, agent: str = "a-1", session: str | None = None, **fields: Any) -> Event:
    """Return one act of a day; each day is a session of its own unless one is named."""
    body: dict[str, Any] = {
        "event_id": f"{agent}-{day}-{session}-{json.dumps(fields, sort_keys=True, default=str)}",
        "ts": MONDAY + timedelta(days=day),
        "agent_id": agent,
        "agent_type": "clerk",
        "session_id": session or f"{agent}-{day}",
        "kind": "tool_call",
        "name": "read_file",
    }
    return Event(**{**body, **fields})


def daily(days: Iterable[int], agent: str = "a-1", **fields: Any) -> list[Event]:
    """Return the same act on several days."""
    return [event(day, agent, **fields) for day in days]


def seen(*events: Iterable[Event]) -> SeenFleet:
    """Return what was seen of events, in the order of their times."""
    return SeenFleet().add_all(sorted((one for some in events for one in some), key=lambda one: one.ts))


def write_events(path: Path, events: Iterable[Event]) -> Path:
    """Write events to a file, one a line."""
    import msgspec

    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in events))
    return path


def write_yaml(path: Path, tables: Iterable[Mapping[str, Any]]) -> Path:
    """Write tables as a file of proposals, in JSON, which is YAML as well."""
    path.write_text(json.dumps({"proposals": list(tables)}), encoding="utf-8")
    return path
