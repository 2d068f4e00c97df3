"""Zones and crossings that events show, proposed for review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detector.registry.documents import document_of
from detector.registry.study.peers import Firmness
from detector.registry.zones.drafts import ZonesDraft, read_zones_drafts
from detector.registry.zones.seen import SeenZones
from detector.rules.zoned import ZoneMap, zones_facts_of
from detector.schema.event import Event
from detector.schema.zones import MOST_CROSSINGS, MOST_MEMBERS, MOST_ZONES
from tests.registry.inventory import daily, event

CROSSING: dict[str, Any] = {"zone": "front", "peer_agent_id": "b-1", "peer_zone": "back"}


def _page(*events: Event, tenant: str = "default") -> str:
    return "\n".join(SeenZones(tenant).add_all(events).page(Firmness()))


def _draft(tmp_path: Path, text: str) -> ZonesDraft:
    (tmp_path / "page").write_text(text, encoding="utf-8")
    return read_zones_drafts(tmp_path / "page")[0]


def test_zones_and_firm_crossings_are_proposed(tmp_path: Path) -> None:
    """Agents and their peers stand where they were seen; the page is a file to apply."""
    draft = _draft(tmp_path, _page(*daily(range(4), **CROSSING)))
    assert {zone.name: zone.members for zone in draft.declared.zones} == {"back": ("b-1",), "front": ("a-1",)}
    assert [(one.from_, one.to) for one in draft.declared.crossings] == [("front", "back")]


def test_what_is_rare_or_was_refused_is_not_proposed(tmp_path: Path) -> None:
    """Whoever crossed once must not find it allowed: a person decides, told who was first."""
    text = _page(*daily(range(2), **CROSSING), *daily(range(5), outcome="denied", **{**CROSSING, "peer_zone": "vault"}))
    assert _draft(tmp_path, text).declared.crossings == ()
    assert "# rare, decide: front -> back: 2 sessions, 2 days, first by a-1" in text
    assert "front -> vault" not in text


def test_an_agent_in_two_zones_is_a_member_of_none(tmp_path: Path) -> None:
    """Its crossings between zones that have others are still told."""
    text = _page(*daily(range(4), **CROSSING), event(5, zone="back"))
    assert [zone.name for zone in _draft(tmp_path, text).declared.zones] == ["back"]
    assert "decide: a-1 was seen in front (4), back (1)" in text


def test_what_others_say_of_an_agent_neither_moves_it_nor_takes_it_out(tmp_path: Path) -> None:
    """Its own word counts; of one that says nothing theirs is proposed, and that it is theirs is told."""
    honest = [*daily(range(4), "vault-1", zone="vault"), event(0, zone="front")]
    assert "as others say" not in _page(*honest, event(1, zone="front", peer_agent_id="vault-1", peer_zone="vault"))
    lies = [event(1, zone="front", peer_agent_id=peer, peer_zone="front") for peer in ("vault-1", "mute")]
    text = _page(*honest, *lies)
    members = {zone.name: zone.members for zone in _draft(tmp_path, text).declared.zones}
    assert members == {"front": ("a-1", "mute"), "vault": ("vault-1",)}
    assert "# decide: vault-1 is in front as others say; it says vault" in text
    assert "# decide: mute is in front as others say; it says nothing" in text


def test_names_and_numbers_that_no_zone_may_have_are_told(tmp_path: Path) -> None:
    """A zone of too many members needs patterns; other tenants' events say nothing."""
    many = [event(0, f"m-{number}", zone="many") for number in range(MOST_MEMBERS + 1)]
    text = _page(*many, event(0, "o", zone="a b\n- c"), event(0, "t", zone="other", tenant="t"))
    draft = _draft(tmp_path, text)
    assert [(zone.name, zone.members) for zone in draft.declared.zones] == [("many", ())]
    assert f"many has {MOST_MEMBERS + 1} agents" in text
    assert "is no name a zone may have: 1 agents" in text
    assert document_of(_page(tenant="none").encode())["zones"] == []


def test_an_agent_that_calls_itself_a_pattern_is_a_member_by_its_id_alone(tmp_path: Path) -> None:
    """Whoever says that it is everybody must not take everybody into its zone; an ordinary id stands as it is."""
    draft = _draft(tmp_path, _page(*[event(0, agent, zone="front") for agent in ("*", "re:.*", "a*", "a-1")]))
    zones = ZoneMap(zones_facts_of(draft.declared, b""))
    assert [zones.zone_of(agent) for agent in ("*", "re:.*", "a*", "a-1")] == ["front"] * 4
    assert [zones.zone_of(agent) for agent in ("payroll", "a-2")] == [None, None]
    assert "a-1" in draft.declared.zones[0].members


def test_an_agent_that_no_member_can_say_is_told(tmp_path: Path) -> None:
    """Its id is too long: a page that nobody can apply for one agent's sake would help it."""
    text = _page(event(0, "x" * 600, zone="front"), event(0, zone="front"))
    assert _draft(tmp_path, text).declared.zones[0].members == ("a-1",)
    assert "# decide: no member can say xxx" in text


def test_zones_and_crossings_that_find_no_room_are_told(tmp_path: Path) -> None:
    """Who makes up zones by the dozen must not push out others unseen; where all find room nothing is said."""
    made_up = [event(0, f"{zone:03}-{n}", zone=f"z{zone:03}") for zone in range(MOST_ZONES) for n in range(2)]
    text = _page(*made_up, event(0, zone="payroll"))
    assert len(_draft(tmp_path, text).declared.zones) == MOST_ZONES
    assert f"# left out: 1 zones beyond {MOST_ZONES}, of fewest agents, and their crossings: payroll" in text
    assert "left out" not in _page(*made_up)

    def page(count: int) -> str:
        pairs = [(a, b) for a in range(30) for b in range(30) if a != b][:count]
        acts = [{"zone": f"z{a}", "peer_agent_id": f"a{b}", "peer_zone": f"z{b}"} for a, b in pairs]
        return _page(*(one for said in acts for one in daily(range(4), "a" + said["zone"][1:], **said)))

    assert len(_draft(tmp_path, page(MOST_CROSSINGS)).declared.crossings) == MOST_CROSSINGS
    assert "left out" not in page(MOST_CROSSINGS)
    assert f"# left out: 3 firm crossings beyond {MOST_CROSSINGS}" in page(MOST_CROSSINGS + 3)
