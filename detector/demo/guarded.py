"""A program of a run that ends with it: under the guard, its words in a file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from detector.errors import SetupError

POLL_S: Final = 0.1
LAST_WORDS: Final = 3


class Guarded:
    """A process that never outlives this one; a context manager that has started it and ends it.

    Parameters
    ----------
    name : str
        For a person, and of the log.
    words : sequence of str
        The command.
    folder : Path
        Where ``<name>.log`` is written.
    settings : mapping of str to str, optional
        Beside the environment of this process, but for what settings of ours stand in that.

    Attributes
    ----------
    words, environment : sequence of str, dict of str to str
        The command, and the environment it is started with; what is changed before the start counts.
    guard : subprocess.Popen
        The guard that runs it, once it was started.
    """

    guard: subprocess.Popen[bytes]

    def __init__(
        self, name: str, words: Sequence[str], folder: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self.words = words
        self.environment = {**bare_environment(), **(settings or {})}

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self.guard = subprocess.Popen(
                [sys.executable, "-m", "detector.local.guard", *self.words],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self.guard.stdin is not None:
            self.guard.stdin.close()  # the guard sends SIGTERM, and kills what does not end
        self.guard.wait()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.guard.poll() is None

    def wait_until(self, is_so: Callable[[], bool], what: str, within_s: float, *, is_patient: bool = False) -> None:
        """Return once a fact holds; a patient one waits as long as the log goes on.

        Raises
        ------
        SetupError
            The program ended, or time ran out before; with its last words.
        """
        end, known = time.monotonic() + within_s, 0
        while not is_so():
            if is_patient and (size := self.log.stat().st_size) != known:
                end, known = time.monotonic() + within_s, size
            if self.guard.poll() is not None:
                raise SetupError(f"{self.name} must run until {what}, got its end: {self.last_words()}")
            if time.monotonic() > end:
                raise SetupError(f"{what} must come within {within_s:.0f} s, got nothing: {self.last_words()}")
            time.sleep(POLL_S)  # another process's doing: nothing here is told of it

    def last_words(self) -> str:
        """Return the last lines of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()[-LAST_WORDS:]
        return " | ".join(lines) or "nothing said"


def bare_environment() -> dict[str, str]:
    """Return this process's environment without settings of the worker: a run has its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DETECTOR_")}
