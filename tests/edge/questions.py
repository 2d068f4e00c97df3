"""What gateways ask, as bytes: built by tests and the benchmark in the protocols' forms."""

from __future__ import annotations

import json
from typing import Any

from detector.edge import wire


def tool(name: str, rpc_id: int = 1) -> dict[str, object]:
    """Return a tool call of JSON-RPC."""
    return {"jsonrpc": "2.0", "id": rpc_id, "method": "tools/call", "params": {"name": name, "arguments": {}}}


def envoy_question(body: object, agent: str, *, route: str = "mcp", method: bytes = b"POST", **headers: bytes) -> bytes:
    """Return a CheckRequest of Envoy; the agent is the principal of the peer's certificate."""
    asked = wire.CheckRequest()
    asked.attributes.source.principal = agent.encode()
    asked.attributes.request.http.method = method
    raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    asked.attributes.request.http.body = raw
    if route:
        asked.attributes.extensions.add(key=b"detector.calls", value=route.encode())
    for name, value in headers.items():
        asked.attributes.request.http.headers.add(key=name.replace("_", "-").encode(), value=value)
    return bytes(asked.SerializeToString())


def mcp_question(method: str, params: Any, agent: str, service: str = "crm") -> bytes:
    """Return an McpRequest of agentgateway; the agent is the subject of a verified token."""
    asked = wire.McpRequest(services=[service.encode()], method=method.encode(), params=json.dumps(params).encode())
    asked.metadata.update({"jwt": {"sub": agent}})
    return bytes(asked.SerializeToString())
