"""The bridge: reads ``otlp.spans`` and ``otlp.logs``, writes ``agent.events``, and commits both in one transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.cimpl import TopicPartition

from detector.bridge.counting import Counting
from detector.bridge.stage import staged
from detector.errors import DeliveryError, SetupError
from detector.otlp.catalogue import compile_all
from detector.otlp.mapper import Mapper
from detector.otlp.tables import Table, shipped
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.worker.publish import Output

log = structlog.get_logger("detector.bridge")

WAIT_S = 0.5  # spans of one trace come in several records: this long they wait for each other
BATCH = 64  # Kafka records, each an export request of up to some hundred records
TRANSACTION_S = 30.0


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """What a bridge reads and writes, and as whom.

    Parameters
    ----------
    names : TopicNames
        Topics of the deployment.
    name : str
        Of this bridge, another one for each that runs beside it. A bridge that starts under the name of one that was
        killed ends what that one had begun.
    tables : tuple of Table, optional
        Mapping tables; the shipped ones if None.
    session_timeout_s : float, default=10.0
        After this long without a sign of life a bridge's partitions go to the others.
    """

    names: TopicNames
    name: str = "0"
    tables: tuple[Table, ...] | None = None
    session_timeout_s: float = 10.0

    @property
    def group(self) -> str:
        """Consumer group of all bridges of a deployment."""
        return f"{self.names.group}.otlp"


class Bridge:
    """Moves telemetry to events, each record exactly once for whoever reads committed records.

    Parameters
    ----------
    consumer, producer : confluent_kafka.Consumer, confluent_kafka.Producer
        With automatic commits off, and with a transactional id.
    options : BridgeOptions
        Topics and tables.
    counting : Counting
        Where verdicts are counted.
    """

    def __init__(  # untyped C classes
        self,
        consumer: Any,  # noqa: ANN401
        producer: Any,  # noqa: ANN401
        options: BridgeOptions,
        counting: Counting,
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._options = options
        self._counting = counting
        self._mapper = Mapper(options.tables)

    def run(self, stop: threading.Event) -> None:
        """Move records until told to stop.

        1. Read a batch. 2. Map it. 3. Write events, dead letters and the offsets of the batch in one transaction.
        4. Commit it, then count. What breaks off is aborted and read again, with a memory that never saw it: whoever
        remembered it would take it for a repeat.

        Raises
        ------
        SetupError
            A topic is not there, or may not be read.
        DeliveryError
            Another bridge has taken this one's name, or the broker refuses for good.
        """
        names = self._options.names
        self._fatal(lambda: self._producer.init_transactions(TRANSACTION_S))
        self._consumer.subscribe([names.otlp_spans, names.otlp_logs])
        try:
            while not stop.is_set():
                # 1.
                records = self._read()
                if not records:
                    continue
                # 2.
                outputs, verdicts = staged(records, self._mapper, names)
                # 3. and 4.
                if self._written(records, outputs):
                    self._counting.note(verdicts)
                    self._counting.followed(self._mapper.sequences.counts)
                else:
                    self._mapper = Mapper(self._options.tables)
        finally:
            self._consumer.close()

    def _read(self) -> list[Record]:
        """Return what is waiting and is still this bridge's to read."""
        found = [one for one in self._consumer.consume(BATCH, WAIT_S) if self._is_record(one)]
        mine = {(place.topic, place.partition) for place in self._consumer.assignment()}
        return [
            Record(one.value() or b"", one.key(), one.topic(), one.partition(), one.offset(), one.timestamp()[1])
            for one in found
            if (one.topic(), one.partition()) in mine
        ]

    def _written(self, records: Sequence[Record], outputs: Sequence[Output]) -> bool:
        """Return whether the outputs and the offsets of a batch were committed together; else nothing was."""
        try:
            self._producer.begin_transaction()
            for output in outputs:
                self._produce(output)
            places = [TopicPartition(*place, offset + 1) for place, offset in _lasts(records).items()]
            self._producer.send_offsets_to_transaction(places, self._consumer.consumer_group_metadata(), TRANSACTION_S)
            self._commit()
        except KafkaException as error:
            cause = error.args[0]
            if cause.fatal():
                why = f"bridge {self._options.name} must be the only one of its name, got {cause.str()}: start it again"
                raise DeliveryError(why) from error
            log.warning("batch is read again", error=cause.str(), records=len(records))
            self._fatal(lambda: self._producer.abort_transaction(TRANSACTION_S))
            self._rewind(records)
            return False
        return True

    def _produce(self, output: Output) -> None:
        while True:
            try:
                self._producer.produce(output.topic, output.value, output.key, headers=output.headers)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _commit(self) -> None:
        """Commit the transaction, trying again as long as the broker says that it makes sense."""
        end = time.monotonic() + TRANSACTION_S
        while True:
            try:
                self._producer.commit_transaction(TRANSACTION_S)
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > end:
                    raise
            else:
                return

    def _rewind(self, records: Sequence[Record]) -> None:
        """Go back to the first record of a batch, in the partitions that are still this bridge's."""
        firsts: dict[tuple[str, int], int] = {}
        for record in records:
            place = (record.topic, record.partition)
            firsts[place] = min(firsts.get(place, record.offset), record.offset)
        for (topic, partition), offset in firsts.items():
            with suppress(KafkaException):  # moved to another bridge, which begins at what is committed
                self._consumer.seek(TopicPartition(topic, partition, offset))

    def _fatal(self, call: Any) -> None:  # noqa: ANN401 - a call of the client
        try:
            call()
        except KafkaException as error:
            raise DeliveryError(f"broker must take transactions of the bridge, got {error.args[0].str()}") from error

    def _is_record(self, one: Any) -> bool:  # noqa: ANN401 - untyped C class
        error = one.error()
        if error is None:
            return True
        if error.fatal() or error.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED}:
            raise SetupError(
                f"topics of the bridge must be readable, got {error.str()}: make them (--create-topics) or grant READ"
            )
        log.warning("Kafka", error=error.str())
        return False


def _lasts(records: Sequence[Record]) -> dict[tuple[str, int], int]:
    lasts: dict[tuple[str, int], int] = {}
    for record in records:
        place = (record.topic, record.partition)
        lasts[place] = max(lasts.get(place, 0), record.offset)
    return lasts


def run_bridge(kafka: Mapping[str, Any], options: BridgeOptions, stop: threading.Event) -> None:
    """Move telemetry to events until told to stop.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    options : BridgeOptions
        Topics, name and tables.
    stop : threading.Event
        Set it to end in order.
    """
    tables = shipped() if options.tables is None else options.tables
    counting = Counting(frozenset(source.name for source in compile_all(tables)))
    consumer = Consumer(
        {
            **kafka,
            "group.id": options.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "session.timeout.ms": int(options.session_timeout_s * 1_000),
            "heartbeat.interval.ms": int(options.session_timeout_s * 1_000 / 3),
        }
    )
    producer = Producer(
        {
            **kafka,
            "transactional.id": f"{options.group}.{options.name}",
            "transaction.timeout.ms": int(TRANSACTION_S * 1_000),
            "partitioner": "murmur2_random",  # as every Java client, and Faust, place an agent
            "compression.type": "gzip",  # what every reader can unpack without another library
            "linger.ms": 5,
        }
    )
    log.info("bridge", group=options.group, name=options.name)
    Bridge(consumer, producer, options, counting).run(stop)
