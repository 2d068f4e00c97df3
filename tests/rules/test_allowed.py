"""What an agent does and runs, held against its entry."""

from __future__ import annotations

from typing import Any

import pytest

from detector.simulate.fleet import DAY_S, MONDAY
from tests.rules.registry import control, entry, registered, told_of
from tests.rules.told import causes, found_in
from tests.streams import Script

USES: list[tuple[str, str, dict[str, Any]]] = [
    ("tools", "tool", {"name": "send"}),
    ("tools", "tool", {"name": "send", "kind": "data_access"}),
    ("targets", "target", {"target": "send"}),
    ("peers", "peer", {"peer_agent_id": "send", "kind": "message"}),
    ("delegates", "delegate", {"parent_agent_id": "send"}),
    ("data_classes", "data_class", {"data_class": "send"}),
]


@pytest.mark.parametrize(("listed", "cause", "body"), USES)
def test_a_use_outside_of_what_is_declared_is_told(listed: str, cause: str, body: dict[str, Any]) -> None:
    """An empty list allows none; one with its name, or a pattern of it, does; no list says nothing."""
    assert causes(told_of(entry(**{listed: []}), body)) == [f"rule.outside_grant/{cause}"]
    assert causes(told_of(entry(**{listed: ["SEND", "sen", "re:sen"]}), body)) == [f"rule.outside_grant/{cause}"]
    for allowed in ("send", "s*d", "re:s.+"):
        assert told_of(entry(**{listed: [allowed]}), body) == []
    assert told_of(entry(), body) == []
    assert told_of(entry(lifecycle="proposed", **{listed: []}), body) == []


def test_a_pattern_of_targets_reaches_over_no_comma() -> None:
    """Each of several recipients must be declared, or the text as it is; a path may have a comma of its own."""
    mail = entry(targets=["*@corp.example"])
    assert told_of(mail, {"target": "bo@corp.example, al@corp.example"}) == []
    assert causes(told_of(mail, {"target": "thief@else.example, bo@corp.example"})) == ["rule.outside_grant/target"]
    whole = "thief@else.example, bo@corp.example"
    assert told_of(entry(targets=[whole]), {"target": whole}) == []
    assert told_of(entry(targets=["https://api.example/*"]), {"target": "https://api.example/at/1,2"}) == []


def test_a_model_is_held_against_models_and_no_target() -> None:
    """The host that serves it is one; an act of another kind on a target of the model's name is told all the same."""
    chat = {"kind": "llm_call", "name": "chat", "target": "gpt-mock"}
    assert told_of(entry(targets=[]), chat) == []
    assert causes(told_of(entry(targets=[], approved={"models": ["other"]}), chat)) == ["rule.unapproved/model"]
    assert causes(told_of(entry(targets=[]), {**chat, "model": "m"})) == ["rule.outside_grant/target"]
    policy = {"kind": "policy", "name": "x", "target": "gpt-mock"}
    assert causes(told_of(entry(targets=[]), chat, policy)) == ["rule.outside_grant/target"]


def test_only_tools_are_held_against_tools() -> None:
    """A model call, the end of a session, a change of policy have names of other kinds."""
    others = [{"name": "x", "kind": kind} for kind in ("llm_call", "lifecycle", "policy")]
    assert told_of(entry(tools=[]), *others) == []


def test_many_tools_outside_are_one_finding_a_day() -> None:
    """Undeclared but long usual is a proposal, not a storm."""
    script, pipeline = Script(), registered(entry(tools=["read"], criticality="critical"))
    found = found_in(pipeline, *(script.event(f"tool-{number}", session_id=f"s-{number}") for number in range(50)))
    (alert,) = [one for one in found if one.activity == "create"]
    assert (alert.severity, alert.title) == ("critical", "a-1 uses tool tool-0 that it was not granted")
    assert causes(found) == ["rule.outside_grant/tool"]
    script.now += DAY_S
    assert len(found_in(pipeline, script.event("other", session_id="late"))) == 1


def _granted(**more: Any) -> dict[str, Any]:
    grant = {"id": "g", "granted_at": MONDAY, "expires_at": MONDAY + 3_600.0, "approver": "ann", **more}
    return entry(tools=["read"], targets=["t"], grants=[grant])


def test_a_grant_adds_to_what_is_declared_while_its_term_runs() -> None:
    """Five minutes more are the customary bound of clocks; before it began it adds nothing."""
    pipeline, script = registered(_granted(tools=["se*"], targets=["u"])), Script()
    assert found_in(pipeline, script.event("send", target="u")) == []
    script.now = MONDAY + 3_800.0
    assert found_in(pipeline, script.event("send", target="u")) == []
    script.now = MONDAY + 3_950.0
    assert causes(found_in(pipeline, script.event("send", target="u"))) == [
        "rule.outside_grant/tool",
        "rule.outside_grant/target",
    ]
    early = _granted(tools=["send"], granted_at=MONDAY + 900.0)
    assert causes(told_of(early, {"name": "send"})) == ["rule.outside_grant/tool"]


def test_an_event_that_says_it_is_old_gains_an_hour_at_most() -> None:
    """The partition's time is nobody's who sends."""
    script = Script()
    pipeline = registered(_granted(tools=["send"]))
    script.now = MONDAY + 10_000.0
    found_in(pipeline, script.event("read"))
    script.now = MONDAY + 10.0
    assert causes(found_in(pipeline, script.event("send"))) == ["rule.outside_grant/tool"]


APPROVED: list[tuple[dict[str, Any], str, dict[str, Any], dict[str, Any]]] = [
    ({"versions": ["1.*"]}, "version", {"agent_version": "2.0"}, {"agent_version": "1.7"}),
    ({"models": ["model-a"]}, "model", {"model": "model-b"}, {"model": "model-a"}),
    ({"models": ["m-a"]}, "model", {"target": "m-b", "kind": "llm_call"}, {"target": "m-a", "kind": "llm_call"}),
    ({"prompt_hashes": ["p1"]}, "prompt", {"prompt_hash": "p2"}, {"prompt_hash": "p1"}),
    ({"tool_hashes": {"re:sea.*": ["h1", "h2"], "sea*": ["h3"]}}, "tool/search", {"name": "search", "tool_hash": "h4"},
     {"name": "search", "tool_hash": "h3"}),
]  # fmt: skip


@pytest.mark.parametrize(("approved", "cause", "bad", "good"), APPROVED)
def test_what_runs_must_be_approved(
    approved: dict[str, Any], cause: str, bad: dict[str, Any], good: dict[str, Any]
) -> None:
    """One of the list; no list, no field, a proposed entry say nothing."""
    alerts = told_of(entry(approved=approved), bad)
    assert (causes(alerts), alerts[0].severity) == ([f"rule.unapproved/{cause}"], "high")
    assert told_of(entry(approved=approved), good, {"name": "read"}) == []
    assert told_of(entry(), bad) == []
    assert told_of(entry(approved=approved, lifecycle="proposed"), bad) == []


def test_a_tool_without_an_approved_definition_is_not_held_against_others() -> None:
    """Definitions are named tool by tool."""
    assert told_of(entry(approved={"tool_hashes": {"send": ["h1"]}}), {"name": "read", "tool_hash": "h9"}) == []


def test_a_change_that_is_declared_is_quiet_from_then_on() -> None:
    """The next revision counts for the events behind it."""
    script, pipeline = Script(), registered(entry(approved={"versions": ["1"]}))
    assert len(found_in(pipeline, script.event(agent_version="2"))) == 1
    pipeline.control([control(entry(approved={"versions": ["1", "2", "3"]}, revision=2))])
    assert found_in(pipeline, script.event(agent_version="3", session_id="s-2")) == []
