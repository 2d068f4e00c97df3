"""The port of probes and metrics answers, and what its clients do costs little."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from detector.errors import SetupError
from detector.worker.health import Health
from detector.worker.metrics import WorkerMetrics
from detector.worker.probes import MOST_CONNECTIONS, ProbeServer, serve


@pytest.fixture
def health() -> Health:
    return Health(5.0)


@pytest.fixture
def server(health: Health) -> Iterator[ProbeServer]:
    served = serve(("127.0.0.1", 0), health, WorkerMetrics())
    yield served
    served.shutdown()


def _get(server: ProbeServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_probes_answer_with_a_status_and_a_reason(server: ProbeServer, health: Health) -> None:
    """Orchestrators read the status, people the sentence."""
    assert _get(server, "/livez") == (200, "ok\n")
    assert _get(server, "/readyz") == (503, "no place in the consumer group yet\n")
    health.hold(2)
    health.is_policy_restored = True
    assert _get(server, "/readyz") == (200, "ok\n")
    assert _get(server, "/")[0] == 404


def test_metrics_are_served_in_prometheus_text(server: ProbeServer) -> None:
    """Every family of ours is there from the start."""
    status, text = _get(server, "/metrics")
    assert status == 200
    assert "# TYPE detector_events_total counter" in text


def test_a_taken_port_is_said_with_what_to_do(server: ProbeServer, health: Health) -> None:
    """Two workers on one machine need two ports."""
    with pytest.raises(SetupError, match="choose another port"):
        serve(("127.0.0.1", server.port), health, WorkerMetrics())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_a_probe_may_ask_for_the_head_only(health: Health, path: str) -> None:
    """Load balancers do; the answer is the same, without the body."""
    health.hold(2)
    health.is_policy_restored = True
    server = serve(("127.0.0.1", 0), health, WorkerMetrics())
    try:
        asking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        asking.request("HEAD", path)
        answer = asking.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0
        assert answer.headers["Content-Type"].startswith("text/plain")
        asking.close()
    finally:
        server.shutdown()


def _closed(metrics: WorkerMetrics, why: str) -> float:
    return metrics.registry.get_sample_value("detector_probe_connections_closed_total", {"why": why}) or 0.0


def _half_open(server: ProbeServer, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(count)]


@pytest.mark.chaos("300 half-open requests to the health port")
def test_three_hundred_half_open_requests_hold_no_thread_and_no_probe_up(health: Health) -> None:
    """Clients that connect and say nothing: liveness is answered, the oldest of them are closed, and counted."""
    metrics, before = WorkerMetrics(), threading.active_count()
    server = serve(("127.0.0.1", 0), health, metrics)
    silent = _half_open(server, 300)
    try:
        assert _get(server, "/livez") == (200, "ok\n")
        assert threading.active_count() == before + 1
        assert silent[0].recv(1) == b""
        assert _closed(metrics, "excess") == 300 + 1 - MOST_CONNECTIONS
    finally:
        for one in silent:
            one.close()
        server.shutdown()
    assert threading.active_count() == before


@pytest.mark.parametrize("said", [b"", b"GET /li", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
def test_a_request_that_does_not_end_is_closed_at_its_deadline(health: Health, said: bytes) -> None:
    """A byte now and then does not prolong it: the time is that of the whole request."""
    metrics = WorkerMetrics()
    server = serve(("127.0.0.1", 0), health, metrics, within_s=0.05)
    (slow,) = _half_open(server, 1)
    try:
        slow.sendall(said)
        assert slow.recv(1) == b""
        assert _closed(metrics, "late") == 1
    finally:
        slow.close()
        server.shutdown()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"nonsense", 400),
        (b"GET /livez", 400),
        (b"POST /livez HTTP/1.1", 405),
        (b"GET /livez?x=1 HTTP/1.1", 200),
        (b"GET /\xff HTTP/1.1", 404),
    ],
)
def test_what_is_no_probe_gets_an_answer_too(server: ProbeServer, request_line: bytes, status: int) -> None:
    """A scanner learns nothing and breaks nothing."""
    (asking,) = _half_open(server, 1)
    with asking:
        asking.sendall(request_line + b"\r\n\r\n")
        assert asking.recv(64).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_head_that_is_too_long_is_refused_without_being_kept(health: Health) -> None:
    """Memory of a connection is bounded: 8 KiB without an end are enough."""
    metrics = WorkerMetrics()
    server = serve(("127.0.0.1", 0), health, metrics)
    (flood,) = _half_open(server, 1)
    try:
        with flood, pytest.raises(ConnectionError):
            flood.sendall(b"x" * 10_000_000)
        assert _closed(metrics, "broken") == 1
    finally:
        server.shutdown()
