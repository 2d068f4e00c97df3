"""Runs one command and ends it when the process that asked for it is gone, however that one went.

Started as ``python -m detector.local.guard COMMAND...`` with a pipe as standard input. It prints the command's
process id, and terminates the command as soon as the pipe closes: on an orderly stop, on Ctrl-C, and on ``kill -9``
of the parent alike.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

GRACE_S = 20.0
"""How long a controlled shutdown may take before the command is killed."""


def main(command: list[str]) -> int:
    """Return the exit status of the command, which never outlives the reader's pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which then closes the pipe
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    print(child.pid, flush=True)  # noqa: T201 - the parent reads it
    threading.Thread(target=_end_with_the_pipe, args=(child,), daemon=True).start()
    return child.wait()


def _end_with_the_pipe(child: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1):
        pass
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
