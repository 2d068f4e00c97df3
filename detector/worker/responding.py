"""The response stage on Kafka: alerts and feedback of a tenant become policy states and log entries.

An ordinary Faust processor on ``<group>.by-tenant``: low rate, one live owner per tenant. Its state is the policy topic
itself, read to its end before acting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from detector.clock import Clock
from detector.schema.alert import Alert
from detector.schema.command import PolicyLogEntry, PolicyState
from detector.schema.feedback import Release, feedback_adapter
from detector.schema.topics import TopicNames
from detector.worker.health import Health
from detector.worker.log_reader import read_to_end
from detector.worker.metrics import WorkerMetrics
from detector.worker.ports import Engine
from detector.worker.publish import KIND, KIND_FEEDBACK, MAX_DEAD_LETTER_BYTES, Output, alert_outputs

log = structlog.get_logger("detector.response")

Wire = TypeVar("Wire", bound=BaseModel)


class Message(NamedTuple):
    """One record of a low-rate topic, and where it stands (``topic/partition/offset``)."""

    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]
    source: str


class Decision(Protocol):
    """What the stage decided."""

    @property
    def command(self) -> PolicyState | None:
        """New desired state, None if nothing changes."""

    @property
    def entry(self) -> PolicyLogEntry:
        """What the log says of it."""

    @property
    def incident(self) -> Alert | None:
        """A common-cause incident, when the breaker holds."""


class Stage(Protocol):
    """The pure response stage; see ``detector/response``."""

    def restore(self, states: Iterable[PolicyState], entries: Iterable[PolicyLogEntry]) -> None:
        """Take up the policy and the log as they stand on Kafka."""

    def on_alert(self, alert: Alert) -> Decision:
        """Return what an alert leads to."""

    def on_release(self, release: Release, now: float) -> Decision:
        """Return what a release leads to."""


@dataclass(frozen=True, slots=True)
class RespondingParts:
    """What the response processor is built from."""

    names: TopicNames
    engine: Engine
    new_stage: Callable[[], Stage]
    metrics: WorkerMetrics
    health: Health
    clock: Clock
    reader: Mapping[str, Any]
    output_timeout_s: float = 60.0


class ResponseProcessor:
    """Feeds the response stage and makes its decisions durable before the cause is acknowledged.

    Parameters
    ----------
    parts : RespondingParts
        Names, engine, stage, metrics, health, clock.
    """

    def __init__(self, parts: RespondingParts) -> None:
        self._parts = parts
        self._stage: Stage | None = None

    async def take_over(self) -> None:
        """Read policy and log to their end, anew after each rebalance: another worker may have decided meanwhile."""
        parts = self._parts
        states: dict[str, PolicyState] = {}
        async for record in read_to_end(parts.names.policy, None, parts.reader):
            state = _parsed(PolicyState, record)
            if state is not None:
                known = states.get(state.subject)
                if known is None or state.revision >= known.revision:
                    states[state.subject] = state
        entries = [
            entry
            async for record in read_to_end(parts.names.policy_log, None, parts.reader)
            if (entry := _parsed(PolicyLogEntry, record)) is not None
        ]
        stage = parts.new_stage()
        stage.restore(states.values(), entries)
        self._stage = stage
        parts.health.is_policy_restored = True
        log.info("policy restored", subjects=len(states), log_entries=len(entries))

    async def on_record(self, message: Message) -> None:
        """Decide on one record of the tenant's topic and make the decision durable, in this order.

        1. Decide. 2. The new state is acknowledged on the policy topic. 3. Its log entry is. 4. The incident, if any,
        is. Only then may the caller acknowledge the record; if anything breaks off, the worker ends and starts again
        from the topics: a command that stands is recognised by its cause.
        """
        if self._stage is None:
            raise RuntimeError("the policy topic must be read before the response stage acts")
        # 1.
        decision = self._decide(self._stage, message)
        if decision is None:
            return
        self._parts.metrics.decisions.labels(decision.entry.decision).inc()
        # 2. to 4.
        for output in self._outputs(decision):
            await self._publish(output)

    async def on_feedback(self, message: Message) -> None:
        """Pass a human act on to the tenant's owner; what is none becomes a dead letter."""
        names = self._parts.names
        try:
            act = feedback_adapter.validate_json(message.value)
        except ValidationError as exc:
            fault = exc.errors(include_input=False, include_url=False)[0]["msg"]
            headers = [("reason", b"bad_feedback"), ("detail", fault.encode()), ("topic", message.source.encode())]
            self._parts.metrics.refused.labels("bad_feedback").inc()
            output = Output(names.deadletter, message.key, message.value[:MAX_DEAD_LETTER_BYTES], headers)
        else:
            output = Output(names.by_tenant, act.tenant.encode(), message.value, [(KIND, KIND_FEEDBACK)])
        await self._publish(output)

    def _decide(self, stage: Stage, message: Message) -> Decision | None:
        if message.headers.get(KIND) == KIND_FEEDBACK:
            act = feedback_adapter.validate_json(message.value)
            # verdicts teach the budget in a later version; they are kept on the feedback topic until then
            return stage.on_release(act, self._parts.clock()) if isinstance(act, Release) else None
        return stage.on_alert(Alert.model_validate_json(message.value))

    def _outputs(self, decision: Decision) -> list[Output]:
        names, state, entry = self._parts.names, decision.command, decision.entry
        outputs = []
        if state is not None:
            value = state.model_dump_json(by_alias=True).encode()
            outputs.append(Output(names.policy, state.subject.encode(), value, []))
        value = entry.model_dump_json(by_alias=True).encode()
        outputs.append(Output(names.policy_log, entry.subject.encode(), value, []))
        if decision.incident is not None:
            outputs.append(alert_outputs(decision.incident, names)[0])  # for the SOC only: it asks for no response
        return outputs

    async def _publish(self, output: Output) -> None:
        limit_s = self._parts.output_timeout_s
        send = self._parts.engine.send(output.topic, output.key, output.value, None, output.headers)
        await asyncio.wait_for(await asyncio.wait_for(send, limit_s), limit_s)


def _parsed(kind: type[Wire], record: Any) -> Wire | None:  # noqa: ANN401 - aiokafka's ConsumerRecord
    if record.value is None:
        return None  # a tombstone: the subject is forgotten
    try:
        return kind.model_validate_json(record.value)
    except ValidationError as exc:
        log.warning(
            "record is not ours and is left out",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            faults=exc.error_count(),
        )
        return None
