"""Who acts: strangers where others are registered, those that may not act, one identity in two places."""

from __future__ import annotations

from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules import ENTRIES
from detector.rules.criticality import severity_for
from detector.rules.inventory import SETTLES_S
from tests.rules.registry import control, entry, registered, told_of
from tests.rules.told import PROFILE, causes, found_in
from tests.streams import Script


def test_an_agent_without_an_entry_is_told_where_others_have_one() -> None:
    """From its first event on, once; the registered one is not."""
    alerts = told_of(entry("a-2"), {"name": "read"}, {"name": "read"}, {"name": "read", "agent_id": "a-2"})
    assert causes(alerts) == ["rule.unregistered/unknown"]
    assert alerts[0].title == "a-1 acts and has no entry"
    assert [alert.agent_id for alert in alerts] == ["a-1"]


def test_an_empty_registry_says_nothing_of_anybody() -> None:
    """Also one that was emptied, and one that has only agents of another tenant."""
    script = Script()
    assert found_in(Pipeline(PROFILE), script.event()) == []
    assert found_in(registered("a-9"), script.event()) == []
    assert found_in(registered(entry("a-2"), "a-2"), script.event()) == []
    assert found_in(registered(entry("a-2", tenant="other")), script.event()) == []
    assert causes(found_in(registered(entry("a-2", tenant="other")), script.event(tenant="other"))) != []


def test_an_import_is_waited_for() -> None:
    """In the first hour after a tenant's first entry the others may be on their way."""
    script, pipeline = Script(), Pipeline(PROFILE)
    found_in(pipeline, script.event())
    pipeline.control([control(entry("a-2"))])
    assert found_in(pipeline, script.event(agent_id="a-3")) == []
    script.now += SETTLES_S
    assert causes(found_in(pipeline, script.event(agent_id="a-3"))) == ["rule.unregistered/unknown"]
    pipeline.control([control(entry("a-3"))])
    assert found_in(pipeline, script.event(agent_id="a-3", session_id="s-2")) == []


def test_an_entry_is_of_its_own_tenant_only() -> None:
    """Who says it is of another tenant does not act under its entry, whether that tenant keeps a registry or not."""
    assert causes(told_of((entry(), entry("b", tenant="x")), {"tenant": "x"})) == ["rule.unregistered/tenant"]
    (alert,) = told_of(entry(lifecycle="suspended"), {"tenant": "invented"})
    assert (alert.causes, alert.severity) == (("rule.unregistered/tenant",), "high")


@pytest.mark.parametrize("lifecycle", ["suspended", "retired"])
def test_one_that_may_not_act_is_told_by_how_critical_it_is(lifecycle: str) -> None:
    """At once, whatever it does; proposed and active ones may."""
    (alert,) = told_of(entry(lifecycle=lifecycle, criticality="low"), {"name": "read"})
    assert (alert.causes, alert.severity) == ((f"rule.unregistered/{lifecycle}",), "medium")
    assert told_of(entry(lifecycle=lifecycle), {"name": "read"})[0].severity == "high"
    assert told_of(entry(lifecycle="proposed", tools=[]), {"name": "read"}) == []


def test_a_flood_of_strangers_is_a_storm_and_not_as_many_incidents() -> None:
    """The ceilings of an hour hold for rules too."""
    script = Script()
    flood = [script.event(agent_id=f"x-{number}", session_id=f"x-{number}") for number in range(300)]
    found = found_in(registered(entry("a-2")), *flood)
    assert len([alert for alert in found if alert.activity == "create"]) < 30


def test_what_a_severity_becomes_by_criticality() -> None:
    """Nothing falls off either end."""
    assert [severity_for("high", one) for one in ("low", "medium", "high", "critical")] == [
        "medium", "high", "critical", "critical",
    ]  # fmt: skip
    assert severity_for("low", "low") == "low"


def _turns(*places: str, field: str = "instance_id", every: float = 60.0, **more: Any) -> list[str]:
    script = Script()
    pipeline, found = registered(entry(**more)), []
    for place in places:
        script.now += every
        found += found_in(pipeline, script.event(**{field: place}))
    return causes(found)


@pytest.mark.parametrize(("field", "cause"), [("instance_id", "instance"), ("zone", "zone")])
def test_one_identity_in_two_places_at_once_is_told(field: str, cause: str) -> None:
    """By turns, more than once."""
    assert _turns("a", "b", "a", "b", "a", field=field) == [f"rule.two_instances/{cause}"]
    assert _turns("a", "b", "c", "a", "b", "c", "a", "b", field=field) == [f"rule.two_instances/{cause}"]


def test_an_instance_that_takes_over_is_none() -> None:
    """Also where its last event comes late, where it is done again and again, and for an agent nobody declared."""
    assert _turns("a", "a", "b", "b", "b") == []
    assert _turns("a", "b", "a", "b", "b", "b") == []
    assert _turns("a", "b", "a", "b", "a", "b", every=1_000.0) == []
    assert _turns("a", "b", "a", "b", "a", lifecycle="proposed") == []


def test_two_instances_is_not_on() -> None:
    """An agent that runs in replicas on purpose would be told every day."""
    assert not ENTRIES["two_instances"].is_shipped
