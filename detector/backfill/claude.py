"""Claude Code's transcripts: ``~/.claude/projects/<folder>/<session>.jsonl``, sub-agents in files of their own.

A call is two records, a ``tool_use`` in an answer and its ``tool_result``; an answer of several parts is several
records of one message id, each with the usage so far. What logs lack stands here too: calls that nobody could permit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from detector.backfill.record import (
    CONTENT,
    CONTEXT,
    COPIED,
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

NAME: Final = "claude-code"
_SYNTHETIC: Final = "<synthetic>"
_NO_DENIALS: Final = frozenset({"interrupted", "cancelled"})
_REFUSALS: Final = (
    ("config", "Permission to use ", " has been denied"),
    ("config", "Claude requested permissions to ", ""),
    ("config", "", " was blocked. For security, Claude Code may only "),
    ("config", "", "require approval"),
    ("user_reject", "The user doesn't want to ", ""),
    ("user_abort", "[Request interrupted by user", ""),
    ("hook", "PreToolUse:", "hook error"),
    ("hook", "Hook PreToolUse:", "denied"),
    ("hook", "Execution stopped by PreToolUse hook", ""),
)
"""Who refused, how the program's own sentence about it begins, and what stands further on in it."""
_RAN: Final = ("Exit code ", "<tool_use_error>", "<error>", "Error", "Command ")
"""How what the program says of a shell command that ran, or that could not be read, begins."""
_MAX_SENTENCE: Final = 512
_PROGRAMS_OWN: Final = ("<command-", "<local-command-", "<bash-", "Caveat: ")
"""How texts begin that stand where a prompt would, and that nobody asked the model."""
_QUIET: Final = frozenset({
    "summary", "system", "attachment", "progress", "file-history-snapshot", "queue-operation", "ai-title",
    "custom-title", "last-prompt", "agent-name", "agent-color", "permission-mode", "mode", "pr-link", "tag",
    "worktree-state", "bridge-session",
})  # fmt: skip


class _Use(NamedTuple):
    """A call whose result did not come yet."""

    name: str
    arguments: Record
    agent: str | None


def is_mine(record: Record) -> bool:
    """Return whether a record is one of a transcript."""
    return isinstance(record.get("sessionId"), str) and (
        ("parentUuid" in record and "isSidechain" in record)
        or (word_at(record, "type") in _QUIET and "projectHash" not in record and "uuid" not in record)
    )


class ClaudeReader:
    """Reads one transcript.

    Parameters
    ----------
    asked : Additions
        What is added to each record.
    """

    def __init__(self, asked: Additions) -> None:
        self._asked = asked
        self._uses: dict[str, _Use] = {}
        self._answers: dict[str, Item] = {}
        self._prompts: dict[str, None] = {}
        self._hooked: dict[str, None] = {}
        self.unfinished = 0

    def take(self, record: Record) -> Taken:
        """Return what became of a record."""
        kind = word_at(record, "type")
        if at(record, "forkedFrom", "sessionId") is not None:
            return Taken(COPIED)
        if kind == "assistant":
            return self._answer(record)
        if kind == "user":
            return self._said(record)
        if kind == "attachment":
            self._hear(record)
            return Taken(CONTEXT)
        return Taken(INTERNAL if kind in _QUIET else UNKNOWN)

    def finish(self) -> Sequence[Item]:
        """Return the model calls: each is complete with the last record of its message."""
        self.unfinished += len(self._uses)
        return list(self._answers.values())

    def _item(self, record: Record, name: str, attributes: dict[str, Any]) -> Item:
        about = {"service.name": NAME, "service.version": word_at(record, "version")}
        own = {
            "event.name": name,
            "event.timestamp": word_at(record, "timestamp"),
            "session.id": word_at(record, "sessionId"),
            "prompt.id": word_at(record, "promptId"),
            "agent_id": word_at(record, "agentId"),
        }
        return log_item(self._asked, about, {**own, **attributes})

    def _answer(self, record: Record) -> Taken:
        """Take a part of an answer: calls, texts, and the usage of its model call, of which the last counts."""
        message = record.get("message")
        model = word_at(message, "model")
        if model == _SYNTHETIC:
            is_error = record.get("isApiErrorMessage") is True
            return Taken(USED, [self._item(record, "api_error", {})]) if is_error else Taken(INTERNAL)
        parts = parts_of(at(message, "content"))
        for part in parts:
            key = word_at(part, "id")
            if part.get("type") == "tool_use" and key is not None:
                given = part.get("input")
                name = word_at(part, "name") or "tool"
                use = _Use(name, given if isinstance(given, dict) else {}, word_at(record, "agentId"))
                self.unfinished += push(self._uses, key, use) is not None
        request = word_at(record, "requestId") or word_at(message, "id")
        items = []
        length = length_of([part for part in parts if part.get("type") == "text"])
        if length:
            said = {"request_id": request, "model": model, "response_length": length}
            items.append(self._item(record, "assistant_response", said))
        usage = at(message, "usage")
        if isinstance(usage, dict):
            call = {
                "request_id": request,
                "model": model,
                "input_tokens": usage.get("input_tokens"),
                "cache_read_tokens": usage.get("cache_read_input_tokens"),
                "cache_creation_tokens": usage.get("cache_creation_input_tokens"),
                "output_tokens": usage.get("output_tokens"),
                "cost_usd": record.get("costUSD"),
            }
            key = word_at(message, "id") or request or str(len(self._answers))
            given_up = push(self._answers, key, self._item(record, "api_request", call))
            items += [given_up] if isinstance(given_up, Item) else []
        return Taken(USED if isinstance(usage, dict) or items else CONTENT, items)

    def _said(self, record: Record) -> Taken:
        """Take what came back to the model: results of calls, or a prompt."""
        content = at(record, "message", "content")
        results = [part for part in parts_of(content) if part.get("type") == "tool_result"]
        if results:
            items = [item for part in results if (item := self._result(record, part)) is not None]
            return Taken(USED if items else CONTEXT, items)
        length = length_of(content)
        is_shown_only = any(record.get(name) is True for name in ("isMeta", "isCompactSummary", "isSidechain"))
        beginning = next((word_at(part, "text") or "" for part in parts_of(content)), "")
        if is_shown_only or not length or beginning.startswith(_PROGRAMS_OWN):
            return Taken(CONTENT)
        prompt = word_at(record, "promptId")
        if prompt is not None and prompt in self._prompts:
            return Taken(CONTENT)
        if prompt is not None:
            push(self._prompts, prompt, None)
        return Taken(USED, [self._item(record, "user_prompt", {"prompt_length": length})])

    def _result(self, record: Record, part: Record) -> Item | None:
        """Return the call that a result ends; None if no call of its id is open."""
        key = word_at(part, "tool_use_id")
        use = None if key is None else self._uses.pop(key, None)
        if use is None:
            return None
        call: dict[str, Any] = {"tool_name": use.name, "tool_use_id": key, "tool_input": use.arguments}
        call["agent_id"] = use.agent
        is_error = part.get("is_error") is True
        source = _refused_by(record, use.name, part) if is_error else None
        if key is not None and key in self._hooked:
            del self._hooked[key]
            source = "hook" if is_error else None
        if source is not None:
            return self._item(record, "tool_decision", {**call, "decision": "reject", "source": source})
        call["success"] = "false" if is_error else "true"
        call["tool_input_size_bytes"] = _bytes_of(use.arguments)
        if not is_error:
            call["tool_result_size_bytes"] = _bytes_of(part.get("content"))
        return self._item(record, "tool_result", call)

    def _hear(self, record: Record) -> None:
        """Note on an open call that a hook refused it: what the model is told then is the hook's own text."""
        note = record.get("attachment")
        key = word_at(note, "toolUseID")
        is_refusal = word_at(note, "type") == "hook_blocking_error" or word_at(note, "decision") == "deny"
        if key is not None and key in self._uses and is_refusal and word_at(note, "hookEvent") in {None, "PreToolUse"}:
            push(self._hooked, key, None)


def _bytes_of(value: object) -> int | None:
    """Return how many bytes a text has, or another value as JavaScript writes it; None for none."""
    if value is None:
        return None
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return None
    return len(text.encode("utf-8", "surrogatepass"))


def _refused_by(record: Record, tool: str, part: Record) -> str | None:
    """Return who refused a call; None for one that failed.

    Releases from 2.1.205 on say it in a field. Before, it is read in the beginning of what the model was told: the
    program's own sentences; and of a shell command without its exit code, which a hook refused in its own words.
    """
    kind = word_at(record, "toolDenialKind")
    if kind is not None:
        if kind in _NO_DENIALS:
            return None
        return "hook" if "hook" in kind else "user_reject" if "user" in kind else "config"
    texts = [word_at(one, "text") or "" for one in parts_of(part.get("content"))]
    beginning = (texts[0] if texts else "")[:_MAX_SENTENCE]
    for source, start, later in _REFUSALS:
        if beginning.startswith(start) and later in beginning:
            return source
    return "hook" if tool == "Bash" and beginning and not beginning.startswith(_RAN) else None
