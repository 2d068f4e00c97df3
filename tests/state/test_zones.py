"""Declared zones take effect in a partition, or are refused; what it knows of them outlives it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules.zoned import MOST_TENANTS
from detector.schema.control import Control
from detector.schema.declaration import declaration_of, pack_declarations
from detector.schema.zones import MOST_ZONES, zones_key
from tests.rules.registry import control, entry, registered, zones
from tests.rules.told import PROFILE


def _reasons(pipeline: Pipeline, *given: dict[str, Any]) -> list[str]:
    return [refusal.reason for _, refusal in pipeline.control([control(*given)]).refusals]


def test_zones_are_counted_by_what_became_of_them() -> None:
    """Beside the entries of one control."""
    pipeline = Pipeline(PROFILE)
    gone = declaration_of(7, zones_key("default"), None)
    counts = pipeline.control([control(zones(), entry(), zones())]).counts
    assert counts == {"zones_applied": 1, "zones_repeated": 1, "registry_applied": 1}
    assert pipeline.gauges()["zoned_tenants"] == 1.0
    counts = pipeline.control([Control(7, pack_declarations([gone, gone]), "registry")]).counts
    assert counts == {"zones_removed": 1, "zones_absent": 1}
    assert pipeline.gauges()["zoned_tenants"] == 0.0


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (zones(revision=4), "registry_outdated"),
        (zones(revision=5, reason="other bytes"), "registry_outdated"),
        (zones(revision=6, unknown=1), "bad_registry"),
        (zones({"from": "front", "to": "nowhere"}, revision=6), "bad_registry"),
        (zones({"from": "front", "to": "back", "tool": ["x"]}, revision=6), "bad_registry"),
        (zones({"from": "front", "to": "back", "tools": ["re:("]}, revision=6), "bad_registry"),
        ({**zones(revision=6), "zones": [{"name": "a", "members": ["re:["]}]}, "bad_registry"),
        ({**zones(revision=6), "zones": [{"name": "a"}, {"name": "a"}]}, "bad_registry"),
        ({**zones(revision=6), "zones": [{"name": "*"}]}, "bad_registry"),
        ({**zones(revision=6), "zones": [{"name": f"z{n}"} for n in range(MOST_ZONES + 1)]}, "bad_registry"),
    ],
)
def test_zones_that_may_not_stand_are_refused_with_their_reason(other: dict[str, Any], reason: str) -> None:
    """Those that stand go on; what is beside them in the control takes effect."""
    pipeline = registered(zones(revision=5))
    before = pipeline.snapshot(full=True)
    outcome = pipeline.control([control(other, entry())])
    ((index, refusal),) = outcome.refusals
    assert (index, refusal.reason, json.loads(refusal.raw)) == (0, reason, other)
    assert (outcome.counts["registry_applied"], outcome.counts["registry_refused"]) == (1, 1)
    pipeline.control([control("a-1")])
    again = registered(zones(revision=5), entry(), "a-1")
    assert pipeline.snapshot(full=True) == again.snapshot(full=True) != before


def test_zones_under_another_tenants_key_and_entries_under_one_never_apply() -> None:
    """Whoever may write one tenant's zones must not write another's."""
    pipeline = Pipeline(PROFILE)
    for body in (zones(tenant="other"), entry()):
        record = declaration_of(0, zones_key("default"), json.dumps(body).encode())
        ((_, refusal),) = pipeline.control([Control(0, pack_declarations([record]), "registry")]).refusals
        assert refusal.reason == ("registry_key_mismatch" if "zones" in body else "bad_registry")
    record = declaration_of(0, b"default", json.dumps(zones()).encode())
    ((_, refusal),) = pipeline.control([Control(0, pack_declarations([record]), "registry")]).refusals
    assert (refusal.reason, pipeline.gauges()["zoned_tenants"]) == ("bad_registry", 0.0)


def test_there_is_room_for_so_many_tenants_and_none_is_forgotten_for_another() -> None:
    """Those that stand may still change."""
    pipeline = Pipeline(PROFILE)
    assert _reasons(pipeline, *(zones(tenant=f"t-{number}") for number in range(MOST_TENANTS))) == []
    assert _reasons(pipeline, zones(tenant="late"), zones(tenant="t-0", revision=2)) == ["registry_full"]
    assert pipeline.gauges()["zoned_tenants"] == MOST_TENANTS


def test_zones_are_in_the_snapshot_when_they_changed_and_leave_no_trace_else() -> None:
    """Also in a first one before any event."""
    pipeline = Pipeline(PROFILE)
    assert "registry/zones" not in pipeline.snapshot(full=True)
    pipeline.control([control(zones())])
    held = pipeline.snapshot(full=True)
    assert "registry/zones" in held
    assert "registry/zones" not in pipeline.snapshot()
    again = Pipeline.restore(PROFILE, held)
    assert again.snapshot(full=True) == pipeline.snapshot(full=True)
    assert _reasons(again, zones(reason="other")) == ["registry_outdated"]
