"""Risk classes in a partition: who is of which, what that changes, and that nothing else does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from detector.alerts.classes import RiskClasses
from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming
from detector.intake.columns import agent_name, keyed_by
from detector.pipeline import Pipeline
from detector.profile.model import Profile
from detector.rules.declared import DeclaredAgent, facts_of
from detector.schema.event import Event
from detector.schema.registry import RegistryEntry
from detector.simulate.fleet import MONDAY
from tests.rules.registry import control, entry
from tests.streams import Script, feed, fleet_stream, ordinary, quick, quiet, records_of

KEYED = keyed_by(None)
STRICT = {"name": "strict", "match": {"agent_type": ["payer"]}, "alerts": 0.15}
MILD = {"name": "mild", "match": {"agent_type": ["lab"]}, "response": {"most": "observe"}}
CROWN = {"name": "crown", "match": {"criticality": ["critical"]}, "severity": "high"}
STREAM = records_of(fleet_stream())
AGENTS = sorted({json.loads(record.value)["agent_id"] for record in STREAM})


def _profile(*classes: Mapping[str, Any]) -> Profile:
    return Profile.model_validate({**quick().model_dump(), "classes": list(classes)})


def _declared(**more: Any) -> DeclaredAgent:
    return DeclaredAgent(facts_of(RegistryEntry.model_validate(entry(**more)), b""))


def _of(declared: DeclaredAgent | None, agent_type: str = "clerk", peers: int = 0) -> str:
    classes = RiskClasses(_profile(STRICT, MILD, CROWN), KEYED)
    event = msgspec.json.decode(Script().event(agent_type=agent_type), type=Event)
    return classes.standing(classes.of(event, peers, declared), MONDAY).name


def test_an_entry_decides_over_what_events_claim() -> None:
    """Declared a clerk, it is no payer whatever it says; declared of the lab, it is of the lab."""
    assert _of(_declared(agent_type="lab"), "payer") == "mild"
    assert _of(_declared(agent_type="clerk"), "payer") == ""
    assert _of(_declared(agent_type="clerk", criticality="critical"), "payer") == "crown"


def test_a_claim_opens_only_what_is_stricter() -> None:
    """Whoever says it is a payer is judged as one; whoever says it is of the lab is judged as everybody."""
    assert _of(None, "payer") == "strict"
    assert _of(None, "lab") == ""
    assert _of(_declared(), "lab") == ""
    assert _of(_declared(), "payer") == "strict"


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ({"alerts": 0.2}, "crown"),
        ({"severity": "high"}, "crown"),
        ({"response": {"isolate_score": 0.5}}, "crown"),
        ({"hours": {"zone": "UTC"}}, "crown"),
        ({}, "payers"),
        ({"response": {"most": "observe"}}, "payers"),
    ],
)
def test_a_claim_leads_past_a_declared_class_only_to_one_that_is_nowhere_milder(
    own: Mapping[str, Any], found: str
) -> None:
    """A critical agent that calls itself a payer, of a class that stands first, keeps all that its own class adds."""
    payers = {"name": "payers", "match": {"agent_type": ["payer"]}, "severity": "medium", "alerts": 0.15}
    crown = {"name": "crown", "match": {"criticality": ["critical"]}, **own}
    classes = RiskClasses(_profile(payers, crown), KEYED)
    event = msgspec.json.decode(Script().event(agent_type="payer"), type=Event)
    assert classes.standing(classes.of(event, 0, _declared(criticality="critical")), MONDAY).name == found
    assert classes.standing(classes.of(event, 0, _declared()), MONDAY).name == "payers"


def test_peers_that_an_agent_is_held_against_count_beside_its_claim() -> None:
    """An agent that has worked among payers stays one when it names another type."""
    assert _of(None, "clerk", agent_name("payer", "default", KEYED)) == "strict"
    assert _of(None, "clerk", agent_name("lab", "default", KEYED)) == ""


@pytest.mark.parametrize("lifecycle", ["proposed", "suspended", "retired"])
def test_only_an_active_entry_is_a_statement(lifecycle: str) -> None:
    """What discovery proposed is what the agent said itself."""
    assert _of(_declared(agent_type="lab", criticality="critical", lifecycle=lifecycle)) == ""


def test_the_first_class_that_matches_wins() -> None:
    """A critical agent of the lab is of the lab, for that stands first."""
    assert _of(_declared(agent_type="lab", criticality="critical")) == "mild"


def _made(*classes: Mapping[str, Any]) -> Pipeline:
    """Return a pipeline in which half of the fleet is critical."""
    pipeline = Pipeline(_profile(*classes))
    entries = [entry(name, criticality="critical") for name in AGENTS[::2]]
    assert pipeline.control([control(*entries)]).refusals == []
    return pipeline


CLASSES = ({**CROWN, "alerts": 0.2, "hours": {"zone": "Europe/Berlin"}}, STRICT)


def test_output_does_not_depend_on_cuts_where_there_are_classes() -> None:
    """Sessions close in one batch and begin in another; each is counted in its class all the same."""
    faults = faults_of_cuts(lambda: _made(*CLASSES), STREAM, [range(7, len(STREAM), 7), range(512, len(STREAM), 512)])
    assert faults == []


def test_classes_come_back_from_a_snapshot() -> None:
    """Accounts, counts and the classes of open sessions, from whole snapshots and from increments."""

    def restore(shards: Mapping[str, bytes]) -> Pipeline:
        return Pipeline.restore(_profile(*CLASSES), shards)

    places = [len(STREAM) // 3, 2 * len(STREAM) // 3]
    assert faults_of_resuming(lambda: _made(*CLASSES), restore, STREAM, places) == []
    assert faults_of_increments(lambda: _made(*CLASSES), restore, STREAM, places) == []


def test_a_class_that_says_nothing_changes_no_score_and_no_decision() -> None:
    """Its alerts name it; everything else is as without classes."""
    with_class, without = (_made(*one).process(STREAM) for one in (({**CROWN, "severity": "low"},), ()))
    assert with_class.scores.tolist() == pytest.approx(without.scores.tolist(), nan_ok=True, abs=0)
    named = [alert.model_copy(update={"risk_class": ""}) for alert in with_class.alerts]
    assert named == without.alerts
    assert {alert.risk_class for alert in with_class.alerts} == {"", "crown"}


def test_a_wider_share_alerts_more_of_its_class_and_a_narrower_one_less() -> None:
    """Of the other agents' sessions as many alert as without classes, as long as nobody answers."""

    def opened(alerts: float) -> tuple[int, int]:
        outcome = _made({**CROWN, "alerts": alerts, "quarantine": min(alerts, 0.03)}).process(STREAM)
        found = [alert for alert in outcome.alerts if alert.activity == "create" and alert.score is not None]
        mine = sum(alert.risk_class == "crown" for alert in found)
        return mine, len(found) - mine

    wide, same, narrow = opened(0.2), opened(0.1), opened(0.03)
    assert wide[0] > same[0] > narrow[0]
    assert wide[1] == same[1] == narrow[1]


def test_promises_are_told_by_class_and_add_up() -> None:
    """The sum is each promise by its share of the sessions; without classes the gauges are what they were."""
    pipeline = _made({**CROWN, "alerts": 0.2})
    pipeline.process(STREAM)
    pipeline.finish()
    gauges = pipeline.gauges()
    crown, rest = pipeline.state.threshold.promises.held[::-1]  # type: ignore[attr-defined]
    assert crown.closed > 0 < rest.closed
    assert gauges["class_promised_crown"] == 0.2
    assert gauges["promised"] == pytest.approx((0.2 * crown.closed + 0.1 * rest.closed) / (crown.closed + rest.closed))
    assert gauges["spent"] == pytest.approx((crown.alerted + rest.alerted) / (crown.closed + rest.closed))
    plain = _made().gauges()
    assert not [name for name in plain if "crown" in name]


def _strange(agent: str, at: float, *classes: Mapping[str, Any]) -> Any:
    """Return the first alert by score on an act of an agent that has been ordinary for days."""
    script = Script(MONDAY)
    values = [*ordinary(script, 40), *quiet(script, 1.5), *ordinary(script, 200, first=40)]
    pipeline = Pipeline(_profile(*classes), trusted_until=script.now)
    pipeline.control([control(entry("a-1", criticality="critical"), entry("a-2"))])
    feed(pipeline, values)
    script.now += (at - script.now) % 86_400.0 if at else 0.0
    steps = [{"name": "wipe", "target": "vault", "attributes": {"query": "all"}, "agent_id": agent}]
    found = feed(pipeline, script.session("odd", steps, agent_id=agent)).alerts
    return next(alert for alert in found if alert.score is not None)


HOURS = {
    **CROWN,
    "severity": "low",
    "hours": {"zone": "UTC", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
}


def test_hours_raise_what_is_outside_and_lower_nothing_inside() -> None:
    """At noon a finding is as severe as without a class, at night a step more; of another agent it is the same."""
    noon, night = MONDAY - MONDAY % 86_400.0 + 43_200.0, MONDAY - MONDAY % 86_400.0 + 7_200.0
    order = ["low", "medium", "high", "critical"]
    plain = _strange("a-1", night)
    inside, outside = _strange("a-1", noon, HOURS), _strange("a-1", night, HOURS)
    assert (inside.severity, inside.outside_hours) == (_strange("a-1", noon).severity, False)
    assert order.index(outside.severity) == min(order.index(plain.severity) + 1, 3)
    assert outside.outside_hours
    assert _strange("a-2", night, HOURS).severity == _strange("a-2", night).severity


def test_a_floor_lifts_a_severity_and_never_sinks_one() -> None:
    """A class of critical agents tells nothing below critical; one that says low leaves it alone."""
    assert _strange("a-1", 0.0, {**CROWN, "severity": "critical"}).severity == "critical"
    assert _strange("a-1", 0.0, {**CROWN, "severity": "low"}).severity == _strange("a-1", 0.0).severity


def test_an_act_dated_back_into_the_hours_is_outside_them_all_the_same() -> None:
    """The watermark has passed the evening: a time of the afternoon is over."""
    night = MONDAY - MONDAY % 86_400.0 + 7_200.0
    classes = RiskClasses(_profile(HOURS), KEYED)
    assert classes.standing(1, night).is_outside
    script = Script(MONDAY)
    values = [*ordinary(script, 40), *quiet(script, 1.5), *ordinary(script, 200, first=40)]
    pipeline = Pipeline(_profile(HOURS), trusted_until=script.now)
    pipeline.control([control(entry("a-1", criticality="critical"))])
    script.now += (night - script.now) % 86_400.0
    feed(pipeline, [*values, script.event("beat", kind="lifecycle", agent_id="a-2", session_id="beat")])
    script.now -= 7 * 3_600.0
    found = feed(pipeline, script.session("odd", [{"name": "wipe", "target": "vault"}], agent_id="a-1")).alerts
    assert [alert.outside_hours for alert in found if alert.activity == "create"] == [True]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_at_the_ends_of_the_calendar_stops_nobody(at: str) -> None:
    """Somebody's first event has a time of which the place of the hours has no date: the finding is told as outside."""
    pipeline = Pipeline(_profile({**HOURS, "hours": {"zone": "Asia/Tokyo"}}))
    pipeline.control([control(entry("a-1", criticality="critical", tools=["search"]))])
    event = {"event_id": "e", "ts": at, "agent_id": "a-1", "kind": "tool_call", "name": "wipe"}
    found = feed(pipeline, [json.dumps(event).encode()]).alerts
    assert [(alert.detection, alert.outside_hours) for alert in found] == [("rule.outside_grant", True)]


def test_a_repeated_event_moves_no_session_into_another_class() -> None:
    """Who was held against which peers at its place in the batch before says nothing of it, however it is cut."""
    script = Script(MONDAY)
    once = script.event(agent_id="a-1", agent_type="clerk", session_id="mine")
    values = [once, script.event(agent_id="a-2", agent_type="payer", session_id="other"), once]
    pipeline = Pipeline(_profile(STRICT))
    classes: dict[str, str] = {}
    for value in values:
        classes.update(feed(pipeline, [value]).classes)
    assert classes == {"mine": "", "other": "strict"} == feed(Pipeline(_profile(STRICT)), values).classes


def test_a_session_whose_agent_is_taken_out_of_its_class_is_of_none() -> None:
    """Told is the class of the last event, as the promise counts it that the session closes in."""
    script = Script(MONDAY)
    pipeline = Pipeline(_profile(CROWN))
    pipeline.control([control(entry("a-1", criticality="critical"))])
    first = feed(pipeline, [script.event(agent_id="a-1", session_id="mine")]).classes
    pipeline.control([control(entry("a-1", revision=2))])
    second = feed(pipeline, [script.event(agent_id="a-1", session_id="mine")]).classes
    assert (first, second) == ({"mine": "crown"}, {"mine": ""})
    assert pipeline.state.threshold.promises.open == {}  # type: ignore[attr-defined]
    assert feed(Pipeline(_profile()), [script.event()]).classes == {}
