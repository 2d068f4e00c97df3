"""Verdicts on findings by rules: what is told next changes as the verb says, and goes on so after a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.schema.alert import Alert
from detector.schema.control import Control
from tests.rules.told import PROFILE, causes, found_in
from tests.streams import Script, records_of

HOOK: dict[str, Any] = {
    "name": "hook", "kind": "policy", "outcome": "error", "attributes": {"hook_name": "PreToolUse:Bash"},
}  # fmt: skip
YOLO: dict[str, Any] = {"name": "permission_mode_changed", "kind": "policy", "attributes": {"to_mode": "yolo"}}


def told(pipeline: Pipeline, script: Script, session: str, *bodies: dict[str, Any], agent: str = "a-1") -> list[Alert]:
    """Return the new findings of a new session's events, a day after what was before."""
    script.now += 90_000.0
    values = [script.event(**{**body, "agent_id": agent, "session_id": session}) for body in bodies]
    return [alert for alert in found_in(pipeline, *values) if alert.activity == "create"]


def say(pipeline: Pipeline, alert: Alert, verdict: str, **more: Any) -> None:
    """Let a person give a verdict on an alert."""
    about = {"kind": "verdict", "finding_uid": alert.finding_uid, "agent_id": alert.agent_id, "verdict": verdict}
    who = {"by": "kim", "reason": "seen it", "at": 1.0, "id": "f" * 32}
    outcome = pipeline.control([Control(0, json.dumps({**about, **who, **more}).encode())])
    assert outcome.counts["verdicts"] == 1


def begun() -> tuple[Pipeline, Script, Alert]:
    """Return a pipeline in which the hook of an agent has failed."""
    pipeline, script = Pipeline(PROFILE), Script()
    alerts = told(pipeline, script, "s-0", HOOK)
    assert alerts[0].detection == "rule.hook_failed"
    return pipeline, script, alerts[0]


@pytest.mark.parametrize("verdict", ["dismiss", "safe"])
def test_a_dismissed_finding_by_a_rule_is_told_no_more_of_that_agent(verdict: str) -> None:
    """Of another agent, and what another rule finds, it is."""
    pipeline, script, alert = begun()
    say(pipeline, alert, verdict)
    assert told(pipeline, script, "s-1", HOOK) == []
    assert causes(told(pipeline, script, "s-2", YOLO))[0].startswith("rule.permission_bypass/")
    assert told(pipeline, script, "s-3", HOOK, agent="a-2")
    assert pipeline.gauges()["rules_quieted"] == 1.0


def test_a_disabled_rule_is_told_again_when_its_time_is_over() -> None:
    """Event time decides, and the end is counted."""
    pipeline, script, alert = begun()
    say(pipeline, alert, "disable", until=script.now + 100_000.0, scope="everyone")
    assert told(pipeline, script, "s-1", HOOK, agent="a-2") == []
    assert told(pipeline, script, "s-2", HOOK, agent="a-2")
    assert pipeline.gauges()["rules_told_again"] == 1.0


def test_an_undone_verdict_on_a_rule_is_as_if_it_had_not_been() -> None:
    """The next session is told."""
    pipeline, script, alert = begun()
    say(pipeline, alert, "dismiss")
    say(pipeline, alert, "undo")
    assert told(pipeline, script, "s-1", HOOK)


def test_what_is_kept_quiet_is_in_the_snapshot() -> None:
    """Restored, the pipeline is quiet about the same, and writes the same bytes."""
    pipeline, script, alert = begun()
    say(pipeline, alert, "dismiss")
    again = Pipeline.restore(PROFILE, pipeline.snapshot(full=True))
    after = Script()
    after.__dict__.update(script.__dict__)
    assert told(pipeline, script, "s-1", HOOK) == told(again, after, "s-1", HOOK) == []
    assert pipeline.snapshot(full=True) == again.snapshot(full=True)


def test_what_is_hidden_and_shown_again_does_not_depend_on_how_events_are_cut() -> None:
    """A rule told once a day and an agent, dismissed: the same alerts and the same bytes, one by one or at once."""
    runs = []
    for size in (1, 7, 1_000):
        script = Script()
        pipeline = Pipeline(PROFILE)
        bodies: list[dict[str, Any]] = [{"name": "mcp__crm__a", "tool_hash": h} for h in ("x", "y")]
        first = told(pipeline, script, "s-0", *bodies)
        assert first[0].detection == "rule.tool_redefined"
        say(pipeline, first[0], "dismiss")
        values = []
        for number in range(1, 60):
            script.now += 20_000.0
            values += [
                script.event(**{**body, "agent_id": "a-1", "session_id": f"s-{number}"}) for body in (*bodies, *bodies)
            ]
        sent = records_of(values)
        batches = [pipeline.process(sent[k : k + size]) for k in range(0, len(sent), size)]
        found = [alert for outcome in batches for alert in outcome.alerts]
        gauges = pipeline.gauges()
        runs.append(([one.finding_uid for one in found], gauges["rules_quieted"], pipeline.snapshot(full=True)))
    assert runs[0] == runs[1] == runs[2]
    assert runs[0][0]
