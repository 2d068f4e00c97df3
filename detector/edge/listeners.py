"""Sockets that the edge service listens on; one that cannot be had is refused in words."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

from detector.errors import SetupError


def unix_listener(path: Path, mode: int) -> socket.socket:
    """Return a listening unix socket; one that a dead service left is replaced.

    Raises
    ------
    SetupError
        Another service answers there, or the place cannot be written.
    """
    if is_answered(path):
        raise SetupError(f"socket of edge must be free, got {path} of a running service: choose another")
    listener = socket.socket(socket.AF_UNIX)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        listener.bind(str(path))
        path.chmod(mode)
        listener.listen(128)
    except OSError as exc:
        listener.close()
        raise SetupError(
            f"socket of edge must be a path that can be written, got {path} ({exc.strerror or exc}): make its folder, "
            "owned by the service's user"
        ) from exc
    return listener


def is_answered(path: Path) -> bool:
    """Return whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            return probe.connect_ex(str(path)) == 0
        except OSError:  # a path that is too long
            return False


def port_listener(address: tuple[str, int]) -> socket.socket:
    """Return a listening TCP socket, or SetupError."""
    try:
        return socket.create_server(address, backlog=128)
    except OSError as exc:
        raise SetupError(
            f"listen port of edge must be free, got {address[0]}:{address[1]} ({exc.strerror}): choose another, or 0"
        ) from exc
