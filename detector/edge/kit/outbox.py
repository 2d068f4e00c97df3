"""Where events go from the agent's program: a bounded queue and a thread behind it, so that no agent waits or fails."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, cast

from detector.edge.kit.said import kit_log
from detector.errors import SetupError
from detector.schema.topics import TopicNames

MOST_WAITING: Final = 10_000
"""Events that wait; more are dropped and counted."""
_FLUSH_S: Final = 5.0
PARTITIONER: Final = "murmur2_random"
"""As every Java client, and Faust, place an agent."""

Sink = Callable[[bytes, bytes], None]
"""Takes an event's agent id and its JSON; may raise, may block: it is called on a thread of its own."""


class KafkaProducer(Protocol):
    """What is used of a producer of confluent-kafka."""

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Callable[..., None]) -> None: ...  # noqa: D102

    def poll(self, timeout: float) -> int: ...  # noqa: D102

    def flush(self, timeout: float) -> int: ...  # noqa: D102


class JsonLines:
    """Sink that appends events to a file, a line each, readable by its owner only.

    Parameters
    ----------
    path : Path
        The file; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._file = path.open("ab", buffering=0)

    def __call__(self, key: bytes, value: bytes) -> None:
        """Append one event."""
        del key  # stands in the event
        self._file.write(value + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class KafkaEvents:
    """Sink that sends events to `agent.events`, keyed by agent.

    Parameters
    ----------
    settings : mapping
        Of confluent-kafka's producer: ``bootstrap.servers``, security. `acks` is all unless it says otherwise.
    prefix : str
        Before the topic's name.
    producer : KafkaProducer, optional
        One that is there already, for tests.
    """

    def __init__(self, settings: Mapping[str, Any], *, prefix: str = "", producer: KafkaProducer | None = None) -> None:
        if producer is None:
            from confluent_kafka import KafkaException, Producer

            try:
                made = cast(
                    "KafkaProducer", Producer({"acks": "all", "linger.ms": 50, "partitioner": PARTITIONER, **settings})
                )
            except KafkaException as exc:
                raise SetupError(f"settings of the producer must be those of confluent-kafka, got {exc}") from exc
        else:
            made = producer
        self._producer = made
        self._topic = TopicNames(prefix=prefix).events
        self.undelivered = 0

    def __call__(self, key: bytes, value: bytes) -> None:
        """Hand one event to the producer; waits while its own queue is full, up to a few seconds."""
        end = time.monotonic() + _FLUSH_S
        while True:
            try:
                self._producer.produce(self._topic, value=value, key=key, on_delivery=self._delivered)
            except BufferError:
                if time.monotonic() > end:
                    raise
                self._producer.poll(0.1)
            else:
                break
        self._producer.poll(0)

    def _delivered(self, error: object, message: object) -> None:
        del message
        self.undelivered += error is not None

    def close(self) -> None:
        """Wait for what is on its way, a few seconds; what is not delivered by then is counted."""
        left = self._producer.flush(_FLUSH_S)  # first: meanwhile the count goes on
        self.undelivered += left


class Outbox:
    """Events on their way to a sink; putting one in never waits and never raises.

    Parameters
    ----------
    sink : callable
        Takes key and value.
    most : int
        Events that wait at most.

    Attributes
    ----------
    dropped, failed, written : int
        Events that found the queue full, that the sink refused, that it took.
    """

    def __init__(self, sink: Sink, most: int = MOST_WAITING) -> None:
        if most < 1:
            raise SetupError(f"most of the outbox must be at least 1, got {most}")
        self._sink = sink
        self._queue: queue.Queue[tuple[bytes, bytes] | None] = queue.Queue(most)
        self.dropped = self.failed = self.written = 0
        self._is_closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="detector-kit", daemon=True)
        self._thread.start()

    def put(self, key: bytes, value: bytes) -> bool:
        """Take an event; False if it was dropped."""
        with self._lock:
            if not self._is_closed:
                try:
                    self._queue.put_nowait((key, value))
                except queue.Full:
                    pass
                else:
                    return True
            self.dropped += 1
            if self.dropped == 1:
                kit_log().warning("kit_event_dropped", waiting=self._queue.qsize())
        return False

    def close(self, timeout_s: float = _FLUSH_S) -> bool:
        """Write what waits, within a time, then close the sink; False if something was left over."""
        with self._lock:
            is_first, self._is_closed = not self._is_closed, True
        end = time.monotonic() + timeout_s
        if is_first:
            try:
                self._queue.put(None, timeout=timeout_s)
            except queue.Full:
                return False
        self._thread.join(max(0.0, end - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._sink(*item)
            except Exception as exc:  # noqa: BLE001 - a sink of anybody's: the agent must not notice
                self._fault(exc)
            else:
                self.written += 1
        closing = getattr(self._sink, "close", None)
        if closing is not None:
            try:
                closing()
            except Exception as exc:  # noqa: BLE001 - the same
                self._fault(exc)

    def _fault(self, exc: Exception) -> None:
        self.failed += 1
        if self.failed == 1:  # an exception's text may hold content: its type is enough
            kit_log().warning("kit_sink_failed", error=type(exc).__name__)
