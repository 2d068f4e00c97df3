"""Alerts and commands name the edges of the agent's declared zone; nothing that an event says moves anybody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.response.ladder import Levels
from detector.response.settings import ResponseSettings
from detector.response.stage import ResponseStage
from detector.schema.alert import Alert
from detector.schema.command import PolicyState
from detector.schema.containment import containment_of
from detector.schema.control import Control
from detector.schema.zone_cut import MOST_EDGES, ZoneCut
from detector.simulate.fleet import MONDAY
from detector.sinks.body import to_bytes
from detector.sinks.ocsf import render
from detector.sinks.ocsf_read import decode
from detector.sinks.words import next_steps
from tests.offline.stand_in import alert
from tests.rules.registry import control, entry, registered, told_of, zones
from tests.rules.told import found_in
from tests.streams import Script

ACT = {"peer_agent_id": "b-1", "kind": "message", "name": "tell"}
BOTH = ({"from": "front", "to": "lab", "tools": ["get"]}, {"from": "*", "to": "front", "kinds": ["tool_call"]})
FRONT = ZoneCut(zone="front", out_of=("lab",), into=("back", "lab"))


def _command(told: Alert, score: float = 9.0) -> PolicyState | None:
    stage = ResponseStage(ResponseSettings(mode="enforce"), "default/v1", Levels(2.0, 2.7, {}))
    return stage.on_alert(told.model_copy(update={"score": score})).command


def _alert(**fields: Any) -> Alert:
    return alert({"agent_id": "a-1", "session_id": "s", "event_id": "e"}, 1e9, 9.0).model_copy(update=fields)


def test_an_alert_names_the_edges_of_its_agents_zone() -> None:
    """Those it may use and those it may be reached by, whatever tools and kinds they are limited to."""
    (told,) = told_of((zones(*BOTH),), ACT)
    assert told.cut == FRONT
    (alone,) = told_of((zones(),), ACT)
    assert alone.cut == ZoneCut(zone="front")


@pytest.mark.parametrize(
    ("given", "zone"),
    [
        ((zones(*BOTH), entry(zone="lab")), "lab"),
        ((zones(*BOTH), entry(zone="lab", lifecycle="suspended")), "front"),
    ],
)
def test_the_zone_of_an_active_entry_counts_before_membership(given: tuple[dict[str, Any], ...], zone: str) -> None:
    """As in the rules of zones; what the event says does not."""
    for one in told_of(given, {**ACT, "zone": "back"}):
        assert one.cut is not None
        assert one.cut.zone == zone


def test_nothing_is_said_of_an_agent_that_stands_in_no_declared_zone() -> None:
    """No zones, nobody's member, an entry with a zone that is not declared; then records are as ever."""
    outside = entry(tools=[])
    for given in ((outside,), (zones(), {**outside, "zone": "nowhere"})):
        (told, *_) = told_of(given, {"name": "pay"})
        assert told.cut is None
        assert b'"cut"' not in to_bytes(render(told))


def test_an_isolation_carries_them_to_who_enforces_and_a_limit_does_not() -> None:
    """As the alert crosses Kafka; what is told the partition again is lean, and old commands read as they did."""
    sent = decode(to_bytes(render(_alert(cut=FRONT))))
    isolated, limited = _command(sent), _command(sent, 2.3)
    assert isolated is not None
    assert limited is not None
    assert (isolated.tier, isolated.cut) == ("isolate", FRONT)
    assert (limited.tier, limited.cut) == ("limit", None)
    assert containment_of(isolated, 1e9).state.cut is None
    assert b'"cut"' not in limited.model_dump_json(by_alias=True).encode()
    assert PolicyState.model_validate_json(isolated.model_dump_json(by_alias=True)) == isolated


def test_a_person_who_confirms_isolates_with_the_edges_of_that_moment() -> None:
    """The verdict's own record has them, though the zones were declared after the finding."""
    script, pipeline = Script(), registered(entry(tools=[]))
    (told, *_) = found_in(pipeline, script.event(name="pay"))
    assert told.cut is None
    pipeline.control([control(zones(*BOTH))])
    body: dict[str, Any] = {
        "kind": "verdict",
        "id": "v-1",
        "finding_uid": told.finding_uid,
        "verdict": "confirm",
        "by": "ann",
    }
    body |= {"at": MONDAY, "reason": "seen", "agent_id": told.agent_id, "tenant": told.tenant}
    (said,) = pipeline.control([Control(9, json.dumps(body).encode())]).alerts
    assert (said.activity, said.cut) == ("verdict", FRONT)


def test_the_next_step_names_them_and_the_command_that_says_by_which_tools() -> None:
    """Names are shown as one line, the id as one word."""
    steps = next_steps(_alert(cut=FRONT))
    assert steps[-1] == (
        "to isolate it cut zone front (acts on lab; is reached from back, lab): detector registry zones cut -- a-1"
    )
    assert steps[:-1] == next_steps(_alert())
    bare = next_steps(_alert(cut=ZoneCut(zone="x\ny"), tenant="acme"))[-1]
    assert "no other zone is declared" in bare
    assert "\n" not in bare
    assert "--tenant=acme" in bare


def test_of_many_neighbours_the_first_are_named_and_the_rest_counted() -> None:
    """A command must fit its record."""
    names = [f"z-{number:02}" for number in range(40)]
    many = zones({"from": "*", "to": "*"})
    many["zones"] = [*many["zones"], *({"name": name} for name in names)]
    (told, *_) = told_of((many, entry(tools=[])), {"name": "pay"})
    assert told.cut is not None
    assert (len(told.cut.out_of), len(told.cut.into), told.cut.left) == (MOST_EDGES, MOST_EDGES, 2 * (42 - MOST_EDGES))
    assert "52 more" in next_steps(_alert(cut=told.cut))[-1]
