"""Liveness, readiness and metrics over HTTP: one thread of its own, few connections, none of them for long.

The thread outlives a stuck event loop and answers while kernels are compiled. What clients do costs no more than
``MOST_CONNECTIONS`` sockets: one that sends nothing, or a byte a minute, is closed at its deadline, and before that
when others come and the port is full, the oldest first. So a probe that asks at once is answered, however many do not.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from http import HTTPStatus
from typing import Any, cast

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from detector.errors import SetupError
from detector.worker.health import Health
from detector.worker.metrics import WorkerMetrics

MOST_CONNECTIONS = 64
"""Open at once. Probes and scrapers are a handful; each takes milliseconds."""
WITHIN_S = 5.0
"""From the connection to the last byte of the answer; a scraper's own patience is usually 10 s, a probe's 1 s."""
MOST_REQUEST_BYTES = 8 * 1_024
BACKLOG = 128
TEXT = "text/plain; charset=utf-8"


class ProbeServer:
    """Answers ``/livez``, ``/readyz`` and ``/metrics`` until it is shut down; everything else is 404.

    Parameters
    ----------
    listener : socket
        Bound, listening; closed with the server.
    health : Health
        What is told.
    metrics : WorkerMetrics
        What is shown, and where connections that were closed without an answer are counted.
    within_s : float
        How long a connection may take in all.
    """

    def __init__(self, listener: socket.socket, health: Health, metrics: WorkerMetrics, within_s: float) -> None:
        self._listener, self._health, self._metrics, self._within_s = listener, health, metrics, within_s
        self.port = int(listener.getsockname()[1])
        self._open: dict[asyncio.Task[Any], None] = {}
        self._loop = asyncio.new_event_loop()
        self._ends = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="probes", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """Return once the port is closed; what is being answered is broken off."""
        self._loop.call_soon_threadsafe(self._ends.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(
            self._client, sock=self._listener, limit=MOST_REQUEST_BYTES, backlog=BACKLOG
        )
        try:
            await self._ends.wait()
        finally:
            server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        if len(self._open) >= MOST_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.cancel()
            self._closed("excess")
        self._open[task] = None
        try:
            async with asyncio.timeout(self._within_s):
                writer.write(self._answer(await reader.readuntil(b"\r\n\r\n")))
                writer.close()
                await writer.wait_closed()
        except TimeoutError:
            self._closed("late")
        except asyncio.IncompleteReadError as ended:
            if ended.partial:
                self._closed("broken")  # one that sent nothing at all only looked whether the port is open
        except (asyncio.LimitOverrunError, ConnectionError):
            self._closed("broken")
        except asyncio.CancelledError:
            pass  # others came: this is its end, and nobody waits for it
        finally:
            self._open.pop(task, None)
            writer.transport.abort()

    def _closed(self, why: str) -> None:
        self._metrics.probes_closed.labels(why).inc()

    def _answer(self, head: bytes) -> bytes:
        """Return the whole answer to the head of a request."""
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            return _response(HTTPStatus.BAD_REQUEST, b"GET /livez HTTP/1.1\n")
        method, path = words[0], words[1].partition("?")[0]
        if method not in {"GET", "HEAD"}:
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, b"GET or HEAD\n")
        status, body, kind = self._page(path)
        return _response(status, body, kind, has_body=method == "GET")

    def _page(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        if path == "/metrics":
            return HTTPStatus.OK, generate_latest(self._metrics.registry), CONTENT_TYPE_LATEST
        if path not in {"/livez", "/readyz"}:
            return HTTPStatus.NOT_FOUND, b"/livez, /readyz or /metrics\n", TEXT
        why = self._health.why_not_live() if path == "/livez" else self._health.why_not_ready()
        status = HTTPStatus.OK if why is None else HTTPStatus.SERVICE_UNAVAILABLE
        return status, f"{why or 'ok'}\n".encode(), TEXT


def _response(status: HTTPStatus, body: bytes, kind: str = TEXT, *, has_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (body if has_body else b"")


def serve(address: tuple[str, int], health: Health, metrics: WorkerMetrics, within_s: float = WITHIN_S) -> ProbeServer:
    """Return a running server; ``shutdown()`` ends it.

    Parameters
    ----------
    address : (str, int)
        Host and port; port 0: any free one.
    health : Health
        What is told.
    metrics : WorkerMetrics
        What is shown.
    within_s : float
        How long a connection may take in all.

    Raises
    ------
    SetupError
        The address is taken or not this machine's.
    """
    try:
        listener = socket.create_server(address, backlog=BACKLOG)
    except OSError as exc:
        raise SetupError(
            f"listen_host and listen_port of the settings must be a free address, got {address[0]}:{address[1]} "
            f"({exc.strerror}): choose another port, or 0 for none"
        ) from exc
    return ProbeServer(listener, health, metrics, within_s)
