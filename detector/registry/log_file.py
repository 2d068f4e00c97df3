"""A file that one hand at a time replaces whole, with the log of its changes beside it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from detector.errors import SetupError

Wire = TypeVar("Wire", bound=BaseModel)
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

    def changes(self, kind: type[Wire]) -> list[Wire]:
        """Return the changes in the log; none if there is no log yet.

        Raises
        ------
        SetupError
            It cannot be read, or a line of it is no change of that kind.
        """
        if not self.log_path.exists():
            return []
        try:
            lines = self.log_path.read_bytes().splitlines()
            return [kind.model_validate_json(line) for line in lines if line.strip()]
        except (OSError, ValidationError) as error:
            fault = str(error).splitlines()[0]
            raise SetupError(f"content of {self.log_path} must be changes, one a line, got another: {fault}") from error

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
