"""Alerts into a file, one JSON document a line: for a shipper that tails it, and for replay."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from detector.errors import DeliveryError

if TYPE_CHECKING:
    from pathlib import Path


class FileSender:
    """Append messages to a file, a line each.

    A message counts as delivered when :meth:`flush` came back: then it is on the disk, not
    only in a buffer.

    Parameters
    ----------
    path : Path
        File to append to; made if absent, readable by its owner only (alerts name agents and targets).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise _refused(path, error) from error
        self._file = os.fdopen(number, "ab")

    def send(self, message: bytes) -> None:
        """Write one message and a line feed; a message with a line feed inside is refused.

        Raises
        ------
        ValueError
            The message holds a line feed and would read as two.
        DeliveryError
            The disk did not take it.
        """
        if b"\n" in message:
            msg = "message of a file sink must be one line, got a line feed inside; encode it as ASCII JSON"
            raise ValueError(msg)
        try:
            self._file.write(message + b"\n")
        except OSError as error:
            raise _refused(self._path, error) from error

    def flush(self) -> None:
        """Return when everything sent so far is on the disk.

        Raises
        ------
        DeliveryError
            The disk did not take it; what was sent since the last flush may be missing.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _refused(self._path, error) from error

    def close(self) -> None:
        """Flush and close; further calls do nothing."""
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _refused(path: Path, error: OSError) -> DeliveryError:
    return DeliveryError(f"{path} must be writable, got {error.strerror}; free space or mend its rights", 5.0)
