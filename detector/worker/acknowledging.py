"""Whether commands were acknowledged in time: the policy topic and its acknowledgements, followed beside the work.

Every worker follows both, so each knows all of it, and a scrape of any one tells. Nothing is decided by it: a topic
that cannot be read makes the figures unknown and stops nobody.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from pydantic import ValidationError

from detector.clock import Clock
from detector.response.acknowledged import AckWatch, ProvenCommand
from detector.schema.acks import PolicyAck
from detector.schema.command import PolicyState
from detector.schema.reading import read
from detector.schema.topics import TopicNames
from detector.worker.metrics import WorkerMetrics
from detector.worker.ports import Engine
from detector.worker.telling import told_of

log = structlog.get_logger("detector.acknowledgements")

POLL_MS: Final = 1_000
RETRY_S: Final = 30.0
MOST_UNTOLD: Final = 256
"""Acknowledged commands whose partition is still to be told; the oldest leave first."""


@dataclass(frozen=True, slots=True)
class AckParts:
    """What the follower is built from; `tells` says whether this worker is the one that tells partitions."""

    names: TopicNames
    engine: Engine
    metrics: WorkerMetrics
    clock: Clock
    reader: Mapping[str, Any]
    tells: Callable[[], bool]
    output_timeout_s: float = 60.0
    follow: Callable[..., AsyncIterator[list[Any]]] | None = None


class AckFollower:
    """Follows states and acknowledgements; shows what is overdue, and tells partitions what was acknowledged.

    Telling may come twice, which changes nothing, and is missed if the worker dies between the two records: a finding
    says what its partition had been told by then, the figures and `detector status` say what is.
    """

    def __init__(self, parts: AckParts) -> None:
        self._parts = parts
        self._watch = AckWatch()
        self._untold: dict[str, ProvenCommand] = {}
        self._began = parts.clock()
        self._why = ""

    async def run(self, should_stop: Callable[[], bool], sleep: Callable[[float], Any] = asyncio.sleep) -> None:
        """Follow until the worker stops; begin anew, from the topics, after whatever breaks it off."""
        from aiokafka.errors import KafkaError

        while not should_stop():
            try:
                self._watch = AckWatch()
                async for records in (self._parts.follow or follow)(self._parts, self._watch):
                    await self.take(records)
                    if should_stop():
                        return
            except (KafkaError, OSError, TimeoutError) as error:
                self._unknown(repr(error))
            await sleep(RETRY_S)

    async def take(self, records: list[Any]) -> None:
        """Take up what came, show the figures, and tell what is to be told."""
        for record in records:
            proven = noted(self._watch, record, self._parts.names)
            if proven is not None:
                if record.timestamp / 1_000 >= self._began:
                    self._parts.metrics.acknowledged_s.observe(proven.took_s)
                self._untold[proven.state.command_id] = proven
        now, metrics = self._parts.clock(), self._parts.metrics
        late = self._watch.overdue(now)
        metrics.in_force.set(sum(1 for _ in self._watch.in_force(now)))
        metrics.unacknowledged.set(len(late))
        self._say(f"{len(late)} commands" if late else "")
        while len(self._untold) > MOST_UNTOLD:
            del self._untold[next(iter(self._untold))]
        if self._parts.tells():
            await self._tell(now)

    async def _tell(self, now: float) -> None:
        for command_id, proven in list(self._untold.items()):
            limit_s = self._parts.output_timeout_s
            for output in told_of(proven.state, now, self._parts.names, proven.ack):
                send = self._parts.engine.send(output.topic, output.key, output.value, None, output.headers)
                await asyncio.wait_for(await asyncio.wait_for(send, limit_s), limit_s)
            del self._untold[command_id]

    def _say(self, why: str) -> None:
        """Log once that commands are overdue, or that they no longer are; whose they are, `detector status` says."""
        if bool(why) != bool(self._why):
            said = "no enforcement point has acknowledged commands" if why else "all commands are acknowledged"
            log.warning(said, overdue=why) if why else log.info(said)
        self._why = why

    def _unknown(self, why: str) -> None:
        """Say that nothing is known: a figure that stands still would say that all is well."""
        self._parts.metrics.in_force.set(math.nan)
        self._parts.metrics.unacknowledged.set(math.nan)
        log.warning("acknowledgements cannot be followed", why=why, again_s=RETRY_S)


def noted(watch: AckWatch, record: Any, names: TopicNames) -> ProvenCommand | None:  # noqa: ANN401 - aiokafka's
    """Return a command that a record of either topic proves; what is not ours says nothing here."""
    if not record.value:
        return None
    try:
        if record.topic == names.policy:
            return watch.note(read(PolicyState, record.value)[0], record.timestamp / 1_000)
        return watch.hear(read(PolicyAck, record.value)[0])
    except ValidationError:
        return None


async def follow(parts: AckParts, watch: AckWatch) -> AsyncIterator[list[Any]]:
    """Yield what is on the policy topic, then the acknowledgements since the oldest command in force, then what comes.

    In this order, because an acknowledgement is never older than its command.
    """
    from aiokafka import AIOKafkaConsumer

    own: dict[str, Any] = {"group_id": None, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    consumer = AIOKafkaConsumer(**own, **parts.reader)
    await consumer.start()
    try:
        states, acks = [await _places(consumer, topic) for topic in (parts.names.policy, parts.names.acks)]
        consumer.assign([*states, *acks])
        consumer.pause(*acks)
        ends = await consumer.end_offsets(states)
        await consumer.seek_to_beginning(*states)
        while any([await consumer.position(one) < ends[one] for one in states]):
            yield _flat(await consumer.getmany(*states, timeout_ms=POLL_MS))
        now = parts.clock()
        since = min((one.state.begins_at for one in watch.in_force(now)), default=now)
        found = await consumer.offsets_for_times({one: int(since * 1_000) for one in acks})
        for one in acks:
            begin = found.get(one)
            await (consumer.seek_to_end(one) if begin is None else _seek(consumer, one, begin.offset))
        consumer.resume(*acks)
        while True:
            yield _flat(await consumer.getmany(timeout_ms=POLL_MS))
    finally:
        await consumer.stop()


async def _places(consumer: Any, topic: str) -> list[Any]:  # noqa: ANN401
    from aiokafka import TopicPartition
    from aiokafka.errors import UnknownTopicOrPartitionError

    await consumer._client.set_topics([topic])  # noqa: SLF001 - the public call asks for a subscription
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise UnknownTopicOrPartitionError(f"{topic} is not there, or may not be read: `detector doctor` says which")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def _seek(consumer: Any, place: Any, offset: int) -> None:  # noqa: ANN401
    consumer.seek(place, offset)


def _flat(batches: Mapping[Any, list[Any]]) -> list[Any]:
    return [record for records in batches.values() for record in records]
