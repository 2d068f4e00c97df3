"""Waiting for the first events of a source on Kafka: telemetry through the mapping, and what stands on agent.events."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka import KafkaException

from detector.connect.check import SourceCheck
from detector.errors import SetupError
from detector.otlp.mapper import Mapper
from detector.otlp.read import read
from detector.otlp.tables import Table
from detector.schema.event import Event
from detector.schema.topics import TopicNames
from detector.views.reading import TopicReader

SAY_S: Final = 10.0
POLL_S: Final = 0.2
MOST_WAITING: Final = 256
"""Records of Kafka read ahead of the mapping: each has at most a megabyte."""
MOST_RECORDS: Final = 200_000
"""Records of telemetry after which enough is known."""

Say = Callable[[str], None]
_EVENT: Final = msgspec.json.Decoder(Event)


@dataclass(frozen=True, slots=True)
class ArrivalOptions:
    """How long is looked, and from when.

    Attributes
    ----------
    since : float
        Records written at or after this are looked at, epoch seconds.
    timeout_s : float
        Longest wait for the first record of the source.
    gather_s : float
        How long it goes on behind the first.
    tables : tuple of Table, optional
        Mapping tables; the shipped ones if None.
    """

    since: float
    timeout_s: float
    gather_s: float
    tables: tuple[Table, ...] | None = None


class _Arrived(NamedTuple):
    """A record's topic and value."""

    topic: str
    value: bytes


class SourceWatch:
    """Reads the topics of a source, each in a thread, until something came and a little behind it.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Topics.
    check : SourceCheck
        Where it is counted; events of `agent.events` are taken for it if no telemetry is there.
    """

    def __init__(self, kafka: Mapping[str, Any], names: TopicNames, check: SourceCheck) -> None:
        self._kafka, self._names, self._check = kafka, names, check
        check.is_live = True
        self._events = SourceCheck(check.source, is_live=True)
        self._queue: queue.Queue[_Arrived] = queue.Queue(MOST_WAITING)
        self._stop = threading.Event()
        self._lacking: list[str] = []  # why topics cannot be read: written by their threads, read by this one

    def run(self, options: ArrivalOptions, say: Say) -> SourceCheck:
        """Return what came, or the check as it was if nothing did within the time.

        Raises
        ------
        SetupError
            None of the topics can be read.
        """
        topics = (self._names.otlp_logs, self._names.otlp_spans, self._names.events)
        threads = [threading.Thread(target=self._read, args=(one, options.since), name=one) for one in topics]
        for one in threads:
            one.start()
        try:
            self._gather(options, say, len(topics))
        finally:
            self._stop.set()
            for one in threads:
                one.join()
        if len(self._lacking) == len(topics):
            raise SetupError(self._lacking[0])
        self._events.on_events = self._check.on_events
        return self._check if self._check.mapped or not self._check.on_events else self._events

    def _gather(self, options: ArrivalOptions, say: Say, topics: int) -> None:
        mapper, began = Mapper(options.tables), time.monotonic()
        end, said, seen = began + options.timeout_s, began - SAY_S, 0
        told, first = 0, None
        while time.monotonic() < end and seen < MOST_RECORDS and len(self._lacking) < topics:
            one = self._next()
            if one is not None:
                seen += self._take(one, mapper)
            for why in self._lacking[told:]:
                told += 1
                say(why)
            if first is None and (self._check.records or self._check.on_events):
                first = time.monotonic()
                end = first + options.gather_s
                say(f"first of {self._check.source} is here; looking on for {options.gather_s:.0f} s")
            if time.monotonic() - said >= SAY_S:
                said = time.monotonic()
                say(f"{said - began:.0f} s: {self._check.records} records of {self._check.source}, {seen} of all")
        if seen >= MOST_RECORDS:
            say(f"{seen} records were looked at, which is enough: with a shorter --since there are fewer of others")

    def _next(self) -> _Arrived | None:
        try:
            return self._queue.get(timeout=POLL_S)
        except queue.Empty:
            return None

    def _take(self, one: _Arrived, mapper: Mapper) -> int:
        """Count a record of Kafka; return how many records were in it."""
        if one.topic != self._names.events:
            verdicts = mapper.map(read(one.value))
            self._check.take(verdicts)
            return len(verdicts)
        lines = one.value.splitlines()
        for line in lines:
            with suppress(msgspec.MsgspecError):  # the worker refuses it, with its reason, on agent.deadletter
                event = _EVENT.decode(line)
                before = self._check.on_events
                self._check.note_on_events(event)
                if self._check.on_events > before:
                    self._events.take_event(event)
        return len(lines)

    def _read(self, topic: str, since: float) -> None:
        try:
            with TopicReader(self._kafka, topic, self._stop) as reader:
                for record in reader.to_the_end(since):
                    self._put(_Arrived(topic, record.value))
                for record in reader.onward():
                    self._put(_Arrived(topic, record.value))
        except (SetupError, KafkaException) as error:
            self._lacking.append(str(error))

    def _put(self, one: _Arrived) -> None:
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._queue.put(one, timeout=POLL_S)
                return
