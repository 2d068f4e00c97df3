"""What is started for a run ends with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SLEEPER = "import signal; signal.pause()"
PARENT = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it as ignored
guard = subprocess.Popen([sys.executable, "-m", "detector.local.guard", sys.executable, "-c", {sleeper!r}],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(guard.stdout.readline().decode(), flush=True)
guard.wait()
"""


def _gone(pid: int) -> None:
    """Return once a process that is not our child is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    try:
        assert select.select([descriptor], [], [], 20)[0], f"process {pid} is still there"
    finally:
        os.close(descriptor)


@pytest.mark.integration
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_when_its_owner_is_gone(how: signal.Signals) -> None:
    """Kill -9 of the owner leaves nothing running."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(sleeper=SLEEPER)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(how)
    parent.wait(20)
    parent.stdout.close()
    _gone(pid)


@pytest.mark.integration
def test_the_guard_tells_the_commands_exit_status() -> None:
    """A broker that dies is seen by whoever started it."""
    guard = subprocess.Popen(
        [sys.executable, "-m", "detector.local.guard", sys.executable, "-c", "raise SystemExit(7)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert guard.stdin is not None
    assert guard.wait(20) == 7
    guard.stdin.close()


def test_a_folder_without_a_running_broker_is_free(tmp_path: Path) -> None:
    """A pid file left by a crash, of a process that is another one now, does not lock the folder."""
    from detector.local.kafka import running_pid

    assert running_pid(tmp_path) is None
    (tmp_path / "broker.pid").write_text(str(os.getpid()))
    assert running_pid(tmp_path) is None
