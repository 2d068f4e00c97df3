"""Small fakes with the faces of what the worker is built on: a pipeline, an engine, a response stage."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from faust.types import TP

from detector.schema.alert import Alert, Evidence, finding_uid
from detector.schema.control import Control
from detector.schema.declaration import unpack_declarations
from detector.schema.decode import Refusal, decode
from detector.schema.event import Event
from detector.schema.record import Record
from detector.schema.tiding import PlacedTiding
from detector.worker.ports import Bounds


class FakeOutcome(NamedTuple):
    scores: Any
    alerts: Sequence[Alert]
    refusals: Sequence[tuple[int, Refusal]]
    counts: Mapping[str, int]
    tidings: Sequence[PlacedTiding] = ()


class FakePipeline:
    """Counts the events of each agent in one shard; one named ``bad`` is an alert, ``poison`` breaks it halfway.

    A verdict is an alert too, whose score is how many events of its agent came before, and multiplies what is counted
    by ten: whether it took effect, how often and where, all shows in the state.
    """

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        self.agents: Counter[str] = Counter(counts or {})
        self.is_dirty = False

    @classmethod
    def restore(cls, shards: Mapping[str, bytes]) -> FakePipeline:
        return cls(json.loads(shards["agents"])) if shards else cls()

    def process(self, records: Sequence[Record], tolerance_s: float | None = None) -> FakeOutcome:
        decoded = decode(records, tolerance_s)
        alerts = []
        for event, index in zip(decoded.events, decoded.source, strict=True):
            self.agents[event.agent_id] += 1
            self.is_dirty = True
            if event.name == "poison":
                raise ValueError(event.event_id)
            if event.name == "bad":
                alerts.append(fake_alert(event, records[index], float(self.agents[event.agent_id])))
        return FakeOutcome(
            np.zeros(len(decoded.events) + sum(not refusal.is_scored for _, refusal in decoded.refusals)),
            alerts,
            decoded.refusals,
            {"seen": len(decoded.events)},
        )

    def control(self, records: Sequence[Control]) -> FakeOutcome:
        alerts = []
        for control in records:
            if control.source == "registry":
                for one in unpack_declarations(control.value):
                    self.agents[one.key] *= 10
                self.is_dirty = True
                continue
            act = json.loads(control.value)
            if act["kind"] == "verdict":
                agent = act["agent_id"]
                record = Record(event_bytes(agent, control.offset, "verdict"), agent.encode(), "agent.feedback", 0)
                event = decode([record]).events[0]
                alerts.append(fake_alert(event, record._replace(offset=control.offset), float(self.agents[agent])))
                self.agents[agent] *= 10
                self.is_dirty = True
        return FakeOutcome(np.zeros(0), alerts, [], {"controls_ignored": len(records) - len(alerts)})

    def snapshot(self, *, full: bool = False) -> dict[str, bytes]:
        if not self.is_dirty and not full:
            return {}
        self.is_dirty = False
        return {"agents": json.dumps(self.agents, sort_keys=True).encode()}

    def gauges(self) -> dict[str, float]:
        return {"agents": float(len(self.agents))}


class FakePipelines:
    fingerprint = "fake/v1"

    def new(self) -> Any:  # stands in for the real one
        return FakePipeline()

    def restore(self, shards: Mapping[str, bytes]) -> Any:
        return FakePipeline.restore(shards)


def fake_alert(event: Event, record: Record, score: float) -> Alert:
    """Return an alert on one event; its score is how many events of the agent came before, so lost state shows."""
    ts = event.ts.timestamp()
    tenant = event.tenant or "default"
    evidence = Evidence(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        line=0,
        event_id=event.event_id,
        ts=ts,
        kind=event.kind,
        name=event.name,
        target=event.target,
        outcome=event.outcome,
    )
    return Alert(
        finding_uid=finding_uid(tenant, event.agent_id, event.session_id, event.event_id, "fake", "fake/v1"),
        counter=1,
        activity="create",
        tenant=tenant,
        agent_id=event.agent_id,
        agent_type=event.agent_type,
        agent_version=None,
        zone=None,
        session_id=event.session_id,
        profile="fake/v1",
        detection="fake",
        title="Bad",
        time=ts,
        first_seen=ts,
        last_seen=ts,
        event_id=event.event_id,
        score=score,
        threshold=1.0,
        risk=50,
        severity="medium",
        events=1,
        events_over=1,
        contributions=(),
        normal_if="not bad",
        evidence=(evidence,),
        asi=(),
        atlas=(),
        partition_agents=10,
        partition=record.partition,
    )


class Sent(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes
    partition: int | None
    headers: list[tuple[str, bytes]]


class FakeEngine:
    """A broker in a list: records handed over are kept; a test says which topics acknowledge only when told.

    Attributes
    ----------
    held : set of str
        Topics whose records stay unacknowledged until :meth:`acknowledge` names the topic.
    full : asyncio.Event or None
        While it is there and not set, the producer takes no record.
    slow_commits : asyncio.Event or None
        While it is there and not set, the group gives no answer to a commit.
    """

    def __init__(self) -> None:
        self.generation = 1
        self.is_moving = False
        self.sent: list[Sent] = []
        self.commits: list[dict[TP, int]] = []
        self.crashes: list[BaseException] = []
        self.refuse_commits = False
        self.refuse_topic: str | None = None
        self.fail_acknowledgements = False
        self.held: set[str] = set()
        self.full: asyncio.Event | None = None
        self.slow_commits: asyncio.Event | None = None
        self.log: dict[TP, Bounds] = {}
        self.seeks: list[tuple[TP, int]] = []
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    async def send(
        self, topic: str, key: bytes | None, value: bytes, partition: int | None, headers: list[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        if self.full is not None:
            await self.full.wait()
        if topic == self.refuse_topic:
            raise PermissionError(topic)
        self.sent.append(Sent(topic, key, value, partition, headers))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.fail_acknowledgements:
            future.set_exception(PermissionError(topic))
        elif topic in self.held:
            self._waiting.append((topic, future))
        else:
            future.set_result(None)
        return future

    def acknowledge(self, topic: str) -> None:
        """Acknowledge what was handed over for a topic so far."""
        for held, future in self._waiting:
            if held == topic and not future.done():
                future.set_result(None)

    def keys(self, topic: str) -> list[bytes | None]:
        """Return the keys of what was handed over for a topic."""
        return [one.key for one in self.sent if one.topic == topic]

    async def commit_checked(self, offsets: Mapping[TP, int], within_s: float) -> None:
        is_refused = self.refuse_commits
        if self.slow_commits is not None:
            await self.slow_commits.wait()
        if is_refused:
            raise PermissionError("generation is over")
        self.commits.append(dict(offsets))

    async def bounds(self, places: Sequence[TP]) -> Mapping[TP, Bounds]:
        return {place: self.log.get(place, Bounds(0, 1_000_000, None)) for place in places}

    async def seek(self, place: TP, offset: int) -> None:
        self.seeks.append((place, offset))

    def lag(self, tp: TP, next_offset: int) -> int | None:
        return 0

    async def crash(self, reason: BaseException) -> None:
        self.crashes.append(reason)


class FetchedRecord(NamedTuple):
    """What aiokafka hands over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    timestamp_type: int | None = 0


def event_bytes(agent: str, number: int, name: str = "search", **more: Any) -> bytes:
    """Return one event as it stands on the wire."""
    return json.dumps(
        {
            "event_id": f"{agent}-{number}",
            "ts": f"2026-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}Z",
            "agent_id": agent,
            "kind": "tool_call",
            "name": name,
            **more,
        }
    ).encode()


def fetched(offset: int, value: bytes | None, key: bytes | None = None, partition: int = 0) -> FetchedRecord:
    return FetchedRecord("agent.events", partition, offset, 1_767_225_600_000, key, value)


async def settled() -> None:
    """Return when whatever can go on without us has gone on: the loop turned, threads had time to answer."""
    for _ in range(20):
        await asyncio.sleep(0.001)
