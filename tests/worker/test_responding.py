"""The response stage on Kafka: decisions are durable before their cause is acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from detector.profile.load import load_profile, with_mode
from detector.profile.model import Profile
from detector.response.chain import verify
from detector.schema.command import PolicyLogEntry
from detector.schema.decode import decode
from detector.schema.feedback import Release, feedback_id
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.worker.health import Health
from detector.worker.metrics import WorkerMetrics
from detector.worker.responding import LOG_TAIL, Message, RespondingParts, ResponseProcessor
from detector.worker.run import stage_maker
from tests.schema.cases import case
from tests.worker.fakes import FakeEngine, FetchedRecord, Sent, event_bytes, fake_alert

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


def _parts(engine: FakeEngine, profile: Profile, topics: Topics | None = None) -> RespondingParts:
    topics = topics or Topics()
    return RespondingParts(
        NAMES,
        engine,
        stage_maker(profile),
        WorkerMetrics(),
        Health(5.0),
        lambda: 2_000_000_001.0,
        {},
        read_to_end=topics.read_to_end,
        read_span=topics.read_span,
    )


class Topics:
    """Topics in lists, one partition each, and what was read of them."""

    def __init__(self, **held: list[bytes]) -> None:
        self.held = {"agent.policy": held.get("policy", []), "agent.policy.log": held.get("log", [])}
        self.spans: list[tuple[int, int]] = []

    def _records(self, topic: str, start: int, stop: int | None = None) -> list[FetchedRecord]:
        values = self.held[topic][start:stop]
        return [FetchedRecord(topic, 0, at, 0, None, value) for at, value in enumerate(values, start)]

    async def read_to_end(
        self, topic: str, partitions: list[int] | None, client: Mapping[str, Any], last: int | None = None
    ) -> AsyncIterator[FetchedRecord]:
        held = len(self.held[topic])
        for record in self._records(topic, 0 if last is None else max(0, held - last)):
            yield record

    async def read_span(
        self, topic: str, partition: int, span: tuple[int, int], client: Mapping[str, Any]
    ) -> AsyncIterator[list[FetchedRecord]]:
        self.spans.append(span)
        yield self._records(topic, *span)


def _decided(tenant: str, *numbers: int) -> list[bytes]:
    """Return log entries of a tenant, as they stand on the topic."""
    entries = [
        PolicyLogEntry(
            tenant=tenant, sequence=number, time=1.0, subject=f"{tenant}/agent/a", decision="skipped", cause="c"
        ).sealed()
        for number in numbers
    ]
    return [entry.model_dump_json(by_alias=True).encode() for entry in entries]


def _run(
    scene: Callable[[ResponseProcessor], Awaitable[None]], mode: str = "enforce", engine: FakeEngine | None = None
) -> list[Sent]:
    engine = engine or FakeEngine()
    profile = load_profile()
    profile = with_mode(profile, "enforce") if mode == "enforce" else profile
    parts = _parts(engine, profile)

    async def run() -> None:
        processor = ResponseProcessor(parts)
        processor._stage = parts.new_stage()
        await scene(processor)

    asyncio.run(run())
    return [one for one in engine.sent if one.topic != NAMES.feedback]  # what partitions are told: test_telling.py


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


def test_a_case_that_a_siem_closed_is_an_act_and_not_the_response_stages() -> None:
    """Scoring takes it; one that decides nothing is a dead letter with the reason, and no act."""
    acts: list[bool] = []

    async def scene(processor: ResponseProcessor) -> None:
        for verdict_id in (2, 10):
            message = Message(b"a", case(["f" * 32], verdict_id), {}, "agent.feedback/0/9")
            acts.append(await processor.on_feedback(message))

    (sent,) = _run(scene)
    assert acts == [True, False]
    assert sent.topic == "agent.deadletter"
    assert b"got 10 (Duplicate), which decides nothing" in dict(sent.headers)["detail"]


def _many(count: int) -> list[Message]:
    """Return alerts of a fleet with one place: a limit takes it, an isolation needs it, others wait."""
    scores = (2.1, *(3.0 + index / 10.0 for index in range(count - 1)))
    messages = [_alert_message(f"agent-{index}", index + 1, score) for index, score in enumerate(scores)]
    return [message._replace(receipt=json.loads(message.value)["time"]) for message in messages]


def test_all_that_a_decision_means_for_others_is_written_in_order() -> None:
    """Who yields is logged before freed, and freed before the place is given; each waits for its acknowledgement."""

    async def scene(processor: ResponseProcessor) -> None:
        for message in _many(2):
            await processor.on_record(message)
        said = {name: processor._parts.metrics.decisions.labels(name)._value.get() for name in ("issued", "yielded")}
        assert said == {"issued": 2, "yielded": 1}

    sent = _run(scene)[2:]
    values = [json.loads(one.value) for one in sent]
    assert [(one.topic, one.key) for one in sent] == [
        ("agent.policy.log", b"default/agent/agent-0"),
        ("agent.policy", b"default/agent/agent-0"),
        ("agent.policy", b"default/agent/agent-1"),
        ("agent.policy.log", b"default/agent/agent-1"),
    ]
    assert [one.get("decision") or one["tier"] for one in values] == ["yielded", "observe", "isolate", "issued"]


@pytest.mark.parametrize("written", range(5))
def test_a_worker_that_dies_between_two_records_goes_on_from_the_topics(written: int) -> None:
    """The alert comes again to the next one, which leaves the same states and a whole chain."""
    messages = _many(2)

    async def scene(processor: ResponseProcessor) -> None:
        for message in messages:
            await processor.on_record(message)

    whole = _run(scene)
    before = whole[: 2 + written]
    held: dict[str, list[bytes]] = {"agent.policy": [], "agent.policy.log": []}
    for one in before:
        held[one.topic].append(one.value)

    async def restored() -> list[Sent]:
        engine = FakeEngine()
        topics = Topics(policy=held["agent.policy"], log=held["agent.policy.log"])
        processor = ResponseProcessor(_parts(engine, with_mode(load_profile(), "enforce"), topics))
        await processor.take_over()
        await processor.on_record(messages[1])
        return engine.sent

    after = [*before, *asyncio.run(restored())]

    def stands(sent: list[Sent]) -> dict[bytes | None, bytes]:
        return {one.key: one.value for one in sent if one.topic == "agent.policy"}

    assert stands(after) == stands(whole)
    assert verify(PolicyLogEntry.read(one.value) for one in after if one.topic == "agent.policy.log") == []


def test_the_time_of_the_record_goes_before_what_the_alert_says() -> None:
    """An alert dated 2099 counts from its record; a release too, whatever the clock of the worker says."""
    message = _alert_message()
    ahead = {**json.loads(message.value), "time": 4_070_908_800.0}
    at = 1_900_000_000.0

    async def scene(processor: ResponseProcessor) -> None:
        await processor.on_record(message._replace(value=json.dumps(ahead).encode(), receipt=at))
        release = Message(b"default", _release(), {"kind": b"feedback"}, "g.by-tenant/0/2")
        await processor.on_record(release._replace(receipt=at + 1.0))

    states = [json.loads(one.value) for one in _run(scene) if one.topic == "agent.policy"]
    assert [state["effective_at"] for state in states] == [at, at + 1.0]


def test_held_commands_that_wait_no_longer_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue is a fact for the dashboard, not only a sentence in the log."""
    monkeypatch.setattr("detector.response.waiting.MOST_HELD", 1)

    async def scene(processor: ResponseProcessor) -> None:
        for message in _many(4):
            await processor.on_record(message)
        assert processor._parts.metrics.counts.labels("held_commands_evicted")._value.get() == 2

    _run(scene)


def test_what_waits_comes_back_from_the_tail_of_the_log() -> None:
    """An entry of a kind that this version does not know carries the chain on and says nothing else."""
    messages = _many(3)

    async def scene(processor: ResponseProcessor) -> None:
        for message in messages:
            await processor.on_record(message)

    sent = _run(scene)
    log = [one.value for one in sent if one.topic == "agent.policy.log"]
    assert json.loads(log[-1])["decision"] == "held"
    entry = json.loads(log[-1])
    strange = json.dumps(
        {**entry, "sequence": entry["sequence"] + 1, "command": {"new": "held"}}, separators=(",", ":")
    )
    topics = Topics(policy=[one.value for one in sent if one.topic == "agent.policy"], log=[*log, strange.encode()])

    async def restored() -> list[Sent]:
        engine = FakeEngine()
        processor = ResponseProcessor(_parts(engine, with_mode(load_profile(), "enforce"), topics))
        await processor.take_over()
        act = json.loads(_release("agent-1"))
        message = Message(b"default", json.dumps(act).encode(), {"kind": b"feedback"}, "g.by-tenant/0/2")
        await processor.on_record(message._replace(receipt=messages[2].receipt))
        return engine.sent

    values = [json.loads(one.value) for one in asyncio.run(restored())]
    entries = [(one["subject"], one["decision"], one["sequence"]) for one in values if "decision" in one]
    first = entry["sequence"] + 2
    assert entries == [
        ("default/agent/agent-1", "released", first),
        ("default/agent/agent-2", "issued", first + 1),
    ]


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


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (b"alert", b"{broken", b"bad_alert"),
        (b"alert", b'{"finding_uid":"x"}', b"bad_alert"),
        (b"alert", b"\xff", b"bad_alert"),
        (b"feedback", b'{"kind":"pardon"}', b"bad_feedback"),
        (b"feedback", b"", b"bad_feedback"),
    ],
)
def test_a_record_of_the_tenants_topic_that_is_none_becomes_a_dead_letter(
    kind: bytes, value: bytes, reason: bytes
) -> None:
    """It would stop its partition for ever; those behind it are decided on."""

    async def scene(processor: ResponseProcessor) -> None:
        await processor.on_record(Message(b"default", value, {"kind": kind}, "g.by-tenant/0/1"))
        assert processor._parts.metrics.refused.labels(reason.decode())._value.get() == 1
        await processor.on_record(_alert_message())

    sent = _run(scene)
    assert [one.topic for one in sent] == ["agent.deadletter", "agent.policy", "agent.policy.log"]
    headers = dict(sent[0].headers)
    assert (sent[0].value, headers["reason"], headers["topic"]) == (value, reason, b"g.by-tenant/0/1")


def test_an_alert_of_a_newer_version_is_decided_on_and_its_new_field_is_said_once() -> None:
    """Workers are updated one after the other; an old one reads what a new one wrote."""
    message = _alert_message()
    newer = {**json.loads(message.value), "mood": "grim"}
    newer["evidence"][0]["colour"] = "red"

    async def scene(processor: ResponseProcessor) -> None:
        for _ in range(2):
            await processor.on_record(message._replace(value=json.dumps(newer).encode()))
        assert processor._parts.metrics.counts.labels("unknown_fields_of_ours")._value.get() == 4

    with capture_logs() as said:
        sent = _run(scene)
    assert [one.topic for one in sent][:2] == ["agent.policy", "agent.policy.log"]
    fields = [one["field"] for one in said if one["event"].startswith("a newer version")]
    assert fields == ["Alert.evidence.colour", "Alert.mood"]


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_subject_the_highest_revision_is_restored(order: int) -> None:
    """Before compaction both stand on the topic: to take the old one up would undo a human's release."""

    async def scene(processor: ResponseProcessor) -> None:
        await processor.on_record(_alert_message())
        await processor.on_record(Message(b"default", _release(), {"kind": b"feedback"}, "g.by-tenant/0/2"))

    states = [one.value for one in _run(scene) if one.topic == "agent.policy"]
    newer = json.loads(states[1]) | {"since_version": 3}  # and a newer version added a field to it
    topics = Topics(policy=[states[0], json.dumps(newer).encode()][::order])

    async def restored() -> list[Sent]:
        engine = FakeEngine()
        processor = ResponseProcessor(_parts(engine, with_mode(load_profile(), "enforce"), topics))
        await processor.take_over()
        await processor.on_record(_alert_message())
        return engine.sent

    (entry,) = asyncio.run(restored())
    assert (entry.topic, json.loads(entry.value)["decision"]) == ("agent.policy.log", "skipped")
    assert "released" in json.loads(entry.value)["detail"]


@pytest.mark.parametrize(("tenant", "sequence", "is_read_whole"), [("default", 4, True), ("busy", 99_001, False)])
def test_only_the_tail_of_the_log_is_read_until_a_quiet_tenant_needs_the_rest(
    tenant: str, sequence: int, is_read_whole: bool
) -> None:
    """The chain of each goes on where it ended, however far back that is."""
    busy = _decided("busy", *range(99_001 - LOG_TAIL, 99_001))
    topics = Topics(log=[*_decided("default", 1, 2, 3), b"{broken", *busy])
    message = _alert_message()
    alert = {**json.loads(message.value), "tenant": tenant, "score": 0.1}

    async def restored() -> list[Sent]:
        engine = FakeEngine()
        processor = ResponseProcessor(_parts(engine, load_profile(), topics))
        await processor.take_over()
        assert topics.spans == []
        for _ in range(2):
            await processor.on_record(message._replace(value=json.dumps(alert).encode()))
        return engine.sent

    entries = [json.loads(one.value) for one in asyncio.run(restored())]
    assert [entry["sequence"] for entry in entries] == [sequence, sequence + 1]
    assert topics.spans == ([(0, 4)] if is_read_whole else [])


def test_a_log_with_entries_of_a_newer_version_still_verifies() -> None:
    """Their digest covers fields we do not know; one that was edited is named all the same."""

    class Newer(PolicyLogEntry):
        reviewer: str = "nobody"

    first = PolicyLogEntry.read(_decided("t", 1)[0])
    second = Newer(
        tenant="t", sequence=2, time=1.0, subject="t/agent/a", decision="skipped", cause="c", previous=first.hash
    ).sealed()
    raw = second.model_dump_json(by_alias=True).encode()
    assert verify([first, PolicyLogEntry.read(raw)]) == []
    edited = PolicyLogEntry.read(raw.replace(b"nobody", b"Mallory"))
    assert verify([first, edited]) == ["entry 2 was edited: its hash does not fit"]
