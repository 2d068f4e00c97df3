"""The registry on Kafka: records that were read together are one control of their partition, and one journal entry.

An import of a million agents would else pay a fence and an acknowledged write for each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import structlog

from detector.schema.control import Control
from detector.schema.declaration import Declaration, declaration_of, in_controls, pack_declarations
from detector.schema.decode import Refusal
from detector.schema.record import Record
from detector.state.declarations import BAD_ENTRY
from detector.worker.controls import Controls
from detector.worker.owner import PartitionOwner
from detector.worker.publish import dead_letter
from detector.worker.responding import Message

log = structlog.get_logger("detector.controls")

MOST_GATHERED = 1_024
"""Records that are taken together at most."""
GATHER_S = 0.02
"""How long a record waits for others that were fetched with it."""


class Declarations:
    """Gives records of the registry their place in the input.

    Parameters
    ----------
    controls : Controls
        What journals controls and lets them take effect.
    """

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._parts, self._host = controls.parts, controls.host

    async def take(self, messages: Sequence[Message]) -> list[bool]:
        """Tell of each record whether it is done with; False: leave it unacknowledged, its next owner reads it again.

        Parameters
        ----------
        messages : sequence of Message
            Records of the registry's topic, of any partitions, each partition's in order.
        """
        taken: dict[int, bool] = {}
        for partition in {message.partition: None for message in messages}:
            mine = [message for message in messages if message.partition == partition]
            taken[partition] = await self._controls.until_done(partial(self._steps, mine))
        return [taken[message.partition] for message in messages]

    async def _steps(self, messages: Sequence[Message]) -> bool | None:
        """Let one partition's records take effect; those that did are known when this is tried again."""
        owner = self._controls.owner_of(messages[-1])
        if owner is None or messages[0].generation != messages[-1].generation:
            self._count("left", len(messages))
            return False
        new = [message for message in messages if message.offset >= owner.next_registry]
        self._count("repeated", len(messages) - len(new))
        for records in in_controls([one for message in new if (one := await self._read(owner, message)) is not None]):
            control = Control(records[-1].offset, pack_declarations(records), "registry")
            if await self._controls.place(owner, control) is None:
                return None
            await asyncio.sleep(0)  # lets heartbeats and events in between two journal entries
        # also those behind the last one that could be read
        owner.next_registry = max(owner.next_registry, messages[-1].offset + 1)
        return True

    async def _read(self, owner: PartitionOwner, message: Message) -> Declaration | None:
        """Return a record as it goes into a control; what cannot becomes a dead letter at once and changes nothing."""
        value = None if message.is_null else message.value
        try:
            return declaration_of(message.offset, message.key, value)
        except ValueError as error:
            refusal = Refusal(BAD_ENTRY, str(error), None, message.value)
        record = Record(message.value, message.key, self._parts.names.registry, owner.partition, message.offset)
        log.error("an entry of the registry is refused", reason=BAD_ENTRY, place=message.source, fault=refusal.detail)
        self._parts.metrics.refused.labels(BAD_ENTRY).inc()
        self._count("refused", 1)
        await self._host.hand_over(owner, [dead_letter(record, refusal, self._parts.names)])
        return None

    def _count(self, outcome: str, count: int) -> None:
        self._parts.metrics.controls.labels("registry", outcome).inc(count)


async def gathered(events: AsyncIterator[Any], most: int = MOST_GATHERED) -> AsyncIterator[list[Any]]:
    """Yield what comes one by one in lists: all that is there without waiting longer than for what was read with it."""
    coming: asyncio.Future[Any] | None = None
    try:
        while True:
            held: list[Any] = []
            while len(held) < most:
                coming = coming or asyncio.ensure_future(anext(events))
                if held and not (await asyncio.wait({coming}, timeout=GATHER_S))[0]:
                    break
                try:
                    held.append(await coming)
                except StopAsyncIteration:
                    if held:
                        yield held
                    return
                coming = None
            yield held
    finally:
        if coming is not None:
            coming.cancel()
