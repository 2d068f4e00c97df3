"""A receiver of alerts: where it is, and what takes messages for it."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Target(NamedTuple):
    """A receiver of alerts, from its URL.

    Parameters
    ----------
    scheme : str
        How messages travel: a name in :data:`detector.sinks.transports.TRANSPORTS`.
    host : str
        Name or address; of a file, its path.
    port : int
        0 where there is none.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}" if self.port else self.host


class Sender(Protocol):
    """What takes messages."""

    def send(self, one: bytes, /) -> None:
        """Take one message.

        Raises
        ------
        DeliveryError
            The receiver is not there; nothing of the message counts as sent.
        """

    def flush(self) -> None:
        """Return when the receiver has everything sent, as far as the transport can tell.

        Raises
        ------
        DeliveryError
            It has not: send again what was sent since the last flush.
        """

    def close(self) -> None:
        """End in order; further calls do nothing.

        Raises
        ------
        DeliveryError
            The receiver broke off before it had everything.
        """
