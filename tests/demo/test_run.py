"""The demo's worker is waited for, given up and ended; its story is the same on every weekday."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from detector.demo import run
from detector.demo.run import Worker, last_monday
from detector.errors import SetupError
from detector.local.ladder import Broker
from detector.schema.topics import TopicNames
from detector.simulate.fleet import MONDAY
from detector.simulate.scenario import Scenario


def test_a_seed_is_the_same_story_on_every_weekday() -> None:
    """The live part starts at the last Monday, whenever the demo is run."""
    week = 7 * 86_400.0
    assert last_monday(MONDAY + 2 * week + 5.0) == last_monday(MONDAY + 3 * week - 5.0) == MONDAY + 2 * week


STARTS_SLOWLY = """
import sys, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass

for step in range(8):
    head = "2026-01-01T00:00:00Z [info     ] compiling kernels       [detector.worker]"
    print(head, "kernel=k step=%d" % step, file=sys.stderr, flush=True)
    time.sleep(0.4)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
SAYS_NOTHING = "import signal; signal.pause()"


def _worker(folder: Path, script: str) -> Worker:
    worker = Worker(Broker("127.0.0.1:1", "external"), TopicNames(), Scenario([], [], (), MONDAY, MONDAY), folder)
    worker.words = (sys.executable, "-c", script, str(worker.port))
    return worker


@pytest.mark.integration
def test_a_worker_that_goes_on_is_waited_for_however_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three seconds of compiling with a patience of two: the log moves, so it is alive, and it is told on."""
    monkeypatch.setattr(run, "SAY_S", 0.5)
    said: list[str] = []
    with _worker(tmp_path, STARTS_SLOWLY) as worker:
        worker.wait_until_ready(said.append, stall_s=2.0)
    assert said
    assert said[0].startswith("worker: compiling kernels kernel=k step=")


@pytest.mark.integration
def test_a_worker_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    """Silence is what a hanging start looks like; the end of the log stands in the refusal."""
    with (
        _worker(tmp_path, SAYS_NOTHING) as worker,
        pytest.raises(SetupError, match="no sign of it for 1 s, last: nothing said"),
    ):
        worker.wait_until_ready(print, stall_s=1.0)


@pytest.mark.integration
def test_a_worker_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    """Its last words are the reason."""
    with (
        _worker(tmp_path, "raise SystemExit('detector: no broker')") as worker,
        pytest.raises(SetupError, match="must become ready, got: detector: no broker"),
    ):
        worker.wait_until_ready(print)


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_started_by_nohup_ends_on_both_signals(number: signal.Signals) -> None:
    """A shell's background job inherits SIGINT as ignored; the demo and the broker take it back."""
    begin = "import os\nfrom detector.demo.commands import end_on_signals\nend_on_signals()\n"
    code = f"{begin}os.kill(os.getpid(), {number})"
    ran = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, f"{code}\nprint('still here')"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "still here" not in ran.stdout
    assert "KeyboardInterrupt" in ran.stderr
