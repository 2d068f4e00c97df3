"""A real rsyslogd on loopback: what is sent is what it writes down."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from detector.schema.alert import Alert
from detector.sinks.ocsf import render
from detector.sinks.sender import SenderOptions, SyslogSender
from detector.sinks.syslog import Header, message
from detector.sinks.target import Target

MakeAlert = Callable[..., Alert]
WAIT_S = 15.0
NASTY = [
    "line\nfeed\r\n<13>1 - forged - - - -",
    'quote " bracket ] backslash \\ pipe | equals = end"]',
    "tab\tnul\x00escape\x1b[31m delete\x7f",
    "separator\u2028override\u202e smile \U0001f600 é ü",
    "%s %n #012 #{x} $(x) {{x}}",
]
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


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    """Return a running rsyslogd; REQUIRE_RSYSLOG=1 makes a missing one a failure."""
    binary = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        if os.environ.get("REQUIRE_RSYSLOG") == "1":
            pytest.fail("rsyslogd is required (REQUIRE_RSYSLOG=1) and not installed: apt-get install rsyslog")
        pytest.skip("rsyslogd is not installed: syslog is not tested against a real receiver here")
    server = Rsyslog(binary, tmp_path)
    server.start()
    yield server
    server.stop()


def _nasty(make_alert: MakeAlert) -> list[bytes]:
    alerts = [make_alert(agent=text, title=text, event_id=str(number)) for number, text in enumerate(NASTY)]
    return [message(render(alert), Header("soc-1")) for alert in alerts]


def test_nasty_strings_come_back_exactly_over_tcp(rsyslog: Rsyslog, make_alert: MakeAlert) -> None:
    """One alert is one record, byte for byte; the body is the finding and parses."""
    sent = _nasty(make_alert)
    with SyslogSender(Target("tcp", "127.0.0.1", rsyslog.tcp)) as sender:
        for one in sent:
            sender.send(one)
        sender.flush()
    wait_until(lambda: len(rsyslog.lines("body.log")) >= len(sent))
    assert rsyslog.lines() == sent
    bodies = [json.loads(line) for line in rsyslog.lines("body.log")]
    assert [body["resources"][0]["uid"] for body in bodies] == NASTY
    assert [body["finding_info"]["title"] for body in bodies] == NASTY


def test_nasty_strings_come_back_exactly_over_udp(rsyslog: Rsyslog, make_alert: MakeAlert) -> None:
    """Loopback loses nothing; a network may."""
    sent = _nasty(make_alert)
    with SyslogSender(Target("udp", "127.0.0.1", rsyslog.udp)) as sender:
        for number, one in enumerate(sent):
            sender.send(one)
            wait_until(lambda due=number + 1: len(rsyslog.lines()) >= due)
    assert rsyslog.lines() == sent


def test_a_close_in_order_loses_nothing(rsyslog: Rsyslog) -> None:
    """Ten thousand messages, and the process that sent them is done."""
    sent = [message({"count": number}, Header("soc-1")) for number in range(10_000)]
    with SyslogSender(Target("tcp", "127.0.0.1", rsyslog.tcp)) as sender:
        for one in sent:
            sender.send(one)
    wait_until(lambda: len(rsyslog.lines()) >= len(sent))
    assert rsyslog.lines() == sent


def test_a_killed_receiver_is_found_again_and_nothing_is_missing(rsyslog: Rsyslog) -> None:
    """Kill -9 between two alerts: the last ones are sent again, so repeats there may be, gaps not."""
    sent = [message({"count": number}, Header("soc-1")) for number in range(400)]
    options = SenderOptions(timeout_s=WAIT_S, attempts=100)
    with SyslogSender(Target("tcp", "127.0.0.1", rsyslog.tcp), options) as sender:
        for number, one in enumerate(sent):
            sender.send(one)
            if number in {100, 250}:
                rsyslog.stop(kill=True)
                rsyslog.start()
    wait_until(lambda: set(rsyslog.lines()) >= set(sent))
    assert set(rsyslog.lines()) == set(sent)
