"""What a body asks for, whatever an agent writes into it: always calls, or a handshake, and never an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.edge.calls import HookCall
from detector.edge.mcp import HANDSHAKE, MOST_CALLS, calls_of_message, calls_of_params
from detector.schema.acks import MOST_NAME
from tests.edge.questions import tool

LIKE = HookCall("envoy", session_id="s")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
METHODS = st.sampled_from(["tools/call", "resources/read", "notifications/x", "", *sorted(HANDSHAKE)]) | VALUES


def test_a_tool_call_is_read_with_its_name_and_its_id() -> None:
    """As the protocol writes it."""
    (call,) = calls_of_message(json.dumps(tool("lookup", 7)).encode(), LIKE).calls
    assert call == HookCall("envoy", tools=("lookup",), session_id="s", call_id="7")


def test_a_method_that_reaches_data_goes_by_its_own_name() -> None:
    """As in telemetry, so that a command can bar it."""
    raw = b'{"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"uri":"file:///x"}}'
    found = calls_of_message(raw, LIKE)
    assert [call.tools for call in found.calls] == [("resources/read",)]
    assert found.rpc_id == "a"


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_call_or_a_handshake(raw: bytes) -> None:
    """Nothing that is sent ends in an error, which could be a way out."""
    found = calls_of_message(raw, LIKE)
    assert all(call.product == "envoy" for call in found.calls)


@given(method=METHODS, params=VALUES, rpc_id=VALUES, more=st.dictionaries(st.text(max_size=7), VALUES, max_size=2))
def test_only_a_clear_handshake_is_no_call(method: Any, params: Any, rpc_id: Any, more: dict[str, Any]) -> None:
    """And a tool is known only by a text that stands once."""
    body = {**more, "method": method, "params": params, "id": rpc_id}
    found = calls_of_message(json.dumps(body).encode(), LIKE)
    is_clear = len({key.casefold() for key in body}) == len(body)
    is_handshake = isinstance(method, str) and (method in HANDSHAKE or method.startswith("notifications/"))
    assert (not found.calls) == (is_clear and is_handshake)
    for call in found.calls:
        assert len(call.call_id) <= MOST_NAME
        assert all(len(name) <= MOST_NAME for name in call.tools)
        json.dumps(found.rpc_id)


@pytest.mark.parametrize("first", ["method", "METHOD", "ſmethod", "Method"])
def test_a_key_in_two_spellings_is_not_clear(first: str) -> None:
    """Readers in Go take either, and fold more letters than ASCII's."""
    raw = json.dumps({first: "ping", "x": 1})[:-1].encode() + b', "method": "tools/call", "params": {"name": "a"}}'
    (call,) = calls_of_message(raw, LIKE).calls
    assert call.tools == (("a",) if first == "ſmethod" else ())
    (folded,) = calls_of_message('{"method":"tools/call","paramſ":{},"params":{"name":"a"}}'.encode(), LIKE).calls
    assert folded.tools == ()


def test_a_long_batch_says_that_it_is_not_whole() -> None:
    """The first hundred are judged."""
    found = calls_of_message(json.dumps([tool("a")] * (MOST_CALLS + 1)).encode(), LIKE)
    assert (len(found.calls), found.is_whole) == (MOST_CALLS, False)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"name":1}', b'{"name":""}', b'{"name":"a","Name":"b"}'])
def test_parameters_without_a_clear_name_are_a_call_of_no_known_tool(raw: bytes) -> None:
    """Where the gateway has read the method already."""
    assert calls_of_params("tools/call", raw, ("crm",), LIKE) == [LIKE]


def test_a_tool_behind_a_gateway_goes_by_its_server_too() -> None:
    """As coding agents and their telemetry name it."""
    (call,) = calls_of_params("tools/call", b'{"name":"export"}', ("crm", "files"), LIKE)
    assert call.tools == ("export", "mcp__crm__export", "mcp__files__export")
