"""What people decide, written to `agent.feedback`; a release is followed until the response stage has answered."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka.cimpl import TopicPartition
from pydantic import ValidationError

from detector.clock import Clock, system_clock
from detector.desk.reading import KAFKA_WAIT_S, POLL_S, FeedbackReader, to_the_end
from detector.desk.writing import Addressed, FeedbackPlace, write_all
from detector.errors import SetupError
from detector.schema.command import PolicyLogEntry, PolicyState, subject_of
from detector.schema.feedback import Release, Scope, Verdict, VerdictKind, feedback_id
from detector.schema.reading import read
from detector.schema.topics import TopicNames
from detector.sinks.ocsf_read import decode

FINDING = re.compile(r"[0-9a-f]{32}")


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


class VerdictRequest(NamedTuple):
    """What a finding of an agent was, who says so, and why; `until` (epoch seconds) and `scope` of `disable`."""

    agent_id: str
    finding_uid: str
    verdict: VerdictKind
    by: str
    reason: str
    tenant: str = "default"
    until: float | None = None
    scope: Scope = "agent"


class FeedbackClient:
    """Writes verdicts and releases, and reads what became of a release.

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

    def verdict(self, asked: VerdictRequest) -> FeedbackPlace:
        """Return where the verdict on a finding stands, once Kafka has acknowledged it.

        Raises
        ------
        SetupError
            A value is no legal one, or the topic is not there.
        DeliveryError
            Kafka did not take the verdict.
        """
        if not FINDING.fullmatch(asked.finding_uid):
            raise SetupError(
                f"finding of verdict must be 32 hexadecimal digits, got {asked.finding_uid!r}: "
                "take finding_info.uid of its alert"
            )
        at = self._clock()
        try:
            act = Verdict(
                **asked._asdict(),
                at=at,
                id=feedback_id(f"{asked.agent_id}/{asked.finding_uid}/{asked.verdict}", asked.by, asked.reason, at),
            )
        except ValidationError as error:
            raise _refused(error, "verdict") from error
        with self._reader() as (_, partitions_of):
            partitions_of(self._names.feedback)  # says what to do where the topic is not there
        return self._write(act)

    def whose(self, finding_uid: str) -> tuple[str, str]:
        """Return agent and tenant of a finding, read from the alerts topic from its beginning.

        Raises
        ------
        SetupError
            No alert there has the finding, or the topic cannot be read.
        """
        wanted = finding_uid.encode()
        with self._reader() as (consumer, partitions_of):
            for value in to_the_end(consumer, partitions_of(self._names.alerts), None):
                if wanted not in value:
                    continue
                try:
                    alert = decode(value)
                except (ValueError, KeyError, TypeError):
                    continue  # not ours: whoever writes alerts has a rendering of his own
                if alert.finding_uid == finding_uid:
                    return alert.agent_id, alert.tenant
        raise SetupError(
            f"finding of verdict must be one of an alert on {self._names.alerts}, got {finding_uid}: it may be older "
            "than the topic keeps; name its agent with --agent"
        )

    def state_of(self, subject: str) -> PolicyState | None:
        """Return what stands for a subject: the highest revision on the policy topic, None if there is none."""
        found: PolicyState | None = None
        with self._reader() as (consumer, partitions_of):
            for value in to_the_end(consumer, partitions_of(self._names.policy), subject.encode()):
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
            raise _refused(error, "release") from error

    def _write(self, act: Release | Verdict) -> FeedbackPlace:
        record = Addressed(act.model_dump_json().encode(), act.agent_id)
        return write_all(self._kafka, self._names.feedback, [record], f"{act.kind} of {act.agent_id}")[0]

    def _reader(self) -> FeedbackReader:
        return FeedbackReader(self._kafka)


def _refused(error: ValidationError, what: str) -> SetupError:
    fault = error.errors(include_url=False)[0]
    if not fault["loc"]:
        return SetupError(f"{what} must be whole: {fault['msg'].removeprefix('Value error, ')}")
    return SetupError(f"{fault['loc'][0]} of {what} must be given and short: {fault['msg']}")


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
