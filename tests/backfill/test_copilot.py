"""Session state of Copilot CLI: calls from start to end, sub-agents, model calls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from detector.backfill.record import Additions
from detector.schema.event import Event
from tests.backfill.made import SESSION, copilot, read, told, write

START = copilot("session.start", 0, {"sessionId": SESSION, "copilotVersion": "1.0.102"})


def _start(at: int, key: str, name: str = "bash", /, record: dict[str, Any] | None = None, **more: object) -> Any:
    data = {"toolCallId": key, "toolName": name, "arguments": {"command": "ls"}, **more}
    return copilot("tool.execution_start", at, data, **(record or {}))


def _end(at: int, key: str, **more: object) -> Any:
    return copilot("tool.execution_complete", at, {"toolCallId": key, "success": True, **more})


def _calls(events: list[Event]) -> list[tuple[str, str | None, str]]:
    return [(event.name, event.target, event.outcome) for event in events if event.kind == "tool_call"]


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        ({"shellExecution": {"exitCode": 0}}, "ok"),
        ({"shellExecution": {"exitCode": 1}}, "error"),
        ({"success": False, "error": {"message": "denied by nature", "code": "failure"}}, "error"),
        ({"success": False, "error": {"message": "x", "code": "denied"}}, "denied"),
        ({"success": False}, "error"),
    ],
)
def test_how_a_call_ended(tmp_path: Path, end: dict[str, object], outcome: str) -> None:
    """``success`` means that the tool ran; only the code of an error tells a refusal, its text is a tool's own."""
    events = told(tmp_path, START, _start(1, "c1"), _end(2, "c1", **end))
    assert _calls(events) == [("bash", "ls", outcome)]
    assert (events[0].event_id, events[0].session_id, events[0].agent_version) == (f"{SESSION}:c1", SESSION, "1.0.102")


def test_a_sub_agents_calls_are_its_instances(tmp_path: Path) -> None:
    """By the id on the record, or by the call that it was started with."""
    for begun, below in (
        (copilot("subagent.started", 1, {"toolCallId": "t", "agentName": "explore"}), {"parentToolCallId": "t"}),
        (copilot("subagent.started", 1, {"agentName": "explore"}, agentId="t"), {"record": {"agentId": "t"}}),
    ):
        events = told(tmp_path, START, begun, _start(2, "c1", **below), _end(3, "c1"), _start(4, "c2"), _end(5, "c2"))
        assert [event.instance_id for event in events] == ["explore", None]
        assert [event.parent_agent_id for event in events] == ["github-copilot", None]


def test_a_model_call_has_its_tokens_and_the_sums_at_the_end_are_none(tmp_path: Path) -> None:
    """The cost is in GitHub's unit, so it is no dollar."""
    usage = {"model": "gpt-5", "inputTokens": 12, "outputTokens": 3, "cost": 1.5, "apiCallId": "r1", "duration": 90}
    total = copilot("session.shutdown", 3, {"modelMetrics": {"gpt-5": {"usage": {"inputTokens": 12}}}})
    for record in (copilot("session.usage_record", 2, {"usage": usage}), copilot("assistant.usage", 2, usage)):
        (event,) = told(tmp_path, START, record, total)
        assert (event.event_id, event.model) == (f"{SESSION}:r1", "gpt-5")
        assert (event.tokens_in, event.tokens_out, event.duration_ms, event.cost_usd) == (12, 3, 90, None)
        assert event.attributes["github.copilot.cost"] == 1.5


def test_a_tool_of_an_mcp_server_has_the_name_of_telemetry_with_and_without_content(tmp_path: Path) -> None:
    """Without content its spans name server and tool as digests: 29a1af58... is `lookup`."""
    path = write(tmp_path / "e", [START, _start(1, "c1", "crm-lookup", mcpServerName="crm", mcpToolName="lookup"),
                                  _end(2, "c1")])  # fmt: skip
    assert [event.name for event in read(path)[0]] == ["crm-lookup"]
    (event,) = read(path, asked=Additions(is_like_telemetry=True))[0]
    assert re.fullmatch(r"9261ceef[0-9a-f]{56}/29a1af58[0-9a-f]{56}", event.name)


def test_a_call_that_did_not_end_is_counted(tmp_path: Path) -> None:
    """A session that still runs."""
    events, report = read(write(tmp_path / "e.jsonl", [START, _start(1, "c1")]))
    assert (events, report.files[0].unfinished) == ([], 1)
