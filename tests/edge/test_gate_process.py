"""The hook command as agents start it: a process, answered by a service, by nobody, or by somebody odd."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from detector.edge.calls import PRODUCTS
from detector.edge.copy import write_copy
from detector.edge.metrics import EdgeMetrics
from detector.edge.point import EnforcementPoint
from detector.edge.server import EdgeServer
from detector.edge.view import PolicyView
from tests.edge.recordings import MADE_UP, recorded
from tests.edge.states import SetClock, record, state
from tests.edge.test_contracts import EXPECTED
from tests.project.sources import ROOT

pytestmark = pytest.mark.integration

GATE = ROOT / "detector_gate.py"
CONTAINED = "default/agent/ci-7"


def run(folder: Path, *words: str, body: bytes = MADE_UP["codex"]) -> subprocess.CompletedProcess[bytes]:
    """Return what the command did, started as docs/enforce.md says."""
    command = [sys.executable, "-I", "-S", str(GATE), "--socket", str(folder / "s"), *words]
    return subprocess.run(command, input=body, capture_output=True, timeout=30, check=False, env={})


@contextmanager
def serving(folder: Path) -> Iterator[EnforcementPoint]:
    """Yield a point that holds one contained agent, behind a server in a thread."""
    metrics = EdgeMetrics()
    point = EnforcementPoint(PolicyView(SetClock(150.0), SetClock(0.0)), "p", metrics, lambda _: True)
    point.heard(*record(state(subject=CONTAINED)))
    point.confirmed(0.0)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "s"))
    listener.listen()
    loop, server = asyncio.new_event_loop(), EdgeServer(point, metrics)
    loop.run_until_complete(server.listen(listener, may_ask=True))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield point
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.data
@pytest.mark.parametrize("product", PRODUCTS)
def test_every_recorded_call_of_a_contained_agent_is_denied_in_its_programs_form(product: str, tmp_path: Path) -> None:
    """And the same call of an agent that is not contained is answered with nothing at all."""
    with serving(tmp_path):
        for raw in recorded(product):
            held = run(tmp_path, "--product", product, "--agent", "ci-7", body=raw)
            free = run(tmp_path, "--product", product, "--agent", "ci-8", body=raw)
            assert (free.returncode, free.stdout, free.stderr) == (0, b"", b"")
            event = json.loads(raw).get("hook_event_name", "")
            if event.startswith(("Post", "After")):
                assert (held.returncode, held.stdout) == (0, b"")
                continue
            assert (held.returncode, held.stderr) == (0, b"")
            said = json.loads(held.stdout)
            assert _without_reason(said) == _without_reason(EXPECTED[product])


def _without_reason(said: object) -> str:
    def leave(one: object) -> object:
        return {k: leave(v) for k, v in one.items() if "eason" not in k} if isinstance(one, dict) else one

    return json.dumps(leave(said), sort_keys=True)


@pytest.mark.parametrize("body", [b"", b"{", b"x" * 3_000_000])
def test_an_input_that_cannot_be_read_is_denied_to_who_is_contained_only(body: bytes, tmp_path: Path) -> None:
    """Empty, broken, three megabytes: read to its end, so that the agent does not hang."""
    with serving(tmp_path):
        assert run(tmp_path, "--agent", "ci-7", "--product", "codex", body=body).returncode == 2
        assert run(tmp_path, "--agent", "ci-8", "--product", "codex", body=body).returncode == 0


def test_a_service_that_is_gone_leaves_the_setting(tmp_path: Path) -> None:
    """Closed denies everybody; static denies whom the kept copy binds, and without one everybody."""
    copy = tmp_path / "copy"
    with serving(tmp_path) as point:
        write_copy(copy, point.changed() or [], 150.0)
    write_copy(copy, [(CONTAINED, state(subject=CONTAINED, expires_at=None))], 150.0)
    static = ("--fail", "static", "--copy", str(copy))
    for words, status in (((), 2), (static, 0)):
        assert run(tmp_path, "--agent", "ci-8", *words).returncode == status
    held = run(tmp_path, "--agent", "ci-7", *static)
    assert (held.returncode, held.stdout) == (2, b"")
    assert b"last policy" in held.stderr
    copy.unlink()
    assert run(tmp_path, "--agent", "ci-8", *static).returncode == 2


def _odd(listener: socket.socket, act: Callable[[socket.socket], None]) -> None:
    client, _ = listener.accept()
    with client, suppress(ConnectionError):  # the gate hangs up on what it does not want to hear
        act(client)


def _is_silent(client: socket.socket) -> None:
    while client.recv(65_536):
        pass


@pytest.mark.parametrize(
    "act",
    [
        _is_silent,
        lambda client: client.close(),
        lambda client: client.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}"),
        lambda client: client.sendall(b"HTTP/1.1 200 OK\r\nDetector-Status: 0\r\n" + b"a" * 1_000_000),
    ],
    ids=["silent", "hangs up", "says yes in other words", "says too much"],
)
def test_who_answers_oddly_has_not_allowed_anything(act: Callable[[socket.socket], None], tmp_path: Path) -> None:
    """Whatever stands behind the socket, the call is denied, and within the time that is set."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        thread = threading.Thread(target=_odd, args=(listener, act), daemon=True)
        thread.start()
        began = time.monotonic()
        done = run(tmp_path, "--timeout", "0.5")
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"does not answer" in done.stderr
        assert time.monotonic() - began < 10
        thread.join(10)


def test_an_agent_that_never_ends_its_input_is_denied_in_time(tmp_path: Path) -> None:
    """The time counts from the start, not from the question."""
    command = [sys.executable, "-I", "-S", str(GATE), "--socket", str(tmp_path / "s"), "--timeout", "0.3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={}) as process:
        assert process.wait(20) == 2


def test_settings_that_are_wrong_deny(tmp_path: Path) -> None:
    """A slip in a managed setting shows at the first call, as a denial with its reason."""
    done = run(tmp_path, "--fail", "open")
    assert done.returncode == 2
    assert b"--fail" in done.stderr


def test_the_environment_cannot_change_what_runs(tmp_path: Path) -> None:
    """A project that plants modules and variables for Python is not imported."""
    (tmp_path / "_socket.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(0)\n")
    command = [sys.executable, "-I", "-S", str(GATE), "--socket", str(tmp_path / "s")]
    planted = {"PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "sitecustomize.py")}
    done = subprocess.run(command, input=b"{}", capture_output=True, timeout=30, check=False, env=planted, cwd=tmp_path)
    assert done.returncode == 2
