"""What partitions are told of commands: enforced ones, beside the events of their agent, before they stand."""

from __future__ import annotations

import asyncio
import json

import pytest

from detector.profile.load import load_profile, with_mode
from detector.response.acknowledged import FirstAck
from detector.schema.containment import Containment, control_adapter
from detector.schema.topics import TopicNames
from detector.worker.responding import Message, ResponseProcessor
from detector.worker.telling import told_of
from tests.edge.states import released, state
from tests.worker.fakes import FakeEngine, Sent
from tests.worker.test_responding import Topics, _many, _parts

NAMES = TopicNames(group="g")


def test_an_enforced_state_is_told_under_the_key_of_its_agents_events() -> None:
    """So that it lies in the same partition, whatever the tenant."""
    (told,) = told_of(state(subject="a%2Fb/agent/x"), 120.0, NAMES, FirstAck(119.0, "edge-1"))
    assert (told.topic, told.key) == ("agent.feedback", b"x")
    act = control_adapter.validate_json(told.value)
    assert isinstance(act, Containment)
    assert (act.tenant, act.told_at, act.acknowledged_at) == ("a/b", 120.0, 119.0)
    assert len(told_of(released(), 130.0, NAMES)) == 1


def test_of_a_shadow_nothing_is_told() -> None:
    """It constrains nobody, so nobody escapes it."""
    assert told_of(state(mode="shadow"), 120.0, NAMES) == []


def _told(sent: list[Sent]) -> dict[str, int]:
    """Return the revision that partitions know of each subject."""
    states = [json.loads(one.value)["state"] for one in sent if one.topic == NAMES.feedback]
    return {one["subject"]: one["revision"] for one in sorted(states, key=lambda one: int(one["revision"]))}


def _stands(sent: list[Sent]) -> dict[str, int]:
    """Return the revision that stands of each subject."""
    states = [json.loads(one.value) for one in sent if one.topic == NAMES.policy]
    return {one["subject"]: one["revision"] for one in states}


def _decide(messages: list[Message], topics: Topics | None = None) -> list[Sent]:
    """Return what a worker writes that takes over and is given alerts."""

    async def run() -> list[Sent]:
        engine = FakeEngine()
        processor = ResponseProcessor(_parts(engine, with_mode(load_profile(), "enforce"), topics))
        await processor.take_over()
        for message in messages:
            await processor.on_record(message)
        return engine.sent

    return asyncio.run(run())


@pytest.mark.parametrize("written", range(10))
def test_what_stands_was_told_wherever_a_worker_dies(written: int) -> None:
    """A containment, one that yields, and the one it yields to: told first, for what stands is not decided again."""
    messages = _many(2)
    whole = _decide(messages)
    assert len(whole) == 9
    before = whole[:written]
    held: dict[str, list[bytes]] = {name: [] for name in (NAMES.policy, NAMES.policy_log, NAMES.feedback)}
    for one in before:
        held[one.topic].append(one.value)
    left = messages if written < 3 else messages[1:]  # the first is acknowledged after its three records
    after = [*before, *_decide(left, Topics(policy=held[NAMES.policy], log=held[NAMES.policy_log]))]
    assert _stands(after) == _stands(whole) == _told(after)


def test_what_partitions_are_told_is_passed_on_to_nobody() -> None:
    """It comes from this stage; acts of people go to their tenant's owner."""
    (told,) = told_of(state(), 120.0, NAMES)

    async def run() -> list[Sent]:
        engine = FakeEngine()
        processor = ResponseProcessor(_parts(engine, load_profile()))
        assert await processor.on_feedback(Message(told.key, told.value, {}, "agent.feedback/0/0"))
        return engine.sent

    assert asyncio.run(run()) == []
