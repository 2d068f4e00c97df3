"""Runs in LiteLLM's environment: MCP calls through the proxy's own pre-call hooks, one a line of standard input.

The proxy's MCP server is a package of its own and not there; what it calls before a tool is, with the payload it makes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from types import SimpleNamespace

import litellm
from litellm.caching.caching import DualCache
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.utils import ProxyLogging

from detector_guardrail import DetectorGuardrail


async def main(socket: str, copy: str) -> None:
    """Write for each call the status that refuses it and why, or 0."""
    proxy = ProxyLogging(user_api_key_cache=DualCache())
    for line in sys.stdin:
        asked = json.loads(line)
        guard = DetectorGuardrail(
            guardrail_name="detector", event_hook=["pre_call", "pre_mcp_call"], default_on=True,
            socket=socket, fail=asked.get("fail"), copy=asked.get("copy", copy),
        )  # fmt: skip
        litellm.callbacks = [guard]
        request = SimpleNamespace(
            tool_name=asked["tool"], arguments={}, tool_description=None, tool_input_schema=None, server_name=None
        )
        data = proxy._convert_mcp_to_llm_format(request, {"mcp_rate_limit_server_name": asked.get("server")})
        who = UserAPIKeyAuth(api_key=asked.get("key"), key_alias=asked["agent"], team_id=asked.get("team"))
        try:
            await proxy.pre_call_hook(user_api_key_dict=who, data=data, call_type=asked.get("type", "call_mcp_tool"))
            said: list[object] = [0, ""]
        except Exception as error:  # noqa: BLE001 - whatever refuses the call
            said = [getattr(error, "status_code", -1), str(getattr(error, "detail", error))]
        sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
