"""Hearing again what a tenant's partition held before a restart: the graph of its agents is remembered nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
from faust.types import TP
from pydantic import ValidationError

from detector.schema.alert import Alert
from detector.schema.reading import read
from detector.schema.tiding import Tiding, decode_tiding
from detector.worker.publish import KIND, KIND_ALERT, KIND_TIDING

if TYPE_CHECKING:
    from detector.schema.topics import TopicNames
    from detector.worker.ports import Bounds, Engine

log = structlog.get_logger("detector.response")

MOST_REHEARD: Final = 5_000
"""Records of a partition that are heard again; what was told before them is told again in a day, or is forgotten."""

AT_ONCE: Final = 8
"""Partitions that are read at once."""


class _Parts(Protocol):
    @property
    def names(self) -> TopicNames: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def reader(self) -> Mapping[str, Any]: ...

    @property
    def read_span(self) -> Callable[..., AsyncIterator[list[Any]]]: ...


class _Stage(Protocol):
    def hear_again(self, heard: Alert | Tiding) -> None: ...


async def hear_again(parts: _Parts, stage: _Stage, partitions: Sequence[int]) -> int:
    """Return how many alerts and tidings a stage heard again: the last before where the group reads on.

    What cannot be read is passed over: it became a dead letter when it was read first.
    """
    if not partitions:
        return 0
    bounds = await parts.engine.bounds([TP(parts.names.by_tenant, one) for one in partitions])
    limit = asyncio.Semaphore(AT_ONCE)  # a client a partition: one after the other, a rebalance would wait for all
    return sum(await asyncio.gather(*(_read(parts, stage, place, bounds[place], limit) for place in bounds)))


async def _read(parts: _Parts, stage: _Stage, place: TP, bounds: Bounds, limit: asyncio.Semaphore) -> int:
    """Return how much of one partition was heard again; its tenants are in no other."""
    span, count = (max(bounds.begin, bounds.reads_on - MOST_REHEARD), bounds.reads_on), 0
    if span[0] >= span[1]:
        return 0
    async with limit:
        async for records in parts.read_span(place.topic, place.partition, span, parts.reader):
            for record in records:
                heard = _heard(record)
                if heard is not None:
                    stage.hear_again(heard)
                    count += 1
            await asyncio.sleep(0)  # lets heartbeats in between
    return count


def _heard(record: Any) -> Alert | Tiding | None:  # noqa: ANN401 - aiokafka's ConsumerRecord
    kind = dict(record.headers or ()).get(KIND)
    try:
        if kind == KIND_TIDING:
            return decode_tiding(record.value)
        return read(Alert, record.value)[0] if kind == KIND_ALERT else None
    except (ValidationError, ValueError, TypeError, RecursionError):
        return None
