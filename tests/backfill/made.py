"""Session files that tests write: records of each program in their real form, with what a test wants otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from detector.backfill.record import Additions
from detector.backfill.report import BackfillReport
from detector.backfill.run import Backfill, Selection
from detector.schema.event import Event

Record = dict[str, Any]
SESSION = "5e551011-0000-4000-8000-000000000001"
_decode = msgspec.json.Decoder(Event).decode


def second(n: int) -> str:
    """Return the time so many seconds after ten o'clock."""
    return f"2026-03-02T10:{n // 60:02d}:{n % 60:02d}.000Z"


def claude(kind: str, at: int, message: Record, **more: Any) -> Record:
    """Return a record of a transcript."""
    base = {"parentUuid": None, "isSidechain": False, "type": kind, "message": message, "uuid": f"u{at}"}
    return {**base, "timestamp": second(at), "sessionId": SESSION, "version": "2.1.197", **more}


def answer(at: int, *parts: Record, key: str = "m1", usage: Record | None = None, **more: Any) -> Record:
    """Return a part of an answer of Claude."""
    tokens = {"input_tokens": 10, "output_tokens": 5} if usage is None else usage
    message = {"id": key, "role": "assistant", "model": "claude-opus-4-8", "content": list(parts), "usage": tokens}
    return claude("assistant", at, message, requestId=f"req_{key}", **more)


def use(key: str, name: str = "Bash", **arguments: Any) -> Record:
    """Return a call within an answer of Claude."""
    return {"type": "tool_use", "id": key, "name": name, "input": arguments or {"command": "ls"}}


def result(at: int, key: str, text: object = "done", *, is_error: bool = False, **more: Any) -> Record:
    """Return what came back of a call."""
    part = {"type": "tool_result", "tool_use_id": key, "content": text, "is_error": is_error}
    return claude("user", at, {"role": "user", "content": [part]}, **more)


def codex(kind: str, at: int, **payload: Any) -> Record:
    """Return a line of a rollout."""
    return {"timestamp": second(at), "type": kind, "payload": payload}


def meta(at: int = 0, key: str = SESSION, **more: Any) -> Record:
    """Return the first line of a rollout."""
    about = {"originator": "codex_cli_rs", "cli_version": "0.169.0", "timestamp": second(at)}
    return codex("session_meta", at, id=key, **about, **more)


def call(at: int, key: str, command: str = "ls", **more: Any) -> Record:
    """Return a call of Codex."""
    known = {"type": "function_call", "name": "exec_command", "arguments": json.dumps({"cmd": command}), "call_id": key}
    return codex("response_item", at, **{**known, **more})


def output(at: int, key: str, text: object = "Process exited with code 0\nOutput:\n") -> Record:
    """Return the output of a call of Codex."""
    return codex("response_item", at, type="function_call_output", call_id=key, output=text)


def gemini(at: int, key: str, *calls: Record, **more: Any) -> Record:
    """Return an answer of Gemini."""
    tokens = {"input": 10, "output": 5, "cached": 3, "thoughts": 2}
    base = {"id": key, "timestamp": second(at), "type": "gemini", "tokens": tokens, "model": "gemini-2.5-flash"}
    return {**base, **({"toolCalls": list(calls)} if calls else {}), **more}


def tool(at: int, key: str, name: str, response: Record, status: str = "success", **arguments: Any) -> Record:
    """Return a call within an answer of Gemini."""
    answered = [{"functionResponse": {"id": key, "name": name, "response": response}}]
    return {"id": key, "name": name, "args": arguments, "result": answered, "status": status, "timestamp": second(at)}


def chat(**more: Any) -> Record:
    """Return the first line of a chat of Gemini."""
    return {"sessionId": SESSION, "projectHash": "ab" * 32, "startTime": second(0), "lastUpdated": second(0), **more}


def copilot(kind: str, at: int, /, data: Record, **more: Any) -> Record:
    """Return an event of Copilot's session state."""
    return {"type": kind, "data": data, "id": f"e{at}", "timestamp": second(at), "parentId": None, **more}


def write(path: Path, records: Sequence[object], end: str = "\n") -> Path:
    """Write records to a file, one a line; text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path


def read(
    *paths: Path, asked: Additions | None = None, wanted: Selection | None = None
) -> tuple[list[Event], BackfillReport]:
    """Return the events of files, and the report."""
    with Backfill(asked, wanted) as run:
        report = run.read(paths)
        return [_decode(raw) for raw in run.events()], report


def told(path: Path, *records: object, asked: Additions | None = None) -> list[Event]:
    """Return the events of one file with these records."""
    return read(write(path / "session.jsonl", records), asked=asked)[0]
