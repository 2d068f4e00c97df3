"""The service put together, on a real socket, with a broker that is not there: what it answers, keeps and leaves."""

from __future__ import annotations

import asyncio
import socket
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from detector.clock import system_clock
from detector.edge import reader as reading
from detector.edge import service as serving
from detector.edge import wire
from detector.edge.copy import read_copy, write_copy
from detector.edge.grpc_server import ENVOY_SERVICE
from detector.edge.ledger import AckLedger
from detector.edge.metrics import EdgeMetrics
from detector.edge.service import AckProducer, EdgeOptions, EdgeService
from detector.errors import SetupError
from detector.schema.topics import TopicNames
from tests.edge.questions import envoy_question, tool
from tests.edge.recordings import MADE_UP
from tests.edge.states import SUBJECT, record, state

NO_BROKER = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "error_cb": lambda _: None}


@pytest.fixture(autouse=True)
def _is_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait at the end for a broker that is not there."""
    monkeypatch.setattr(serving, "FLUSH_S", 0.05)
    monkeypatch.setattr(reading, "ASK_S", 0.05)


@pytest.fixture
def options() -> Iterator[EdgeOptions]:
    """Return how a service is set up in a folder of its own, with a short path as sockets want it."""
    with tempfile.TemporaryDirectory(prefix="e") as folder:
        place = Path(folder)
        yield EdgeOptions(place / "s", 0o660, None, "static", 30.0, place / "copy", "edge/test", "gateway")


async def _ask(path: Path, subject: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    body = MADE_UP["codex"]
    head = f"POST /v1/hook HTTP/1.1\r\nContent-Length: {len(body)}\r\nDetector-Subject: {subject}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    return answer


def _serve(options: EdgeOptions, act: Callable[[EdgeService], Awaitable[None]]) -> None:
    """Run a service while something is done with it, then stop it in order."""

    async def scene() -> None:
        service, stop = EdgeService(NO_BROKER, TopicNames(), options), asyncio.Event()
        running = asyncio.create_task(service.run(stop))
        await asyncio.sleep(0.05)  # its first steps: the socket is there before it waits for anything
        assert options.socket_path.exists()
        try:
            await act(service)
        finally:
            stop.set()
            await running

    asyncio.run(scene())


def _keep(options: EdgeOptions) -> None:
    now = system_clock()
    command = state(effective_at=now - 1.0, expires_at=now + 900.0, steps_down_until=None)
    assert options.copy is not None
    write_copy(options.copy, [(SUBJECT, command)], now)


def test_a_static_service_without_a_broker_goes_by_its_copy(options: EdgeOptions) -> None:
    """Whom it binds is denied, the others are not; it is not ready, and says why; the socket is gone afterwards."""
    _keep(options)

    async def act(service: EdgeService) -> None:
        assert stat.S_IMODE(options.socket_path.stat().st_mode) == 0o660
        assert b"deny" in await _ask(options.socket_path, SUBJECT)
        assert b"Content-Length: 0" in await _ask(options.socket_path, "default/agent/x")
        assert service.point.why_not_ready() is not None

    _serve(options, act)
    assert not options.socket_path.exists()
    assert options.copy is not None
    assert len(read_copy(options.copy)) == 1, "a topic that was never read does not replace the copy"


@pytest.mark.parametrize("how", ["closed", "no copy", "half a copy"])
def test_without_broker_and_without_something_to_go_by_every_call_is_denied(options: EdgeOptions, how: str) -> None:
    """A closed service does not look at the copy; a static one needs a whole one."""
    _keep(options)
    assert options.copy is not None
    if how == "no copy":
        options.copy.unlink()
    elif how == "half a copy":
        options.copy.write_text(options.copy.read_text().splitlines()[0])

    async def act(_: EdgeService) -> None:
        assert b"not been read" in await _ask(options.socket_path, "default/agent/x")

    _serve(replace(options, fail="closed") if how == "closed" else options, act)


def test_gateways_are_answered_by_what_hooks_are_answered_by(options: EdgeOptions) -> None:
    """Over gRPC on a unix socket, which no other user may ask on; gone when the service is."""
    _keep(options)
    path = options.socket_path.parent / "g"

    async def act(service: EdgeService) -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660

        def code(agent: str) -> int:
            with grpc.insecure_channel(f"unix:{path}") as channel:
                raw = channel.unary_unary(f"/{ENVOY_SERVICE}/Check")(envoy_question(tool("a"), agent), timeout=5.0)
            found: int = wire.CheckResponse.FromString(raw).status.code
            return found

        assert await asyncio.to_thread(code, SUBJECT.partition("/agent/")[2]) == 7
        assert await asyncio.to_thread(code, "x") == 0
        assert b"deny" in await _ask(options.socket_path, SUBJECT)
        count = service.metrics.registry.get_sample_value("detector_edge_answer_seconds_count")
        assert count == 3

    _serve(replace(options, gateways=f"unix:{path}", socket_mode=0o666), act)
    assert not path.exists()


def test_an_address_for_gateways_that_is_taken_ends_the_start_in_words(options: EdgeOptions) -> None:
    """And leaves no socket behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = replace(options, gateways=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(SetupError, match="ext-authz of edge must be a free address"):
            asyncio.run(EdgeService(NO_BROKER, TopicNames(), other).run(asyncio.Event()))
    assert not options.socket_path.exists()


def test_what_binds_is_kept_when_it_ends_and_while_it_runs(options: EdgeOptions) -> None:
    """In the copy, for the next start."""

    async def act(service: EdgeService) -> None:
        service.point.confirmed(0.0)
        service.point.heard(*record(state(expires_at=None)))

    _serve(options, act)
    assert options.copy is not None
    assert [key for key, _ in read_copy(options.copy)] == [SUBJECT.encode()]


def test_a_copy_that_cannot_be_written_is_counted_and_tried_again(options: EdgeOptions) -> None:
    """The service goes on; the copy comes when it can."""
    folder = options.socket_path.parent / "later"
    elsewhere = replace(options, copy=folder / "copy")

    async def act(service: EdgeService) -> None:
        service.point.confirmed(0.0)
        service._tick()
        count = service.metrics.registry.get_sample_value("detector_edge_copies_failed_total")
        assert count is not None
        assert count >= 1
        folder.mkdir()
        service._tick()
        assert read_copy(folder / "copy") == []

    _serve(elsewhere, act)


def test_a_socket_that_a_dead_service_left_is_taken_and_a_living_ones_is_not(options: EdgeOptions) -> None:
    """Two services on one socket would answer in turn."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(options.socket_path))

    async def act(_: EdgeService) -> None:
        with pytest.raises(SetupError, match="running service"):
            await EdgeService(NO_BROKER, TopicNames(), options).run(asyncio.Event())
        assert options.socket_path.exists()

    async def scene() -> None:
        service, stop = EdgeService(NO_BROKER, TopicNames(), options), asyncio.Event()
        running = asyncio.create_task(service.run(stop))
        await asyncio.sleep(0.05)
        await act(service)
        stop.set()
        await running

    asyncio.run(scene())


def test_a_place_that_cannot_be_had_is_refused_in_words(options: EdgeOptions) -> None:
    """A socket's folder that is missing, a port that is taken."""

    async def run(other: EdgeOptions) -> None:
        await EdgeService(NO_BROKER, TopicNames(), other).run(asyncio.Event())

    with pytest.raises(SetupError, match="make its folder"):
        asyncio.run(run(replace(options, socket_path=options.socket_path.parent / "none" / "s")))
    with pytest.raises(SetupError, match="too long"):
        asyncio.run(run(replace(options, socket_path=options.socket_path.parent / ("x" * 200))))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SetupError, match="must be free"):
        asyncio.run(run(replace(options, listen=("127.0.0.1", taken.getsockname()[1]))))


def test_acknowledgements_past_the_queue_are_lost_aloud(options: EdgeOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for Kafka: what does not fit is told back, so that it is counted."""
    monkeypatch.setattr(serving, "MOST_WAITING", 3)
    producer = AckProducer(NO_BROKER, "acks", EdgeMetrics())
    ack = AckLedger("p").applied(state(), "isolate", 1.0)
    assert [producer.send(ack) for _ in range(5)] == [True, True, True, False, False]
