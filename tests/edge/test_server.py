"""The server answers the gate and the probes, and nobody can hold it up; real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.edge import server as serving
from detector.edge.metrics import EdgeMetrics
from detector.edge.point import EnforcementPoint
from detector.edge.server import MOST_BODY_BYTES, BadRequestError, EdgeServer
from detector.edge.view import PolicyView
from tests.edge.recordings import MADE_UP
from tests.edge.states import SUBJECT, SetClock, record, state

Talk = Callable[[bytes], Awaitable[bytes]]


class Served:
    """A point with one contained agent behind a server on a unix socket and on a port."""

    def __init__(self, folder: Path, within_s: float = 5.0) -> None:
        self.path = folder / "s"
        self.metrics = EdgeMetrics()
        self.point = EnforcementPoint(PolicyView(SetClock(150.0), SetClock(0.0)), "p", self.metrics, lambda _: True)
        self.point.heard(*record(state()))
        self.point.confirmed(0.0)
        self.server = EdgeServer(self.point, self.metrics, within_s)

    async def __aenter__(self) -> Self:
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(str(self.path))
        unix.listen()
        port = socket.create_server(("127.0.0.1", 0))
        self.port = int(port.getsockname()[1])
        await self.server.listen(unix, may_ask=True)
        await self.server.listen(port, may_ask=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def talk(self, sent: bytes, *, by_port: bool = False) -> bytes:
        """Return everything that comes back, until the server closes."""
        if by_port:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        else:
            reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(sent)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


def _post(body: bytes, *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = ["POST /v1/hook HTTP/1.1", f"Content-Length: {size}", *headers]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


OURS = f"Detector-Subject: {SUBJECT}"
BODY = MADE_UP["codex"]


def test_a_contained_agent_gets_its_denial_and_another_gets_nothing(tmp_path: Path) -> None:
    """Status, the length of standard output, then both outputs."""

    async def scene() -> None:
        async with Served(tmp_path) as served:
            denied = await served.talk(_post(BODY, "Detector-Product: codex", OURS))
            assert denied.startswith(b"HTTP/1.1 200 OK\r\n")
            head, _, body = denied.partition(b"\r\n\r\n")
            assert b"Detector-Status: 0" in head
            assert b"Detector-Out: %d" % len(body) in head
            assert b'"permissionDecision": "deny"' in body
            free = await served.talk(_post(BODY, "Detector-Subject: default/agent/x"))
            assert b"Content-Length: 0" in free
            assert b"Detector-Status: 0" in free

    asyncio.run(scene())


def test_a_guardrail_asks_as_hooks_do_and_is_answered_by_status_and_reason(tmp_path: Path) -> None:
    """LiteLLM's form is no form of a program: status 2 and the reason. A gateway does not ask here."""

    async def scene() -> None:
        async with Served(tmp_path) as served:
            body = b'{"hook_event_name":"PreToolUse","tool_name":"chat"}'
            head, _, said = (await served.talk(_post(body, "Detector-Product: litellm", OURS))).partition(b"\r\n\r\n")
            assert b"Detector-Status: 2" in head
            assert b"Detector-Out: 0" in head
            assert said.startswith(b"Denied by policy")
            assert b"400" in await served.talk(_post(body, "Detector-Product: envoy", OURS))

    asyncio.run(scene())


def test_a_subject_is_percent_encoded(tmp_path: Path) -> None:
    """Any agent id can be asked for."""

    async def scene() -> None:
        async with Served(tmp_path) as served:
            odd = "default/agent/k\u00f6ln 7%\r\n"
            served.point.heard(*record(state(subject=odd)))
            answer = await served.talk(_post(BODY, "Detector-Subject: default/agent/k%C3%B6ln%207%25%0D%0A"))
            assert b"deny" in answer

    asyncio.run(scene())


@pytest.mark.parametrize(
    "sent",
    [
        _post(BODY),
        _post(BODY, "Detector-Product: cursor", OURS),
        _post(BODY, OURS, "Detector-Product: codex", "Detector-Product: gemini-cli"),
        _post(BODY, OURS, "Transfer-Encoding: chunked"),
        _post(BODY, *[OURS] * 33),
        _post(b"", OURS, length=MOST_BODY_BYTES + 1),
        _post(b"", OURS, length=-1),
        _post(BODY, OURS, "Content-Length: 5"),
        _post(BODY, OURS, "no header"),
        b"hello\r\n\r\n",
    ],
)
def test_a_request_that_is_not_certain_is_refused(tmp_path: Path, sent: bytes) -> None:
    """Nothing is guessed: the gate takes any other status as no answer, which denies."""

    async def scene() -> None:
        async with Served(tmp_path) as served:
            answer = await served.talk(sent)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"Detector-Status" not in answer

    asyncio.run(scene())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Content-Length", "Detector-Subject", "Detector-Product", "Transfer-Encoding", "X", ""]),
            st.text(max_size=12) | st.sampled_from(["0", "5", "codex", "a/agent/b", "%FF", "\u0663"]),
        ),
        max_size=8,
    )
)
def test_a_head_is_understood_wholly_or_refused(pairs: list[tuple[str, str]]) -> None:
    """Whatever stands in it: a length within the cap and one to 32 subjects, or one kind of refusal."""
    try:
        length, asked = serving._request([f"{name}:{value}" for name, value in pairs])
    except BadRequestError:
        return
    names = [name for name, _ in pairs]
    assert 0 <= length <= MOST_BODY_BYTES
    assert len(asked.subjects) == names.count("Detector-Subject") > 0
    assert names.count("Content-Length") == 1
    assert names.count("Detector-Product") <= 1
    assert "Transfer-Encoding" not in names


def test_probes_and_metrics_are_answered_on_the_port_and_hooks_are_not(tmp_path: Path) -> None:
    """Health for the supervisor, the histogram for Prometheus."""

    async def scene() -> None:
        async with Served(tmp_path) as served:
            for path in (b"/livez", b"/readyz"):
                assert (await served.talk(b"GET %s HTTP/1.1\r\n\r\n" % path, by_port=True)).endswith(b"\r\n\r\nok\n")
            page = await served.talk(b"GET /metrics HTTP/1.1\r\n\r\n", by_port=True)
            assert b"detector_edge_containment_seconds_bucket" in page
            assert b"detector_edge_bound_subjects 1.0" in page
            assert b" 405 " in await served.talk(_post(BODY, OURS), by_port=True)
            assert b" 405 " in await served.talk(b"DELETE /livez HTTP/1.1\r\n\r\n", by_port=True)
            assert b" 404 " in await served.talk(b"GET / HTTP/1.1\r\n\r\n", by_port=True)

    asyncio.run(scene())


def test_a_point_that_has_not_read_is_not_ready(tmp_path: Path) -> None:
    """503 with the reason in words."""

    async def scene() -> None:
        async with Served(tmp_path) as served:
            view = PolicyView(SetClock(150.0), SetClock(0.0))
            served.server._point = EnforcementPoint(view, "p", served.metrics, lambda _: True)
            answer = await served.talk(b"GET /readyz HTTP/1.1\r\n\r\n", by_port=True)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert answer.endswith(b"policy topic not read to its end yet\n")

    asyncio.run(scene())


def test_one_that_sends_nothing_or_half_is_closed_in_time(tmp_path: Path) -> None:
    """Silence, half a head, half a body: counted, and no connection stays."""

    async def scene() -> None:
        async with Served(tmp_path, within_s=0.2) as served:
            for sent in (b"", b"POST /v1/hook HT", _post(b"abc", OURS, length=100)):
                assert await served.talk(sent) == b""
            assert served.server._open == [{}, {}]
            assert (
                served.metrics.registry.get_sample_value("detector_edge_connections_closed_total", {"why": "late"}) == 3
            )

    asyncio.run(scene())


def test_a_head_without_end_is_closed(tmp_path: Path) -> None:
    """Its length has a cap."""

    async def scene() -> None:
        async with Served(tmp_path) as served:
            assert await served.talk(b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000) == b""

    asyncio.run(scene())


def test_who_floods_the_port_of_probes_pushes_out_no_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other machines may reach that port: a call that is being asked about is answered all the same."""
    monkeypatch.setattr(serving, "MOST_CONNECTIONS", 4)

    async def scene() -> None:
        async with Served(tmp_path) as served:
            reader, writer = await asyncio.open_unix_connection(str(served.path))
            asked = _post(BODY, OURS)
            writer.write(asked[:20])
            flood = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(20)]
            assert (await served.talk(b"GET /livez HTTP/1.1\r\n\r\n", by_port=True)).endswith(b"ok\n")
            writer.write(asked[20:])
            assert b"deny" in await reader.read()
            for _, open_one in [*flood, (reader, writer)]:
                open_one.close()

    asyncio.run(scene())


def test_whoever_holds_connections_open_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest makes room: a call is answered at once beside many that say nothing."""
    monkeypatch.setattr(serving, "MOST_CONNECTIONS", 4)

    async def scene() -> None:
        async with Served(tmp_path) as served:
            idle = [await asyncio.open_unix_connection(str(served.path)) for _ in range(20)]
            assert b"deny" in await served.talk(_post(BODY, OURS))
            assert max(map(len, served.server._open)) <= 4
            for _, writer in idle:
                writer.close()

    asyncio.run(scene())
