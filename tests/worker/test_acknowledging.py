"""Commands that nobody acknowledges are shown; of those that are, one worker tells the partition of the agent."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from typing import Any

from aiokafka.errors import KafkaConnectionError

from detector.response.acknowledged import AckWatch
from detector.schema.acks import PolicyAck
from detector.schema.command import PolicyState
from detector.schema.topics import TopicNames
from detector.worker.acknowledging import MOST_UNTOLD, AckFollower, AckParts
from detector.worker.metrics import WorkerMetrics
from tests.edge.states import SetClock, state
from tests.response.test_acknowledged import ack
from tests.worker.fakes import FakeEngine, FetchedRecord

NAMES = TopicNames(group="g")


def written(one: PolicyState | PolicyAck, at: float) -> FetchedRecord:
    """Return a state or an acknowledgement as it stands on its topic."""
    topic = NAMES.policy if isinstance(one, PolicyState) else NAMES.acks
    return FetchedRecord(topic, 0, 0, round(at * 1_000), b"k", one.model_dump_json(by_alias=True).encode())


class Scene:
    """A follower with a clock that is set, and a worker that tells or does not."""

    def __init__(self, now: float = 100.0) -> None:
        self.clock, self.engine, self.metrics, self.tells = SetClock(now), FakeEngine(), WorkerMetrics(), True
        self.follower = AckFollower(self.parts())

    def parts(self, follow: Any = None) -> AckParts:
        return AckParts(NAMES, self.engine, self.metrics, self.clock, {}, lambda: self.tells, follow=follow)

    def take(self, *records: FetchedRecord, now: float) -> tuple[float, float]:
        """Return commands in force and overdue after records came."""
        self.clock.now = now
        asyncio.run(self.follower.take(list(records)))
        return self.metrics.in_force._value.get(), self.metrics.unacknowledged._value.get()

    def told(self) -> list[tuple[str, str]]:
        """Return who was told of, and who acknowledged."""
        values = [json.loads(one.value) for one in self.engine.sent]
        return [(one["agent_id"], one["acknowledged_by"]) for one in values]


def test_a_command_that_nobody_acknowledges_is_shown_and_one_that_is_acknowledged_is_told() -> None:
    """The figure rises when the deadline passes, with no further record, and falls with the acknowledgement."""
    scene = Scene()
    assert scene.take(written(state(), 101.0), now=102.0) == (1, 0)
    assert scene.take(now=107.0) == (1, 1)
    assert scene.take(written(ack(state(), 108.0), 108.0), now=109.0) == (1, 0)
    assert scene.told() == [("claude-code/dev", "edge-1")]
    assert scene.engine.sent[0].key == b"claude-code/dev"
    assert scene.metrics.acknowledged_s._sum.get() == 7.0
    assert scene.take(now=400.0) == (0, 0)


def test_only_one_worker_tells_and_what_it_did_not_tell_its_successor_does() -> None:
    """Twice is once; never is what must not be."""
    scene = Scene()
    scene.tells = False
    scene.take(written(state(), 101.0), written(ack(state()), 101.5), now=102.0)
    assert scene.told() == []
    scene.tells = True
    scene.take(now=103.0)
    scene.take(now=104.0)
    assert scene.told() == [("claude-code/dev", "edge-1")]


def test_what_was_acknowledged_before_this_worker_began_is_in_no_histogram() -> None:
    """Each start reads it again."""
    scene = Scene(now=150.0)
    scene.take(written(state(), 101.0), written(ack(state()), 101.5), now=151.0)
    assert scene.metrics.acknowledged_s._sum.get() == 0.0


def test_records_that_are_none_of_ours_say_nothing() -> None:
    """A tombstone, rubbish, an acknowledgement on the other topic."""
    scene = Scene()
    strange = [
        FetchedRecord(topic, 0, 0, 1, b"k", value) for topic in (NAMES.policy, NAMES.acks) for value in (None, b"{")
    ]
    swapped = written(ack(state()), 101.0)._replace(topic=NAMES.policy)
    assert scene.take(written(state(), 101.0), *strange, swapped, now=110.0) == (1, 1)


def test_what_waits_to_be_told_is_bounded() -> None:
    """While no worker holds the first partition."""
    scene = Scene()
    scene.tells = False
    for n in range(MOST_UNTOLD + 9):
        one = state(subject=f"t/agent/{n}", command_id=f"{n:032x}")
        scene.take(written(one, 101.0), written(ack(one), 101.5), now=102.0)
    scene.tells = True
    scene.take(now=103.0)
    assert len(scene.told()) == MOST_UNTOLD


def test_topics_that_cannot_be_read_make_the_figures_unknown_and_are_read_anew() -> None:
    """Zero would say that all is well."""
    scene, tries = Scene(), list[AckWatch]()

    async def follow(parts: AckParts, watch: AckWatch) -> AsyncIterator[list[Any]]:
        tries.append(watch)
        if len(tries) == 1:
            raise KafkaConnectionError
        assert math.isnan(scene.metrics.unacknowledged._value.get())
        yield [written(state(), 101.0)]

    async def sleep(seconds: float) -> None:
        assert seconds > 0.0

    scene.clock.now = 120.0
    follower = AckFollower(scene.parts(follow))
    asyncio.run(follower.run(lambda: len(tries) > 1, sleep))
    assert scene.metrics.unacknowledged._value.get() == 1
