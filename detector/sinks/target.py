"""Where alerts go, said as a URL: ``syslog://``, ``syslog+udp://``, ``syslog+tls://`` or ``file://``."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from detector.errors import SetupError

Transport = Literal["tcp", "udp", "tls", "file"]

_SCHEMES: Final[dict[str, Transport]] = {
    "syslog": "tcp",
    "syslog+tcp": "tcp",
    "syslog+udp": "udp",
    "syslog+tls": "tls",
    "file": "file",
}
_PORTS: Final[dict[Transport, int]] = {"tcp": 601, "udp": 514, "tls": 6_514, "file": 0}
_LIMITS: Final[dict[Transport, int]] = {"tcp": 65_536, "tls": 65_536, "udp": 8_192, "file": 1_048_576}


class Target(NamedTuple):
    """A receiver of alerts.

    Parameters
    ----------
    transport : {"tcp", "udp", "tls", "file"}
        How messages travel.
    host : str
        Name or address; of a file, its path.
    port : int
        0 for a file.
    """

    transport: Transport
    host: str
    port: int

    @property
    def limit(self) -> int:
        """Largest message in bytes before the alert is shortened: what receivers take, not what IP carries."""
        return _LIMITS[self.transport]

    def __str__(self) -> str:
        return self.host if self.transport == "file" else f"{self.transport}://{self.host}:{self.port}"


def parse_target(url: str) -> Target:
    """Return the receiver a URL names.

    Raises
    ------
    SetupError
        The scheme is unknown, or host, port or path are missing or wrong.

    Examples
    --------
    >>> parse_target("syslog+tls://siem.example")
    Target(transport='tls', host='siem.example', port=6514)
    """
    rule = "syslog://HOST:PORT, syslog+udp://HOST:PORT, syslog+tls://HOST:PORT or file:///PATH"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        msg = f"target of siem must be {rule}, got {url!r} ({error})"
        raise SetupError(msg) from error
    transport = _SCHEMES.get(parts.scheme)
    host = unquote(parts.path) if transport == "file" else parts.hostname
    if transport is None or not host or (transport == "file" and parts.netloc):
        msg = f"target of siem must be {rule}, got {url!r}"
        raise SetupError(msg)
    return Target(transport, host, _PORTS[transport] if port is None else port)
