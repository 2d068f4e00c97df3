"""Real gateways, where DETECTOR_GATEWAYS names the folder of their environments, and an edge service as a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from detector.clock import system_clock
from detector.edge.copy import write_copy
from tests.edge.states import state
from tests.project.sources import ROOT

HOW = "python -m venv DIR/{0}; DIR/{0}/bin/pip install {1}"


def environment(name: str, packages: str) -> Path:
    """Return the folder of a gateway's environment; skip aloud without one.

    Parameters
    ----------
    name : str
        Its folder in the one that DETECTOR_GATEWAYS names.
    packages : str
        What it holds, for whoever reads why a test was skipped.
    """
    named = os.environ.get("DETECTOR_GATEWAYS", "")
    if not named or not (Path(named) / name / "bin" / "python").exists():
        pytest.skip(f"needs a real gateway: DETECTOR_GATEWAYS must be a folder made by {HOW.format(name, packages)}")
    return Path(named).absolute() / name


def free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def until(is_so: Callable[[], object], what: str, within_s: float = 60.0) -> None:
    """Wait until a callable returns something true."""
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.05)  # a process of another kind tells nobody that it listens


def answers(port: int) -> bool:
    """Return whether somebody listens on a port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Edge(NamedTuple):
    """An edge service without a broker, that goes by its copy."""

    process: subprocess.Popen[bytes]
    port: int
    socket_path: Path
    command_id: str

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def edge(folder: Path, contained: str, *words: str, fail: str = "static") -> Iterator[Edge]:
    """Yield `detector edge`, Kafka out of reach, with a kept copy in which one agent is isolated."""
    now = system_clock()
    command = state(
        subject=f"default/agent/{contained}", effective_at=now - 1.0, expires_at=now + 900.0, steps_down_until=None
    )
    write_copy(folder / "copy", [(command.subject, command)], now)
    port = free_port()
    started = [sys.executable, "-m", "detector", "edge", "--bootstrap", "127.0.0.1:1", "--listen-port", "0"]
    started += ["--socket", str(folder / "s"), "--copy", str(folder / "copy"), "--fail", fail]
    started += ["--ext-authz", f"127.0.0.1:{port}", *words]
    with (folder / "edge.log").open("wb") as log:
        process = subprocess.Popen(started, cwd=ROOT, stdout=log, stderr=log)
    try:
        until(lambda: answers(port) or process.poll() is not None, "the edge listens")
        assert process.poll() is None, (folder / "edge.log").read_text()
        yield Edge(process, port, folder / "s", command.command_id)
    finally:
        process.kill()
        process.wait()
