"""Controls on Kafka: what a control topic brings gets its place in the input, then takes effect there.

The place is journaled in ``<group>.state`` before anything depends on it. A restart reads the journal and lets each
control take effect at the same place again, so the same bytes come out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

import structlog
from faust.types import TP

from detector.schema.control import Control, JournalEntry
from detector.schema.declaration import unpack_declarations
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.worker.checkpoint import CheckpointStore
from detector.worker.journal import RING
from detector.worker.kinds import kind_of
from detector.worker.metrics import WorkerMetrics
from detector.worker.owner import PartitionOwner
from detector.worker.ports import Bounds, Engine
from detector.worker.publish import Output, outputs_of
from detector.worker.responding import Message

log = structlog.get_logger("detector.controls")

AGAIN_S = 0.5
"""How long a control waits that found its ring full, or a broker that did not accept the fence."""


class ControlHost(NamedTuple):
    """What controls need of the scoring stage.

    Attributes
    ----------
    owners : mapping
        Owner of each partition held; the stage changes it.
    busy : asyncio.Lock
        Held while anything of an owner changes.
    commits : callable
        Tells whether the group accepted offsets: True means that the partitions are still ours.
    hand_over : callable
        Hands outputs to the producer.
    checkpoint : callable
        Makes every partition durable.
    """

    owners: Mapping[int, PartitionOwner]
    busy: asyncio.Lock
    commits: Callable[[Mapping[TP, int]], Awaitable[bool]]
    hand_over: Callable[[PartitionOwner, list[Output]], Awaitable[None]]
    checkpoint: Callable[[], Awaitable[None]]


class ControlParts(Protocol):
    """What of the scoring stage's parts is needed here; see ``ScoringParts``."""

    @property
    def names(self) -> TopicNames:
        """Names of the deployment."""

    @property
    def engine(self) -> Engine:
        """A broker behind Faust."""

    @property
    def store(self) -> CheckpointStore:
        """Keeps the journal."""

    @property
    def metrics(self) -> WorkerMetrics:
        """Counts what became of each control."""

    @property
    def output_timeout_s(self) -> float:
        """How long an entry may stay unacknowledged."""


class Controls:
    """Gives controls their place in the input and lets them take effect there.

    Parameters
    ----------
    parts : ControlParts
        Those of the scoring stage.
    host : ControlHost
        The scoring stage, as far as it is needed.
    """

    def __init__(self, parts: ControlParts, host: ControlHost) -> None:
        self.parts, self.host = parts, host

    async def take(self, message: Message, *, is_act: bool) -> bool:
        """Tell whether a record is done with; False: leave it unacknowledged, its next owner reads it again.

        Parameters
        ----------
        message : Message
            One record of the feedback topic.
        is_act : bool
            False for one that is none and went to the dead letters.
        """
        return await self.until_done(lambda: self._steps(message, is_act=is_act))

    async def until_done(self, steps: Callable[[], Awaitable[bool | None]]) -> bool:
        """Take steps under the lock, again while they return None; False once a rebalance or the end has begun."""
        while True:
            async with self.host.busy:
                is_done = await steps()
            if is_done is not None:
                return is_done
            if self.parts.engine.is_moving:
                return False
            await self.host.checkpoint()  # makes room in the ring
            await asyncio.sleep(AGAIN_S)

    def owner_of(self, message: Message) -> PartitionOwner | None:
        """Return the owner a record is for; None if it is another worker's, or was read in another generation."""
        owner = self.host.owners.get(message.partition)
        if owner is not None and not owner.has_failed and message.generation == self.parts.engine.generation:
            return owner
        if owner is None and message.generation == self.parts.engine.generation:
            topic, _, offset = message.source.rpartition("/")
            log.error(
                "a control is not beside its events: its topic needs as many partitions as agent.events",
                place=topic,
                offset=int(offset),
            )
        return None

    async def _steps(self, message: Message, *, is_act: bool) -> bool | None:
        """Let one control take effect, if the partition is ours and the control is new.

        Returns True for one that is done with, False for one of another owner, None if it is to be tried again.
        """
        owner = self.owner_of(message)
        if owner is None:
            self._count(message.value, "left")
            return False
        if message.offset < owner.next_control or not is_act:
            owner.next_control = max(owner.next_control, message.offset + 1)
            self._count(message.value, "repeated" if is_act else "refused")
            return True
        return await self.place(owner, Control(message.offset, message.value))

    async def place(self, owner: PartitionOwner, control: Control) -> bool | None:
        """Let a control that is new take effect, in this order, which is the promise; the caller holds the lock.

        1. Fence: commit the input offset that is durable already; a worker that lost the partition is refused here
           and writes nothing into the new owner's journal.
        2. The entry (partition, input offset, control offset, digest, the control) is acknowledged in the journal.
        3. The control takes effect, unless earlier ones still wait; its outputs are handed to the producer.

        Returns True, or None if it is to be tried again.
        """
        if owner.sequence - owner.manifest.sequence >= RING:
            return None
        # 1.
        durable = max(owner.manifest.offset, owner.first)
        if not await self.host.commits({TP(self.parts.names.events, owner.partition): durable}):
            return None
        try:
            # 2.
            entry = owner.entry(control, self.parts.engine.generation)
            await asyncio.wait_for(self.parts.store.journal(entry), self.parts.output_timeout_s)
            owner.journaled(entry)
            # 3.
            await self._apply(owner, owner.next_offset)
        except BaseException:
            owner.has_failed = True  # what the journal holds now is known to whoever reads it again
            raise
        return True

    async def apply(self, owner: PartitionOwner, before: int) -> None:
        """Let every control that waits for a place up to an input offset take effect; the caller holds the lock."""
        if owner.pending:
            await self._apply(owner, before)

    async def resume(self) -> None:
        """Let what is due take effect in every partition just taken over, and set where the controls are read on.

        The state, not what the group committed, says where to go on, as with the events: Faust seeks to what is
        committed next. A record that was left unacknowledged is read again.
        """
        sound = [owner for owner in self.host.owners.values() if not owner.has_failed]
        for owner in sound:
            try:
                await self.apply(owner, owner.next_offset)
            except BaseException:
                owner.has_failed = True
                raise
            self._show(owner)
        names = self.parts.names
        known = {TP(names.feedback, one.partition): one for one in sound if one.next_control}
        declared = {TP(names.registry, one.partition): one for one in sound}
        bounds = await self.parts.engine.bounds([*known, *declared])
        for place, owner in known.items():
            owner.next_control = self._held_against(place, owner.next_control, bounds[place])
        for place, owner in declared.items():
            # of a state that knows none of it the whole registry is read, whatever the group has committed
            owner.next_registry = self._held_against(place, owner.next_registry or bounds[place].begin, bounds[place])
        if known:
            await self.host.commits({place: owner.next_control for place, owner in known.items()})
        moved = {tp: one.next_registry for tp, one in declared.items() if one.next_registry != bounds[tp].reads_on}
        if moved and await self.host.commits(moved):
            for tp, offset in moved.items():
                await self.parts.engine.seek(tp, offset)  # Faust seeks to what is committed, but for 0

    def _held_against(self, place: TP, read: int, bounds: Bounds) -> int:
        """Return where to read on; anew in a topic that ends before what was read of it: no record is a repeat."""
        if read <= bounds.end:
            return read
        log.error(
            "topic ends before what was read of it: was it made anew?",
            topic=place.topic,
            partition=place.partition,
            read=read,
            end=bounds.end,
        )
        return bounds.begin

    async def _apply(self, owner: PartitionOwner, before: int) -> None:
        for entry in owner.due(before):
            await self._one(owner, entry)
        self._show(owner)

    async def _one(self, owner: PartitionOwner, entry: JournalEntry) -> None:
        control = entry.control()
        # one at a time, as they came: what is applied together must not depend on where a restart fell
        outcome = owner.pipeline.control([control])
        records = self._records(owner.partition, control)
        self.parts.metrics.told(outcome)
        await self.host.hand_over(owner, outputs_of(outcome.alerts, outcome.refusals, records, self.parts.names))
        if control.source == "feedback":
            self._count(control.value, "applied")
            return
        for index, refusal in outcome.refusals:
            place = (records[index].topic, records[index].partition, records[index].offset)
            log.error("an entry of the registry is refused", reason=refusal.reason, place=place, fault=refusal.detail)
        self.parts.metrics.controls.labels("registry", "refused").inc(len(outcome.refusals))
        self.parts.metrics.controls.labels("registry", "applied").inc(len(records) - len(outcome.refusals))

    def _records(self, partition: int, control: Control) -> list[Record]:
        """Return the records of a control, as they stand on their topic."""
        names = self.parts.names
        if control.source == "feedback":
            return [Record(control.value, None, names.feedback, partition, control.offset)]
        held = unpack_declarations(control.value)
        return [Record(one.value or b"", one.record_key, names.registry, partition, one.offset) for one in held]

    def _show(self, owner: PartitionOwner) -> None:
        self.parts.metrics.pending.labels(owner.partition).set(len(owner.pending))

    def _count(self, value: bytes, outcome: str) -> None:
        self.parts.metrics.controls.labels(kind_of(value), outcome).inc()


class _Feedback(Protocol):
    async def on_feedback(self, message: Message) -> bool:
        """Pass a human act on to the tenant's owner; tell whether the record was one."""


def both(responding: _Feedback, controls: Controls) -> Callable[[Message], Awaitable[bool]]:
    """Return what a record of the feedback topic goes through: first the response stage, then scoring.

    In this order, because scoring remembers how far it came, and reading goes on from there: what it remembers must
    have reached the response stage. What that stage is given twice it recognises.
    """

    async def take(message: Message) -> bool:
        is_act = await responding.on_feedback(message)
        return await controls.take(message, is_act=is_act)

    return take


def leave(consumer: Any, message: Any) -> None:  # noqa: ANN401 - Faust's own classes
    """Forget a record without acknowledging it: it is not committed, and no rebalance waits for it."""
    consumer.unacked.discard(message)
