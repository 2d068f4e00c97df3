"""Chats of Gemini CLI: messages written again, refusals, exit codes, the older form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.backfill.made import SESSION, chat, gemini, read, second, told, tool, write


def test_a_message_that_is_written_again_is_told_once(tmp_path: Path) -> None:
    """First without its calls, then with them, then with one more: tokens once, each call once."""
    one, two = (tool(2, key, "read_file", {"output": "x"}, file_path=key) for key in ("a", "b"))
    events, report = read(
        write(tmp_path / "s", [chat(), gemini(1, "m"), gemini(1, "m", one), gemini(1, "m", one, two)])
    )
    assert [(event.kind, event.target) for event in events] == [
        ("llm_call", None), ("tool_call", "a"), ("tool_call", "b"),
    ]  # fmt: skip
    assert (events[0].tokens_in, events[0].tokens_out) == (10, 7)  # thoughts are tokens out
    assert report.files[0].lines == report.files[0].words.total() == 4


def test_a_call_that_has_not_ended_is_not_told_yet(tmp_path: Path) -> None:
    """It is written again when it has."""
    waiting = tool(2, "a", "read_file", {}, "awaiting_approval", file_path="x")
    done = tool(3, "a", "read_file", {"output": ""}, file_path="x")
    assert [event.kind for event in told(tmp_path, chat(), gemini(1, "m", waiting))] == ["llm_call"]
    assert [event.kind for event in told(tmp_path, chat(), gemini(1, "m", waiting), gemini(1, "m", done))] == [
        "llm_call", "tool_call",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("response", "status", "outcome"),
    [
        ({"output": "x"}, "success", "ok"),
        ({"error": "File not found."}, "error", "error"),
        ({"error": "Tool execution blocked: agent is quarantined"}, "error", "denied"),
        ({"error": "Tool execution denied by policy."}, "error", "denied"),
        ({"error": "[Operation Cancelled]"}, "cancelled", "denied"),
        ({"output": "Output: (empty)\nExit Code: 3\nProcess Group PGID: 1"}, "success", "error"),
        ({"output": "Output: x\nExit Code: 0\nmore\nExit Code: 2\n"}, "success", "error"),
        ({"output": "Output: Exit Code: 2"}, "success", "ok"),
    ],
)
def test_how_a_call_ended(tmp_path: Path, response: dict[str, str], status: str, outcome: str) -> None:
    """``success`` means that the tool ran; the program's exit code stands behind everything that was printed."""
    shell = tool(2, "a", "run_shell_command", response, status, command="make")
    events = told(tmp_path, chat(), gemini(1, "m", shell))
    assert [(event.target, event.outcome) for event in events if event.kind == "tool_call"] == [("make", outcome)]


def test_the_length_of_an_answer_is_that_of_telemetry(tmp_path: Path) -> None:
    """In units of UTF-16, of an error too; of what an MCP tool answers there is none."""
    answers = [
        ("read_file", {"output": "hello \U0001f600"}),
        ("read_file", {"error": "gone"}),
        ("mcp_a_b", {"output": "x"}),
    ]
    calls = [tool(n, str(n), name, response) for n, (name, response) in enumerate(answers)]
    events = told(tmp_path, chat(), gemini(9, "m", *calls))
    assert [event.bytes_in for event in events if event.kind == "tool_call"] == [8, 4, None]


def test_an_exit_code_in_a_file_that_was_read_is_no_exit_code(tmp_path: Path) -> None:
    """Only a shell has one."""
    events = told(tmp_path, chat(), gemini(1, "m", tool(2, "a", "read_file", {"output": "a\nExit Code: 3\n"})))
    assert [event.outcome for event in events] == ["ok", "ok"]


def test_the_older_form_is_one_document(tmp_path: Path) -> None:
    """Over many lines or in one, it says the same as lines would."""
    whole = {**chat(), "messages": [gemini(1, "m", tool(2, "a", "read_file", {"output": ""}, file_path="x"))]}
    spread, dense = tmp_path / "session.json", tmp_path / "dense.json"
    spread.write_text(json.dumps(whole, indent=2))
    dense.write_text(json.dumps(whole))
    events, report = read(spread)
    assert [(event.kind, event.target, event.session_id) for event in events] == [
        ("llm_call", None, SESSION), ("tool_call", "x", SESSION),
    ]  # fmt: skip
    assert (report.files[0].lines, report.files[0].words["used"]) == (1, 1)
    assert read(dense)[0] == events


def test_a_prompt_is_what_somebody_asked(tmp_path: Path) -> None:
    """Not the program's introduction, nor what a tool answered; a rewind takes nothing back that was done."""

    def user(key: str, *parts: object) -> dict[str, object]:
        return {"id": key, "timestamp": second(1), "type": "user", "content": list(parts)}

    records = [
        {"$set": {"messages": [user("i", {"text": "<session_context>\nThis is"})], "lastUpdated": second(0)}},
        user("p", {"text": "list the files"}),
        user("f", {"functionResponse": {"name": "x", "response": {"output": "secret"}}}),
        {"$rewindTo": "p"},
    ]
    (prompt,) = told(tmp_path, chat(), *records)
    assert (prompt.name, prompt.attributes["prompt_length"]) == ("user_prompt", 14)


def test_a_sub_agents_chat_is_of_an_instance(tmp_path: Path) -> None:
    """Its header says what kind of chat it is."""
    (event,) = told(tmp_path, chat(kind="subagent"), gemini(1, "m"))
    assert (event.instance_id, event.parent_agent_id) == ("subagent", "gemini-cli")
