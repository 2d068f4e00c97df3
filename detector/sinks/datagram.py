"""Syslog over UDP, which promises nothing: what the network drops is gone."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

from detector.sinks.sender import SenderOptions, keep_trying

if TYPE_CHECKING:
    from detector.sinks.target import Target


class DatagramSender:
    """Send RFC 5424 messages to one receiver, a datagram each.

    Parameters
    ----------
    target : Target
        Where to.
    options : SenderOptions or None
        How hard to try.
    """

    def __init__(self, target: Target, options: SenderOptions | None = None) -> None:
        self._target = target
        self._options = options or SenderOptions()
        self._socket: socket.socket | None = None

    def send(self, one: bytes) -> None:
        """Hand one message over to the kernel.

        Raises
        ------
        DeliveryError
            The name has no address, or the kernel knows that nobody listens there.
        """
        keep_trying(lambda: self._put(one), self._target, self._options)

    def flush(self) -> None:
        """Return at once: nobody would tell."""

    def close(self) -> None:
        """Close; further calls do nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, data: bytes) -> None:
        try:
            if self._socket is None:
                self._socket = _connected(self._target)
            self._socket.sendall(data)
        except OSError:
            self.close()
            raise


def _connected(target: Target) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)[0]
    connection = socket.socket(family, kind, protocol)
    connection.connect(address)
    return connection
