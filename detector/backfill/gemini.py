"""Gemini CLI's chats: ``~/.gemini/tmp/<project>/chats/session-*.jsonl``, and one JSON document of older releases.

A message is written again, whole, when its calls have ended: what it told before is not told twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from detector.backfill.record import (
    CONTENT,
    CONTEXT,
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
    parts_of,
    push,
    word_at,
)
from detector.otlp.item import Item

NAME: Final = "gemini-cli"
_SHELL: Final = "run_shell_command"
_ENDED: Final = frozenset({"success", "error", "cancelled"})
_REFUSED: Final = ("Tool execution blocked", "Tool execution denied")
"""How the program's own sentence about a refusal by a hook or a policy begins."""
_OWN_MESSAGES: Final = frozenset({"info", "error", "warning"})


def is_mine(record: Record) -> bool:
    """Return whether a record is one of a chat."""
    if isinstance(record.get("sessionId"), str) and isinstance(record.get("projectHash"), str):
        return True
    return isinstance(at(record, "$set", "lastUpdated"), str)


class GeminiReader:
    """Reads one chat.

    Parameters
    ----------
    asked : Additions
        What is added to each record, and whether arguments are read.
    """

    def __init__(self, asked: Additions) -> None:
        self._asked = asked
        self._session: str | None = None
        self._agent: str | None = None
        self._told: dict[str, dict[str, Any]] = {}
        self.unfinished = 0

    def take(self, record: Record) -> Taken:
        """Return what became of a record."""
        changed = record.get("$set")
        if isinstance(changed, dict):
            self._session = word_at(changed, "sessionId") or self._session
            return self._all(changed.get("messages"))
        if "$rewindTo" in record:
            return Taken(CONTEXT)  # what is taken out of the chat was done all the same
        if isinstance(record.get("projectHash"), str):
            self._session = word_at(record, "sessionId") or self._session
            self._agent = "subagent" if record.get("kind") == "subagent" else None
            return self._all(record.get("messages"))
        return self._message(record) if isinstance(record.get("id"), str) else Taken(UNKNOWN)

    def finish(self) -> Sequence[Item]:
        """Return nothing more."""
        return ()

    def _all(self, messages: object) -> Taken:
        """Take messages that stand in one record."""
        items: list[Item] = []
        for one in messages if isinstance(messages, list) else ():
            if isinstance(one, dict) and isinstance(one.get("id"), str):
                items += self._message(one).items
        return Taken(USED if items else CONTEXT, items)

    def _message(self, message: Record) -> Taken:
        """Take a message, or what is new in it."""
        kind = word_at(message, "type")
        if kind not in {"user", "gemini"}:
            return Taken(INTERNAL if kind in _OWN_MESSAGES else UNKNOWN)
        told = self._told.get(message["id"])
        if told is None:
            told = {}
            push(self._told, message["id"], told)
        if kind == "user":
            return self._prompt(message, told)
        items = []
        tokens = message.get("tokens")
        if isinstance(tokens, dict) and "" not in told:
            push(told, "", None)
            items.append(self._answer(message, tokens))
        calls = message.get("toolCalls")
        for call in calls if isinstance(calls, list) else ():
            key = word_at(call, "id")
            if key is not None and key not in told and word_at(call, "status") in _ENDED:
                push(told, key, None)
                items.append(self._call(message, call))
        return Taken(USED if items else DOUBLE if told else CONTENT, items)

    def _item(self, name: str, attributes: dict[str, Any]) -> Item:
        own = {"event.name": f"gemini_cli.{name}", "session.id": self._session, "agent_name": self._agent}
        return log_item(self._asked, {"service.name": NAME}, {**own, **attributes})

    def _prompt(self, message: Record, told: dict[str, Any]) -> Taken:
        """Take what was asked; answers of tools, and the program's own introduction, are no prompts."""
        content = message.get("content")
        length = length_of(content)
        first = next((word_at(part, "text") or "" for part in parts_of(content)), "")
        if not length or first.startswith("<session_context>") or "" in told:
            return Taken(CONTENT)
        push(told, "", None)
        said = {"event.timestamp": word_at(message, "timestamp"), "prompt_length": length}
        return Taken(USED, [self._item("user_prompt", said)])

    def _answer(self, message: Record, tokens: Record) -> Item:
        known = {
            "event.timestamp": word_at(message, "timestamp"),
            "model": word_at(message, "model"),
            "input_token_count": tokens.get("input"),
            "output_token_count": tokens.get("output"),
            "thoughts_token_count": tokens.get("thoughts"),
            "cached_content_token_count": tokens.get("cached"),
        }
        return self._item("api_response", known)

    def _call(self, message: Record, call: Record) -> Item:
        """Return a call that has ended; of what it answered only how it ended is read."""
        name, status = word_at(call, "name") or "tool", word_at(call, "status")
        response = self._response(call)
        error = word_at(response, "error") or ""
        known: dict[str, Any] = {
            "event.timestamp": word_at(call, "timestamp") or word_at(message, "timestamp"),
            "function_name": name,
            "success": status == "success",
            "tool_type": "mcp" if name.startswith("mcp_") else "native",
        }
        if known["tool_type"] == "native":  # of what an MCP tool answers telemetry gives no length
            answered = word_at(response, "output") or error
            known["content_length"] = length_of(answered) if answered else None
        if status == "cancelled":
            known["decision"] = "reject"
        elif error.startswith(_REFUSED):
            known["error_type"] = "policy_violation"
        if not self._asked.is_like_telemetry:
            known["function_args"] = call.get("args")
            code = _exit_code(word_at(response, "output")) if name == _SHELL else None
            known["metadata"] = None if code is None else {"exitCode": code}
        return self._item("tool_call", known)

    @staticmethod
    def _response(call: Record) -> object:
        """Return what a call answered to the model."""
        results = call.get("result")
        for one in results if isinstance(results, list) else ():
            if (found := at(one, "functionResponse", "response")) is not None:
                return found
        return None


def _exit_code(output: str | None) -> int | None:
    """Return the exit code that the program wrote behind a shell command's output; what was printed stands before."""
    words = (
        (output or "").rpartition("\nExit Code: ")[2].split(maxsplit=1) if output and "\nExit Code: " in output else []
    )
    return int(words[0]) if words and words[0].isdecimal() and len(words[0]) < 6 else None
