"""What an agent's hook says: one input of four programs as one call; what cannot be read is a call of no known tool."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from detector.schema.acks import MOST_NAME

CLAUDE: Final = "claude-code"
CODEX: Final = "codex"
GEMINI: Final = "gemini-cli"
COPILOT: Final = "copilot-cli"
PRODUCTS: Final = (CLAUDE, CODEX, GEMINI, COPILOT)
LITELLM: Final = "litellm"
ENVOY: Final = "envoy"
AGENTGATEWAY: Final = "agentgateway"
ASKING: Final = (*PRODUCTS, LITELLM)
"""Who may ask on the unix socket: hooks, and the guardrail of a LiteLLM proxy. Gateways ask over gRPC."""

AFTERWARDS: Final = frozenset(
    "PostToolUse PostToolUseFailure AfterTool postToolUse SessionStart SessionEnd sessionStart sessionEnd Stop "
    "SubagentStop AfterAgent Notification PreCompact PreCompress".split()
)
"""Events at which nothing is left to deny. Every other name, an unknown one too, is judged as a call."""

OTHER_NAMES: Final = {(CODEX, "Bash"): ("exec_command",)}
"""What telemetry calls a tool that the hook names otherwise: a command may name either."""


class HookCall(NamedTuple):
    """One call that waits for an answer.

    Attributes
    ----------
    product : str
        One of :data:`PRODUCTS`; empty if neither the setting nor the input tells.
    event : str
        As the program names its hook; empty where it does not.
    tools : tuple of str
        Every name the tool goes by, the hook's first; empty if it could not be read.
    session_id, call_id : str
        As the hook named them, cut.
    """

    product: str
    event: str = ""
    tools: tuple[str, ...] = ()
    session_id: str = ""
    call_id: str = ""

    @property
    def is_judged(self) -> bool:
        """Whether there is something left to deny."""
        return self.event not in AFTERWARDS


def read_call(raw: bytes, product: str = "") -> HookCall:
    """Return the call that a hook's input describes; never an error, because an error would be a way out.

    Parameters
    ----------
    raw : bytes
        What the program wrote to its hook.
    product : str
        From the hook's setting; what the input looks like is asked only without one.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return HookCall(product)
    if not isinstance(body, dict):
        return HookCall(product)
    product = product or _product_of(body)
    event = _text(body, "hook_event_name")
    if not event and "toolResult" in body:
        event = "postToolUse"
    return HookCall(
        product,
        event,
        _tools(body, product),
        _text(body, "session_id") or _text(body, "sessionId"),
        _text(body, "tool_use_id"),
    )


def _product_of(body: dict[str, Any]) -> str:
    """Return whose input it looks like; empty: nobody's we know."""
    if "toolName" in body:
        return COPILOT
    if _text(body, "hook_event_name") in {"BeforeTool", "AfterTool"}:
        return GEMINI
    if "turn_id" in body:
        return CODEX
    return CLAUDE if "prompt_id" in body or _text(body, "tool_use_id").startswith("toolu_") else ""


def _tools(body: dict[str, Any], product: str) -> tuple[str, ...]:
    name = _text(body, "tool_name") or _text(body, "toolName")
    if not name:
        return ()
    names = [name, *OTHER_NAMES.get((product, name), ())]
    context = body.get("mcp_context")
    if isinstance(context, dict) and _text(context, "server_name") and _text(context, "tool_name"):
        names.append(f"mcp__{_text(context, 'server_name')}__{_text(context, 'tool_name')}")
    return tuple(names)


def _text(body: dict[str, Any], name: str) -> str:
    """Return a text of the input as it can be sent on: cut, and whatever is no character replaced."""
    value = body.get(name)
    return value[:MOST_NAME].encode("utf-8", "replace").decode() if isinstance(value, str) else ""
