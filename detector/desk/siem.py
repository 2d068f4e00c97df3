"""From `agent.alerts` to a SIEM: a consumer of its own, so that Kafka is the buffer.

An offset is committed when the receiver has what comes before it, as far as its transport can tell
(``docs/alerts.md`` says how far that is). A receiver that is down holds nothing up but this consumer.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.cimpl import TopicPartition

from detector.errors import DeliveryError, SetupError
from detector.sinks.ocsf_read import decode
from detector.sinks.renderings import rendering_of
from detector.sinks.sender import SenderOptions
from detector.sinks.syslog import SyslogHeader
from detector.sinks.target import Sender, Target
from detector.sinks.transports import open_sender, outgoing, transport_of

log = structlog.get_logger("detector.siem")

WAIT_S = 0.2  # an alert waits at most this long for company
POLL_S = 0.5
PERSON_S = 60.0  # between two tries where only a person can help


@dataclass(frozen=True, slots=True)
class SiemOptions:
    """Where alerts go and how.

    Parameters
    ----------
    topic : str
        Topic of the alerts.
    target : Target
        The receiver.
    rendering : str, default="ocsf"
        How alerts are written: a name in :data:`detector.sinks.renderings.RENDERINGS`.
    header : SyslogHeader
        What syslog messages say of their sender.
    sender : SenderOptions
        How hard to try.
    batch : int, default=200
        Most alerts between two commits: what is sent twice at worst.

    Raises
    ------
    SetupError
        The rendering or the transport is in no table.
    """

    topic: str
    target: Target
    rendering: str = "ocsf"
    header: SyslogHeader = field(default_factory=SyslogHeader)
    sender: SenderOptions = field(default_factory=SenderOptions)
    batch: int = 200

    def __post_init__(self) -> None:
        rendering_of(self.rendering)
        transport_of(self.target.scheme)


class Forwarder:
    """Moves alerts from a consumer to a sender; at least once, in the order of each partition.

    Parameters
    ----------
    consumer : confluent_kafka.Consumer
        With automatic commits off.
    sender : Sender
        The receiver's end.
    options : SiemOptions
        Where and how.
    """

    def __init__(self, consumer: Any, sender: Sender, options: SiemOptions) -> None:  # noqa: ANN401 - untyped C class
        self._consumer = consumer
        self._sender = sender
        self._options = options
        self._rendering = rendering_of(options.rendering)
        self._transport = transport_of(options.target.scheme)
        self._has_moved = False
        self._early: list[Any] = []
        self.counts: Counter[str] = Counter()
        """sent, retried, and records left out by reason: no_alert, too_large."""

    def run(self, stop: threading.Event) -> None:
        """Forward until told to stop.

        1. Read a batch. 2. Send it. 3. Wait until the receiver has it. 4. Commit. What breaks off is sent again.

        Raises
        ------
        SetupError
            The topic is not there or may not be read.
        """
        self._consumer.subscribe([self._options.topic], on_assign=self._on_move, on_revoke=self._on_move)
        try:
            while not stop.is_set():
                # 1.
                early, self._early = self._early, []
                records = early + [one for one in self._read() if self._is_record(one)]
                # 2. and 3.
                if records and self._deliver(records, stop):
                    # 4.
                    self._commit(records)
        finally:
            self._consumer.close()
            self._end()

    def _read(self) -> Sequence[Any]:
        found: Sequence[Any] = self._consumer.consume(self._options.batch, WAIT_S)
        return found

    def _deliver(self, records: Sequence[Any], stop: threading.Event) -> bool:
        """Return whether the receiver has all of them; False if told to stop or the partitions moved on."""
        messages = [one for record in records if (one := self._message(record)) is not None]
        self._has_moved = False
        while not stop.is_set() and not self._has_moved:
            try:
                for one in messages:
                    self._sender.send(one)
                self._sender.flush()
            except DeliveryError as error:
                self.counts["retried"] += 1
                log.warning("receiver did not take alerts", error=str(error), alerts=len(messages))
                self._wait(PERSON_S if error.retry_after is None else error.retry_after, stop)
            else:
                self.counts["sent"] += len(messages)
                return True
        return False

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait as a member of the group: who does not poll is put out of it."""
        deadline = time.monotonic() + seconds
        self._consumer.pause(self._consumer.assignment())
        try:
            while (left := deadline - time.monotonic()) > 0 and not stop.is_set() and not self._has_moved:
                record = self._consumer.poll(min(left, POLL_S))
                if record is not None and self._is_record(record):
                    self._early.append(record)
        finally:
            self._consumer.resume(self._consumer.assignment())

    def _commit(self, records: Sequence[Any]) -> None:
        nexts: dict[int, int] = {}
        for record in records:
            nexts[record.partition()] = max(nexts.get(record.partition(), 0), record.offset() + 1)
        places = [TopicPartition(self._options.topic, partition, offset) for partition, offset in nexts.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as error:
            # They are read and sent once more; receivers drop repeats by finding and counter.
            log.warning("offsets were not committed", error=str(error))

    def _message(self, record: Any) -> bytes | None:  # noqa: ANN401 - untyped C class
        try:
            alert = decode(record.value() or b"")
            one = outgoing(alert, self._rendering, self._transport, self._options.header)
        except (ValueError, OverflowError, OSError) as error:  # the last two: a time that no calendar has
            self._leave_out(record, "no_alert", error)
            return None
        if self._transport.most is not None and len(one) > self._transport.most:
            self._leave_out(record, "too_large", len(one))
            return None
        return one

    def _leave_out(self, record: Any, reason: str, detail: object) -> None:  # noqa: ANN401 - untyped C class
        self.counts[reason] += 1
        log.error(
            "record is no alert that can be sent",
            reason=reason,
            detail=str(detail),
            partition=record.partition(),
            offset=record.offset(),
        )

    def _is_record(self, record: Any) -> bool:  # noqa: ANN401 - untyped C class
        error = record.error()
        if error is None:
            return True
        lasting = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED}
        if error.fatal() or error.code() in lasting:
            topic = self._options.topic
            raise SetupError(f"topic {topic} of siem must be readable, got {error.str()}: make it or grant READ")
        log.warning("Kafka", error=error.str())
        return False

    def _on_move(self, _consumer: object, _partitions: object) -> None:
        """Take note that what was read may be another's now; it is read again from what was committed."""
        self._has_moved = True
        self._early.clear()

    def _end(self) -> None:
        try:
            self._sender.close()
        except DeliveryError as error:
            # Nothing committed depends on it: the batches were flushed.
            log.warning("receiver did not confirm the end", error=str(error))


def run_siem(
    kafka: Mapping[str, Any],
    options: SiemOptions,
    stop: threading.Event,
    *,
    group: str,
    first: Literal["earliest", "latest"] = "earliest",
) -> Counter[str]:
    """Forward alerts until told to stop; return what was done.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    options : SiemOptions
        Where and how.
    stop : threading.Event
        Set it to end in order.
    group : str
        Consumer group; one per receiver.
    first : {"earliest", "latest"}, default="earliest"
        Where a group that was never here begins.

    Raises
    ------
    SetupError
        The topic or the receiver's settings are at fault.
    """
    own = {"group.id": group, "auto.offset.reset": first, "enable.auto.commit": False, "enable.partition.eof": False}
    sender = open_sender(options.target, options.sender)
    forwarder = Forwarder(Consumer({**kafka, **own}), sender, options)
    log.info("forwarding", topic=options.topic, to=str(options.target), format=options.rendering, group=group)
    forwarder.run(stop)
    log.info("stopped", **forwarder.counts)
    return forwarder.counts
