"""Answers the gate on a unix socket, and probes and scrapers on a loopback port: few connections, none for long."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import unquote

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from detector.edge.calls import ASKING
from detector.edge.metrics import EdgeMetrics
from detector.edge.point import EnforcementPoint, HookRequest

MOST_CONNECTIONS: Final = 128
"""Open at once; an agent asks once a call, and each answer takes a millisecond."""
MOST_HEAD_BYTES: Final = 128 * 1_024
"""32 subjects of 1,152 bytes, percent-encoded, are 111 kB."""
MOST_BODY_BYTES: Final = 1_048_576
MOST_SUBJECTS: Final = 32
WITHIN_S: Final = 5.0
HOOK: Final = "/v1/hook"
TEXT: Final = "text/plain; charset=utf-8"


class BadRequestError(Exception):
    """The request is none; the gate takes that as no answer."""


class EdgeServer:
    """Speaks HTTP to the gate (``POST /v1/hook``) and to probes (``/livez``, ``/readyz``, ``/metrics``).

    At most 128 connections of a socket are open, the oldest makes room for the next, and none lasts longer than 5
    seconds. One that is closed without an answer is an unanswered gate, which denies or goes by its copy: so whoever
    reaches the port of probes takes no room of the gate's.

    Parameters
    ----------
    point : EnforcementPoint
        Answers.
    metrics : EdgeMetrics
        Shown, and counts what was closed.
    """

    def __init__(self, point: EnforcementPoint, metrics: EdgeMetrics, within_s: float = WITHIN_S) -> None:
        self._point, self._metrics, self._within_s = point, metrics, within_s
        self._open: list[dict[asyncio.Task[Any], None]] = []
        self._servers: list[asyncio.Server] = []

    async def listen(self, listener: socket.socket, *, may_ask: bool, tls: ssl.SSLContext | None = None) -> None:
        """Serve a bound socket, with TLS or without; hooks are answered only where `may_ask`."""
        opened: dict[asyncio.Task[Any], None] = {}
        self._open.append(opened)

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            self._make_room(opened)
            opened[task] = None
            try:
                await self._client(reader, writer, may_ask=may_ask)
            finally:
                opened.pop(task, None)

        start: Callable[..., Any] = (
            asyncio.start_unix_server if listener.family == socket.AF_UNIX else asyncio.start_server
        )
        more = {} if tls is None else {"ssl": tls, "ssl_handshake_timeout": self._within_s}
        self._servers.append(await start(client, sock=listener, limit=MOST_HEAD_BYTES, backlog=128, **more))

    def close(self) -> None:
        """Take no more connections, and break off what is open."""
        for server in self._servers:
            server.close()
        for task in [one for opened in self._open for one in opened]:
            task.cancel()

    def _make_room(self, opened: dict[asyncio.Task[Any], None]) -> None:
        if len(opened) >= MOST_CONNECTIONS:
            oldest = next(iter(opened))
            del opened[oldest]
            oldest.cancel()
            self._closed("excess")

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, may_ask: bool) -> None:
        try:
            async with asyncio.timeout(self._within_s):
                writer.write(await self._answer(reader, may_ask=may_ask))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except TimeoutError:
            self._closed("late")
        except asyncio.IncompleteReadError as ended:
            if ended.partial:
                self._closed("broken")
        except (asyncio.LimitOverrunError, OSError):  # a broken connection, and TLS that is none
            self._closed("broken")
        except asyncio.CancelledError:
            pass  # others came, or the service ends: nobody waits for it
        finally:
            writer.transport.abort()

    def _closed(self, why: str) -> None:
        self._metrics.closed.labels(why).inc()

    async def _answer(self, reader: asyncio.StreamReader, *, may_ask: bool) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        words = head[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            return _response(HTTPStatus.BAD_REQUEST, b"not HTTP\n")
        method, path = words[0], words[1].partition("?")[0]
        if path != HOOK:
            return self._page(method, path)
        if method != "POST" or not may_ask:
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, b"POST on the unix socket\n")
        try:
            length, request = _request(head[1:])
        except BadRequestError as exc:
            return _response(HTTPStatus.BAD_REQUEST, f"{exc}\n".encode())
        body = await reader.readexactly(length)
        began = time.perf_counter()
        answer = self._point.answer(HookRequest(body, request.subjects, request.product))
        self._metrics.answer_s.observe(time.perf_counter() - began)
        out, said = answer.stdout.encode(), answer.stderr.encode()
        told = {"Detector-Status": str(answer.status), "Detector-Out": str(len(out))}
        return _response(HTTPStatus.OK, out + said, told)

    def _page(self, method: str, path: str) -> bytes:
        if method not in {"GET", "HEAD"}:
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, b"GET or HEAD\n")
        if path == "/metrics":
            with contextlib.suppress(RuntimeError):
                self._point.tick()
            return _response(HTTPStatus.OK, generate_latest(self._metrics.registry), kind=CONTENT_TYPE_LATEST)
        if path == "/livez":
            return _response(HTTPStatus.OK, b"ok\n")
        if path == "/readyz":
            why = self._point.why_not_ready()
            status = HTTPStatus.OK if why is None else HTTPStatus.SERVICE_UNAVAILABLE
            return _response(status, f"{why or 'ok'}\n".encode())
        return _response(HTTPStatus.NOT_FOUND, b"/livez, /readyz, /metrics or POST /v1/hook\n")


def _request(lines: list[str]) -> tuple[int, HookRequest]:
    """Return the length of the body and what the head asks; BadRequestError if that is not certain."""
    subjects, told = [], dict[str, str]()
    for line in lines:
        name, is_pair, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not line:
            continue
        if not is_pair or (name in told and name.startswith(("detector-", "content-", "transfer-"))):
            raise BadRequestError("a header is none, or stands twice")
        if name == "detector-subject":
            subjects.append(unquote(value, errors="surrogateescape"))
        else:
            told[name] = value
    length, product = told.get("content-length", ""), told.get("detector-product", "")
    if not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= MOST_BODY_BYTES):
        raise BadRequestError(f"Content-Length must be at most {MOST_BODY_BYTES}")
    if "transfer-encoding" in told or product not in {"", *ASKING} or not 0 < len(subjects) <= MOST_SUBJECTS:
        raise BadRequestError(f"1 to {MOST_SUBJECTS} Detector-Subject and a known Detector-Product are needed")
    return int(length), HookRequest(b"", tuple(subjects), product)


def _response(status: HTTPStatus, body: bytes, more: dict[str, str] | None = None, kind: str = TEXT) -> bytes:
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (more or {}).items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body
