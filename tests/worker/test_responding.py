"""The response stage on Kafka: decisions are durable before their cause is acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from detector.profile.load import load_profile, with_mode
from detector.schema.decode import decode
from detector.schema.feedback import Release, feedback_id
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.worker.health import Health
from detector.worker.metrics import WorkerMetrics
from detector.worker.responding import Message, RespondingParts, ResponseProcessor
from detector.worker.run import stage_maker
from tests.worker.fakes import FakeEngine, Sent, event_bytes, fake_alert

NAMES = TopicNames(group="g")


def _alert_message(agent: str = "a", number: int = 1, score: float = 4.0) -> Message:
    record = Record(event_bytes(agent, number, "bad"), agent.encode(), "agent.events", 0, number)
    alert = fake_alert(decode([record]).events[0], record, score)
    return Message(b"default", alert.model_dump_json().encode(), {"kind": b"alert"}, "g.by-tenant/0/1")


def _release(agent: str = "a") -> bytes:
    act = Release(
        agent_id=agent, by="Ada", reason="checked", at=2_000_000_000.0, id=feedback_id(agent, "Ada", "checked", 2e9)
    )
    return act.model_dump_json().encode()


def _run(
    scene: Callable[[ResponseProcessor], Awaitable[None]], mode: str = "enforce", engine: FakeEngine | None = None
) -> list[Sent]:
    engine = engine or FakeEngine()
    profile = load_profile()
    profile = with_mode(profile, "enforce") if mode == "enforce" else profile
    parts = RespondingParts(
        NAMES, engine, stage_maker(profile), WorkerMetrics(), Health(5.0), lambda: 2_000_000_001.0, {}
    )

    async def run() -> None:
        processor = ResponseProcessor(parts)
        processor._stage = parts.new_stage()
        await scene(processor)

    asyncio.run(run())
    return engine.sent


def test_an_alert_past_the_level_quarantines_and_is_logged_in_that_order() -> None:
    """The state reaches enforcement points first, then the log; both are keyed by subject."""

    async def scene(processor: ResponseProcessor) -> None:
        await processor.on_record(_alert_message())

    sent = _run(scene)
    assert [(one.topic, one.key) for one in sent] == [
        ("agent.policy", b"default/agent/a"),
        ("agent.policy.log", b"default/agent/a"),
    ]
    state = json.loads(sent[0].value)
    assert (state["state"], state["tier"], state["mode"], state["revision"]) == ("quarantined", "isolate", "enforce", 1)


def test_the_same_alert_delivered_twice_is_one_command() -> None:
    """At-least-once input, one state."""

    async def scene(processor: ResponseProcessor) -> None:
        await processor.on_record(_alert_message())
        await processor.on_record(_alert_message())

    assert [one.topic for one in _run(scene)].count("agent.policy") == 1


def test_the_shipped_profile_shadows() -> None:
    """Without --mode enforce the state constrains nobody."""

    async def scene(processor: ResponseProcessor) -> None:
        await processor.on_record(_alert_message())

    assert json.loads(_run(scene, "shadow")[0].value)["mode"] == "shadow"


def test_feedback_is_passed_to_the_tenants_owner_and_lifts_the_quarantine() -> None:
    """A release is keyed by agent; the tenant's owner decides on it."""

    async def scene(processor: ResponseProcessor) -> None:
        await processor.on_record(_alert_message())
        await processor.on_feedback(Message(b"a", _release(), {}, "agent.feedback/0/0"))
        await processor.on_record(Message(b"default", _release(), {"kind": b"feedback"}, "g.by-tenant/0/2"))

    sent = _run(scene)
    assert [one.topic for one in sent][2:] == ["g.by-tenant", "agent.policy", "agent.policy.log"]
    assert sent[2].headers == [("kind", b"feedback")]
    state = json.loads(sent[3].value)
    assert (state["state"], state["revision"], state["issuer"]["kind"]) == ("released", 2, "human")


def test_feedback_that_is_none_becomes_a_dead_letter() -> None:
    """A broken record on the feedback topic stops nobody."""

    async def scene(processor: ResponseProcessor) -> None:
        await processor.on_feedback(Message(b"a", b'{"kind":"pardon"}', {}, "agent.feedback/0/9"))

    (sent,) = _run(scene)
    assert (sent.topic, sent.value, dict(sent.headers)["reason"]) == (
        "agent.deadletter",
        b'{"kind":"pardon"}',
        b"bad_feedback",
    )


def test_a_refused_write_is_raised_so_that_the_alert_is_not_acknowledged() -> None:
    """The caller acknowledges only what was decided durably."""
    engine = FakeEngine()
    engine.fail_acknowledgements = True

    async def scene(processor: ResponseProcessor) -> None:
        with pytest.raises(PermissionError):
            await processor.on_record(_alert_message())

    _run(scene, engine=engine)


def test_nothing_is_decided_before_the_policy_was_read() -> None:
    """A stage that has not read its state could free somebody."""

    async def scene(processor: ResponseProcessor) -> None:
        processor._stage = None
        with pytest.raises(RuntimeError, match="must be read"):
            await processor.on_record(_alert_message())

    assert _run(scene) == []
