"""How alerts travel: a table by the scheme of the receiver's URL, and what is sent over each.

A new transport is one entry of :data:`TRANSPORTS`; the suite in :mod:`detector.checks.sinks` then holds it too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from detector.errors import DeliveryError, SetupError
from detector.sinks.body import Rendering, shorten, to_bytes
from detector.sinks.datagram import DatagramSender
from detector.sinks.file import FileSender
from detector.sinks.sender import SenderOptions, StreamSender, tls_context
from detector.sinks.syslog import SyslogHeader, message
from detector.sinks.target import Sender, Target

if TYPE_CHECKING:
    from detector.schema.alert import Alert


class Transport(NamedTuple):
    """One way to a receiver.

    Parameters
    ----------
    form : str
        How its URL is written, for people.
    port : int or None
        Port of a URL that names none; None if the URL names a path, not a host.
    limit : int
        Bytes of a message before the alert is shortened: what receivers take.
    most : int or None
        Bytes of a message that can be sent at all; None if there is no end.
    wrap : callable
        Returns the message around a rendered alert.
    open : callable
        Returns the sender to a target. It may refuse what will never work with a SetupError; it does not connect.
    """

    form: str
    port: int | None
    limit: int
    most: int | None
    wrap: Callable[[Alert, bytes, SyslogHeader], bytes]
    open: Callable[[Target, SenderOptions], Sender]


def _over_tls(target: Target, options: SenderOptions) -> Sender:
    return StreamSender(target, options, options.tls or tls_context())


def _into_file(target: Target, _: SenderOptions) -> Sender:
    try:
        return FileSender(Path(target.host))
    except DeliveryError as error:
        # Better said at once than with the first alert.
        raise SetupError(str(error)) from error


def _as_it_is(_alert: Alert, rendered: bytes, _header: SyslogHeader) -> bytes:
    return rendered


_STREAM = 65_536
_TCP = Transport("syslog://HOST:PORT", 601, _STREAM, None, message, StreamSender)

TRANSPORTS: Final[dict[str, Transport]] = {
    "syslog": _TCP,
    "syslog+tcp": _TCP._replace(form="syslog+tcp://HOST:PORT"),
    "syslog+tls": Transport("syslog+tls://HOST:PORT", 6_514, _STREAM, None, message, _over_tls),
    "syslog+udp": Transport("syslog+udp://HOST:PORT", 514, 8_192, 65_507, message, DatagramSender),
    "file": Transport("file:///PATH", None, 1_048_576, None, _as_it_is, _into_file),
}


def transport_of(scheme: str) -> Transport:
    """Return the transport of a scheme.

    Raises
    ------
    SetupError
        The scheme is in no entry; the message lists the forms there are.
    """
    if scheme not in TRANSPORTS:
        msg = f"target of siem must be {_forms()}, got scheme {scheme!r}: choose one of them"
        raise SetupError(msg)
    return TRANSPORTS[scheme]


def parse_target(url: str) -> Target:
    """Return the receiver a URL names.

    Raises
    ------
    SetupError
        The scheme is unknown, or host, port or path are missing or wrong.

    Examples
    --------
    >>> parse_target("syslog+tls://siem.example")
    Target(scheme='syslog+tls', host='siem.example', port=6514)
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        msg = f"target of siem must be {_forms()}, got {url!r} ({error})"
        raise SetupError(msg) from error
    transport = transport_of(parts.scheme)
    has_path = transport.port is None
    host = unquote(parts.path) if has_path else parts.hostname
    if not host or (has_path and parts.netloc):
        msg = f"target of siem must be {transport.form}, got {url!r}: correct it"
        raise SetupError(msg)
    return Target(parts.scheme, host, (transport.port or 0) if port is None else port)


def open_sender(target: Target, options: SenderOptions | None = None) -> Sender:
    """Return the sender to a target; connections are made when there is something to send.

    Raises
    ------
    SetupError
        The scheme is unknown, or the target can never be reached.
    """
    return transport_of(target.scheme).open(target, options or SenderOptions())


def outgoing(alert: Alert, rendering: Rendering, transport: Transport, header: SyslogHeader) -> bytes:
    """Return what is sent of an alert: rendered, wrapped, and shortened to what receivers take."""
    body = rendering.render(alert)
    rendered = to_bytes(body)
    one = transport.wrap(alert, rendered, header)
    around = len(one) - len(rendered)
    if len(one) <= transport.limit:
        return one
    return transport.wrap(alert, to_bytes(shorten(body, rendering, transport.limit - around)), header)


def _forms() -> str:
    return ", ".join(one.form for one in TRANSPORTS.values())
