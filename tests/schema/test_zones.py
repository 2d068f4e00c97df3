"""Zones of a tenant: whole, bounded, and under a key that no agent can have."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from detector.schema.declaration import Declaration, declaration_of, pack_declarations, unpack_declarations
from detector.schema.decode import decode
from detector.schema.record import Record
from detector.schema.zones import ZoneDeclaration, key_of_body, tenant_of_key, zones_key

BODY = {"revision": 1, "at": 0.0, "by": "kim", "reason": "drawn"}


def test_the_key_of_zones_is_no_agents() -> None:
    """An id is UTF-8, and this is none: an event with its bytes as an id is refused."""
    key = zones_key("default")
    assert (tenant_of_key(key), tenant_of_key(key[1:]), tenant_of_key(None), tenant_of_key(key[:7])) == (
        "default",
        None,
        None,
        None,
    )
    with pytest.raises(UnicodeDecodeError):
        key.decode()
    event = b'{"event_id":"1","ts":"2026-03-02T09:00:00Z","agent_id":"' + key + b'","kind":"network","name":"n"}'
    assert [refusal.reason for _, refusal in decode([Record(event, key, "e", 0, 0)]).refusals] == ["not_json"]


def test_records_of_agents_are_packed_as_before_there_were_zones() -> None:
    """A journal of one version is read by the other; zones have a fourth field."""
    zoned = declaration_of(2, zones_key("t/1"), b'{"revision": 1}')
    records = [declaration_of(1, b"a", b"{}"), zoned, declaration_of(3, zones_key("x"), None)]
    packed = pack_declarations(records)
    assert packed == b'[[1,"a",{}],[2,"t/1",{"revision": 1},"zones"],[3,"x",null,"zones"]]'
    assert unpack_declarations(packed) == records
    assert (zoned, zoned.record_key) == (Declaration(2, "t/1", b'{"revision": 1}', "zones"), zones_key("t/1"))


def test_where_a_body_belongs() -> None:
    """Under its agent, or its tenant's zones."""
    assert key_of_body({"agent_id": "a"}) == b"a"
    assert key_of_body({"schema": "agent.zones/1"}) == zones_key("default")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"zones": [{"name": "a b"}]}, "zones.0.name"),
        ({"zones": [{"name": "a", "namespaces": ["A"]}]}, "zones.0.namespaces.0"),
        ({"zones": [{"name": "a"}], "crossings": [{"from": "a", "to": "b"}]}, ""),
        ({"zones": [{"name": "a"}], "crossings": [{"from": "a", "to": "a", "kinds": []}]}, "crossings.0.kinds"),
        ({"zones": [{"name": "a"}], "crossings": [{"from": "a", "to": "a", "kinds": ["x"]}]}, "crossings.0.kinds.0"),
        ({"reason": ""}, "reason"),
    ],
)
def test_what_is_no_whole_declaration_is_refused_with_its_field(more: dict[str, object], fault: str) -> None:
    """A misspelt limit is no limit left out."""
    with pytest.raises(ValidationError) as refused:
        ZoneDeclaration.model_validate_json(json.dumps({**BODY, **more}))
    assert fault in {".".join(map(str, one["loc"])) for one in refused.value.errors()}
