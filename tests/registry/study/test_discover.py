"""Who acts without an entry, who has one and does not act, and who shares an identity."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from detector.registry.study.discover import Discovery, headlines
from detector.registry.study.events import EventSource
from detector.registry.study.findings import open_findings
from detector.registry.study.seen import SeenFleet
from detector.schema.alert import VerdictNote
from detector.schema.event import Credential
from detector.sinks.ocsf import encode
from tests.registry.inventory import MONDAY, daily, entry, event, seen, write_events
from tests.sinks.alerts import make


def test_agents_are_held_against_the_inventory() -> None:
    """Of the same tenant; a retired one that acts is named apart."""
    stands = {
        "a-1": entry(),
        "a-2": entry("a-2", tenant="acme"),
        "a-4": entry("a-4"),
        "a-5": entry("a-5", lifecycle="retired"),
        "a-6": entry("a-6", lifecycle="retired"),
    }
    found = Discovery(seen(daily(range(2)), daily([0], "a-2"), daily([0], "a-3"), daily([0], "a-5")), stands)
    assert [one.agent_id for one in found.unregistered] == ["a-2", "a-3"]
    assert [one.agent_id for one in found.unseen] == ["a-4"]
    assert [one.agent_id for one in found.retired] == ["a-5"]


def test_one_identity_of_several_is_told() -> None:
    """A credential, a SPIFFE id, an id in two tenants, two instances at once."""
    key = Credential(id="key-7")
    found = Discovery(
        seen(
            [
                event(0, credential=key, spiffe_id="spiffe://x/y"),
                event(0, "a-2", credential=key, spiffe_id="spiffe://x/y"),
            ],
            [event(0, "a-3", tenant="acme"), event(0, "a-3")],
            [event(day, "a-4", instance_id=name) for day, name in ((0, "i-1"), (1, "i-2"), (2, "i-1"))],
        ),
        {},
    )
    assert {(one.what, one.name) for one in found.shared} == {
        ("credential", "key-7"),
        ("SPIFFE id", "spiffe://x/y"),
        ("tenants", "a-3"),
        ("instances at once", "a-4"),
    }


def test_instances_that_follow_each_other_share_nothing() -> None:
    """A restart is no clone."""
    events = [event(day, instance_id=f"i-{day}", ts=MONDAY + timedelta(days=day)) for day in range(5)]
    assert Discovery(seen(events), {}).shared == []


def test_an_agent_in_two_tenants_is_proposed_once() -> None:
    """An id is one entry; the headlines say that there are two."""
    found = Discovery(seen(daily(range(4), tenant="acme"), daily(range(2), tenant="evil")), {})
    assert [item.draft.entry.tenant for item in found.items()] == ["acme"]
    assert any("tenants a-1" in line for line in headlines(found))


def test_sessions_with_a_finding_vouch_for_nothing(tmp_path: Path) -> None:
    """Of their agent and tenant, and until somebody called them harmless: an attack in six sessions is no job."""
    attack = [event(day, session=f"s-{day}", name="send_money") for day in range(6)]
    path = write_events(tmp_path / "e.jsonl", [*daily(range(8)), *attack])
    note = VerdictNote(verdict="safe", by="bob", reason="known", at=1.0)
    alerts = [make("a-1", tenant="default", session_id=f"s-{day}", event_id=f"e-{day}") for day in range(6)]
    for harmless, tools in (([], ("read_file",)), (alerts, ("read_file", "send_money"))):
        told = [*alerts, *(one.model_copy(update={"verdict": note, "counter": 2}) for one in harmless)]
        source = EventSource([path], barred=open_findings(map(encode, told)).sessions)
        (item,) = Discovery(SeenFleet().add_all(source.read()), {}).items()
        assert item.draft.entry.tools == tools
        assert source.left_out["of a session with a finding"] == (0 if harmless else 6)


def test_what_was_not_held_is_said_and_an_empty_window_too() -> None:
    """Nothing is left out silently."""
    held = seen(daily(range(2)))
    held.unheld["acts of agents beyond the cap"] = 7
    assert any("7 acts of agents beyond the cap" in line for line in headlines(Discovery(held, {})))
    assert list(headlines(Discovery(SeenFleet(), {}))) == ["no event in the window"]


def test_a_large_fleet_of_one_type_is_proposed_in_time() -> None:
    """What peers use is counted once, not once an agent."""
    fleet = [event(day, f"a-{n}", name=f"tool-{k}") for n in range(300) for day in range(3) for k in range(10)]
    found = Discovery(seen(fleet), {})
    begin = time.process_time()
    items = found.items()
    assert len(items) == 300
    assert all(len(item.draft.entry.tools or ()) == 10 for item in items)
    assert time.process_time() - begin < 10.0
