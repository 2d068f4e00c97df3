"""Human acts, written to `agent.feedback` and followed until the response stage has answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.cimpl import TopicPartition
from pydantic import ValidationError

from detector.clock import Clock, system_clock
from detector.errors import DeliveryError, SetupError
from detector.schema.command import PolicyLogEntry, PolicyState, subject_of
from detector.schema.feedback import Release, feedback_id
from detector.schema.reading import read
from detector.schema.topics import TopicNames

ASK_S = 15.0
POLL_S = 0.2


class Who(NamedTuple):
    """Whose quarantine is lifted, by whom and why."""

    agent_id: str
    by: str
    reason: str
    tenant: str = "default"


class Released(NamedTuple):
    """What came of it.

    Parameters
    ----------
    state : PolicyState
        What stood before.
    entry : PolicyLogEntry or None
        The response stage's decision; None if none came within the time: the request is kept
        and will be answered when a worker runs.
    """

    state: PolicyState
    entry: PolicyLogEntry | None


class FeedbackDesk:
    """Writes releases and reads what became of them.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Names of the deployment.
    clock : Clock
        The wall clock that dates the act.
    """

    def __init__(self, kafka: Mapping[str, Any], names: TopicNames, clock: Clock = system_clock) -> None:
        self._kafka = dict(kafka)
        self._names = names
        self._clock = clock

    def release(self, who: Who, timeout_s: float) -> Released:
        """Return what the response stage did with the release.

        1. Read what stands. 2. Note the end of the log. 3. Write the release for exactly that revision, and wait
        until Kafka has it. 4. Follow the log until the stage has answered.

        Raises
        ------
        SetupError
            The agent is not in quarantine, a value is no legal one, or a topic cannot be read.
        DeliveryError
            Kafka did not take the release.
        """
        # 1.
        state = self.state_of(subject_of(who.tenant, who.agent_id))
        if state is None or state.state == "released":
            held = "it was released before" if state else "no command names it"
            raise SetupError(f"agent {who.agent_id} of tenant {who.tenant} must be in quarantine, got none: {held}")
        act = self._act(who, state.revision)
        # 2.
        with self._reader() as (consumer, places):
            ends = [
                TopicPartition(one.topic, one.partition, consumer.get_watermark_offsets(one, timeout=ASK_S)[1])
                for one in places(self._names.policy_log)
            ]
            # 3.
            self._write(act)
            # 4.
            consumer.assign(ends)
            return Released(state, _answer(consumer, act.id, timeout_s))

    def state_of(self, subject: str) -> PolicyState | None:
        """Return what stands for a subject: the highest revision on the policy topic, None if there is none."""
        found: PolicyState | None = None
        with self._reader() as (consumer, places):
            for value in _to_the_end(consumer, places(self._names.policy), subject.encode()):
                try:
                    state, _ = read(PolicyState, value)
                except ValidationError:
                    continue  # not ours: the response stage leaves it out as well
                if found is None or state.revision > found.revision:
                    found = state
        return found

    def _act(self, who: Who, revision: int) -> Release:
        at = self._clock()
        try:
            return Release(
                agent_id=who.agent_id,
                tenant=who.tenant,
                by=who.by,
                reason=who.reason,
                at=at,
                id=feedback_id(who.agent_id, who.by, who.reason, at),
                revision=revision,
            )
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise SetupError(f"{fault['loc'][0]} of release must be given and short: {fault['msg']}") from error

    def _write(self, act: Release) -> None:
        faults: list[str] = []
        producer = Producer({"message.timeout.ms": int(ASK_S * 1_000), **self._kafka, "acks": "all"})
        producer.produce(
            self._names.feedback,
            key=act.agent_id.encode(),
            value=act.model_dump_json().encode(),
            on_delivery=lambda error, _: faults.append(error.str()) if error is not None else None,
        )
        left = producer.flush(ASK_S + 5.0)
        if left or faults:
            fault = faults[0] if faults else "no acknowledgement"
            raise DeliveryError(f"release of {act.agent_id} must reach Kafka, got {fault}; try again", 5.0)

    def _reader(self) -> _Reader:
        return _Reader(self._kafka)


Places = Callable[[str], list[TopicPartition]]


class _Reader:
    """A consumer outside every group, closed on leaving."""

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        own = {"group.id": "detector-feedback", "enable.auto.commit": False, "enable.auto.offset.store": False}
        self._consumer = Consumer({**kafka, **own})

    def __enter__(self) -> tuple[Any, Places]:
        return self._consumer, self._places

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def _places(self, topic: str) -> list[TopicPartition]:
        try:
            found = self._consumer.list_topics(topic, timeout=ASK_S).topics[topic]
        except KafkaException as error:
            raise SetupError(f"Kafka must answer, got {error}: see bootstrap and credentials") from error
        if found.error is not None:
            raise SetupError(f"topic {topic} must be there, got {found.error.str()}: run `detector topics`")
        return [TopicPartition(topic, partition) for partition in found.partitions]


def _to_the_end(consumer: Any, places: list[TopicPartition], key: bytes) -> Iterator[bytes]:  # noqa: ANN401
    """Yield the values of one key, from the beginning to what the end was when the reading began."""
    left: dict[int, int] = {}
    starts = []
    for place in places:
        low, high = consumer.get_watermark_offsets(place, timeout=ASK_S)
        if high > low:
            left[place.partition] = high
            starts.append(TopicPartition(place.topic, place.partition, low))
    consumer.assign(starts)
    deadline = time.monotonic() + 4 * ASK_S
    while left:
        if time.monotonic() > deadline:
            raise SetupError(f"topic {places[0].topic} must be readable to its end, got no further: see the broker")
        record = consumer.poll(POLL_S)
        # Compaction may have taken the last offsets, so the place counts, not the records seen.
        for place in consumer.position(starts):
            if place.offset >= left.get(place.partition, place.offset + 1):
                del left[place.partition]
        if record is not None and record.error() is None and record.key() == key and record.value():
            yield record.value()


def _answer(consumer: Any, release_id: str, timeout_s: float) -> PolicyLogEntry | None:  # noqa: ANN401
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        record = consumer.poll(POLL_S)
        if record is None or record.error() is not None:
            continue
        try:
            entry = PolicyLogEntry.read(record.value() or b"")
        except ValidationError:
            continue
        if entry.cause == release_id:
            return entry
    return None
