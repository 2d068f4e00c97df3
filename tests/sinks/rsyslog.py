"""A rsyslogd of the tests' own: own folder, own ports, own pid file."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

WAIT_S = 15.0
CONFIG = """\
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imtcp")
module(load="imudp")
template(name="raw" type="list") {{ property(name="rawmsg") constant(value="\\n") }}
template(name="body" type="list") {{ property(name="msg") constant(value="\\n") }}
ruleset(name="keep") {{
  action(type="omfile" file="{folder}/raw.log" template="raw")
  action(type="omfile" file="{folder}/body.log" template="body")
}}
input(type="imtcp" address="127.0.0.1" port="{tcp}" listenPortFileName="{folder}/port" ruleset="keep")
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="keep")
"""


def wait_until(what: Callable[[], bool]) -> None:
    """Return once it is so; another process's files can only be looked at again."""
    deadline = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # rsyslogd tells nobody when it has written


class Rsyslog:
    """A rsyslogd of our own: own folder, own ports, own pid file."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.folder = folder
        self._binary = binary
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.udp = free.getsockname()[1]
        self.tcp = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until it listens; a second time on the same ports."""
        config = self.folder / "rsyslog.conf"
        config.write_text(CONFIG.format(folder=self.folder, tcp=self.tcp, udp=self.udp))
        port = self.folder / "port"
        port.unlink(missing_ok=True)
        (self.folder / "pid").unlink(missing_ok=True)  # what a killed one leaves behind keeps the next from starting
        command = [self._binary, "-n", "-f", str(config), "-i", str(self.folder / "pid")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self.tcp == 0:  # it writes the file only when it may choose
            wait_until(lambda: port.is_file() and port.read_text() != "")
            self.tcp = int(port.read_text())
        wait_until(self._answers)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(("127.0.0.1", self.tcp)) == 0

    def stop(self, *, kill: bool = False) -> None:
        """Stop it: in order, or as a power cut would."""
        if self._process is not None:
            if kill:
                self._process.kill()
            else:
                self._process.terminate()
            self._process.wait(WAIT_S)
            self._process = None

    def lines(self, name: str = "raw.log") -> list[bytes]:
        """Return what it has written, without a torn last line."""
        path = self.folder / name
        return path.read_bytes().split(b"\n")[:-1] if path.is_file() else []


def rsyslogd() -> str:
    """Return the path of rsyslogd; REQUIRE_RSYSLOG=1 makes a missing one a failure, else the test is skipped aloud."""
    binary = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        if os.environ.get("REQUIRE_RSYSLOG") == "1":
            pytest.fail("rsyslogd is required (REQUIRE_RSYSLOG=1) and not installed: apt-get install rsyslog")
        pytest.skip("rsyslogd is not installed: syslog is not tested against a real receiver here")
    return binary
