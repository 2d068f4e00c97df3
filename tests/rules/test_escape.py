"""An act of a contained agent that its command forbids is an escape; what began before, or is denied, is none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming
from detector.pipeline import Pipeline
from detector.rules.escape import BELIEVED_S, MOST_CALLS, MOST_CLAIMED, SETTLE_S
from detector.schema.alert import Alert
from detector.schema.command import Constraints, PolicyState
from detector.schema.containment import containment_of
from detector.schema.control import Control
from detector.schema.record import Record
from detector.simulate.fleet import MONDAY
from detector.simulate.render import timestamp
from tests.edge.states import state
from tests.rules.told import causes
from tests.streams import Script, makers, quick, records_of

PROFILE = quick(rules={"enabled": ("escape",)})
SINCE = MONDAY + 1_000.0
TERM: dict[str, Any] = {"effective_at": SINCE, "expires_at": SINCE + 14_400.0, "steps_down_until": SINCE + 18_000.0}
ISOLATED = state(subject="default/agent/a-1", **TERM)
LIMITED = state(subject="default/agent/a-1", tier="limit", **TERM)
ALREADY = SINCE + SETTLE_S + 1.0


def told(one: PolicyState, at: float = SINCE, ack: tuple[float, str] | None = None) -> Control:
    """Return what the partition is told of a state, written at a time."""
    return Control(0, containment_of(one, at, ack).model_dump_json(by_alias=True).encode())


def act(at: float, number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return an act that is dated at a time."""
    body = {"event_id": f"e-{at}-{number}", "ts": timestamp(round(at * 1_000)), "agent_id": "a-1", "kind": "tool_call"}
    return {**body, "name": "Bash", "session_id": "s-1", **fields}


def received(bodies: Sequence[tuple[float, Mapping[str, Any]]]) -> list[Record]:
    """Return events as records that the broker got at the times given."""
    return [
        Record(json.dumps(body).encode(), None, "events", 3, offset, receipt_ms=round(at * 1_000))
        for offset, (at, body) in enumerate(bodies)
    ]


def of(controls: Sequence[Control], *bodies: tuple[float, Mapping[str, Any]]) -> list[Alert]:
    """Return what is found of acts (when received, which) of an agent that its partition was told of."""
    pipeline = Pipeline(PROFILE)
    pipeline.control(controls)
    return pipeline.process(received(bodies)).alerts


def at_once(*times: float, **fields: Any) -> list[tuple[float, dict[str, Any]]]:
    """Return acts that are received when they are done."""
    return [(at, act(at, number, **fields)) for number, at in enumerate(times)]


def test_an_act_after_an_isolation_took_effect_is_of_the_highest_severity() -> None:
    """It names the command, the tier, since when, how long after, and that nobody has acknowledged it."""
    (alert,) = of([told(ISOLATED)], *at_once(ALREADY))
    assert (alert.detection, alert.severity) == ("rule.escape", "critical")
    assert alert.title == "a-1 escaped its containment: Bash under isolate"
    assert alert.contributions[0].observed == (
        f"Bash went through 0:01:01 after command {ISOLATED.command_id} (revision 1, isolate) took effect at "
        "2026-03-02T07:16:40+00:00: its command bars it; no enforcement point has acknowledged it"
    )
    assert causes([alert]) == [f"rule.escape/{ISOLATED.command_id}"]


def test_what_was_acknowledged_is_said() -> None:
    """Then the enforcement point is passed by; else it may be down."""
    (alert,) = of([told(ISOLATED), told(ISOLATED, SINCE + 1.0, (SINCE + 0.2, "edge-7"))], *at_once(ALREADY))
    assert alert.contributions[0].observed.endswith("; edge-7 has acknowledged it")


def test_it_is_told_once_a_command() -> None:
    """However many acts and sessions there are; a further command is a further finding."""
    again = state(subject="default/agent/a-1", revision=2, command_id="c" * 32, **TERM)
    pipeline = Pipeline(PROFILE)
    pipeline.control([told(ISOLATED)])
    acts = [(ALREADY + n, act(ALREADY + n, session_id=f"s-{n % 3}")) for n in range(50)]
    first = pipeline.process(received(acts))
    assert (len(first.alerts), first.counts["rule_hits_folded"] > 0) == (1, True)
    pipeline.control([told(again, ALREADY + 60.0)])
    late = ALREADY + 60.0 + BELIEVED_S
    assert causes(pipeline.process(received(at_once(late, name="Read"))).alerts)[-1] == f"rule.escape/{'c' * 32}"


@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": "denied"}, {"outcome": "error"}, {"kind": "llm_call", "name": "gpt"}, {"kind": "lifecycle"},
        {"kind": "policy"}, {"kind": "auth"}, {"kind": "message"}, {"agent_id": "a-2"}, {"tenant": "other"},
    ],
)  # fmt: skip
def test_what_no_command_denies_and_others_are_silent(fields: dict[str, Any]) -> None:
    """A denial is the command at work; a model may be told of it; another tenant's agent of that name is another."""
    assert of([told(ISOLATED)], *at_once(ALREADY, **fields)) == []


@pytest.mark.parametrize("fields", [{"kind": "message", "peer_agent_id": "a-2"}, {"kind": "data_access"}])
def test_what_a_command_denies_is_more_than_tools(fields: dict[str, Any]) -> None:
    """A message to another agent, an access, a connection."""
    assert len(of([told(ISOLATED)], *at_once(ALREADY, **fields))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "shadow"}, {"state": "released", "tier": "observe", "expires_at": None, "on_expiry": "release"},
        {"effective_at": ALREADY + 10.0}, {"expires_at": SINCE + 30.0, "on_expiry": "release"},
        {"constraints": Constraints(deny_tools=("*",), allow_tools=("Bash",))},
        {"tier": "limit", "constraints": Constraints(deny_tools=("Write",)), "on_expiry": "release"},
    ],
)  # fmt: skip
def test_a_command_that_does_not_forbid_the_act_is_silent(changes: dict[str, Any]) -> None:
    """Shadow, released, not begun, over, allowed by name, another tool."""
    assert of([told(ISOLATED.model_copy(update=changes))], *at_once(ALREADY)) == []


def test_nobody_is_told_of_before_the_command_was_written() -> None:
    """A command of an old cause binds from its record on, and a minute is left to reach everybody."""
    late = told(ISOLATED, at=SINCE + 3_600.0)
    assert of([late], *at_once(SINCE + 3_600.0 + SETTLE_S - 1.0)) == []
    assert len(of([late], *at_once(SINCE + 3_600.0 + SETTLE_S + 1.0))) == 1


def test_an_isolation_that_is_about_to_end_and_a_release_are_silent() -> None:
    """An enforcement point's clock may be a little ahead."""
    ends = ISOLATED.model_copy(update={"on_expiry": "release"})
    assert of([told(ends)], *at_once(SINCE + 14_400.0 - SETTLE_S + 1.0)) == []
    free = ISOLATED.model_copy(update={"state": "released", "tier": "observe", "revision": 2})
    assert of([told(ISOLATED), told(free, SINCE + 10.0)], *at_once(ALREADY)) == []
    assert of([told(free), told(ISOLATED)], *at_once(ALREADY)) == []


def test_what_was_in_flight_or_came_late_is_silent() -> None:
    """It began before, as far back as that is believed."""
    heard = SINCE + BELIEVED_S
    assert of([told(ISOLATED)], (heard, act(SINCE - 5.0))) == []
    assert of([told(ISOLATED)], (heard, act(heard, duration_ms=1_000.0 * BELIEVED_S))) == []


@pytest.mark.parametrize("says", [{"ts": "2020-01-01T00:00:00Z"}, {"duration_ms": 9e9}])
def test_who_dates_its_acts_back_is_believed_for_a_quarter_of_an_hour(says: dict[str, Any]) -> None:
    """Receipt is a clock nobody owns: its partition may stand still, for nobody else may be there."""
    heard = SINCE + BELIEVED_S + SETTLE_S
    assert of([told(ISOLATED)], (heard - 2.0, act(heard - 2.0, **says))) == []
    assert len(of([told(ISOLATED)], (heard + 2.0, act(heard + 2.0, **says)))) == 1


def test_who_says_too_often_that_it_began_before_is_not_believed() -> None:
    """A burst of late records is; a flood of acts that are dated back is none."""
    acts = [(ALREADY + 0.01 * n, act(SINCE - 5.0, n)) for n in range(MOST_CLAIMED + 1)]
    assert of([told(ISOLATED)], *acts[:-1]) == []
    assert len(of([told(ISOLATED)], *acts)) == 1


def test_a_date_ahead_of_its_receipt_hides_nothing() -> None:
    """Neither past the end of the term."""
    assert len(of([told(ISOLATED)], (ALREADY, act(SINCE + 90_000.0)))) == 1


def test_a_limit_leaves_its_rate_twice_over() -> None:
    """Calls are counted when they end; more than that is no limit that holds."""
    spaced = [ALREADY + 3.1 * n for n in range(60)]
    assert of([told(LIMITED)], *at_once(*spaced)) == []
    (alert,) = of([told(LIMITED)], *at_once(*(ALREADY + n for n in range(60))))
    assert "21 calls within 60 s where 10 a minute are left" in alert.contributions[0].observed
    assert of([told(LIMITED)], *at_once(*(ALREADY + n for n in range(60)), outcome="denied")) == []


def test_calls_whose_dates_are_spread_are_counted_by_receipt() -> None:
    """An agent that claims a call every three seconds of the last quarter of an hour has made too many."""
    first = SINCE + BELIEVED_S + SETTLE_S
    acts = [(first + n * 0.5, act(first - 850.0 + 3.1 * n, n)) for n in range(400)]
    (alert,) = of([told(LIMITED)], *acts)
    assert "301 calls within 150 s" in alert.contributions[0].observed


def test_a_high_rate_is_counted_over_a_shorter_window_and_no_rate_is_no_call() -> None:
    """What is kept of an agent is bounded."""
    fast = LIMITED.model_copy(update={"constraints": Constraints(rate_per_min=6_000.0)})
    pipeline = Pipeline(PROFILE)
    pipeline.control([told(fast)])
    acts = at_once(*(ALREADY + 0.001 * n for n in range(600)))
    assert len(pipeline.process(received(acts)).alerts) == 1
    (row,) = pipeline.state.rule_memory.shards(full=True)[0]["escape"]
    assert len(row[3]["calls"]) <= MOST_CALLS + 1
    none = LIMITED.model_copy(update={"constraints": Constraints(rate_per_min=0.0, deny_tools=("Write",))})
    assert len(of([told(none)], *at_once(ALREADY))) == 1


def test_what_only_prolongs_a_command_gives_no_new_grace_and_a_stronger_one_does() -> None:
    """An escape itself prolongs; a limit that becomes an isolation has to reach everybody first."""
    longer = ISOLATED.model_copy(update={"revision": 2, "expires_at": SINCE + 20_000.0})
    assert len(of([told(ISOLATED), told(longer, ALREADY - 1.0)], *at_once(ALREADY))) == 1
    stronger = ISOLATED.model_copy(update={"revision": 2})
    assert of([told(LIMITED), told(stronger, ALREADY - 1.0)], *at_once(ALREADY)) == []


def test_an_isolation_that_stepped_down_is_a_limit() -> None:
    """By the same rule as at the enforcement point."""
    down = SINCE + 14_400.0 + 2.0
    assert of([told(ISOLATED)], *at_once(down)) == []
    assert len(of([told(ISOLATED)], *at_once(*(down + n for n in range(30))))) == 1


def mixed(seed: int) -> list[bytes]:
    """Return events of contained and free agents, in and out of order."""
    script, values = Script(SINCE), []
    for n in range(200):
        script.now += (seed + n * 7) % 13
        name = f"a-{(seed + n) % 4}"
        values.append(script.event(agent_id=name, outcome=("ok", "denied", "ok")[n % 3], session_id=f"s-{name}"))
    return values


def contained() -> list[Control]:
    """Return what is told of two of four agents."""
    return [told(ISOLATED), told(LIMITED.model_copy(update={"subject": "default/agent/a-2"}))]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 200), max_size=5), st.integers(1, 199))
def test_escapes_are_the_same_however_events_are_cut_and_taken_up(seed: int, cuts: list[int], place: int) -> None:
    """What the partition was told of is in its state."""
    fresh, restore = makers(PROFILE)

    def make() -> Pipeline:
        pipeline = fresh()
        pipeline.control(contained())
        return pipeline

    records = records_of(mixed(seed))
    assert [alert for alert in make().process(records).alerts if alert.detection == "rule.escape"]
    assert faults_of_cuts(make, records, [cuts, range(0, 200, 7)]) == []
    assert faults_of_resuming(make, restore, records, [place]) == []


def test_what_was_told_is_in_the_increments_of_a_snapshot() -> None:
    """Written when it changes, and only then."""
    fresh, restore = makers(PROFILE)

    def make() -> Pipeline:
        pipeline = fresh()
        pipeline.control(contained())
        return pipeline

    assert faults_of_increments(make, restore, records_of(mixed(3)), range(0, 200, 50)) == []
    pipeline = make()
    assert "contained" in pipeline.snapshot()
    pipeline.process(records_of(mixed(3)))
    assert "contained" not in pipeline.snapshot()
