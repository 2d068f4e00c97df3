"""Codex's rollouts: ``~/.codex/sessions/<year>/<month>/<day>/rollout-*.jsonl``, also those of older releases.

Each line has a type and a payload. A call is a response item and its output; how it ended also stands in an event
between them. A rollout that was forked begins with a copy of the other's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from detector.backfill.codex_output import EXITED, read_output
from detector.backfill.record import (
    CONTENT,
    CONTEXT,
    COPIED,
    DOUBLE,
    INTERNAL,
    UNKNOWN,
    USED,
    Additions,
    Record,
    Taken,
    at,
    length_of,
    log_item,
    push,
    shallow,
    word_at,
)
from detector.otlp.item import Item

NAME: Final = "codex"
_TYPES: Final = frozenset({
    "session_meta", "turn_context", "response_item", "event_msg", "compacted", "token_usage_record", "world_state",
})  # fmt: skip
_CALLS: Final = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})
_ENDS: Final = frozenset({"exec_command_end", "mcp_tool_call_end", "patch_apply_end"})
_REFUSED: Final = (
    "Command blocked by PreToolUse hook", "Tool call blocked by PreToolUse hook", "exec command rejected by user",
    "patch rejected by user", "This action was rejected due to",
)  # fmt: skip
"""How the program's own sentence about a refusal begins."""
_FAILED: Final = ("unsupported call: ", "failed to parse function arguments", "exec_command failed", "execution error")
"""How the program's own sentence begins about a call that it could not carry out."""


class _OpenCall(Struct):
    """A call whose output did not come yet, and what was said of its end."""

    name: str
    namespace: str | None = None
    arguments: object = None
    server: str | None = None
    exit_code: int | None = None
    has_failed: bool = False
    is_refused: bool = False


def is_mine(record: Record) -> bool:
    """Return whether a record is one of a rollout."""
    return word_at(record, "type") in _TYPES and isinstance(record.get("payload"), dict) and "sessionId" not in record


class CodexReader:
    """Reads one rollout.

    Parameters
    ----------
    asked : Additions
        What is added to each record.
    is_known : callable
        Tells whether an event of this id was made of another file: a fork begins with what it was forked from.
    """

    def __init__(self, asked: Additions, is_known: Callable[[str], bool]) -> None:
        self._asked, self._is_known = asked, is_known
        self._meta: Record = {}
        self._model: str | None = None
        self._agent: str | None = None
        self._origin: str | None = None
        self._has_begun = self._has_usage_records = False
        self._total: object = None
        self._calls: dict[str, _OpenCall] = {}
        self.unfinished = 0

    def take(self, record: Record) -> Taken:
        """Return what became of a record."""
        kind, payload = word_at(record, "type"), record.get("payload")
        if not isinstance(payload, dict):
            return Taken(UNKNOWN)
        if kind == "session_meta":
            return self._begin(payload)
        if self._is_copy(kind, payload):
            return Taken(COPIED)
        if kind == "turn_context":
            return self._turn(record, payload)
        if kind == "token_usage_record":
            self._has_usage_records = True
            return self._usage(record, payload.get("usage"))
        if kind == "response_item":
            return self._response(record, payload)
        if kind == "event_msg":
            return self._event(record, payload)
        return Taken(INTERNAL if kind in _TYPES else UNKNOWN)

    def finish(self) -> Sequence[Item]:
        """Return nothing more: a call without an output is counted, and is no event."""
        self.unfinished += len(self._calls)
        return ()

    def _item(self, record: Record, name: str, attributes: dict[str, Any]) -> Item:
        version = word_at(self._meta, "cli_version")
        service = word_at(self._meta, "originator") or NAME
        about = {"service.name": service if service.startswith(NAME) else NAME, "service.version": version}
        own = {
            "event.name": f"codex.{name}",
            "event.timestamp": word_at(record, "timestamp"),
            "conversation.id": word_at(self._meta, "id"),
            "app.version": version,
            "model": self._model,
            "agent_name": self._agent,
        }
        return log_item(self._asked, about, {**own, **attributes})

    def _begin(self, payload: Record) -> Taken:
        """Take who and what: the first such record is the file's own, a further one came with a copy."""
        if self._meta:
            self._origin = self._origin or word_at(payload, "id")
            return Taken(COPIED)
        self._meta = payload
        self._origin = word_at(payload, "forked_from_id")
        spawned = at(payload, "source", "subagent")
        if spawned is not None:
            about = at(spawned, "thread_spawn")
            self._agent = next(
                (
                    found
                    for name in ("agent_path", "agent_role", "agent_nickname")
                    if (found := word_at(about, name) or word_at(payload, name)) is not None
                ),
                spawned if isinstance(spawned, str) and spawned else "subagent",
            )
        return Taken(CONTEXT)

    def _is_copy(self, kind: str | None, payload: Record) -> bool:
        """Return whether a record is still of the rollout that this one was forked from: until it does something new.

        Copies have new times, so a call is told by its id, and a model call by the thread it says it is of.
        """
        if self._origin is None:
            return False
        is_new = False
        if kind == "response_item" and word_at(payload, "type") in _CALLS:
            is_new = not self._is_known(f"{self._origin}:{payload.get('call_id')}")
        elif kind == "token_usage_record":
            is_new = payload.get("thread_id") == self._meta.get("id")
        if is_new:
            self._origin = None
        return not is_new

    def _turn(self, record: Record, payload: Record) -> Taken:
        """Take the model of a turn; the first turn is where the session begins."""
        self._model = word_at(payload, "model") or self._model
        if self._has_begun:
            return Taken(CONTEXT)
        self._has_begun = True
        start = {
            "event.timestamp": word_at(self._meta, "timestamp") or word_at(record, "timestamp"),
            "approval_policy": word_at(payload, "approval_policy"),
            "sandbox_policy": word_at(payload, "sandbox_policy", "type") or word_at(payload, "sandbox_policy", "mode"),
        }
        return Taken(USED, [self._item(record, "conversation_starts", start)])

    def _usage(self, record: Record, usage: object) -> Taken:
        """Take the tokens of a model call."""
        if not isinstance(usage, dict):
            return Taken(CONTEXT)
        tokens = {
            "event.kind": "response.completed",
            "input_token_count": usage.get("input_tokens"),
            "output_token_count": usage.get("output_tokens"),
            "cached_token_count": usage.get("cached_input_tokens"),
            "reasoning_token_count": usage.get("reasoning_output_tokens"),
        }
        return Taken(USED, [self._item(record, "sse_event", tokens)])

    def _response(self, record: Record, payload: Record) -> Taken:
        """Take a call, or its output."""
        kind = word_at(payload, "type")
        key = word_at(payload, "call_id") or word_at(payload, "id")
        if kind in _CALLS and key is not None:
            given = payload.get("arguments", payload.get("input", payload.get("action")))
            call = _OpenCall(word_at(payload, "name") or "local_shell", word_at(payload, "namespace"), given)
            self.unfinished += push(self._calls, key, call) is not None
            return Taken(USED)
        if kind in _OUTPUTS and key is not None:
            done = self._calls.pop(key, None)
            return Taken(CONTEXT) if done is None else Taken(USED, [self._done(record, key, done, payload)])
        if kind == "web_search_call":
            search = {"tool_name": "web_search", "call_id": word_at(payload, "id"), "success": "true"}
            return Taken(USED, [self._item(record, "tool_result", search)])
        return Taken(CONTENT if kind in {"message", "reasoning"} else UNKNOWN)

    def _done(self, record: Record, key: str, call: _OpenCall, payload: Record) -> Item:
        """Return the call that an output ends."""
        output = payload.get("output")
        head, code, has_failed = read_output(output)
        known: dict[str, Any] = {"tool_name": call.name, "call_id": key, "agent_name": self._agent or "/root"}
        if call.server is not None and call.name.startswith("mcp__"):
            call.server = call.namespace = None
        known["mcp_server"] = call.server
        if call.namespace is not None and not call.name.startswith("mcp__"):
            known["tool_namespace"] = call.namespace.removesuffix("__")
        known["arguments"] = call.arguments
        if call.is_refused or head.startswith(_REFUSED):
            source = "User" if "by user" in head else "Config"
            return self._item(record, "tool_decision", {**known, "decision": "denied", "source": source})
        code = call.exit_code if call.exit_code is not None else code
        known["output"] = None if code is None else f"{EXITED}{code}"
        known["success"] = "false" if call.has_failed or has_failed or head.startswith(_FAILED) else "true"
        return self._item(record, "tool_result", known)

    def _event(self, record: Record, payload: Record) -> Taken:
        """Take what the program said of itself between calls."""
        kind = word_at(payload, "type")
        if kind == "token_count":
            return self._count(record, payload)
        if kind == "user_message":
            length = length_of(payload.get("message"))
            return Taken(USED, [self._item(record, "user_prompt", {"prompt_length": length})])
        if kind == "item_completed":
            return self._completed(record, payload.get("item"))
        if kind in _ENDS:
            return self._ended(word_at(payload, "call_id"), payload)
        return Taken(INTERNAL)

    def _count(self, record: Record, payload: Record) -> Taken:
        """Take the tokens of a model call where no record of its own has them; an unchanged total tells nothing new."""
        total = shallow(at(payload, "info", "total_token_usage"))
        if self._has_usage_records or total is None or total == self._total:
            return Taken(DOUBLE)
        self._total = total
        return self._usage(record, at(payload, "info", "last_token_usage"))

    def _completed(self, record: Record, item: object) -> Taken:
        """Take an item of newer releases: a prompt, or how a call ended."""
        kind = word_at(item, "type")
        if kind == "UserMessage":
            length = length_of(at(item, "content"))
            return Taken(USED, [self._item(record, "user_prompt", {"prompt_length": length})])
        if kind in {"CommandExecution", "McpToolCall", "FileChange"} and isinstance(item, dict):
            return self._ended(word_at(item, "id"), item)
        return Taken(INTERNAL)

    def _ended(self, key: str | None, payload: Record) -> Taken:
        """Note on an open call how it ended."""
        call = None if key is None else self._calls.get(key)
        if call is not None:
            code = payload.get("exit_code")
            call.exit_code = code if type(code) is int else call.exit_code
            call.server = word_at(payload, "server") or word_at(payload, "invocation", "server") or call.server
            tool = word_at(payload, "tool") or word_at(payload, "invocation", "tool")
            if tool is not None and call.server is not None and not call.name.startswith("mcp__"):
                call.name, call.namespace = tool, None
            status = word_at(payload, "status")
            call.is_refused = call.is_refused or status == "declined"
            is_error = at(payload, "result", "Ok", "isError") is True or at(payload, "result", "Err") is not None
            call.has_failed = call.has_failed or is_error or payload.get("success") is False or status == "failed"
        return Taken(CONTEXT)
