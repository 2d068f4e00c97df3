"""Liveness and readiness say what is wrong; metrics stand beside them."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from detector.errors import SetupError
from detector.worker.health import Health, serve
from detector.worker.metrics import WorkerMetrics


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(5.0, clock)


def _ready(health: Health) -> None:
    health.hold(2)
    health.is_policy_restored = True


def test_a_worker_outside_its_group_is_not_ready(health: Health) -> None:
    """No place, no partitions, no policy: each is said."""
    assert health.why_not_ready() == "no place in the consumer group yet"
    health.hold(0)
    assert "more workers than partitions" in (health.why_not_ready() or "")
    health.hold(2)
    assert "policy" in (health.why_not_ready() or "")
    health.is_policy_restored = True
    assert health.why_not_ready() is None


def test_a_rebalance_takes_readiness_away(health: Health) -> None:
    """From revoke to the next assignment the worker is not ready."""
    _ready(health)
    health.lose()
    assert health.why_not_ready() == "no place in the consumer group yet"


def test_an_old_checkpoint_takes_readiness_away(health: Health, clock: Clock) -> None:
    """A state topic that takes no writes shows within a minute."""
    _ready(health)
    clock.now += 59
    health.beat()
    assert health.why_not_ready() is None
    clock.now += 2
    health.beat()
    assert "61 s old" in (health.why_not_ready() or "")
    health.checkpointed()
    assert health.why_not_ready() is None


def test_a_stuck_event_loop_is_not_alive(health: Health, clock: Clock) -> None:
    """Liveness needs no group, only a loop that turns."""
    assert health.why_not_live() is None
    clock.now += 31
    assert "restart" in (health.why_not_live() or "")


@pytest.fixture
def server(health: Health) -> Iterator[ThreadingHTTPServer]:
    served = serve(("127.0.0.1", 0), health, WorkerMetrics().registry)
    yield served
    served.shutdown()
    served.server_close()


def _get(server: ThreadingHTTPServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_probes_answer_with_a_status_and_a_reason(server: ThreadingHTTPServer, health: Health) -> None:
    """Orchestrators read the status, people the sentence."""
    assert _get(server, "/livez") == (200, "ok\n")
    assert _get(server, "/readyz") == (503, "no place in the consumer group yet\n")
    _ready(health)
    assert _get(server, "/readyz") == (200, "ok\n")
    assert _get(server, "/")[0] == 404


def test_metrics_are_served_in_prometheus_text(server: ThreadingHTTPServer) -> None:
    """Every family of ours is there from the start."""
    status, text = _get(server, "/metrics")
    assert status == 200
    assert "# TYPE detector_events_total counter" in text


def test_a_taken_port_is_said_with_what_to_do(server: ThreadingHTTPServer, health: Health) -> None:
    """Two workers on one machine need two ports."""
    with pytest.raises(SetupError, match="choose another port"):
        serve(("127.0.0.1", server.server_port), health, WorkerMetrics().registry)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_a_probe_may_ask_for_the_head_only(health: Health, path: str) -> None:
    """Load balancers do; the answer is the same, without the body."""
    _ready(health)
    server = serve(("127.0.0.1", 0), health, WorkerMetrics().registry)
    try:
        asking = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
        asking.request("HEAD", path)
        answer = asking.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0
        assert answer.headers["Content-Type"].startswith("text/plain")
        asking.close()
    finally:
        server.shutdown()
        server.server_close()
