"""Hook inputs of four real programs, and of whoever wants to pass for nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.edge.calls import AFTERWARDS, PRODUCTS, HookCall, read_call
from tests.edge.recordings import MADE_UP, recorded


@pytest.mark.data
@pytest.mark.parametrize("product", PRODUCTS)
def test_recorded_inputs_are_read_with_and_without_being_told_whose_they_are(product: str) -> None:
    """Session, tool and event of every line; the call's id where the program has one."""
    for raw in recorded(product):
        body = json.loads(raw)
        call = read_call(raw, product)
        assert call.tools[0] == body.get("tool_name", body.get("toolName"))
        assert call.session_id == body.get("session_id", body.get("sessionId"))
        assert call.call_id == body.get("tool_use_id", "")
        assert call.event == body.get("hook_event_name", "")
        assert call.is_judged == (call.event in {"PreToolUse", "BeforeTool", ""})
        assert read_call(raw).product == product
        assert read_call(raw) == call


@pytest.mark.data
def test_an_mcp_tool_of_gemini_also_goes_by_the_name_that_others_use() -> None:
    """Telemetry says mcp__server__tool; the hook's own spelling does not tell server from tool."""
    names = {call.tools for raw in recorded("gemini-cli") if (call := read_call(raw)).tools[0].startswith("mcp_")}
    assert names == {("mcp_crm_lookup", "mcp__crm__lookup")}


def test_the_shell_of_codex_goes_by_both_its_names() -> None:
    """Bash in hooks, exec_command in logs."""
    assert read_call(MADE_UP["codex"]).tools == ("Bash", "exec_command")
    assert read_call(MADE_UP["claude-code"]).tools == ("Bash",)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"tool_name":7}', b'{"tool_name":null}', b"{}",
     b"1" * 5_000],
)  # fmt: skip
def test_what_cannot_be_read_is_a_call_of_no_known_tool(raw: bytes) -> None:
    """It is judged: neither an error nor a way past."""
    call = read_call(raw, "codex")
    assert (call.product, call.tools, call.is_judged) == ("codex", (), True)


def test_the_setting_says_whose_hook_it_is_not_the_input() -> None:
    """An input that looks like another's is still answered as the setting says."""
    assert read_call(MADE_UP["copilot-cli"], "claude-code").product == "claude-code"
    assert read_call(b'{"hook_event_name":"PreToolUse"}').product == ""


def test_an_event_of_no_known_name_is_judged() -> None:
    """Only what comes afterwards passes."""
    assert HookCall("codex", "PreToolUseV2").is_judged
    assert not any(HookCall("codex", event).is_judged for event in AFTERWARDS)
    assert not read_call(b'{"sessionId":"s","toolName":"bash","toolResult":{"resultType":"success"}}').is_judged


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@given(
    st.dictionaries(
        st.sampled_from(["hook_event_name", "tool_name", "toolName", "session_id", "tool_use_id", "mcp_context"]),
        json_values | st.dictionaries(st.sampled_from(["server_name", "tool_name"]), json_values),
    )
)
def test_whatever_stands_in_the_fields_can_be_sent_on(body: dict[str, Any]) -> None:
    """Names are short texts that UTF-8 can write, lone surrogates included."""
    call = read_call(json.dumps(body).encode())
    for name in (*call.tools, call.event, call.session_id, call.call_id):
        name.encode()
        assert len(name) <= 600
