"""Liveness, readiness and metrics over HTTP, from a thread that outlives a stuck event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from detector.errors import SetupError

STALE_BEAT_S = 30.0
"""An event loop that has not turned for so long is not alive; a forest fit takes well under a second."""


@dataclass(slots=True)
class Health:
    """What is known of the worker's condition; written by the event loop, read by the probe's thread.

    Parameters
    ----------
    checkpoint_interval_s : float
        A checkpoint older than six of these, and than 60 s, makes the worker not ready.
    monotonic : callable
        Seconds that only go forward.
    """

    checkpoint_interval_s: float
    monotonic: Callable[[], float] = time.monotonic
    partitions: int | None = None
    is_policy_restored: bool = False
    _beat: float = field(init=False)
    _checkpoint: float | None = None

    def __post_init__(self) -> None:
        self._beat = self.monotonic()

    def beat(self) -> None:
        """Say that the event loop turns."""
        self._beat = self.monotonic()

    def hold(self, partitions: int) -> None:
        """Say how many event partitions are held now."""
        self.partitions = partitions
        self._checkpoint = self.monotonic()

    def lose(self) -> None:
        """Say that the place in the group was lost."""
        self.partitions = None
        self.is_policy_restored = False

    def checkpointed(self) -> None:
        """Say that everything is durable."""
        self._checkpoint = self.monotonic()

    def why_not_live(self) -> str | None:
        """Return what is wrong with the process, None if nothing is."""
        age = self.monotonic() - self._beat
        return f"event loop has not turned for {age:.0f} s: restart the worker" if age > STALE_BEAT_S else None

    def why_not_ready(self) -> str | None:
        """Return what keeps the worker from doing its work, None if nothing does."""
        if self.partitions is None:
            return "no place in the consumer group yet"
        if self.partitions == 0:
            return "no partitions assigned: more workers than partitions"
        if not self.is_policy_restored:
            return "policy topic not read to its end yet"
        age = self.monotonic() - (self._checkpoint or 0.0)
        if age > max(60.0, 6 * self.checkpoint_interval_s):
            return f"last checkpoint is {age:.0f} s old: is the state topic writable?"
        return self.why_not_live()


def serve(address: tuple[str, int], health: Health, registry: CollectorRegistry) -> ThreadingHTTPServer:
    """Return a running server of ``/livez``, ``/readyz`` and ``/metrics``; ``shutdown()`` ends it.

    Raises
    ------
    SetupError
        The address is taken or not this machine's.
    """

    class Probe(BaseHTTPRequestHandler):
        """Answers the three paths; everything else is 404."""

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif self.path in {"/livez", "/readyz"}:
                why = health.why_not_live() if self.path == "/livez" else health.why_not_ready()
                self._answer(200 if why is None else 503, f"{why or 'ok'}\n".encode(), "text/plain; charset=utf-8")
            else:
                self._answer(404, b"/livez, /readyz or /metrics\n", "text/plain; charset=utf-8")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Probes are not news."""

    try:
        server = ThreadingHTTPServer(address, Probe)
    except OSError as exc:
        raise SetupError(
            f"listen_host and listen_port of the settings must be a free address, got {address[0]}:{address[1]} "
            f"({exc.strerror}): choose another port, or 0 for none"
        ) from exc
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
