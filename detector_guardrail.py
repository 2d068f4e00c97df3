"""A guardrail of the LiteLLM proxy: asks `detector edge` before each call of a model or MCP tool, and blocks it.

Two files, this one and `detector_gate.py`, and no other part of the package; Python 3.11. Put both into a folder of
PYTHONPATH. In the proxy's config.yaml::

    guardrails:
      - guardrail_name: detector
        litellm_params:
          guardrail: detector_guardrail.DetectorGuardrail
          mode: [pre_call, pre_mcp_call]
          default_on: true

Who calls is what the proxy has verified, the key and its team, and nothing that the request says. It fails closed:
without an answer of the edge no call is made, unless `fail: static` names a copy.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException
from litellm.integrations.custom_guardrail import CustomGuardrail

from detector_gate import SOCKET, GateError, bound_by_copy, parsed, quoted, subject_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MCP_CALL = "call_mcp_tool"
MCP_LIST = "list_mcp_tools"
MODEL_CALL = "chat"
"""What a call of a model goes by in commands."""
DENIED = 403
MOST_NAME = 1_024
MOST_ANSWER = 65_536
KEY = ("key_alias", "api_key", "token")
TEAM = ("team_id", "team_alias")
"""What the proxy knows of a caller, as its telemetry names agent and tenant."""


class DetectorGuardrail(CustomGuardrail):
    """Blocks the calls of contained agents before they are made.

    Parameters
    ----------
    socket : str
        Where `detector edge` listens.
    tenant : str
        Tenant of the agents, besides a key's team.
    fail : {"closed", "static"}
        When the edge does not answer: block every call, or those of whom `copy` binds.
    copy : str
        The file that `detector edge --copy` keeps.
    timeout : float
        Seconds for one answer.
    options
        Of LiteLLM.

    Raises
    ------
    ValueError
        A setting is none: the proxy does not start.
    """

    def __init__(
        self,
        *,
        socket: str | None = None,
        tenant: str | None = None,
        fail: str | None = None,
        copy: str | None = None,
        timeout: float | None = None,
        **options: Any,  # noqa: ANN401 - whatever LiteLLM hands on
    ) -> None:
        super().__init__(**options)
        self._socket, self._tenant = socket or SOCKET, tenant or "default"
        self._fail, self._copy = fail or "closed", copy or ""
        self._within_s = 1.0 if timeout is None else float(timeout)
        if self._fail not in {"closed", "static"}:
            raise ValueError(f"fail of the detector guardrail must be closed or static, got {fail!r}")
        if self._fail == "static" and not self._copy:
            raise ValueError("copy of the detector guardrail must be the file of `detector edge --copy`, got none")
        if not 0.0 < self._within_s <= 60.0:
            raise ValueError(f"timeout of the detector guardrail must be over 0 and at most 60 s, got {timeout!r}")

    async def async_pre_call_hook(
        self,
        user_api_key_dict: object,
        cache: object,  # noqa: ARG002 - as LiteLLM calls it
        data: dict[str, Any],
        call_type: str,
    ) -> None:
        """Return if the call may be made, raise HTTPException 403 with the reason if not."""
        if call_type == MCP_LIST:
            return
        subjects = self._subjects(user_api_key_dict)
        if not subjects:
            raise _denied(
                "Denied: the key has no name and no hash, so nobody knows which agent calls. Use virtual keys."
            )
        why = await self._why_denied(subjects, _hook_input(data, call_type))
        if why:
            raise _denied(why)

    def _subjects(self, caller: object) -> list[str]:
        """Return every subject under which commands could contain the caller."""
        tenants = [self._tenant, *_texts(caller, TEAM)]
        return list(dict.fromkeys(subject_of(tenant, name) for name in _texts(caller, KEY) for tenant in tenants))

    async def _why_denied(self, subjects: list[str], body: bytes) -> str:
        """Return what the edge says to a denied call, empty if the call may be made."""
        try:
            status, _, said = parsed(await asyncio.wait_for(self._ask(subjects, body), self._within_s))
        except (OSError, GateError, TimeoutError, asyncio.IncompleteReadError) as error:
            return await asyncio.to_thread(self._without_edge, subjects, error)
        return said.decode("utf-8", "replace").strip() or "Denied." if status else ""

    async def _ask(self, subjects: list[str], body: bytes) -> bytes:
        head = [
            "POST /v1/hook HTTP/1.1",
            "Host: edge",
            "Connection: close",
            f"Content-Length: {len(body)}",
            "Detector-Product: litellm",
            *(f"Detector-Subject: {quoted(subject)}" for subject in subjects),
        ]
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            writer.write("\r\n".join([*head, "", ""]).encode("ascii") + body)
            await writer.drain()
            answer = b""
            while chunk := await reader.read(MOST_ANSWER):
                answer += chunk
                if len(answer) > MOST_ANSWER:
                    raise GateError("answer of the service is too long")
            return answer
        finally:
            writer.close()

    def _without_edge(self, subjects: list[str], error: Exception) -> str:
        """Return why a call is denied when nobody answers, empty if the copy lets it through."""
        why = f"the policy service does not answer ({type(error).__name__}: {str(error)[:200]})"
        if self._fail == "static":
            try:
                if not bound_by_copy(self._copy, subjects, time.time()):
                    return ""
                why = "contained by the last policy that was read"
            except (OSError, GateError, ValueError, KeyError, TypeError) as broken:
                why = f"{why}, and its copy cannot be read ({type(broken).__name__}: {str(broken)[:200]})"
        return f"Denied: {why}. Ask whoever runs `detector edge`."


def _hook_input(data: Mapping[str, Any], call_type: str) -> bytes:
    """Return a call in the form of a hook's input; nothing that it was called with is in it."""
    said: dict[str, Any] = {"hook_event_name": "PreToolUse", "tool_use_id": _text(data.get("litellm_call_id"))}
    said["session_id"] = _text(data.get("litellm_session_id")) or _text(data.get("litellm_trace_id"))
    if call_type != MCP_CALL:
        return json.dumps({**said, "tool_name": MODEL_CALL}).encode()
    name, server = _text(data.get("mcp_tool_name")), _text(data.get("mcp_server_name"))
    if server:
        own = name.removeprefix(f"{server}-")  # as the proxy names the tools of several servers
        said["mcp_context"] = {"server_name": server, "tool_name": own}
    return json.dumps({**said, "tool_name": name}).encode()


def _texts(of: object, names: tuple[str, ...]) -> list[str]:
    return [text for name in names if (text := _text(getattr(of, name, None)))]


def _text(value: object) -> str:
    return value[:MOST_NAME] if isinstance(value, str) else ""


def _denied(why: str) -> HTTPException:
    return HTTPException(status_code=DENIED, detail={"error": why})
