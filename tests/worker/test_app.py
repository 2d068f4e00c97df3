"""A record of a low-rate topic is acknowledged after the work, and never if the work broke off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from detector.worker.app import _acknowledging
from detector.worker.responding import Message
from tests.worker.fakes import FakeEngine, settled


class FakeStream:
    """One record of a stream that acknowledges nothing by itself."""

    def __init__(self) -> None:
        self.acknowledged = 0

    def noack(self) -> FakeStream:
        return self

    async def events(self) -> AsyncIterator[Any]:
        message = SimpleNamespace(topic="g.by-tenant", partition=0, offset=7, key=b"t", value=b"{}", headers={})
        yield SimpleNamespace(message=message, ack=self.ack)

    def ack(self) -> None:
        self.acknowledged += 1


def test_a_record_is_acknowledged_only_after_it_was_taken_care_of() -> None:
    """While the decision waits for its acknowledgements, a crash must bring the record back."""

    async def run() -> None:
        stream, done = FakeStream(), asyncio.Event()
        seen: list[str] = []

        async def take(message: Message) -> None:
            seen.append(message.source)
            await done.wait()

        work = asyncio.create_task(_acknowledging(FakeEngine(), take)(stream))
        await settled()
        assert (seen, stream.acknowledged) == (["g.by-tenant/0/7"], 0)
        done.set()
        await work
        assert stream.acknowledged == 1

    asyncio.run(run())


def test_a_record_whose_work_broke_off_is_not_acknowledged_and_ends_the_worker() -> None:
    """It comes again after the restart; a processor that goes on would lose it."""
    engine, stream = FakeEngine(), FakeStream()

    async def take(message: Message) -> None:
        raise PermissionError(message.source)

    with pytest.raises(PermissionError):
        asyncio.run(_acknowledging(engine, take)(stream))
    assert stream.acknowledged == 0
    assert [type(one) for one in engine.crashes] == [PermissionError]
