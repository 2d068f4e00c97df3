"""Hearing again what a tenant's partition held before a restart: the graph of its agents is remembered nowhere else."""

from __future__ import annotations

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
    from detector.worker.ports import Engine

log = structlog.get_logger("detector.response")

MOST_REHEARD: Final = 5_000
"""Records of a partition that are heard again; what was told before them is told again in a day, or is forgotten."""


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
    topic, count = parts.names.by_tenant, 0
    bounds = await parts.engine.bounds([TP(topic, one) for one in partitions]) if partitions else {}
    for partition in partitions:
        place = bounds[TP(topic, partition)]
        span = (max(place.begin, place.reads_on - MOST_REHEARD), place.reads_on)
        if span[0] >= span[1]:
            continue
        async for records in parts.read_span(topic, partition, span, parts.reader):
            for record in records:
                heard = _heard(record)
                if heard is not None:
                    stage.hear_again(heard)
                    count += 1
    return count


def _heard(record: Any) -> Alert | Tiding | None:  # noqa: ANN401 - aiokafka's ConsumerRecord
    kind = dict(record.headers or ()).get(KIND)
    try:
        if kind == KIND_TIDING:
            return decode_tiding(record.value)
        return read(Alert, record.value)[0] if kind == KIND_ALERT else None
    except (ValidationError, ValueError, TypeError, RecursionError):
        return None
