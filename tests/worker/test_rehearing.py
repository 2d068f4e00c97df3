"""What a tenant's agents make together survives a restart: the last records of its partition are heard again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from faust.types import TP

from detector.profile.load import load_profile
from detector.profile.model import Profile
from detector.schema.tiding import Tiding, encode_tiding
from detector.worker.ports import Bounds
from detector.worker.publish import KIND, KIND_TIDING
from detector.worker.rehearing import MOST_REHEARD, hear_again
from detector.worker.responding import Message, RespondingParts, ResponseProcessor
from tests.response.hearings import tiding
from tests.worker.fakes import FakeEngine, Sent
from tests.worker.test_responding import NAMES, Topics, _alert_message, _parts

PATH = [tiding("mail", "planner", 1_000.0), tiding("planner", "vault", 1_060.0)]
HEADERS = [(KIND, KIND_TIDING)]


def _profile() -> Profile:
    table = load_profile().model_dump()
    table["response"]["critical"] = ("vault",)
    return Profile.model_validate(table)


class Kept(NamedTuple):
    """A record of the tenants' topic."""

    value: bytes
    headers: Sequence[tuple[str, bytes]]
    offset: int = 0


class TenantTopic(Topics):
    """The same topics, and a partition of the tenants' with records."""

    def __init__(self, *records: Kept) -> None:
        super().__init__()
        self.records = records

    async def read_span(
        self, topic: str, partition: int, span: tuple[int, int], client: Mapping[str, Any]
    ) -> AsyncIterator[list[Any]]:
        assert topic == NAMES.by_tenant
        self.spans.append(span)
        yield list(self.records[span[0] : span[1]])


def _message(one: Tiding) -> Message:
    return Message(b"acme", encode_tiding(one), dict(HEADERS), "g.by-tenant/0/1")


def _kept(one: Tiding) -> Kept:
    return Kept(encode_tiding(one), HEADERS)


def _after(topic: TenantTopic, committed: int | None, *messages: Message) -> list[Sent]:
    """Return what a processor sends that takes over and then hears messages."""
    engine = FakeEngine()
    engine.log[TP(NAMES.by_tenant, 0)] = Bounds(0, len(topic.records), committed)
    parts: RespondingParts = _parts(engine, _profile(), topic)

    async def run() -> None:
        processor = ResponseProcessor(parts)
        await processor.take_over([0])
        for message in messages:
            await processor.on_record(message)

    asyncio.run(run())
    return [one for one in engine.sent if one.topic == NAMES.alerts]


def test_a_path_is_published_for_the_soc() -> None:
    """A finding of the response stage: it asks for no response."""
    (told,) = _after(TenantTopic(), None, *map(_message, PATH))
    assert (told.key, b"response.lateral_path" in told.value) == (b"planner", True)


def test_what_was_told_before_a_restart_is_heard_again_and_not_answered_again() -> None:
    """The path is completed by its second call; the first was committed."""
    topic = TenantTopic(_kept(PATH[0]))
    assert len(_after(topic, 1, _message(PATH[1]))) == 1
    assert _after(TenantTopic(*map(_kept, PATH)), 2) == []


def test_what_was_not_committed_is_not_heard_again() -> None:
    """It comes by itself."""
    topic = TenantTopic(*map(_kept, PATH))
    assert _after(topic, 1) == []
    assert topic.spans == [(0, 1)]


def test_only_the_last_records_are_heard_again() -> None:
    """A rebalance must not wait for days of records."""
    engine, topic = FakeEngine(), TenantTopic()
    engine.log[TP(NAMES.by_tenant, 3)] = Bounds(100, 90_000, 80_000)
    parts = _parts(engine, _profile(), topic)
    asyncio.run(hear_again(parts, parts.new_stage(), [3]))
    assert topic.spans == [(80_000 - MOST_REHEARD, 80_000)]


def test_what_cannot_be_read_is_passed_over() -> None:
    """It became a dead letter when it was read first; feedback is none of the graph's."""
    broken = (
        Kept(b"{", HEADERS),
        Kept(b"{", [(KIND, b"alert")]),
        Kept(b"{}", [(KIND, b"feedback")]),
        Kept(b"x", ()),
    )
    topic = TenantTopic(*broken, _kept(PATH[0]))
    assert len(_after(topic, 5, _message(PATH[1]))) == 1


def test_a_broken_tiding_is_a_dead_letter() -> None:
    """And those behind it are heard."""
    engine = FakeEngine()
    parts = _parts(engine, _profile())

    async def run() -> None:
        processor = ResponseProcessor(parts)
        await processor.take_over()
        await processor.on_record(Message(b"acme", b"{}", dict(HEADERS), "g.by-tenant/0/7"))
        await processor.on_record(_alert_message())

    asyncio.run(run())
    (letter,) = [one for one in engine.sent if one.topic == NAMES.deadletter]
    assert (dict(letter.headers)["reason"], letter.value) == (b"bad_tiding", b"{}")
    assert any(one.topic == NAMES.policy_log for one in engine.sent)
