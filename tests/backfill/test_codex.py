"""Rollouts of Codex: how calls end, tokens told twice, sub-agents, forks, older forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.backfill.record import Additions
from tests.backfill.made import SESSION, call, codex, meta, output, read, told, write

REVIEWER = "/root" + "/reviewer"
USAGE = {"input_tokens": 12, "cached_input_tokens": 8, "output_tokens": 4, "reasoning_output_tokens": 1}


def _calls(path: Path, *records: object) -> list[tuple[str, str | None, str]]:
    events = told(path, meta(), *records)
    return [(event.name, event.target, event.outcome) for event in events if event.kind == "tool_call"]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("Chunk ID: 1\nWall time: 0 seconds\nProcess exited with code 0\nOutput:\nok", "ok"),
        ("Chunk ID: 1\nWall time: 0 seconds\nProcess exited with code 2\nOutput:\n", "error"),
        ("Exit code: 1\nWall time: 0 seconds\nOutput:\n", "error"),
        ('{"output":"x","metadata":{"exit_code":3,"duration_seconds":0.1}}', "error"),
        ("Wall time: 0 seconds\nOutput:\nProcess exited with code 7", "ok"),
        ("a page that says: Process exited with code 7", "ok"),
        ({"content": "no", "success": False}, "error"),
        ("exec command rejected by user", "denied"),
        ("Command blocked by PreToolUse hook: agent is quarantined. Command: ls", "denied"),
        ("unsupported call: update_plan", "error"),
        ([{"type": "input_text", "text": "Wall time: 0 seconds\nOutput:"}], "ok"),
    ],
)
def test_how_a_call_ended_is_read_in_the_programs_own_lines(tmp_path: Path, text: object, outcome: str) -> None:
    """Behind ``Output:`` stands what the command printed, and it may print anything."""
    assert _calls(tmp_path, call(1, "c1"), output(2, "c1", text)) == [("exec_command", "ls", outcome)]


def test_a_refused_call_has_the_id_of_telemetrys_decision(tmp_path: Path) -> None:
    """Telemetry tells it as a decision, if at all: the same words, the same id."""
    (event,) = told(tmp_path, meta(), call(1, "c1"), output(2, "c1", "exec command rejected by user"))
    assert event.event_id == f"{SESSION}:c1:decision"
    assert (event.attributes["decision"], event.attributes["source"]) == ("denied", "User")


def test_the_programs_own_event_about_the_end_goes_before_the_output(tmp_path: Path) -> None:
    """Both spellings of it, of newer and of older releases; declined is refused."""
    item = {"type": "CommandExecution", "id": "c1", "exit_code": 1, "status": "failed"}
    newer = codex("event_msg", 2, type="item_completed", item=item)
    older = codex("event_msg", 2, type="exec_command_end", call_id="c1", exit_code=1)
    declined = codex("event_msg", 2, type="item_completed", item={**item, "status": "declined"})
    for record, outcome in ((newer, "error"), (older, "error"), (declined, "denied")):
        assert _calls(tmp_path, call(1, "c1"), record, output(3, "c1", "")) == [("exec_command", "ls", outcome)]


def test_a_tool_of_an_mcp_server_has_the_name_of_telemetry_however_it_is_written(tmp_path: Path) -> None:
    """``mcp__server__tool``: in the call's name, in its namespace, or in the event about its end."""
    ended = {"type": "mcp_tool_call_end", "call_id": "c1", "invocation": {"server": "crm", "tool": "lookup"}}
    for records in (
        [call(1, "c1", name="mcp__crm__lookup", arguments='{"id": "42"}')],
        [call(1, "c1", name="lookup", namespace="mcp__crm__", arguments='{"id": "42"}')],
        [call(1, "c1", name="lookup", arguments='{"id": "42"}'), codex("event_msg", 2, **ended)],
        [call(1, "c1", name="mcp__crm__lookup", arguments='{"id": "42"}'), codex("event_msg", 2, **ended)],
    ):
        assert _calls(tmp_path, *records, output(3, "c1", "x")) == [("mcp__crm__lookup", "42", "ok")]


def test_an_error_of_an_mcp_tool_is_one(tmp_path: Path) -> None:
    """The tool ran, and says itself that it failed."""
    ended = codex("event_msg", 2, type="mcp_tool_call_end", call_id="c1", result={"Ok": {"isError": True}})
    assert _calls(tmp_path, call(1, "c1", name="mcp__a__b"), ended, output(3, "c1", "x"))[0][2] == "error"


def test_a_patch_has_no_target_and_none_of_its_text_comes_out(tmp_path: Path) -> None:
    """What is written into files is content."""
    patch = codex("response_item", 1, type="custom_tool_call", name="apply_patch", call_id="c1", input="*** Begin\n+pw")
    done = codex("response_item", 2, type="custom_tool_call_output", call_id="c1", output="Done!")
    assert _calls(tmp_path, patch, done) == [("apply_patch", None, "ok")]


def test_older_shell_calls_name_their_command_as_a_list(tmp_path: Path) -> None:
    """Joined, as the mapping joins it."""
    action = {"type": "exec", "command": ["bash", "-lc", "ls"]}
    record = codex("response_item", 1, type="local_shell_call", call_id="c1", action=action)
    assert _calls(tmp_path, record, output(2, "c1")) == [("local_shell", "bash -lc ls", "ok")]


def test_tokens_are_counted_once_where_two_records_tell_them(tmp_path: Path) -> None:
    """The record of a model call before the running count; where there is none, a count that changed."""
    usage = codex("token_usage_record", 1, thread_id=SESSION, usage=USAGE)
    first = codex("event_msg", 2, type="token_count", info={"total_token_usage": USAGE, "last_token_usage": USAGE})
    again = codex("event_msg", 3, type="token_count", info={"total_token_usage": USAGE, "last_token_usage": USAGE})
    for records in ([usage, first], [first, again]):
        events = told(tmp_path, meta(), *records)
        assert [(event.tokens_in, event.tokens_out) for event in events] == [(12, 4)]


def test_the_model_of_a_turn_stands_on_what_follows(tmp_path: Path) -> None:
    """A session may change it."""
    turns = [codex("turn_context", at, model=f"m{at}", approval_policy="never") for at in (1, 3)]
    usages = [codex("token_usage_record", at, usage=USAGE) for at in (2, 4)]
    events = told(tmp_path, meta(), turns[0], usages[0], turns[1], usages[1])
    assert [event.model for event in events] == ["m1", "m1", "m3"]
    assert events[0].name == "conversation_starts"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ({"subagent": {"thread_spawn": {"parent_thread_id": "p", "agent_path": REVIEWER}}}, REVIEWER),
        ({"subagent": {"thread_spawn": {"parent_thread_id": "p", "agent_role": "explorer"}}}, "explorer"),
        ({"subagent": "review"}, "review"),
        ({"subagent": {"other": 1}}, "subagent"),
        ("cli", None),
    ],
)
def test_a_sub_agents_rollout_says_which_one_it_is(tmp_path: Path, source: object, name: str | None) -> None:
    """An instance of its agent, with the agent as its parent."""
    records = [meta(source=source), call(1, "c1"), output(2, "c1")]
    events, _ = read(write(tmp_path / "r.jsonl", records), asked=Additions({"host.name": "vm"}))
    assert [(event.agent_id, event.instance_id) for event in events] == [("codex/vm", name)]
    assert events[0].parent_agent_id == (None if name is None else "codex/vm")


def test_a_fork_begins_with_a_copy_that_is_not_told_again(tmp_path: Path) -> None:
    """Copies have new times; calls are told by their ids, and model calls by the thread they are of."""
    usage = codex("token_usage_record", 1, thread_id=SESSION, usage=USAGE)
    told_first = [meta(), call(1, "c1"), output(2, "c1"), usage]
    write(tmp_path / "1.jsonl", told_first)
    fork = [meta(9, "fork", forked_from_id=SESSION), *told_first, call(9, "c2"), output(10, "c2")]
    write(tmp_path / "2.jsonl", fork)
    events, report = read(tmp_path)
    assert [event.event_id.rpartition(":")[2] for event in events if event.kind == "tool_call"] == ["c1", "c2"]
    assert sum(event.kind == "llm_call" for event in events) == 1
    assert report.files[1].words["copied"] == 4


def test_a_fork_of_a_session_that_is_not_here_tells_all_of_it(tmp_path: Path) -> None:
    """Where the first file is gone the copy is the only one that tells."""
    write(tmp_path / "2.jsonl", [meta(9, "fork", forked_from_id=SESSION), call(9, "c1"), output(10, "c1")])
    events, _ = read(tmp_path)
    assert [event.event_id for event in events] == ["fork:c1"]
