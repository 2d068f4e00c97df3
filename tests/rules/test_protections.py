"""Protections switched off: each rule fires on that and is silent on its twin, on recordings of real programs too."""

from __future__ import annotations

from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules import ENTRIES
from detector.rules.memory import AGAIN_S, MOST_TOLD
from tests.otlp.samples import samples
from tests.rules import coverage, page
from tests.rules.told import PROFILE, causes, found_in, of_one, recorded
from tests.streams import Script, feed, quick

SWITCH: dict[str, Any] = {"name": "permission_mode_changed", "kind": "policy"}
HOOK: dict[str, Any] = {"name": "hook_execution_complete", "kind": "policy", "outcome": "error"}
START: dict[str, Any] = {"name": "conversation_starts", "kind": "lifecycle"}
CALL: dict[str, Any] = {"name": "Bash"}


def switch(to: object, before: object = "default") -> dict[str, Any]:
    """Return a change of the permission mode."""
    return {**SWITCH, "attributes": {"from_mode": before, "to_mode": to}}


@pytest.mark.parametrize("mode", ["bypassPermissions", "yolo", "YOLO", "bypass_permissions"])
def test_a_switch_to_a_mode_in_which_nobody_is_asked_alerts(mode: str) -> None:
    """By the first event there is, in the words of the entry."""
    (alert,) = of_one(switch(mode))
    assert (alert.detection, alert.severity) == ("rule.permission_bypass", "high")
    assert alert.title == f"Permission mode bypassed by a-1: {mode}"
    assert alert.contributions[0].observed == f"mode changed from default to {mode}"


@pytest.mark.parametrize(
    "body",
    [
        switch("acceptEdits"), switch("plan"), switch("default", "bypassPermissions"), switch("yolo", "yolo"),
        switch(None), switch(7), {**SWITCH, "attributes": {"from_mode": "default"}}, SWITCH,
        {**switch("yolo"), "kind": "tool_call"},
    ],
)  # fmt: skip
def test_another_switch_a_way_back_and_a_field_that_is_not_there_are_silent(body: dict[str, Any]) -> None:
    """The harmless twins; and what a tool call has among its arguments is no switch."""
    assert of_one(body) == []


@pytest.mark.parametrize(
    "body",
    [
        {**START, "attributes": {"sandbox_policy": "danger-full-access"}},
        {**START, "attributes": {"sandbox_enabled": False, "approval_mode": "yolo"}},
        {**START, "attributes": {"sandbox_enabled": "False", "approval_mode": "YOLO"}},
        {**START, "attributes": {"sandbox_enabled": " off", "approval_mode": "yolo"}},
        {**START, "attributes": {"sandbox_enabled": 0, "approval_mode": "yolo"}},
        {**CALL, "attributes": {"arg.dangerouslyDisableSandbox": True}},
        {**CALL, "attributes": {"sandbox_outcome": "inactive"}},
    ],
)
def test_a_session_without_a_sandbox_or_a_call_out_of_it_alerts(body: dict[str, Any]) -> None:
    """Four ways in which real programs say so."""
    (alert,) = of_one(body)
    assert (alert.detection, alert.severity) == ("rule.sandbox_off", "medium")


@pytest.mark.parametrize(
    "body",
    [
        {**START, "attributes": {"sandbox_policy": "workspace-write"}},
        {**START, "attributes": {"sandbox_policy": "read-only"}},
        {**START, "attributes": {"sandbox_enabled": True, "approval_mode": "yolo"}},
        {**START, "attributes": {"sandbox_enabled": False, "approval_mode": "default"}},
        {**START, "attributes": {"sandbox_enabled": "docker", "approval_mode": "yolo"}},
        {**START, "attributes": {"sandbox_enabled": None, "approval_mode": "yolo"}},
        {**CALL, "attributes": {"arg.dangerouslyDisableSandbox": False}},
        {**CALL, "attributes": {"sandbox_policy": "danger-full-access"}},
        {**CALL, "attributes": {"sandbox_outcome": "enforced"}},
        START, CALL,
    ],
)  # fmt: skip
def test_a_sandbox_or_somebody_who_is_asked_is_silent(body: dict[str, Any]) -> None:
    """The harmless twins."""
    assert of_one(body) == []


@pytest.mark.parametrize("moment", ["PreToolUse", "PermissionRequest", "UserPromptSubmit"])
@pytest.mark.parametrize("has_event", [True, False])
def test_a_hook_that_may_refuse_and_did_not_answer_alerts(moment: str, has_event: bool) -> None:
    """Named by its own field, or by what stands before the colon of its name."""
    told = {"hook_event": moment} if has_event else {}
    (alert,) = of_one({**HOOK, "attributes": {"hook_name": f"{moment}:Bash", **told}})
    assert (alert.detection, alert.severity) == ("rule.hook_failed", "high")
    assert alert.causes == (f"rule.hook_failed/{moment}",)
    assert alert.contributions[0].observed.startswith(f"hook {moment}:Bash failed")


@pytest.mark.parametrize(
    "body",
    [
        {**HOOK, "attributes": {"hook_name": "PostToolUse:Edit", "hook_event": "PostToolUse"}},
        {**HOOK, "outcome": "ok", "attributes": {"hook_name": "PreToolUse:Bash"}},
        {**HOOK, "outcome": "denied", "attributes": {"hook_name": "PreToolUse:Bash"}},
        {**HOOK, "attributes": {"hook_name": 3}}, HOOK,
    ],
)  # fmt: skip
def test_a_hook_that_answered_or_only_tidies_up_is_silent(body: dict[str, Any]) -> None:
    """A formatter that fails behind an edit lets nothing pass; a refusal is an answer."""
    assert of_one(body) == []


def test_a_cause_is_told_once_a_day_of_an_agent_in_whichever_session_and_counted() -> None:
    """A broken hook in fifty sessions is one finding; another agent's is another; the next day's is one more."""
    script, pipeline = Script(), Pipeline(PROFILE)
    body = {**HOOK, "attributes": {"hook_name": "PreToolUse:Bash"}}
    values = [script.event(**body, session_id=f"s-{number}") for number in range(50)]
    outcome = feed(pipeline, values)
    assert [one.session_id for one in outcome.alerts if one.activity != "close"] == ["s-0"]
    assert outcome.counts["rule_hits_folded"] == 49
    (other,) = found_in(pipeline, script.event(**body, agent_id="a-2", session_id="t"))
    assert other.agent_id == "a-2"
    script.now += AGAIN_S
    assert len([one for one in found_in(pipeline, script.event(**body, session_id="u")) if one.counter == 1]) == 1


def test_who_makes_up_causes_is_told_of_so_many_times_and_counted() -> None:
    """Modes are few, hooks are few; a sender who invents names gets no thousands of findings."""
    from detector.rules.memory import RuleMemory

    memory = RuleMemory()
    news = [memory.is_news("hook_failed", (0, 1), f"cause-{number}", 0.0) for number in range(1_000)]
    assert sum(news) == MOST_TOLD
    assert memory.counts["rule_hits_capped"] == 1_000 - MOST_TOLD


def test_what_a_full_hour_folded_into_a_storm_is_told_when_there_is_room() -> None:
    """Who fills the hour's ceilings with findings of others hides none for a day."""
    few = {"newcomer_incidents": 1, "hourly_incidents": 1, "reserve_incidents": 0}
    script, pipeline = Script(), Pipeline(quick(rules={"enabled": ("hook_failed",)}, budget=few))
    body = {**HOOK, "attributes": {"hook_name": "PreToolUse:Bash"}}
    first = [script.event(**body, agent_id=f"a-{n}", session_id=f"s-{n}") for n in (1, 2)]
    told = feed(pipeline, first).alerts
    assert [(one.agent_id, one.detection) for one in told] == [("a-1", "rule.hook_failed"), ("*", "sensor.storm")]
    script.now += 7_200.0
    again = found_in(pipeline, *(script.event(**body, agent_id=f"a-{n}", session_id=f"t-{n}") for n in (1, 2)))
    assert [one.agent_id for one in again if one.detection == "rule.hook_failed" and one.activity == "create"] == [
        "a-2"
    ]


def test_what_is_trusted_history_is_not_told_and_does_not_fold_what_follows() -> None:
    """A bypass of last month does not hide today's."""
    script = Script()
    pipeline = Pipeline(PROFILE, trusted_until=script.now + 2.0)
    before, after = script.event(**switch("yolo")), script.event(**switch("yolo"), session_id="s-2")
    assert found_in(pipeline, before) == []
    assert causes(found_in(pipeline, after)) == ["rule.permission_bypass/yolo"]


@pytest.mark.data
def test_the_recorded_session_of_claude_code_alerts_once_its_mode_is_changed_or_its_hook_fails() -> None:
    """From the program's own records, one attribute changed in them, over the mapping to the alert."""
    path = samples("agent-telemetry") / "claude-code/otlp/2_details_hooks_mcp_logs.json"
    rules = {"rules": {"enabled": ("permission_bypass", "hook_failed")}}
    assert feed(Pipeline(quick(**rules)), recorded(path)).alerts == []
    hooks = {"hook_execution_complete": {"num_success": 0, "num_non_blocking_error": 1}}
    alerts = feed(Pipeline(quick(**rules)), recorded(path, hooks)).alerts
    assert causes(alerts) == ["rule.hook_failed/PreToolUse"]
    modes = {"hook_registered": {"event.name": "permission_mode_changed", "to_mode": "bypassPermissions",
                                 "from_mode": "default", "trigger": "shift_tab"}}  # fmt: skip
    alerts = feed(Pipeline(quick(**rules)), recorded(path, modes)).alerts
    assert causes(alerts) == ["rule.permission_bypass/bypasspermissions"]
    assert [one.counter for one in alerts] == [1]


@pytest.mark.data
@pytest.mark.parametrize("run", ["1_default", "2_hook_deny"])
def test_the_recorded_sessions_of_codex_ran_without_a_sandbox_and_say_so(run: str) -> None:
    """Nothing changed in the records: they were made with full access; with a sandbox they are silent."""
    path = samples("agent-telemetry") / f"codex/otlp/{run}_logs.json"
    rules = {"rules": {"enabled": ("sandbox_off",)}}
    (alert,) = feed(Pipeline(quick(**rules)), recorded(path)).alerts
    assert alert.causes == ("rule.sandbox_off/policy danger-full-access",)
    boxed = {"codex.conversation_starts": {"sandbox_policy": "workspace-write"}}
    assert feed(Pipeline(quick(**rules)), recorded(path, boxed)).alerts == []


@pytest.mark.data
def test_the_recorded_session_of_copilot_says_that_its_shell_had_no_sandbox() -> None:
    """It stands in an event within the span of the call."""
    path = samples("agent-telemetry") / "copilot-cli/otlp/1_default_traces.json"
    (alert,) = feed(Pipeline(quick(rules={"enabled": ("sandbox_off",)})), recorded(path)).alerts
    assert alert.causes == ("rule.sandbox_off/inactive at a call",)


@pytest.mark.data
def test_the_recorded_session_of_gemini_has_a_sandbox_and_asks_nobody() -> None:
    """Nobody asked, but a sandbox: silent. Without the sandbox it alerts."""
    path = samples("agent-telemetry") / "gemini-cli/otlp/1_prompts_off_logs.json"
    rules = {"rules": {"enabled": ("sandbox_off", "permission_bypass")}}
    assert feed(Pipeline(quick(**rules)), recorded(path)).alerts == []
    opened = recorded(path, {"gemini_cli.config": {"sandbox_enabled": "false"}})
    assert causes(feed(Pipeline(quick(**rules)), opened).alerts) == ["rule.sandbox_off/no sandbox, and nobody asked"]


def test_entries_say_what_they_read_and_what_is_harmless() -> None:
    """The page of rules is made of them."""
    assert all(entry.sources and entry.twin and entry.finds for entry in ENTRIES.values())


def test_the_page_of_rules_has_the_table_of_the_catalogue() -> None:
    """Made by a command; a rule that is added, changed or switched is told there."""
    assert page.written() == page.table(), "python -m tests.rules.page"
    assert page.written(page.IDS) == page.ids(), "python -m tests.rules.page"


@pytest.mark.data
def test_the_page_of_rules_says_which_recorded_source_has_what_a_rule_reads() -> None:
    """Made of the recordings; of a rule that no recording has the fields of the page says so."""
    made = coverage.table(samples("agent-telemetry").parent)
    assert page.written(page.COVERAGE) == made, "DETECTOR_DATA=... python -m tests.rules.page"
    assert coverage.SHOWN in made
