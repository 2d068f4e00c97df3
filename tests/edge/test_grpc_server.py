"""Where gateways may be listened for, and what is said where it cannot be."""

from __future__ import annotations

import builtins
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from detector.edge import wire
from detector.edge.callers import Trust
from detector.edge.gateways import Gateways
from detector.edge.grpc_server import ENVOY_SERVICE, MOST_CALLS, GrpcServer, host_of
from detector.errors import SetupError
from tests.edge.questions import envoy_question, tool
from tests.edge.test_point import Scene


@pytest.fixture
def socket_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="g") as folder:
        yield Path(folder) / "g"


def _server(address: str) -> GrpcServer:
    scene = Scene()
    return GrpcServer(Gateways(scene.point, Trust()), scene.metrics, address, 0o660)


@pytest.mark.parametrize(
    ("address", "host"),
    [("127.0.0.1:9191", "127.0.0.1"), ("[::1]:9191", "[::1]"), ("gateway:0", "gateway"), ("unix:/run/e.sock", None)],
)
def test_an_address_has_a_host_or_is_a_socket(address: str, host: str | None) -> None:
    """Who may reach it is another question (`tests/edge/test_tls.py`)."""
    assert host_of(address) == host


@pytest.mark.parametrize("address", [":9191", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "unix:e", "unix:e:1", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    """Before anything is listened on."""
    with pytest.raises(SetupError, match="HOST:PORT"):
        host_of(address)
    with pytest.raises(SetupError, match="HOST:PORT"):
        _server(address)


def test_a_unix_socket_has_the_rights_that_were_set_and_one_in_use_is_not_taken(socket_path: Path) -> None:
    """Two services on one socket would answer in turn."""
    server = _server(f"unix:{socket_path}")
    server.start()
    try:
        assert stat.S_IMODE(socket_path.stat().st_mode) == 0o660
        with pytest.raises(SetupError, match="running service"):
            _server(f"unix:{socket_path}").start()
        with grpc.insecure_channel(f"unix:{socket_path}") as channel:
            raw = channel.unary_unary(f"/{ENVOY_SERVICE}/Check")(b"", timeout=5.0)
        assert wire.CheckResponse.FromString(raw).status.code == 7
    finally:
        server.stop()


def test_a_port_that_is_taken_is_refused_and_not_shared() -> None:
    """By itself gRPC lets two services listen on one port."""
    first = _server("127.0.0.1:0")
    port = first.start()
    try:
        with pytest.raises(SetupError, match="free address"):
            _server(f"127.0.0.1:{port}").start()
    finally:
        first.stop()


def test_more_questions_than_are_answered_at_once_are_refused_and_not_kept() -> None:
    """While no answer can be given: what is over 128 has an error at once, on which gateways deny."""
    scene = Scene()
    scene.point.confirmed(1_000.0)
    server = GrpcServer(Gateways(scene.point, Trust()), scene.metrics, "127.0.0.1:0")
    raw, told = envoy_question(tool("a"), "ci-7"), threading.Semaphore(0)
    with grpc.insecure_channel(f"127.0.0.1:{server.start()}") as channel:
        ask = channel.unary_unary(f"/{ENVOY_SERVICE}/Check")
        with scene.point._lock:
            asked = [ask.future(raw, timeout=30.0) for _ in range(MOST_CALLS + 20)]
            for one in asked:
                one.add_done_callback(lambda _: told.release())
            assert all(told.acquire(timeout=10.0) for _ in range(20))
            refused = [one for one in asked if one.done()]
        answers = [wire.CheckResponse.FromString(one.result()) for one in asked if one not in refused]
    server.stop()
    assert {one.code() for one in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert [one.status.code for one in answers] == [0] * MOST_CALLS


def test_without_grpc_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is not part of an installation for hooks only."""
    real = builtins.__import__

    def without(name: str, *words: Any) -> Any:
        if name == "grpc":
            raise ImportError(name)
        return real(name, *words)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SetupError, match=r"\[gateway\]"):
        _server("127.0.0.1:0")
