r"""RFC 5424 messages: one alert, one line of printable ASCII, whatever an agent calls itself.

The message is a rendering as JSON in ASCII, so it is MSG-ANY of the RFC and carries **no byte order
mark**: a mark is asked for before UTF-8 text only, and JSON parsers of receivers stumble over it.
Strings in the structured data are escaped twice: as in JSON (so that line feeds, NUL and
text-direction characters become ``\uXXXX``), then as the RFC asks (``\``, ``"`` and ``]``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from detector.errors import SetupError

if TYPE_CHECKING:
    from detector.schema.alert import Alert

NIL: Final = "-"
APP_NAME: Final = "agent-behaviour-detector"
EXAMPLE_PEN: Final = 32_473
"""Private enterprise number that RFC 5612 keeps for examples; set your own."""

_SEVERITY: Final = {"critical": 2, "high": 3, "medium": 4, "low": 5}  # crit, err, warning, notice


@dataclass(frozen=True, slots=True)
class SyslogHeader:
    """What every message says of its sender.

    Parameters
    ----------
    hostname : str, default="-"
        Name of the sending machine; characters the RFC does not allow become ``_``.
    facility : int, default=16
        0 to 23; 16 is local0.
    enterprise : int, default=32473
        Private enterprise number behind the ``@`` of the structured data's id.

    Raises
    ------
    SetupError
        A number is out of its range.
    """

    hostname: str = NIL
    facility: int = 16
    enterprise: int = EXAMPLE_PEN

    def __post_init__(self) -> None:
        if not 0 <= self.facility <= 23:
            msg = f"facility of syslog must be 0 to 23, got {self.facility}; 16 is local0"
            raise SetupError(msg)
        if self.enterprise < 0:
            msg = f"enterprise number of syslog must be positive, got {self.enterprise}; IANA assigns them"
            raise SetupError(msg)


def message(alert: Alert, rendered: bytes, header: SyslogHeader) -> bytes:
    """Return the RFC 5424 message of an alert: printable ASCII, no line feed.

    Parameters
    ----------
    alert : Alert
        What priority, time and structured data are taken from.
    rendered : bytes
        The alert in whatever form the receiver reads, as one line of ASCII.
    header : SyslogHeader
        The sender.

    Notes
    -----
    A message begins like ``<130>1 2026-03-01T10:00:00.500Z soc-1 agent-behaviour-detector - finding-create [``.
    """
    parts = (
        f"<{header.facility * 8 + _SEVERITY[alert.severity]}>1",
        _timestamp(alert.time),
        _name(header.hostname, 255),
        APP_NAME,
        NIL,
        f"finding-{alert.activity}",
        _structured_data(alert, header),
    )
    return b" ".join([*(part.encode("ascii") for part in parts), rendered])


def frame(one: bytes) -> bytes:
    """Return a message framed by octet counting (RFC 6587, RFC 5425): its length, a space, itself.

    Examples
    --------
    >>> frame(b"<13>1 - - - - - -")
    b'17 <13>1 - - - - - -'
    """
    return b"%d %b" % (len(one), one)


def escape(value: str) -> str:
    """Return a string as the value of a structured-data parameter, in printable ASCII."""
    text = json.dumps(value, ensure_ascii=True)[1:-1].replace("\x7f", "\\u007f")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def unescape(value: str) -> str:
    """Return what :func:`escape` was given, for receivers and tests.

    Raises
    ------
    ValueError
        The value was not written by :func:`escape`.
    """
    text = re.sub(r'\\(["\\\]])', r"\1", value)
    decoded = json.loads(f'"{text}"')
    if not isinstance(decoded, str):
        msg = "value of a structured-data parameter must be text, got something else; was it edited on the way?"
        raise ValueError(msg)  # noqa: TRY004 - it is the wire's content that is wrong, not the caller's type
    return decoded


def _timestamp(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(round(seconds * 1_000) / 1_000, UTC)
    except (OverflowError, OSError, ValueError):
        return NIL
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _name(value: str, most: int) -> str:
    allowed = "".join(letter if "!" <= letter <= "~" else "_" for letter in value[:most])
    return allowed or NIL


def _structured_data(alert: Alert, header: SyslogHeader) -> str:
    values = {
        "uid": alert.finding_uid,
        "counter": alert.counter,
        "tenant": alert.tenant,
        "agent": alert.agent_id,
        "severity": alert.severity.capitalize(),
        "risk": alert.risk,
    }
    told = "".join(f' {name}="{escape(str(value))}"' for name, value in values.items())
    return f"[detector@{header.enterprise}{told}]"
