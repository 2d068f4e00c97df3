"""A model on loopback that says what a script says: what drives a real coding agent where no account may be used.

It speaks the Responses dialect of Codex CLI. Each run of an agent has a path of its own, ``/<run>/v1``, and behind it a
script: shell commands, one a turn. It also takes what an odd act sends away, so that nothing leaves the machine.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

SHELLS: Final = ("exec_command", "shell_command")
"""Names under which versions of Codex offer their shell."""
RESULTS: Final = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
DENIED: Final = "Denied by policy"
"""How the gate's words begin that an agent tells its model."""
DROP: Final = "/drop"
"""Where the odd act sends what it took."""
MOST_BODY: Final = 16 * 2**20
"""Bytes of a request that are read: a conversation of some hundred turns has a tenth of it."""

Event = Mapping[str, Any]


@dataclass(slots=True)
class Script:
    """What a model asks of one run of an agent.

    Attributes
    ----------
    commands : sequence of str
        Shell commands, in order.
    goes_on_with : str
        Asked again and again behind them, until a call is denied or `most` were asked; empty: it is content.
    every_s : float
        Seconds the model takes for each of those.
    most : int
        Most commands asked in all.
    asked : list of (str, float)
        Every command and when it was asked, epoch seconds; filled as it goes.
    denied_at : float or None
        When the model was first told of a denied call.
    """

    commands: Sequence[str]
    goes_on_with: str = ""
    every_s: float = 1.0
    most: int = 90
    asked: list[tuple[str, float]] = field(default_factory=list)
    denied_at: float | None = None

    def turn(self, body: Mapping[str, Any]) -> str:
        """Return the command of this turn, empty when the model is content; `body` is the whole conversation."""
        told = [one for one in body.get("input", []) if isinstance(one, Mapping) and one.get("type") in RESULTS]
        if self.denied_at is None and any(DENIED in json.dumps(one) for one in told):
            self.denied_at = time.time()
        if self.denied_at is not None or len(told) >= self.most:
            return ""
        if len(told) < len(self.commands):
            command = self.commands[len(told)]
        else:
            command = self.goes_on_with
            if command:
                time.sleep(self.every_s)  # a model takes its time: that is what is played
        if command:
            self.asked.append((command, time.time()))
        return command


class ScriptedModel:
    """Answers on a loopback port, each run by its script.

    Attributes
    ----------
    scripts : dict of str to Script
        By run; a run that is not here is told that the model is content.
    taken : int
        Bytes that were sent away to it, as whoever steals data has them.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.taken = 0
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _dialect(self))
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def base_url(self, run: str) -> str:
        """Return what the agent of a run is given as its model's address."""
        return f"{self.address}/{run}/v1"

    def take(self, size: int) -> None:
        """Count bytes that an act sent here."""
        with self._lock:
            self.taken += size

    def answer(self, path: str, body: Mapping[str, Any]) -> bytes:
        """Return a whole answer as server-sent events."""
        script = self.scripts.get(path.split("/")[1], Script(()))
        text = json.dumps(body.get("tools", []))
        tool = next((name for name in SHELLS if f'"{name}"' in text), "")
        command = script.turn(body) if tool else ""
        turn = len(body.get("input", []))
        return b"".join(
            f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in _events(tool, command, turn)
        )


@contextmanager
def scripted_model() -> Iterator[ScriptedModel]:
    """Yield a model that answers until the block is left."""
    model = ScriptedModel()
    thread = threading.Thread(target=model.server.serve_forever, args=(0.1,), name="scripted-model")
    thread.start()
    try:
        yield model
    finally:
        model.server.shutdown()
        thread.join()
        model.server.server_close()


def _dialect(model: ScriptedModel) -> type[BaseHTTPRequestHandler]:
    class Dialect(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing: what an agent tells its model is content."""

        def do_GET(self) -> None:
            self._send(b'{"object":"list","data":[],"models":[]}', "application/json")

        def do_POST(self) -> None:
            size = min(int(self.headers.get("content-length") or 0), MOST_BODY)
            raw = self.rfile.read(size)
            if not self.path.endswith("/responses"):
                model.take(len(raw) if self.path == DROP else 0)
                self._send(b"ok\n", "text/plain")
                return
            try:
                body = json.loads(raw)
            except ValueError:
                body = None
            self._send(model.answer(self.path, body if isinstance(body, dict) else {}), "text/event-stream")

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Dialect


def _events(tool: str, command: str, turn: int) -> list[Event]:
    """Return an answer: a call of the shell, or that the model is content."""
    item: dict[str, Any] = {"type": "message", "id": f"m{turn}", "role": "assistant", "status": "completed"}
    item["content"] = [{"type": "output_text", "text": "Done.", "annotations": []}]
    if command:
        item = {"type": "function_call", "id": f"f{turn}", "call_id": f"call_{turn}", "name": tool}
        item |= {"status": "completed", "arguments": json.dumps({"cmd" if tool == SHELLS[0] else "command": command})}
    read, written = 1_000 + 90 * turn, 30 + len(command)
    used: dict[str, Any] = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
    used |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return [
        {"type": "response.created", "response": {"id": f"r{turn}"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": f"r{turn}", "status": "completed", "usage": used}},
    ]
