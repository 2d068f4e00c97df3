"""Compiling is told while it happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from detector.kernels import NOTICE, KernelStep, at_times

TWICE = """
import sys
from detector.kernels import kernels_told, notice_on_stderr
from detector.sketches.hashing import mix
with notice_on_stderr(), kernels_told(lambda step: print(step.kernel, step.begun, step.of)):
    mix(1, 2)
    mix(3, 4)
"""


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.integration
def test_a_kernel_is_told_by_name_and_number_and_only_when_it_is_compiled(tmp_path: Path) -> None:
    """The first process compiles and says so once; the second finds the kernel on disk and says nothing."""
    first = _run(tmp_path, "-c", TWICE)
    assert first.returncode == 0, first.stderr
    lines = [line.split() for line in first.stdout.splitlines()]
    assert "sketches.hashing.mix" in [name for name, _, _ in lines]
    assert [int(begun) for _, begun, _ in lines] == list(range(1, len(lines) + 1))
    assert all(int(begun) <= int(of) for _, begun, of in lines)
    assert first.stderr.count(NOTICE) == 1
    again = _run(tmp_path, "-c", TWICE)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


@pytest.mark.integration
def test_a_command_that_finds_no_kernels_says_so(tmp_path: Path) -> None:
    """One line on standard error, before the wait, and none on standard output."""
    replay = subprocess.Popen(
        [sys.executable, "-m", "detector", "replay", "--quiet"],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert replay.stdin is not None
    assert replay.stderr is not None
    event = b'{"event_id":"e","ts":"2026-01-01T00:00:00Z","agent_id":"a","kind":"tool_call","name":"t"}\n'
    replay.stdin.write(event)
    replay.stdin.close()
    try:
        assert replay.stderr.readline().decode() == f"detector: {NOTICE}\n"
    finally:
        replay.kill()  # the rest of the minute is not waited for
        replay.wait()
        for pipe in (replay.stdout, replay.stderr):
            if pipe is not None:
                pipe.close()


def test_between_two_lines_about_kernels_are_two_seconds() -> None:
    """The first at once; a log does not get two hundred lines."""
    now = 0.0
    told: list[int] = []
    tell = at_times(lambda step: told.append(step.begun), lambda: now)
    for number, now in enumerate([0.0, 0.5, 1.9, 2.0, 2.1, 9.0], start=1):  # noqa: B007 - the clock reads it
        tell(KernelStep("k", number, 6))
    assert told == [1, 4, 6]
