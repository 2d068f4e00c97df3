"""Suppressions through the control path: they hide what they name and nothing else, keep counts, and end aloud."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.schema.suppression import DETECTION
from detector.simulate.fleet import DAY_S
from detector.sinks.ocsf import encode
from detector.sinks.ocsf_read import decode
from detector.sinks.renderings import RENDERINGS
from detector.steps.suppressions import MOST_SUPPRESSIONS
from tests.response.scenes import stage_of
from tests.state.test_controls import verdict
from tests.streams import Script, feed, ordinary, quick, records_of, trained

WILD: dict[str, Any] = {"name": "wild_tool", "target": "https://odd.example/zzzz", "attributes": {"query": "Zz!1@@"}}
HARM: dict[str, Any] = {"name": "exfiltrate", "target": "https://evil.example", "attributes": {"to": "Zz9!thief"}}
HOOK: dict[str, Any] = {
    "name": "hook", "kind": "policy", "outcome": "error", "attributes": {"hook_name": "PreToolUse:Bash"},
}  # fmt: skip
UID = "c" * 32


def suppression(script: Script, uid: str = UID, days: float | None = 5.0, **scope: Any) -> Control:
    """Return a suppression from now on for some days, by default for everyone where it names nobody."""
    is_for_all = "agent_id" not in scope and "group" not in scope
    ends = {} if days is None else {"until": script.now + days * DAY_S}
    body = {
        "kind": "suppression", "id": uid, "owner": "kim", "reason": "a known job", "at": script.now,
        "everyone": is_for_all, **ends, **scope,
    }  # fmt: skip
    return Control(0, json.dumps(body).encode())


def end(uid: str = UID) -> Control:
    """Return the end of a suppression."""
    body = {"kind": "suppression_end", "id": uid, "by": "ada", "reason": "over", "at": 1.0}
    return Control(1, json.dumps(body).encode())


def begun(script: Script, *controls: Control, **sections: Any) -> Pipeline:
    """Return a pipeline with ordinary days behind it that was given controls."""
    pipeline = trained(script, **sections)
    feed(pipeline, ordinary(script, 20, first=400))
    for control in controls:
        outcome = pipeline.control([control])
        assert (outcome.refusals, outcome.counts["suppressions_begun"]) == ([], 1)
    return pipeline


def did(
    pipeline: Pipeline, script: Script, acts: Sequence[dict[str, Any]], agent: str = "a-1", **more: Any
) -> list[Alert]:
    """Return what is told of a session of some acts."""
    session = f"s-{script.now}"
    return feed(pipeline, script.session(session, acts, **{"agent_id": agent, **more})).alerts


def findings(alerts: Sequence[Alert]) -> list[Alert]:
    """Return the alerts about agents."""
    return [alert for alert in alerts if alert.detection != DETECTION]


def told(alerts: Sequence[Alert]) -> list[Alert]:
    """Return what was told of suppressions."""
    return [alert for alert in alerts if alert.detection == DETECTION]


def tools(alerts: Sequence[Alert]) -> set[str]:
    """Return the tools that causes name."""
    return {cause.split("/")[2] for alert in findings(alerts) for cause in alert.causes}


@pytest.mark.parametrize(
    "scope",
    [
        {"tool": "wild_tool", "strong": True},
        {"target": "https://odd.example/zzzz", "strong": True},
        {"tool": "wild_tool", "target": "https://odd.example/zzzz", "strong": True},
        {"agent_id": "a-1"},
        {"agent_id": "a-1", "tool": "wild_tool"},
        {"group": "clerk", "strong": True},
        {"group": "clerk", "target": "https://odd.example/zzzz", "strong": True},
    ],
)
def test_what_a_suppression_names_is_not_told(scope: dict[str, Any]) -> None:
    """Without it the act alerts; with it nothing of the agent is told, and what was hidden is."""
    script = Script()
    assert findings(did(begun(script), script, [WILD]))
    script = Script()
    pipeline = begun(script, suppression(script, **scope))
    alerts = did(pipeline, script, [WILD])
    assert findings(alerts) == []
    (one,) = told(alerts)
    assert (one.activity, one.agent_id, one.severity, one.score) == ("create", "*", "low", None)
    assert (one.events, one.events_over) == (1, 1)
    assert one.contributions[0].value >= 1.0
    assert "kim answers for it (a known job)" in one.contributions[0].expected
    assert (pipeline.gauges()["suppressed_findings"], pipeline.gauges()["suppressed_sessions"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    "scope",
    [
        {"tool": "other_tool", "strong": True},
        {"target": "https://odd.example/", "strong": True},
        {"tool": "wild_tool", "target": "https://other.example", "strong": True},
        {"agent_id": "a-2"},
        {"agent_id": "a-1", "tenant": "elsewhere"},
        {"agent_id": "a-1", "tool": "read"},
        {"group": "trader", "strong": True},
        {"channel": "credential_expired", "strong": True},
    ],
)
def test_what_it_does_not_name_is_told(scope: dict[str, Any]) -> None:
    """All that is named must fit: a part of a target, another tenant's agent, another group is another thing."""
    script = Script()
    pipeline = begun(script, suppression(script, **scope))
    alerts = did(pipeline, script, [WILD])
    assert tools(alerts) == {"wild_tool"}
    assert told(alerts) == []


def test_other_acts_of_the_session_are_told() -> None:
    """Who does something suppressed first hides nothing by it: the cause that is told is the other one."""
    script = Script()
    pipeline = begun(script, suppression(script, tool="wild_tool", strong=True))
    alerts = did(pipeline, script, [WILD, HARM, WILD])
    assert tools(alerts) == {"exfiltrate"}
    assert pipeline.gauges()["suppressed_findings"] == 2.0


def test_an_agent_that_names_another_type_is_not_covered_by_what_its_group_is_spared() -> None:
    """A session is held against the peers the agent belongs to, and so is the exception."""
    script = Script()
    pipeline = begun(script, suppression(script, group="trader", strong=True))
    assert findings(did(pipeline, script, [WILD], agent_type="trader"))


def test_what_is_past_the_share_for_quarantine_is_told_unless_somebody_says_so() -> None:
    """Whoever names a tool can step into an exception for it; one for an agent covers all of that agent's."""
    for scope, is_told in (({"tool": "wild_tool"}, True), ({"tool": "wild_tool", "strong": True}, False),
                           ({"agent_id": "a-1"}, False)):  # fmt: skip
        script = Script()
        pipeline = begun(script, suppression(script, **scope), budget={"alerts": 0.1, "quarantine": 0.09})
        assert bool(findings(did(pipeline, script, [WILD]))) is is_told


def test_a_channel_hides_only_what_would_not_alert_without_it() -> None:
    """A huge read and a long call are hidden as such; with a target and a tool nobody knows they are told."""
    steps: list[dict[str, Any]] = [
        {"name": "search", "target": "index-1", "attributes": {"query": "q1"}},
        {"name": "read", "kind": "data_access", "target": "/docs/team/file-1", "bytes_out": 4e9},
        {"name": "write", "target": "/docs/team/file-2", "duration_ms": 9e7},
    ]
    script = Script()
    assert findings(did(begun(script), script, steps))[0].contributions[0].channel == "read_size"
    for channel, is_told in (("read_size", False), ("pair", True), ("hook_failed", True)):
        script = Script()
        pipeline = begun(script)
        assert pipeline.control([suppression(script, channel=channel, strong=True)]).refusals == []
        assert bool(findings(did(pipeline, script, steps))) is is_told
        assert "exfiltrate" in tools(did(pipeline, script, [*steps, {**HARM, "duration_ms": 9e7}]))


def test_what_people_called_an_attack_is_told_whoever_suppresses_it() -> None:
    """A confirmed cause, of another agent too."""
    script = Script()
    pipeline = begun(script)
    alert = findings(did(pipeline, script, [WILD]))[-1]
    pipeline.control([verdict(alert, "confirm"), suppression(script, tool="wild_tool", strong=True)])
    assert findings(did(pipeline, script, [WILD], agent="a-2"))


def test_nothing_is_learned_and_scores_stay_as_they_are() -> None:
    """The suppressed session and those behind it score as if nobody had said anything."""
    runs = []
    for tool in ("wild_tool", "other_tool"):
        script = Script()
        pipeline = begun(script, suppression(script, tool=tool, strong=True))
        values = [*script.session("odd", [WILD], agent_id="a-1"), *ordinary(script, 10, first=700)]
        values += script.session("again", [WILD], agent_id="a-2")
        runs.append(feed(pipeline, values).scores.tolist())
    assert runs[0] == runs[1]


def test_it_is_over_at_its_time_and_that_is_told() -> None:
    """Before the first event past the end, in a record and in the counts; the act is told again."""
    script = Script()
    pipeline = begun(script)
    pipeline.control([suppression(script, tool="wild_tool", strong=True, days=0.5)])
    assert findings(did(pipeline, script, [WILD])) == []
    script.now += 0.6 * DAY_S
    alerts = did(pipeline, script, [WILD])
    assert tools(alerts) == {"wild_tool"}
    (over,) = told(alerts)
    assert (over.activity, over.counter, over.events) == ("close", 2, 1)
    assert alerts.index(over) == 0
    gauges = pipeline.gauges()
    assert (gauges["suppressions"], gauges["suppressions_over"]) == (0.0, 1.0)


def test_one_that_hid_nothing_is_over_aloud_too() -> None:
    """Whoever answers for it sees that it was of no use."""
    script = Script()
    pipeline = begun(script)
    pipeline.control([suppression(script, tool="wild_tool", days=0.1)])
    script.now += 0.2 * DAY_S
    (over,) = told(feed(pipeline, ordinary(script, 1, first=800)).alerts)
    assert (over.activity, over.events) == ("close", 0)


def test_a_person_ends_it() -> None:
    """The act is told again; what it hid is said once more, by its own id; an unknown id is counted."""
    script = Script()
    pipeline = begun(script, suppression(script, tool="wild_tool", strong=True))
    (first,) = told(did(pipeline, script, [WILD]))
    (last,) = pipeline.control([end()]).alerts
    assert (last.finding_uid, last.counter, last.activity) == (first.finding_uid, 2, "close")
    assert tools(did(pipeline, script, [WILD])) == {"wild_tool"}
    assert pipeline.control([end()]).counts["suppressions_unmatched"] == 1


def test_without_an_end_it_shows_the_fourth_session_and_each_doubling() -> None:
    """One agent's tool may stay quiet for good, but not without a trace."""
    script = Script()
    pipeline = begun(script, suppression(script, agent_id="a-1", tool="wild_tool", days=None))
    shown = [bool(findings(did(pipeline, script, [WILD, WILD]))) for _ in range(9)]
    assert shown == [False, False, False, True, False, False, False, True, False]
    assert pipeline.gauges()["suppressed_sessions"] == 9.0


def test_counts_are_told_at_doublings_and_their_strongest_act_with_them() -> None:
    """The 1st, 2nd, 4th and 8th session; two sessions at the same time count as two."""
    script = Script()
    pipeline = begun(script, suppression(script, tool="wild_tool", strong=True))
    counts = [one.events_over for _ in range(9) for one in told(did(pipeline, script, [WILD]))]
    assert counts == [1, 2, 4, 8]
    mixed = [script.event(**{**WILD, "agent_id": "a-1", "session_id": f"mixed-{k % 2}"}) for k in range(6)]
    feed(pipeline, mixed)
    assert (pipeline.gauges()["suppressed_sessions"], pipeline.gauges()["suppressed_findings"]) == (11.0, 15.0)


def test_what_is_told_of_it_asks_for_no_response_and_is_read_everywhere() -> None:
    """It comes back whole from the topic, in every rendering, and nobody is contained for it."""
    script = Script()
    pipeline = begun(script, suppression(script, tool="wild_tool", strong=True))
    (one,) = told(did(pipeline, script, [WILD]))
    decision = stage_of().on_alert(one, one.time)
    assert (decision.command, decision.entry.decision) == (None, "skipped")
    assert decode(encode(one)) == one
    for rendering in RENDERINGS.values():
        assert one.title in json.dumps(rendering.render(one))


def test_a_full_partition_refuses_a_further_one_and_keeps_those_it_has() -> None:
    """Aloud, with the reason; one that is said again is no further one."""
    script = Script()
    uids = [f"{number:032x}" for number in range(MOST_SUPPRESSIONS)]
    pipeline = begun(script, *(suppression(script, uid, tool="wild_tool") for uid in uids))
    outcome = pipeline.control([suppression(script, UID, tool="wild_tool"), suppression(script, uids[0], tool="x")])
    ((_, refusal),) = outcome.refusals
    assert f"at most {MOST_SUPPRESSIONS} suppressions" in refusal.detail
    assert outcome.counts["suppressions_repeated"] == 1
    assert list(pipeline.state.suppressions.held) == uids


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        ({"channel": "no_such", "tool": "x"}, "must be a channel or a rule"),
        ({"tool": "x", "days": -0.5}, "which is over"),
    ],
)
def test_what_can_apply_to_nothing_is_refused(scope: dict[str, Any], says: str) -> None:
    """A channel that is none, and a time that the partition has behind it."""
    script = Script()
    pipeline = begun(script)
    body = json.loads(suppression(script, **scope).value)
    outcome = pipeline.control([Control(0, json.dumps({**body, "at": body["at"] - DAY_S}).encode())])
    assert says in outcome.refusals[0][1].detail
    assert pipeline.gauges()["suppressions"] == 0.0


def test_a_rule_is_hidden_only_by_its_own_name() -> None:
    """A tool's name says nothing of a hook that failed; the rule's does, for whom it says."""
    for scope, is_told in (({"tool": "hook", "strong": True}, True), ({"agent_id": "a-1", "tool": "hook"}, True),
                           ({"channel": "hook_failed"}, False), ({"channel": "hook_failed", "agent_id": "a-1"}, False),
                           ({"channel": "hook_failed", "agent_id": "a-2"}, True)):  # fmt: skip
        script = Script()
        pipeline = begun(script, suppression(script, **scope), rules={"enabled": ("hook_failed",)})
        alerts = did(pipeline, script, [HOOK])
        by_rule = [alert for alert in findings(alerts) if alert.detection == "rule.hook_failed"]
        assert bool(by_rule) is is_told, scope
        assert is_told or [one.events for one in told(alerts)] == [1], scope


def stream(script: Script) -> list[bytes]:
    """Return sessions that are suppressed and others, over the end of a suppression, two by two at once."""
    values = []
    for number in range(12):
        odd = [
            script.event(**{**WILD, "agent_id": f"a-{k % 2}", "session_id": f"w-{number}-{k % 2}"}) for k in range(4)
        ]
        hook: dict[str, Any] = {**HOOK, "attributes": {"hook_name": "x"}}
        values += [*odd, *ordinary(script, 2, first=900 + 2 * number), script.event(**{**hook, "agent_id": "a-1"})]
        values += script.session(f"h-{number}", [HARM], agent_id="a-2")
    return values


def test_what_is_hidden_and_told_does_not_depend_on_how_events_are_cut() -> None:
    """One by one, by seven, or at once: the same alerts and the same state, byte for byte, and so after a restart."""
    runs = []
    for size, restarts in ((1, False), (7, True), (1_000, False)):
        script = Script()
        rules = {"enabled": ("hook_failed",)}
        pipeline = trained(script, rules=rules)
        start = script.now
        controls = [
            suppression(script, "a" * 32, tool="wild_tool", days=None, agent_id="a-1"),
            suppression(script, "b" * 32, tool="wild_tool", strong=True, days=0.11),
            suppression(script, "d" * 32, channel="hook_failed", days=0.12),
        ]
        assert pipeline.control(controls).refusals == []
        sent, alerts = records_of(stream(script)), []
        for k in range(0, len(sent), size):
            alerts += pipeline.process(sent[k : k + size]).alerts
            if restarts:
                again = Pipeline.restore(quick(rules=rules), pipeline.snapshot(full=True), trusted_until=start)
                pipeline = again
        runs.append(([alert.model_dump_json() for alert in alerts], pipeline.snapshot(full=True)))
    assert runs[0] == runs[1] == runs[2]
    seen = [(json.loads(one)["activity"], json.loads(one)["detection"]) for one in runs[0][0]]
    assert {("close", DETECTION), ("create", DETECTION), ("update", DETECTION), ("create", "behaviour.session")} <= set(
        seen
    )


def test_what_is_written_of_changes_alone_adds_up_to_the_whole() -> None:
    """The shard of suppressions is written when something changed, and not before there was one."""
    script = Script()
    pipeline = begun(script)
    held = pipeline.snapshot(full=True)
    assert "suppressed" not in held
    pipeline.control([suppression(script, tool="wild_tool", strong=True)])
    for _ in range(3):
        held |= pipeline.snapshot()
        did(pipeline, script, [WILD])
    held |= pipeline.snapshot()
    whole = pipeline.snapshot(full=True)
    assert {name for name, shard in whole.items() if shard != held.get(name, b"")} == set()
