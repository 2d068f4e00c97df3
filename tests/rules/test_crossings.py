"""Where acts lead: between declared zones, from a zone that is not the agent's, into one that is new to an agent."""

from __future__ import annotations

from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules import ENTRIES
from detector.rules.crossings import LEAST_DAYS, MOST_CROSSED
from detector.rules.zoned import MOST_ASKED
from tests.rules.registry import Entry, control, entry, registered, told_of, zones
from tests.rules.told import PROFILE, causes, found_in, news
from tests.streams import Script

TO_BACK = {"from": "front", "to": "back"}
ACT = {"name": "ask", "kind": "message", "peer_agent_id": "b-1"}


def _causes(*given: Entry, **act: Any) -> list[str]:
    return causes(told_of(given, {**ACT, **act}))


def test_a_crossing_that_nobody_declared_is_told() -> None:
    """By the pair of zones, as severe as the zone it leads into is critical; the other direction is another pair."""
    (alert,) = told_of((zones(),), ACT)
    assert (alert.causes, alert.severity) == (("rule.zone_crossing/front>back",), "high")
    assert alert.title == "a-1 of zone front acts on b-1 in zone back, which is not allowed"
    assert _causes(zones({"from": "back", "to": "front"})) == ["rule.zone_crossing/front>back"]
    assert told_of((zones(),), {**ACT, "peer_agent_id": "c-1"})[0].severity == "medium"


def test_a_declared_crossing_and_acts_within_a_zone_are_silent() -> None:
    """Also where every zone stands for either end."""
    assert _causes(zones(TO_BACK)) == []
    assert _causes(zones(), peer_agent_id="a-2") == []
    for either in ({"from": "*", "to": "back"}, {"from": "front", "to": "*"}, {"from": "*", "to": "*"}):
        assert _causes(zones(either)) == []
    assert _causes(zones({"from": "*", "to": "lab"})) == ["rule.zone_crossing/front>back"]


def test_a_crossing_may_be_allowed_for_some_tools_and_kinds_only() -> None:
    """Several crossings between two zones add up."""
    asking = {**TO_BACK, "tools": ["ask*"]}
    assert _causes(zones(asking)) == []
    assert _causes(zones(asking), name="delete") == ["rule.zone_crossing/front>back"]
    assert _causes(zones(asking, {**TO_BACK, "tools": ["delete"]}), name="delete") == []
    assert _causes(zones({**TO_BACK, "kinds": ["message"]})) == []
    assert _causes(zones({**TO_BACK, "kinds": ["memory"]})) == ["rule.zone_crossing/front>back"]
    # what is no tool is among no tools
    assert _causes(zones({**TO_BACK, "tools": ["*"]}), kind="lifecycle") == ["rule.zone_crossing/front>back"]


def test_the_declared_zone_of_a_peer_wins_over_what_the_event_says_of_it() -> None:
    """A peer that nobody declared is where the event says; of one that is nowhere nothing is known."""
    assert _causes(zones(), peer_zone="front") == ["rule.zone_crossing/front>back"]
    assert _causes(zones(), peer_agent_id="x", peer_zone="back") == ["rule.zone_crossing/front>back"]
    assert _causes(zones(), peer_agent_id=None, peer_zone="back") == ["rule.zone_crossing/front>back"]
    assert _causes(zones(), peer_agent_id="x") == []


def test_an_agent_that_acts_on_itself_crosses_nothing() -> None:
    """Its entry may have moved it out of the zone whose member it is; on another member of that zone it does."""
    moved = (zones(), entry(zone="lab"))
    assert _causes(*moved, peer_agent_id="a-1") == []
    assert _causes(*moved, peer_agent_id="a-2") == ["rule.zone_crossing/lab>front"]
    script, pipeline = _lived(LEAST_DAYS)
    assert news(pipeline, script.event(**ACT | {"peer_agent_id": "a-1"}, peer_zone="vault")) == []


def test_an_empty_zone_says_nothing() -> None:
    """Some libraries write an empty text for what they do not know."""
    assert _causes(zones(), peer_agent_id="x", peer_zone="") == []
    assert _causes(zones(), peer_agent_id=None, zone="") == []
    script, pipeline = _lived(LEAST_DAYS)
    assert news(pipeline, script.event(**ACT, peer_zone="")) == []


def test_zones_that_nobody_declared_are_one_cause_however_many_are_made_up() -> None:
    """Every zone stands for declared ones only."""
    acts = [{**ACT, "peer_agent_id": f"x-{number}", "peer_zone": f"made-up-{number}"} for number in range(6)]
    assert causes(told_of((zones({"from": "*", "to": "*"}),), *acts)) == ["rule.zone_crossing/undeclared"]


def test_the_zone_of_an_active_entry_wins_over_patterns_of_members() -> None:
    """An entry that is only proposed moves nobody."""
    moved = zones({"from": "lab", "to": "back"})
    assert _causes(moved, entry(zone="lab")) == []
    assert _causes(moved, entry(zone="lab", lifecycle="proposed")) == ["rule.zone_crossing/front>back"]
    assert _causes(moved, entry(zone="elsewhere")) == ["rule.zone_crossing/elsewhere>back"]


def test_of_an_agent_without_a_zone_and_of_another_tenant_nothing_is_told() -> None:
    """What the event says of its own zone is no declaration."""
    assert _causes(zones(), agent_id="x", zone="front") == []
    assert _causes(zones(tenant="other")) == []
    assert _causes(zones(tenant="other"), tenant="other") == ["rule.zone_crossing/front>back"]
    assert found_in(Pipeline(PROFILE), Script().event(**ACT)) == []


def test_zones_change_and_go_with_their_record() -> None:
    """What was asked before is asked anew."""
    script, pipeline = Script(), registered(zones(TO_BACK))
    assert found_in(pipeline, script.event(**ACT)) == []
    pipeline.control([control(zones(revision=2))])
    assert causes(found_in(pipeline, script.event(**ACT))) == ["rule.zone_crossing/front>back"]
    pipeline = registered(zones(), {**zones(revision=2), "zones": []})
    assert found_in(pipeline, script.event(**ACT)) == []


def test_an_event_that_says_another_zone_than_is_declared_is_told() -> None:
    """The declared one, and none at all, are silent; so is whoever has no declared zone."""
    (alert,) = told_of((zones(),), {"zone": "back"}, {"zone": "lab"})
    assert alert.causes == ("rule.zone_mismatch/zone",)
    assert alert.title == "a-1 of zone front says that it acts in zone back"
    assert causes(told_of((zones(),), {"zone": "front"}, {})) == []
    assert causes(told_of((zones(),), {"zone": "back", "agent_id": "x"})) == []
    assert causes(told_of((zones(), entry(zone="back")), {"zone": "back"})) == []
    assert causes(told_of((entry(zone="back"),), {"zone": "front"})) == []


def test_what_was_fine_is_asked_anew_when_an_entry_changes() -> None:
    """An agent that is moved does not go on under what was found of it before."""
    script, pipeline = Script(), registered(zones(TO_BACK), entry())
    assert found_in(pipeline, script.event(**ACT, zone="front")) == []
    pipeline.control([control(entry(revision=2, zone="lab"))])
    moved = causes(found_in(pipeline, script.event(**ACT, zone="front")))
    assert sorted(moved) == ["rule.zone_crossing/lab>back", "rule.zone_mismatch/zone"]
    pipeline.control([control("a-1")])
    assert found_in(pipeline, script.event(**ACT, zone="front", session_id="s-2")) == []


def test_more_acts_than_are_known_to_be_fine_are_found_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by length: made-up names only cost time."""
    monkeypatch.setattr("detector.rules.zoned.MOST_FINE", 2)
    script, pipeline = Script(), registered(zones(TO_BACK))
    fine = [script.event(**{**ACT, "name": f"ask-{n}" * (1 + 40 * n)}) for n in range(4)]
    assert found_in(pipeline, *fine, *fine[:2]) == []
    assert causes(found_in(pipeline, script.event(**{**ACT, "peer_agent_id": "c-1"}))) == [
        "rule.zone_crossing/front>lab"
    ]


def test_more_agents_than_are_kept_ready_stand_where_they_stood() -> None:
    """Invented ids push out only what is found again."""
    script, pipeline = Script(), registered(zones())
    found_in(pipeline, *(script.event(agent_id="x", peer_agent_id=f"p-{one}") for one in range(MOST_ASKED + 8)))
    assert causes(found_in(pipeline, script.event(**ACT))) == ["rule.zone_crossing/front>back"]


def _lived(days: int, *before: Entry, **act: Any) -> tuple[Script, Pipeline]:
    """Return a pipeline in which an agent acted on peers of one zone for some days."""
    script = Script()
    pipeline = registered(*before) if before else Pipeline(PROFILE)
    for _ in range(days):
        found_in(pipeline, script.event(**{**ACT, "peer_zone": "home", "zone": "home", **act}))
        script.now += 86_400.0
    return script, pipeline


def test_a_zone_that_is_new_to_an_agent_is_told_once_it_is_known() -> None:
    """Once; before it is known on five days every zone is learned."""
    script, pipeline = _lived(LEAST_DAYS)
    new = {**ACT, "peer_agent_id": "x", "peer_zone": "vault"}
    assert news(pipeline, script.event(**new)) == ["rule.new_crossing/vault"]
    assert news(pipeline, script.event(**new, session_id="s-2")) == []
    script, pipeline = _lived(LEAST_DAYS - 1)
    assert news(pipeline, script.event(**new)) == []


def test_zones_known_to_an_agent_and_its_own_are_no_news() -> None:
    """A zone it crossed into while it was new is none later."""
    script, pipeline = _lived(LEAST_DAYS, peer_zone="vault")
    assert news(pipeline, script.event(**ACT, peer_zone="vault")) == []
    assert news(pipeline, script.event(**ACT, peer_zone="home", zone="home")) == []


def test_an_agent_that_never_acted_on_another_is_told_at_its_first_crossing() -> None:
    """The days count on which it said its zone, whatever it did; where it says none, nothing is kept of it."""
    alone: dict[str, Any] = {"peer_agent_id": None, "peer_zone": None}
    script, pipeline = _lived(LEAST_DAYS, **alone)
    assert news(pipeline, script.event(**ACT, peer_zone="vault")) == ["rule.new_crossing/vault"]
    script, pipeline = _lived(LEAST_DAYS, **alone, zone=None)
    assert news(pipeline, script.event(**ACT, peer_zone="vault")) == []


def test_what_is_declared_is_not_learned() -> None:
    """An allowed crossing is no news; one that is not is told as such and not twice."""
    new: dict[str, Any] = {**ACT, "zone": None, "peer_agent_id": "b-9"}
    script, pipeline = _lived(LEAST_DAYS, zones(TO_BACK), peer_agent_id="a-2", zone="front")
    assert news(pipeline, script.event(**new)) == []
    script, pipeline = _lived(LEAST_DAYS, zones(), peer_agent_id="a-2", zone="front")
    assert news(pipeline, script.event(**new)) == ["rule.zone_crossing/front>back"]
    # of an agent that nobody put into a zone it is learned
    script, pipeline = _lived(LEAST_DAYS, zones(), agent_id="x", peer_agent_id="y")
    assert news(pipeline, script.event(**new, agent_id="x")) == ["rule.new_crossing/back"]


def test_an_agent_that_makes_up_zones_fills_no_memory() -> None:
    """The first ones are known; what is beyond is counted and stays new."""
    script, pipeline = _lived(0)
    made = [script.event(**ACT, peer_zone=f"z-{number}") for number in range(MOST_CROSSED + 3)]
    found_in(pipeline, *made)
    for _ in range(LEAST_DAYS):
        script.now += 86_400.0
        found_in(pipeline, script.event(**ACT))
    assert news(pipeline, script.event(**ACT, peer_zone="z-0")) == []
    assert news(pipeline, script.event(**ACT, peer_zone=f"z-{MOST_CROSSED}")) == [f"rule.new_crossing/z-{MOST_CROSSED}"]


@pytest.mark.parametrize(("rule", "is_on"), [("zone_crossing", True), ("zone_mismatch", True), ("new_crossing", False)])
def test_which_are_on(rule: str, is_on: bool) -> None:
    """What is learned has no measured rate on recorded streams: none of them has zones."""
    assert ENTRIES[rule].is_shipped is is_on
