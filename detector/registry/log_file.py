"""A file that one hand at a time replaces whole, with the log of its changes beside it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LOG_SUFFIX: Final = ".log.ndjson"


class LoggedFile:
    """One file; it need not be there yet. Two that write at once wait for each other.

    Parameters
    ----------
    path : Path
        The file; its log is the same name with ``.log.ndjson`` behind it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log_path = path.with_name(path.name + LOG_SUFFIX)

    def lines(self) -> list[bytes]:
        """Return the lines of the log; none if there is no log yet."""
        if not self.log_path.exists():
            return []
        return [line for line in self.log_path.read_bytes().splitlines() if line.strip()]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from writing meanwhile."""
        with self.log_path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def append(self, lines: Iterable[bytes]) -> None:
        """Add lines to the log; they are on the disk when this returns."""
        with self.log_path.open("ab") as file:
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())

    def replace(self, text: str) -> None:
        """Put a new file in the old one's place; a crash leaves the one or the other whole."""
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            with fresh.open("wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        finally:
            with suppress(FileNotFoundError):
                fresh.unlink()
