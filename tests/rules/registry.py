"""What tests of the registry's rules share: entries, controls, and a pipeline that knows some of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from detector.pipeline import Pipeline
from detector.profile.model import Profile
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.schema.declaration import Declaration, declaration_of, pack_declarations
from detector.schema.zones import ZONES_SCHEMA, key_of_body
from detector.simulate.fleet import MONDAY
from tests.rules.told import PROFILE, found_in
from tests.streams import Script

Entry = Mapping[str, Any]


def entry(agent_id: str = "a-1", /, **more: Any) -> dict[str, Any]:
    """Return an active entry that says nothing of what its agent may do."""
    body = {"agent_id": agent_id, "revision": 1, "at": MONDAY, "by": "kim", "reason": "reviewed"}
    return {**body, "lifecycle": "active", "owner": "team", **more}


def zones(*crossings: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return zones front, back (of high criticality) and lab, by the first letter of their agents' ids."""
    body = {"schema": ZONES_SCHEMA, "revision": 1, "at": MONDAY, "by": "kim", "reason": "reviewed"}
    named = [
        {"name": "front", "members": ["a-*"]},
        {"name": "back", "members": ["b-*"], "criticality": "high"},
        {"name": "lab", "members": ["c-*"]},
    ]
    return {**body, "zones": named, "crossings": list(crossings), **more}


def control(*entries: Entry | str, first: int = 0) -> Control:
    """Return entries as one control; a text stands for the removal of its agent's."""
    records = [_record(first + number, one) for number, one in enumerate(entries)]
    return Control(records[-1].offset, pack_declarations(records), "registry")


def _record(offset: int, one: Entry | str) -> Declaration:
    if isinstance(one, str):
        return Declaration(offset, one, None)
    return declaration_of(offset, key_of_body(one), json.dumps(one).encode())


def registered(*entries: Entry | str, profile: Profile = PROFILE) -> Pipeline:
    """Return a pipeline that knows entries before its first event."""
    pipeline = Pipeline(profile)
    assert pipeline.control([control(*entries)]).refusals == []
    return pipeline


def told_of(entries: Entry | tuple[Entry, ...], *bodies: Mapping[str, Any]) -> list[Alert]:
    """Return the alerts of one agent's events where some are registered."""
    script = Script()
    given = entries if isinstance(entries, tuple) else (entries,)
    return found_in(registered(*given), *(script.event(**body) for body in bodies))
