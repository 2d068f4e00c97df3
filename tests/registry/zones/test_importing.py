"""Zones out of entries and of a cluster's policies, to be reviewed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detector.errors import SetupError
from detector.registry.zones.drafts import read_zones_drafts
from detector.registry.zones.importing import ImportedZones, zones_of_entries, zones_of_policies
from detector.registry.zones.networkpolicy import NAMESPACE_LABEL, network_policies
from detector.rules.zoned import ZoneMap, zones_facts_of
from detector.schema.zones import MOST_MEMBERS, ZoneDeclaration
from tests.registry.inventory import entry
from tests.registry.zones.declared import declaration


def _declared(tmp_path: Path, found: ImportedZones) -> ZoneDeclaration:
    (tmp_path / "page").write_text("\n".join(found.page("default")), encoding="utf-8")
    return read_zones_drafts(tmp_path / "page")[0].declared


def test_zones_of_active_entries_have_their_agents_as_members(tmp_path: Path) -> None:
    """Of this tenant, and nobody may cross yet."""
    named = {"b": "back", "a": "front", "c": "front", "g": "a b"}
    entries = [entry("d"), *(entry(agent, zone=zone) for agent, zone in named.items())]
    entries += [entry("e", zone="lab", lifecycle="proposed"), entry("f", zone="lab", tenant="t")]
    found = zones_of_entries(entries, "default")
    declared = _declared(tmp_path, found)
    assert {zone.name: zone.members for zone in declared.zones} == {"back": ("b",), "front": ("a", "c")}
    assert (declared.crossings, found.notes) == ((), ["1 active agents have no zone", "a b is no name a zone may have"])
    many = zones_of_entries([entry(f"m-{n}", zone="many") for n in range(MOST_MEMBERS + 1)], "default")
    assert _declared(tmp_path, many).zones[0].members == ()
    assert "write patterns of their ids" in many.notes[0]


def test_an_entry_whose_id_is_a_pattern_makes_no_pattern(tmp_path: Path) -> None:
    """It is a member by its id alone; an id that no member can say is told."""
    found = zones_of_entries([entry(agent, zone="front") for agent in ("*", "a", "x" * 600)], "default")
    zones = ZoneMap(zones_facts_of(_declared(tmp_path, found), b""))
    assert [zones.zone_of(agent) for agent in ("*", "a", "payroll")] == ["front", "front", None]
    assert found.notes[0].startswith("decide: no member can say xxx")


def test_what_was_rendered_is_imported_as_the_same_crossings(tmp_path: Path) -> None:
    """By namespace: there and back."""
    rendered = {"kind": "List", "items": list(network_policies(declaration()))}
    declared = _declared(tmp_path, zones_of_policies(rendered))
    assert {zone.name: zone.members for zone in declared.zones}["back"] == ("back/*",)
    pairs = {(one.from_, one.to) for one in declared.crossings}
    fronts = ("agents-front", "agents-edge")
    assert pairs == {(one, end) for one in fronts for end in ("back", "lab", *fronts) if one != end} | {("back", "lab")}


def _policy(*ingress: Any, **spec: Any) -> dict[str, Any]:
    named = {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "a"}}
    return {**named, "spec": {**spec, "ingress": [*ingress]}}


@pytest.mark.parametrize(
    ("policy", "note"),
    [
        (_policy({}), "takes connections from anywhere"),
        (_policy({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}), "from {'ipBlock'"),
        (_policy({"from": [{"namespaceSelector": {}}]}), "from {'namespaceSelector'"),
        (_policy({"from": [{"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "b", "x": "y"}}}]}), "'x': 'y'"),
        (_policy({"from": [{"namespaceSelector": None}]}), "from {'namespaceSelector'"),
        (_policy({"from": ["x"]}, podSelector={"matchLabels": {"app": "x"}}), "is about some pods"),
    ],
)
def test_what_cannot_be_said_of_zones_is_noted_and_not_proposed(policy: dict[str, Any], note: str) -> None:
    """A person decides."""
    found = zones_of_policies(policy)
    assert (list(found.zones), found.crossings) == (["a"], [])
    assert note in found.notes[0]


@pytest.mark.parametrize("document", [{}, [], {"kind": "List", "items": [{"kind": "Pod"}]}, "x", None])
def test_a_file_without_policies_is_refused(document: Any) -> None:
    """Whatever it is."""
    with pytest.raises(SetupError, match="must be NetworkPolicies"):
        zones_of_policies(document)
