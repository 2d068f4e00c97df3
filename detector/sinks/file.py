"""Alerts into a file, one JSON document a line: for a shipper that tails it, and for replay."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
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
        self._waiting: list[bytes] = []
        try:
            self._file: int | None = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise _refused(path, error) from error

    def send(self, message: bytes) -> None:
        """Take one message, to be written at the next flush.

        Raises
        ------
        ValueError
            The message holds a line feed and would read as two.
        """
        if b"\n" in message:
            msg = "message of a file sink must be one line, got a line feed inside; encode it as ASCII JSON"
            raise ValueError(msg)
        self._waiting.append(message + b"\n")

    def flush(self) -> None:
        """Return when everything sent so far is on the disk.

        Raises
        ------
        DeliveryError
            The disk did not take it: the file is as it was at the last flush, and what was sent
            since is forgotten. Send it again.
        """
        data = b"".join(self._waiting)
        self._waiting.clear()
        if self._file is None or not data:
            return
        # A pipe or a device has no length to go back to.
        before = os.fstat(self._file).st_size
        try:
            _write(self._file, data)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, before)
            raise _refused(self._path, error) from error

    def close(self) -> None:
        """Flush and close; further calls do nothing."""
        if self._file is None:
            return
        try:
            self.flush()
        finally:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write(number: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(number, rest) :]
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # what cannot be synced is a pipe or a device
            raise


def _refused(path: Path, error: OSError) -> DeliveryError:
    return DeliveryError(f"{path} must be writable, got {error.strerror}; free space or mend its rights", 5.0)
