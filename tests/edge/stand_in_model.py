"""A model that asks for one shell command and is then content, in the four dialects that coding agents speak."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SHELLS = ("Bash", "exec_command", "shell_command", "run_shell_command", "bash")
RESULTS = ('"type":"function_call_output"', '"role":"tool"', '"type":"tool_result"', '"functionResponse":')
VERDICT = {"reasoning": "r", "model_choice": "flash", "next_speaker": "user", "complexity_score": 1}
"""What Gemini CLI asks a model about itself, beside the conversation."""

Event = tuple[str, dict[str, Any]]


class StandInModel:
    """Answers on a loopback port; asks for the command once, and keeps what it is told.

    Parameters
    ----------
    command : str
        What the agent is asked to run.
    """

    def __init__(self, command: str) -> None:
        self.command, self.told = command, ""
        self._lock = threading.Lock()
        stand_in = self

        class Dialect(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                self._send(b'{"object":"list","data":[],"models":[]}', "application/json")

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                self._send(*stand_in.answer(self.path, raw))

            def _send(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Dialect)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str, raw: bytes) -> tuple[bytes, str]:
        """Return the body of an answer and its type."""
        try:
            asked = json.loads(raw)
        except ValueError:
            return b"{}", "application/json"
        with self._lock:
            text = raw.decode("utf-8", "replace")
            self.told += text
            tool = _tool(text) if "tools" in asked else ""
            if path.endswith("/responses"):
                return _events(_responses(tool, self.command))
            if path.endswith("/chat/completions"):
                return _events([("", one) for one in _chat(tool, self.command)], b"data: [DONE]\n\n")
            if path.split("?", maxsplit=1)[0].endswith("/messages"):
                return _messages(tool, self.command, is_streamed=bool(asked.get("stream")))
            if "enerateContent" in path:
                return _gemini(tool, self.command, asked, is_streamed="stream" in path)
            return b'{"input_tokens":1,"totalTokens":1}', "application/json"


def _tool(body: str) -> str:
    """Return the shell tool that is offered, until the conversation holds a result."""
    compact = body.replace('": ', '":')
    if any(mark in compact for mark in RESULTS):
        return ""
    return next((name for name in SHELLS if f'"name":"{name}"' in compact), "")


def _events(events: list[Event], last: bytes = b"") -> tuple[bytes, str]:
    lines = [
        (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(body).encode() + b"\n\n"
        for name, body in events
    ]
    return b"".join(lines) + last, "text/event-stream"


def _arguments(tool: str, command: str) -> dict[str, str]:
    return {"cmd": command} if tool == "exec_command" else {"command": command, "description": "a file"}


def _responses(tool: str, command: str) -> list[Event]:
    item: dict[str, Any] = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}
    item["content"] = [{"type": "output_text", "text": "Done.", "annotations": []}]
    if tool:
        item = {"type": "function_call", "id": "f", "call_id": "c1", "name": tool, "status": "completed"}
        item["arguments"] = json.dumps(_arguments(tool, command))
    used: dict[str, Any] = {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18}
    used |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    bodies: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": "r", "status": "completed", "usage": used}},
    ]
    return [(str(body["type"]), body) for body in bodies]


def _chat(tool: str, command: str) -> list[dict[str, Any]]:
    said: dict[str, Any] = {"role": "assistant", "content": None if tool else "Done."}
    if tool:
        called = {"name": tool, "arguments": json.dumps(_arguments(tool, command))}
        said["tool_calls"] = [{"index": 0, "id": "c1", "type": "function", "function": called}]
    whole = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    ends = "tool_calls" if tool else "stop"
    used = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    return [
        {**whole, "choices": [{"index": 0, "delta": said, "finish_reason": None}]},
        {**whole, "choices": [{"index": 0, "delta": {}, "finish_reason": ends}], "usage": used},
    ]


def _messages(tool: str, command: str, *, is_streamed: bool) -> tuple[bytes, str]:
    block: dict[str, Any] = {"type": "text", "text": "Done."}
    if tool:
        block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": _arguments(tool, command)}
    ends = "tool_use" if tool else "end_turn"
    whole: dict[str, Any] = {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    whole["usage"] = {"input_tokens": 9, "output_tokens": 9}
    if not is_streamed:
        return json.dumps({**whole, "content": [block], "stop_reason": ends}).encode(), "application/json"
    begins = {**block, "input": {}} if tool else {**block, "text": ""}
    delta = {"type": "text_delta", "text": "Done."}
    if tool:
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    bodies: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": begins},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": ends, "stop_sequence": None}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    return _events([(str(body["type"]), body) for body in bodies])


def _gemini(tool: str, command: str, asked: dict[str, Any], *, is_streamed: bool) -> tuple[bytes, str]:
    part: dict[str, Any] = {"text": "Done."}
    if tool:
        part = {"functionCall": {"name": tool, "args": _arguments(tool, command)}}
    elif "esponse" in json.dumps(asked.get("generationConfig", {})):
        part = {"text": json.dumps(VERDICT)}
    said = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    used = {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 18}
    body = {"candidates": [said], "usageMetadata": used, "modelVersion": "m", "responseId": "r"}
    return _events([("", body)]) if is_streamed else (json.dumps(body).encode(), "application/json")


@contextmanager
def stand_in_model(command: str) -> Iterator[StandInModel]:
    """Yield a model that answers until the end of the block."""
    model = StandInModel(command)
    thread = threading.Thread(target=model.server.serve_forever)
    thread.start()
    try:
        yield model
    finally:
        model.server.shutdown()
        model.server.server_close()
        thread.join()
