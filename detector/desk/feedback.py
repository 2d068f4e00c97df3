"""What people decide, written to `agent.feedback` and followed until the response stage has answered."""

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

KAFKA_WAIT_S = 15.0
POLL_S = 0.2


class ReleaseRequest(NamedTuple):
    """Whose quarantine is lifted, by whom and why."""

    agent_id: str
    by: str
    reason: str
    tenant: str = "default"


class ReleaseResult(NamedTuple):
    """What came of it.

    Parameters
    ----------
    state : PolicyState or None
        What stood before; None if nothing did.
    entry : PolicyLogEntry or None
        The response stage's decision; None if none came within the time: the request is kept
        and will be answered when a worker runs.
    why_not : str
        Why nothing was written; empty if the release was.
    """

    state: PolicyState | None
    entry: PolicyLogEntry | None = None
    why_not: str = ""


class FeedbackClient:
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

    def release(self, request: ReleaseRequest, timeout_s: float) -> ReleaseResult:
        """Return what the response stage did with the release.

        1. Read what stands; if nothing does, nothing is written. 2. Note the end of the log. 3. Write the release for
        exactly that revision, and wait until Kafka has it. 4. Follow the log until the stage has answered.

        Raises
        ------
        SetupError
            A value is no legal one, or a topic cannot be read.
        DeliveryError
            Kafka did not take the release.
        """
        # 1.
        state = self.state_of(subject_of(request.tenant, request.agent_id))
        if state is None or state.state == "released":
            held = "it was released before" if state else "no command names it"
            agent = f"agent {request.agent_id} of tenant {request.tenant}"
            return ReleaseResult(state, why_not=f"{agent} must be in quarantine, got none: {held}")
        act = self._act(request, state.revision)
        # 2.
        with self._reader() as (consumer, partitions_of):
            ends = [
                TopicPartition(one.topic, one.partition, consumer.get_watermark_offsets(one, timeout=KAFKA_WAIT_S)[1])
                for one in partitions_of(self._names.policy_log)
            ]
            # 3.
            self._write(act)
            # 4.
            consumer.assign(ends)
            return ReleaseResult(state, _answer(consumer, act.id, timeout_s))

    def state_of(self, subject: str) -> PolicyState | None:
        """Return what stands for a subject: the highest revision on the policy topic, None if there is none."""
        found: PolicyState | None = None
        with self._reader() as (consumer, partitions_of):
            for value in _to_the_end(consumer, partitions_of(self._names.policy), subject.encode()):
                try:
                    state, _ = read(PolicyState, value)
                except ValidationError:
                    continue  # not ours: the response stage leaves it out as well
                if found is None or state.revision > found.revision:
                    found = state
        return found

    def _act(self, request: ReleaseRequest, revision: int) -> Release:
        at = self._clock()
        try:
            return Release(
                agent_id=request.agent_id,
                tenant=request.tenant,
                by=request.by,
                reason=request.reason,
                at=at,
                id=feedback_id(request.agent_id, request.by, request.reason, at),
                revision=revision,
            )
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise SetupError(f"{fault['loc'][0]} of release must be given and short: {fault['msg']}") from error

    def _write(self, act: Release) -> None:
        faults: list[str] = []
        producer = Producer({"message.timeout.ms": int(KAFKA_WAIT_S * 1_000), **self._kafka, "acks": "all"})
        producer.produce(
            self._names.feedback,
            key=act.agent_id.encode(),
            value=act.model_dump_json().encode(),
            on_delivery=lambda error, _: faults.append(error.str()) if error is not None else None,
        )
        left = producer.flush(KAFKA_WAIT_S + 5.0)
        if left or faults:
            fault = faults[0] if faults else "no acknowledgement"
            raise DeliveryError(f"release of {act.agent_id} must reach Kafka, got {fault}; try again", 5.0)

    def _reader(self) -> _Reader:
        return _Reader(self._kafka)


PartitionsOf = Callable[[str], list[TopicPartition]]


class _Reader:
    """A consumer outside every group, closed on leaving."""

    def __init__(self, kafka: Mapping[str, Any]) -> None:
        own = {"group.id": "detector-feedback", "enable.auto.commit": False, "enable.auto.offset.store": False}
        self._consumer = Consumer({**kafka, **own})

    def __enter__(self) -> tuple[Any, PartitionsOf]:
        return self._consumer, self._partitions_of

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def _partitions_of(self, topic: str) -> list[TopicPartition]:
        try:
            found = self._consumer.list_topics(topic, timeout=KAFKA_WAIT_S).topics[topic]
        except KafkaException as error:
            raise SetupError(f"Kafka must answer, got {error}: see bootstrap and credentials") from error
        if found.error is not None:
            raise SetupError(f"topic {topic} must be there, got {found.error.str()}: run `detector topics`")
        return [TopicPartition(topic, partition) for partition in found.partitions]


def _to_the_end(consumer: Any, partitions: list[TopicPartition], key: bytes) -> Iterator[bytes]:  # noqa: ANN401
    """Yield the values of one key, from the beginning to what the end was when the reading began."""
    left: dict[int, int] = {}
    starts = []
    for one in partitions:
        low, high = consumer.get_watermark_offsets(one, timeout=KAFKA_WAIT_S)
        if high > low:
            left[one.partition] = high
            starts.append(TopicPartition(one.topic, one.partition, low))
    consumer.assign(starts)
    deadline = time.monotonic() + 4 * KAFKA_WAIT_S
    while left:
        if time.monotonic() > deadline:
            raise SetupError(f"topic {partitions[0].topic} must be readable to its end, got no further: see the broker")
        record = consumer.poll(POLL_S)
        # Compaction may have taken the last offsets, so the position counts, not the records seen.
        for reached in consumer.position(starts):
            if reached.offset >= left.get(reached.partition, reached.offset + 1):
                del left[reached.partition]
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
