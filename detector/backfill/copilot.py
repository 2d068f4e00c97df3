"""Copilot CLI's session state: ``~/.copilot/session-state/<session>/events.jsonl``.

Its telemetry is spans, so that is what is made here: of each call one, at the time of its end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from detector.backfill.record import (
    CONTENT,
    CONTEXT,
    INTERNAL,
    UNKNOWN,
    USED,
    Additions,
    Record,
    Taken,
    at,
    push,
    shallow,
    word_at,
)
from detector.otlp.item import FAILED, Item

NAME: Final = "github-copilot"
_SCOPE: Final = "github.copilot"
_DENIED: Final = "denied"
_GROUPS: Final = frozenset({
    "session", "assistant", "user", "tool", "hook", "subagent", "permission", "system", "skill", "model", "abort",
    "command", "elicitation", "exit_plan_mode", "external_tool", "pending_messages", "user_input", "mcp",
})  # fmt: skip
_TEXTS: Final = frozenset({"user.message", "assistant.message", "assistant.reasoning", "system.message"})
_MODEL_CALLS: Final = frozenset({"session.usage_record", "assistant.usage"})


class _StartedCall(NamedTuple):
    """A call whose end did not come yet."""

    name: str
    arguments: object
    agent: str | None
    server: str | None = None
    tool: str | None = None

    def hashed(self) -> str:
        """Return its name as telemetry without content has it: of an MCP tool, server and tool as digests."""
        if self.server is None or self.tool is None:
            return self.name
        return "/".join(hashlib.sha256(one.encode("utf-8", "replace")).hexdigest() for one in (self.server, self.tool))


def is_mine(record: Record) -> bool:
    """Return whether a record is one of a session's state."""
    kind = record.get("type")
    if not isinstance(kind, str) or not isinstance(record.get("data"), dict):
        return False
    return kind == "session.start" or (kind.partition(".")[0] in _GROUPS and "parentId" in record)


class CopilotReader:
    """Reads the events of one session.

    Parameters
    ----------
    asked : Additions
        What is added to each record, and whether arguments are read.
    """

    def __init__(self, asked: Additions) -> None:
        self._asked = asked
        self._session: str | None = None
        self._version: str | None = None
        self._calls: dict[str, _StartedCall] = {}
        self._agents: dict[str, str] = {}
        self.unfinished = 0

    def take(self, record: Record) -> Taken:
        """Return what became of a record."""
        kind, data = record.get("type"), record.get("data")
        if not isinstance(kind, str) or not isinstance(data, dict):
            return Taken(UNKNOWN)
        if kind in {"session.start", "session.resume"}:
            self._session = word_at(data, "sessionId") or self._session
            self._version = word_at(data, "copilotVersion") or self._version
            return Taken(CONTEXT)
        if kind == "subagent.started":
            name = word_at(data, "agentName") or "subagent"
            for key in (word_at(record, "agentId"), word_at(data, "toolCallId")):
                if key is not None:
                    push(self._agents, key, name)
            return Taken(CONTEXT)
        if kind == "tool.execution_start":
            return self._start(record, data)
        if kind == "tool.execution_complete":
            return self._end(record, data)
        if kind in _MODEL_CALLS:
            return self._model_call(record, data)
        if kind in _TEXTS:
            return Taken(CONTENT)
        return Taken(INTERNAL if kind.partition(".")[0] in _GROUPS else UNKNOWN)

    def finish(self) -> Sequence[Item]:
        """Return nothing more: a call without an end is counted, and is no event."""
        self.unfinished += len(self._calls)
        return ()

    def _agent(self, record: Record, data: Record) -> str | None:
        """Return the name of the sub-agent that a record is of."""
        for key in (word_at(record, "agentId"), word_at(data, "parentToolCallId")):
            if key is not None:
                return self._agents.get(key, "subagent")
        return None

    def _item(self, record: Record, name: str, attributes: dict[str, Any], *, has_failed: bool = False) -> Item:
        own = {
            "event.timestamp": word_at(record, "timestamp"),
            "gen_ai.operation.name": name,
            "gen_ai.conversation.id": self._session,
        }
        known = {key: shallow(value) for key, value in {**own, **attributes}.items() if value is not None}
        about = {"service.name": NAME, **({} if self._version is None else {"service.version": self._version})}
        return Item(
            signal="span",
            resource={**self._asked.resource, **about},
            scope=_SCOPE,
            name=name,
            attributes={**known, **self._asked.resource},
            status=FAILED if has_failed else 0,
        )

    def _start(self, record: Record, data: Record) -> Taken:
        key = word_at(data, "toolCallId")
        if key is None:
            return Taken(UNKNOWN)
        call = _StartedCall(
            word_at(data, "toolName") or "tool",
            data.get("arguments"),
            self._agent(record, data),
            word_at(data, "mcpServerName"),
            word_at(data, "mcpToolName"),
        )
        self.unfinished += push(self._calls, key, call) is not None
        return Taken(USED)

    def _end(self, record: Record, data: Record) -> Taken:
        """Take the end of a call; of what it answered only how it ended is read."""
        key = word_at(data, "toolCallId")
        call = None if key is None else self._calls.pop(key, None)
        if call is None:
            return Taken(CONTEXT)
        has_failed = data.get("success") is False
        code = at(data, "shellExecution", "exitCode")
        known: dict[str, Any] = {
            "gen_ai.tool.name": call.hashed() if self._asked.is_like_telemetry else call.name,
            "gen_ai.tool.call.id": key,
            "gen_ai.agent.name": call.agent,
            "process.exit.code": code if type(code) is int else None,
            "process.executable.name": call.name if isinstance(data.get("shellExecution"), dict) else None,
            "error.type": (_DENIED if word_at(data, "error", "code") == _DENIED else "ToolError")
            if has_failed
            else None,
        }
        if not self._asked.is_like_telemetry:
            known["gen_ai.tool.call.arguments"] = call.arguments
        return Taken(USED, [self._item(record, "execute_tool", known, has_failed=has_failed)])

    def _model_call(self, record: Record, data: Record) -> Taken:
        """Take a model call; the sums that a session ends with are not another one."""
        usage = data.get("usage") if isinstance(data.get("usage"), dict) else data
        known = {
            "gen_ai.response.id": word_at(usage, "apiCallId"),
            "gen_ai.response.model": word_at(usage, "model"),
            "gen_ai.usage.input_tokens": at(usage, "inputTokens"),
            "gen_ai.usage.output_tokens": at(usage, "outputTokens"),
            "gen_ai.agent.name": self._agent(record, data),
            "github.copilot.cost": at(usage, "cost"),
            "github.copilot.initiator": word_at(usage, "initiator"),
            "github.copilot.server_duration": at(usage, "duration"),
        }
        return Taken(USED, [self._item(record, "chat", known)])
