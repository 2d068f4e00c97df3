"""Syslog over TCP and TLS, with what they can promise.

They are not acknowledged by the receiving program. :meth:`StreamSender.flush` waits until the receiver's *kernel* has
everything; what a killed receiver had not read yet is gone. Therefore the last messages are sent again after a
connection broke (consumers drop repeats by uid and counter), and with ``confirm`` the connection is ended after each
flush, which returns only when the receiver read to its end.
"""

from __future__ import annotations

import fcntl
import select
import socket
import ssl
import struct
import termios
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import stamina

from detector.errors import DeliveryError, SetupError
from detector.sinks.syslog import frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.sinks.target import Target

_LOOK_S: Final = 0.02  # between two looks at the send queue; a closing peer wakes us earlier
_RETRY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class SenderOptions:
    """How hard to try.

    Parameters
    ----------
    timeout_s : float, default=10
        Seconds for a connection, for a send, and for the receiver to take everything.
    attempts : int, default=5
        Connections tried within that time before the caller is told.
    confirm : bool, default=False
        End the connection at each flush and wait until the receiver has read it to its end.
    resend : int, default=256
        Messages sent again after a connection broke; memory is so many messages.
    tls : ssl.SSLContext or None
        For TLS; see :func:`tls_context`. None trusts the machine's roots.
    """

    timeout_s: float = 10.0
    attempts: int = 5
    confirm: bool = False
    resend: int = 256
    tls: ssl.SSLContext | None = None


def tls_context(ca: str | None = None, cert: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """Return a client context that checks the receiver's name and chain, TLS 1.2 or later.

    Parameters
    ----------
    ca : str or None
        File of trusted roots; None takes the machine's.
    cert, key : str or None
        Our own certificate, where the receiver asks for one.

    Raises
    ------
    SetupError
        A file is missing or no PEM file.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if cert is not None:
            context.load_cert_chain(cert, key)
    except OSError as error:
        raise SetupError(f"ca, cert and key of siem must be readable PEM files, got {error}: correct them") from error
    return context


class StreamSender:
    """Send RFC 5424 messages to one receiver over TCP; connects when there is something to send.

    Parameters
    ----------
    target : Target
        Where to.
    options : SenderOptions or None
        How hard to try.
    tls : ssl.SSLContext or None
        Speak TLS with it; None speaks plainly, whatever the options hold.

    Notes
    -----
    Not safe for several threads. Closing sends TLS's close_notify and waits for the receiver's end of
    stream: a bare ``close()`` was measured to lose a fifth of what had been sent.
    """

    def __init__(self, target: Target, options: SenderOptions | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._options = options or SenderOptions()
        self._tls = tls
        self._socket: socket.socket | None = None
        self._broke = False
        self._tail: deque[bytes] = deque(maxlen=self._options.resend)

    def send(self, one: bytes) -> None:
        """Hand one message over to the kernel, connecting again as often as the options allow.

        Raises
        ------
        DeliveryError
            The receiver is not there; nothing of the message counts as sent.
        """
        data = frame(one)
        keep_trying(lambda: self._put(data), self._target, self._options)
        self._tail.append(data)

    def flush(self) -> None:
        """Return when the receiver's kernel (with ``confirm``: the receiving program) has everything.

        Raises
        ------
        DeliveryError
            It did not within the timeout, or it closed: send again what was sent since the last flush.
        """
        if self._socket is None:
            return
        try:
            self._drain(self._socket)
            if self._options.confirm:
                self._finish(self._socket)
        except OSError as error:
            self._drop()
            raise refused(self._target, error) from error

    def close(self) -> None:
        """End the connection in order; what the receiver does not confirm is told.

        Raises
        ------
        DeliveryError
            The receiver broke off before it had read everything.
        """
        if self._socket is None:
            return
        try:
            self._finish(self._socket)
        except OSError as error:
            self._drop()
            raise refused(self._target, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, data: bytes) -> None:
        try:
            if self._socket is not None:
                _check_alive(self._socket)
            connection = self._connected()
            connection.sendall(data)
        except OSError:
            self._drop()
            raise

    def _connected(self) -> socket.socket:
        if self._socket is not None:
            return self._socket
        target, options = self._target, self._options
        connection = socket.create_connection((target.host, target.port), options.timeout_s)
        self._socket = connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # A peer that vanished is noticed within the timeout, not after the kernel's quarter of an hour.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(options.timeout_s * 1_000))
        if self._tls is not None:
            self._socket = connection = self._tls.wrap_socket(connection, server_hostname=target.host)
        if self._broke:
            for data in self._tail:
                connection.sendall(data)
            self._broke = False
        return connection

    def _drain(self, connection: socket.socket) -> None:
        deadline = time.monotonic() + self._options.timeout_s
        _check_alive(connection)
        while _unacknowledged(connection):
            if time.monotonic() > deadline:
                msg = f"{_unacknowledged(connection)} bytes not taken within {self._options.timeout_s} s"
                raise TimeoutError(msg)
            select.select([connection], [], [], _LOOK_S)
            _check_alive(connection)

    def _finish(self, connection: socket.socket) -> None:
        connection.settimeout(self._options.timeout_s)
        if isinstance(connection, ssl.SSLSocket):
            # A receiver that answers our close_notify with its own FIN alone has read everything as well.
            with suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError):
                connection = connection.unwrap()
        else:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4_096):
                pass
        connection.close()
        self._socket = None

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._broke = True


def keep_trying(put: Callable[[], None], target: Target, options: SenderOptions) -> None:
    """Return once `put` came back, calling it as often as the options allow.

    Raises
    ------
    DeliveryError
        It did not within the attempts and the time.
    """
    try:
        for attempt in stamina.retry_context(
            on=OSError, attempts=options.attempts, timeout=options.timeout_s, wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                put()
    except OSError as error:
        raise refused(target, error) from error


def refused(target: Target, error: OSError) -> DeliveryError:
    """Return what the caller is told of a receiver that does not take alerts."""
    reason = str(error) or type(error).__name__
    return DeliveryError(f"receiver {target} must take alerts, got {reason}; see that it runs", _RETRY_S)


def _check_alive(connection: socket.socket) -> None:
    """Return if the peer has not closed; a syslog receiver never speaks, so anything readable is its end."""
    before = connection.gettimeout()
    connection.settimeout(0.0)
    try:
        if connection.recv(4_096) == b"":
            msg = "the receiver closed the connection"
            raise ConnectionResetError(msg)
    except (BlockingIOError, ssl.SSLWantReadError):
        return
    finally:
        connection.settimeout(before)


def _unacknowledged(connection: socket.socket) -> int:
    """Return the bytes in the send queue that the peer's kernel has not acknowledged (Linux)."""
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])
