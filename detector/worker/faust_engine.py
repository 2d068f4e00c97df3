"""What the stages ask of Faust, in their own words."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from faust.types import TP

from detector.worker.ports import Bounds


class FaustEngine:
    """What the stages need of a Faust app."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401 - faust.App is untyped here
        self._app = app

    @property
    def generation(self) -> int:
        """Generation of the consumer group."""
        return int(self._app.consumer_generation_id)

    @property
    def is_moving(self) -> bool:
        """True once a rebalance or the worker's end has begun."""
        return bool(self._app.rebalancing or self._app.should_stop)

    async def send(
        self, topic: str, key: bytes | None, value: bytes, partition: int | None, headers: list[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        """Hand a record to the producer; what comes back is its acknowledgement."""
        sent: Awaitable[Any] = await self._app.producer.send(topic, key, value, partition, None, headers)
        return sent

    async def commit_checked(self, offsets: Mapping[TP, int], within_s: float) -> None:
        """Commit and raise if the group does not accept it."""
        await self._app.consumer.commit_checked(offsets, within_s)

    async def bounds(self, places: Sequence[TP]) -> Mapping[TP, Bounds]:
        """Return where partitions begin and end, and where the group stands."""
        bounds: Mapping[TP, Bounds] = await self._app.consumer.bounds(places)
        return bounds

    async def seek(self, place: TP, offset: int) -> None:
        """Read a partition on from an offset, whatever was read of it."""
        await self._app.consumer.read_on(place, offset)

    def lag(self, tp: TP, next_offset: int) -> int | None:
        """Return how many records are still to be read, None if not known."""
        end = self._app.consumer.highwater(tp)
        return None if end is None else max(0, int(end) - next_offset)

    async def crash(self, reason: BaseException) -> None:
        """End the worker; the first reason is the one it tells."""
        if self._app.fault is None:
            self._app.fault = reason
        await self._app.crash(reason)
