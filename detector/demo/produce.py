"""Simulated events on their way out: to standard output or to Kafka, as fast as they come, at a rate, or live."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from detector.simulate.render import Simulated


class Writer(Protocol):
    """Where simulated events go."""

    def send(self, key: str, value: bytes) -> None:
        """Take one event of the agent `key`."""

    def flush(self) -> None:
        """Hand on what is buffered."""


class StandardOutput:
    """Standard output with the face of a :class:`KafkaWriter`: one event a line."""

    def send(self, key: str, value: bytes) -> None:
        """Write one event."""
        del key
        sys.stdout.buffer.write(value + b"\n")

    def flush(self) -> None:
        """Hand on what is buffered."""
        sys.stdout.buffer.flush()


def paced(
    events: Iterable[Simulated],
    rate: float,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Simulated]:
    """Yield the events no faster than `rate` a second.

    Parameters
    ----------
    events : iterable of Simulated
        In time order.
    rate : float
        Events a second.
    clock, wait : callable
        Seconds that only grow, and a wait of so many seconds.
    """
    start = clock()
    for number, event in enumerate(events):
        ahead = start + number / rate - clock()
        if ahead > 0.0:
            wait(ahead)
        yield event


def as_it_happens(
    events: Iterable[Simulated],
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Simulated]:
    """Yield every event when the wall clock reaches its time; those of the past at once."""
    for event in events:
        ahead = event.ts_ms / 1000.0 - clock()
        if ahead > 0.0:
            wait(ahead)
        yield event
