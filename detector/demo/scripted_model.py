"""A model on loopback that says what a script says: what drives a real coding agent where no account may be used.

It speaks the dialect of one agent's program. Each run of the agent has a path of its own, ``/<run>``, and behind it a
script: tool calls, one a turn. It also takes what an odd act sends away, so that nothing leaves the machine.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from detector.demo.dialects import Body, Call, Dialect, ScriptedAnswer

DENIED: Final = "Denied by policy"
"""How the gate's words begin that an agent tells its model."""
DROP: Final = "/drop"
"""Where the odd act sends what it took."""
MOST_BODY: Final = 16 * 2**20
"""Bytes of a request that are read: a conversation of some hundred turns has a tenth of it."""


@dataclass(slots=True)
class Script:
    """What a model asks of one run of an agent.

    Attributes
    ----------
    calls : sequence of Call
        Tool calls, in order.
    goes_on_with : sequence of Call
        Asked by turns behind them, until a call is denied or `most` were asked; empty: the model is content.
    every_s : float
        Seconds the model takes for each of those.
    most : int
        Most calls asked in all.
    asked : list of (Call, float)
        Every call and when it was asked, epoch seconds; filled as it goes.
    denied_at : float or None
        When the model was first told of a denied call.
    """

    calls: Sequence[Call]
    goes_on_with: Sequence[Call] = ()
    every_s: float = 1.0
    most: int = 90
    asked: list[tuple[Call, float]] = field(default_factory=list)
    denied_at: float | None = None

    def turn(self, results: Sequence[Any]) -> Call | None:
        """Return the call of this turn, none when the model is content; `results` are all that it was told so far."""
        if self.denied_at is None and any(DENIED in json.dumps(one) for one in results):
            self.denied_at = time.time()
        done = len(results)
        if self.denied_at is not None or done >= self.most:
            return None
        call = self.calls[done] if done < len(self.calls) else None
        if call is None and self.goes_on_with:
            call = self.goes_on_with[(done - len(self.calls)) % len(self.goes_on_with)]
            time.sleep(self.every_s)  # a model takes its time: that is what is played
        if call is not None:
            self.asked.append((call, time.time()))
        return call


class ScriptedModel:
    """Answers on a loopback port, each run by its script.

    Parameters
    ----------
    dialect : Dialect
        How it is asked and answers.

    Attributes
    ----------
    scripts : dict of str to Script
        By run; a run that is not here is told that the model is content.
    taken : int
        Bytes that were sent away to it, as whoever steals data has them.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.scripts: dict[str, Script] = {}
        self.taken = 0
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def base_url(self, run: str) -> str:
        """Return what the agent of a run is given as its model's address."""
        return f"{self.address}/{run}{self.dialect.base_path}"

    def take(self, size: int) -> None:
        """Count bytes that an act sent here."""
        with self._lock:
            self.taken += size

    def answer(self, path: str, body: Body) -> ScriptedAnswer:
        """Return a whole answer."""
        script = self.scripts.get(path.split("/")[1], Script(()))
        call = script.turn(self.dialect.results(body)) if self.dialect.has_tools(body) else None
        return self.dialect.answer(path, body, call)


@contextmanager
def scripted_model(dialect: Dialect) -> Iterator[ScriptedModel]:
    """Yield a model that answers until the block is left."""
    model = ScriptedModel(dialect)
    thread = threading.Thread(target=model.server.serve_forever, args=(0.1,), name="scripted-model")
    thread.start()
    try:
        yield model
    finally:
        model.server.shutdown()
        thread.join()
        model.server.server_close()


def _handler(model: ScriptedModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing: what an agent tells its model is content."""

        def do_GET(self) -> None:
            self._send(ScriptedAnswer(b'{"object":"list","data":[],"models":[]}', "application/json"))

        def do_POST(self) -> None:
            size = min(int(self.headers.get("content-length") or 0), MOST_BODY)
            raw = self.rfile.read(size)
            if not model.dialect.is_turn(self.path):
                model.take(len(raw) if self.path == DROP else 0)
                self._send(ScriptedAnswer(b"{}\n", "application/json"))
                return
            try:
                body = json.loads(raw)
            except ValueError:
                body = None
            self._send(model.answer(self.path, body if isinstance(body, dict) else {}))

        def _send(self, answer: ScriptedAnswer) -> None:
            self.send_response(200)
            self.send_header("content-type", answer.kind)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    return Handler
