"""Transcripts of Claude Code: answers in parts, refusals, sub-agents, copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detector.backfill.record import MAX_OPEN, Additions
from tests.backfill.made import SESSION, answer, claude, read, result, second, told, use, write


def test_an_answer_in_several_parts_is_one_model_call_with_the_last_usage(tmp_path: Path) -> None:
    """Each part repeats the usage so far: adding them up would count the same tokens three times."""
    parts = [answer(n, use(f"t{n}"), usage={"input_tokens": 7, "output_tokens": n}) for n in (1, 2, 3)]
    calls = [event for event in told(tmp_path, *parts) if event.kind == "llm_call"]
    assert [(event.event_id, event.tokens_in, event.tokens_out) for event in calls] == [(f"{SESSION}:req_m1", 7, 3)]
    assert calls[0].ts.isoformat() == second(3).replace(".000Z", "+00:00")


def test_cached_tokens_are_tokens_that_went_in(tmp_path: Path) -> None:
    """As telemetry's: what was read from a cache and what was written to one are part of the input."""
    usage = {"input_tokens": 1, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 300, "output_tokens": 4}
    (call,) = told(tmp_path, answer(1, usage=usage))
    assert (call.tokens_in, call.tokens_out) == (321, 4)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Permission to use Bash with command rm has been denied.", "config"),
        ("Claude requested permissions to write to /x, but you haven't granted it yet.", "config"),
        ("The user doesn't want to proceed with this tool use. The tool use was rejected.", "user_reject"),
        ("[Request interrupted by user for tool use]", "user_abort"),
        ("PreToolUse:Read hook error: [guard.sh]: no", "hook"),
        ("cd to '/' was blocked. For security, Claude Code may only change directories to ...", "config"),
    ],
)
def test_the_programs_own_sentence_about_a_refusal_is_a_refusal(tmp_path: Path, text: str, source: str) -> None:
    """Of any tool."""
    events = told(tmp_path, answer(1, use("t1", "Read", file_path="/x")), result(2, "t1", text, is_error=True))
    (call,) = [event for event in events if event.kind == "tool_call"]
    assert (call.outcome, call.attributes["source"], call.event_id) == ("denied", source, f"{SESSION}:t1")


@pytest.mark.parametrize(
    ("name", "text", "outcome"),
    [
        ("Bash", "agent is quarantined", "denied"),
        ("Bash", "Exit code 1\nPermission to use Bash has been denied", "error"),
        ("Bash", "<tool_use_error>InputValidationError</tool_use_error>", "error"),
        ("mcp__crm__lookup", "agent is quarantined", "error"),
        ("Read", "File does not exist.", "error"),
    ],
)
def test_a_shell_command_without_an_exit_code_was_refused_in_a_hooks_own_words(
    tmp_path: Path, name: str, text: str, outcome: str
) -> None:
    """What ran tells its exit code first; what other tools say of a failure cannot be told from what a hook says."""
    events = told(tmp_path, answer(1, use("t1", name)), result(2, "t1", text, is_error=True))
    assert [event.outcome for event in events if event.kind == "tool_call"] == [outcome]


@pytest.mark.parametrize(
    ("kind", "outcome"), [("user-rejected", "denied"), ("hook", "denied"), ("rule", "denied"), ("interrupted", "error")]
)
def test_newer_releases_say_in_a_field_what_refused_a_call(tmp_path: Path, kind: str, outcome: str) -> None:
    """It goes before every sentence; a call that was interrupted is none that was refused."""
    events = told(tmp_path, answer(1, use("t1")), result(2, "t1", "Exit code 1", is_error=True, toolDenialKind=kind))
    assert [event.outcome for event in events if event.kind == "tool_call"] == [outcome]


def test_a_hook_that_blocked_is_told_by_its_attachment(tmp_path: Path) -> None:
    """Of any tool, whatever the hook said; the twin, a hook after the call, refuses nothing."""
    for event, outcome in (("PreToolUse", "denied"), ("PostToolUse", "error")):
        note = {"type": "hook_blocking_error", "toolUseID": "t1", "hookEvent": event}
        attached = claude("attachment", 2, {}, attachment=note)
        records = [answer(1, use("t1", "Read", file_path="/x")), attached, result(3, "t1", "no", is_error=True)]
        (call,) = [one for one in told(tmp_path, *records) if one.kind == "tool_call"]
        assert call.outcome == outcome


def test_a_sub_agent_is_an_instance_of_its_agent_within_the_same_session(tmp_path: Path) -> None:
    """Its file is its own, its session the one it was started in; its first message is no prompt of a person."""
    write(tmp_path / f"{SESSION}.jsonl", [answer(1, use("t1", "Task", prompt="look"))])
    begun = claude("user", 2, {"role": "user", "content": "look"}, isSidechain=True, agentId="a1")
    below = [begun, answer(3, use("t2"), key="m2", isSidechain=True, agentId="a1"),
             result(4, "t2", isSidechain=True, agentId="a1")]  # fmt: skip
    write(tmp_path / SESSION / "subagents" / "agent-a1.jsonl", below)
    events, report = read(tmp_path, asked=Additions({"enduser.id": "ada"}))
    assert {event.session_id for event in events} == {SESSION}
    assert {event.agent_id for event in events} == {"claude-code/ada"}
    assert [(event.kind, event.instance_id, event.parent_agent_id) for event in events] == [
        ("llm_call", None, None),
        ("llm_call", "a1", "claude-code/ada"),
        ("tool_call", "a1", "claude-code/ada"),
    ]
    assert [one.unfinished for one in report.files] == [1, 0]


def test_a_fork_does_not_tell_again_what_the_session_it_came_from_told(tmp_path: Path) -> None:
    """Copied records name where they came from."""
    records = [answer(1, use("t1")), result(2, "t1")]
    write(tmp_path / "a.jsonl", records)
    copies = [{**one, "sessionId": "fork", "forkedFrom": {"sessionId": SESSION, "messageUuid": "u"}} for one in records]
    own = [answer(3, use("t3"), key="m3", sessionId="fork"), result(4, "t3", sessionId="fork")]
    write(tmp_path / "b.jsonl", [*copies, *own])
    events, report = read(tmp_path)
    assert [event.event_id for event in events] == [f"{SESSION}:req_m1", f"{SESSION}:t1", "fork:req_m3", "fork:t3"]
    assert report.files[1].words["copied"] == 2


def test_a_session_that_lies_in_two_files_is_told_once(tmp_path: Path) -> None:
    """A copy of a transcript under another name repeats every event, and says so."""
    for name in ("a.jsonl", "b.jsonl"):
        write(tmp_path / name, [answer(1, use("t1")), result(2, "t1")])
    events, report = read(tmp_path)
    assert len(events) == 2
    assert report.files[1].verdicts == {"repeat": 2}


def test_a_prompt_is_counted_and_never_kept(tmp_path: Path) -> None:
    """Its length in units of UTF-16, as the program counts; what the program writes itself is no prompt."""
    said = [
        claude("user", 1, {"content": "hi \U0001f600"}, promptId="p1"),
        claude("user", 2, {"content": "<command-name>/clear</command-name>"}, promptId="p2"),
        claude("user", 3, {"content": "summary"}, isCompactSummary=True),
        claude("user", 4, {"content": "note"}, isMeta=True),
    ]
    (prompt,) = told(tmp_path, *said)
    assert (prompt.event_id, prompt.attributes["prompt_length"]) == (f"{SESSION}:p1", 5)


def test_a_model_call_that_failed_is_an_error(tmp_path: Path) -> None:
    """The program writes an answer of a model that there is not."""
    message = {"id": "x", "model": "<synthetic>", "content": [{"type": "text", "text": "API Error"}], "usage": {}}
    (event,) = told(tmp_path, claude("assistant", 1, message, isApiErrorMessage=True))
    assert (event.kind, event.outcome, event.model) == ("llm_call", "error", None)
    assert told(tmp_path, claude("assistant", 1, message)) == []


def test_calls_that_never_end_are_given_up_and_counted(tmp_path: Path) -> None:
    """Memory of one file has a bound: the oldest call makes room, and its result then ends none."""
    many = [answer(1, *(use(f"t{n}") for n in range(MAX_OPEN + 3)))]
    events, report = read(write(tmp_path / "s.jsonl", [*many, result(2, "t0"), result(3, "t3")]))
    assert [event.event_id for event in events if event.kind == "tool_call"] == [f"{SESSION}:t3"]
    assert report.files[0].unfinished == MAX_OPEN + 2


def test_what_a_file_says_cannot_choose_the_agent(tmp_path: Path) -> None:
    """Names of identity are taken from who runs the command, not from a record or from a call's arguments."""
    evil: dict[str, Any] = {"agent.id": "victim", "enduser.id": "victim", "user.id": "victim"}
    events = told(tmp_path, answer(1, use("t1", **evil), **evil), result(2, "t1", **evil))
    assert {event.agent_id for event in events} == {"claude-code"}
