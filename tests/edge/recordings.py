"""Hook inputs as real agents wrote them, read in place; where they are absent, hand-made ones of the same form."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MADE_UP = {
    "claude-code": b'{"session_id":"s","prompt_id":"p","hook_event_name":"PreToolUse","tool_name":"Bash",'
    b'"tool_input":{"command":"ls"},"tool_use_id":"toolu_1"}',
    "codex": b'{"session_id":"s","turn_id":"t","hook_event_name":"PreToolUse","tool_name":"Bash",'
    b'"tool_input":{"command":"ls"},"tool_use_id":"call_1"}',
    "gemini-cli": b'{"session_id":"s","hook_event_name":"BeforeTool","tool_name":"mcp_crm_lookup",'
    b'"tool_input":{"id":"1"},"mcp_context":{"server_name":"crm","tool_name":"lookup"}}',
    "copilot-cli": b'{"sessionId":"s","timestamp":1,"toolName":"bash","toolArgs":{"command":"ls"}}',
}


def recorded(product: str) -> list[bytes]:
    """Return every recorded hook input of a product; ``REQUIRE_DATA=1`` makes a missing folder a failure."""
    folder = os.environ.get("DETECTOR_DATA")
    path = Path(folder or "", "agent-telemetry", product, "hooks", "input.jsonl")
    if folder and path.is_file():
        return path.read_bytes().splitlines()
    if os.environ.get("REQUIRE_DATA"):
        pytest.fail(f"REQUIRE_DATA is set and {path} is not there")
    print(f"no recorded hook inputs of {product}: a hand-made one instead")  # noqa: T201 - said aloud
    return [MADE_UP[product]]
