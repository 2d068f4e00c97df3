"""What a request through a gateway asks for: JSON-RPC of the Model Context Protocol, as its strictest reader might.

Servers differ in what they make of odd JSON: some take the first of two equal keys, some the last, some do not tell
`Method` from `method`. A message in which that matters is a call of no known tool.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from detector.edge.calls import HookCall
from detector.schema.acks import MOST_NAME

MOST_CALLS: Final = 100
"""Calls of one batch that are judged; a longer batch is a call too many. MCP has no batches since 2025-06-18."""
HANDSHAKE: Final = frozenset(
    "initialize ping tools/list prompts/list resources/list resources/templates/list logging/setLevel".split()
)
"""Methods that reach no tool and no data: neither denied nor counted. So are notifications."""
TOOL_CALL: Final = "tools/call"


class McpCalls(NamedTuple):
    """The calls in one message.

    Attributes
    ----------
    calls : list of HookCall
        To be judged; empty: nothing in it reaches a tool.
    is_whole : bool
        Whether these are all.
    rpc_id : str, int or None
        Of the message, for the answer to it.
    """

    calls: list[HookCall]
    is_whole: bool = True
    rpc_id: str | int | None = None


class _Object(dict[str, Any]):
    """A JSON object that knows whether readers would disagree on its keys."""

    is_clear: bool = True


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    made.is_clear = len({key.casefold() for key, _ in pairs}) == len(pairs)
    return made


def calls_of_message(raw: bytes, like: HookCall) -> McpCalls:
    """Return the calls of a JSON-RPC message; what cannot be read is one call of no known tool, never an error.

    Parameters
    ----------
    raw : bytes
        Body of the request, which an agent wrote.
    like : HookCall
        Product and session of the calls.
    """
    try:
        body = json.loads(raw, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return McpCalls([like])
    if isinstance(body, list):
        calls = [call for one in body[:MOST_CALLS] for call in _calls(one, like)]
        return McpCalls(calls or [like], is_whole=len(body) <= MOST_CALLS)
    rpc_id = body.get("id") if isinstance(body, _Object) else None
    may_repeat = isinstance(rpc_id, int) or (isinstance(rpc_id, str) and len(rpc_id) <= MOST_NAME)
    return McpCalls(_calls(body, like), rpc_id=rpc_id if may_repeat else None)


def calls_of_params(method: str, raw: bytes, services: tuple[str, ...], like: HookCall) -> list[HookCall]:
    """Return the calls of a method whose name the gateway has read already.

    Parameters
    ----------
    method : str
        Of JSON-RPC.
    raw : bytes
        Its parameters as JSON; empty: none.
    services : tuple of str
        Servers behind the gateway that the call goes to; they stand before the tool in telemetry of some agents.
    like : HookCall
        Product and session of the calls.
    """
    try:
        params = json.loads(raw, object_pairs_hook=_object) if raw else _Object()
    except (ValueError, RecursionError):
        params = None
    return _named(method, params, services, like)


def _calls(body: object, like: HookCall) -> list[HookCall]:
    if not isinstance(body, _Object) or not body.is_clear or not isinstance(body.get("method"), str):
        return [like]
    rpc_id = body.get("id")
    call_id = str(rpc_id)[:MOST_NAME] if isinstance(rpc_id, str | int) else ""
    return _named(body["method"], body.get("params"), (), like._replace(call_id=_plain(call_id) or like.call_id))


def _named(method: str, params: object, services: tuple[str, ...], like: HookCall) -> list[HookCall]:
    """Return the call of a method; nothing for a handshake."""
    if method in HANDSHAKE or method.startswith("notifications/"):
        return []
    if method != TOOL_CALL:
        return [like._replace(tools=(_plain(method),))] if method else [like]
    name = params.get("name") if isinstance(params, _Object) and params.is_clear else None
    if not isinstance(name, str) or not name:
        return [like]
    name = _plain(name)
    return [like._replace(tools=(name, *(f"mcp__{service}__{name}" for service in services)))]


def _plain(text: str) -> str:
    """Return a text as it can be sent on."""
    return text[:MOST_NAME].encode("utf-8", "replace").decode()
