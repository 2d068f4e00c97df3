"""The response stage on Kafka: alerts and feedback of a tenant become policy states and log entries.

An ordinary Faust processor on ``<group>.by-tenant``: low rate, one live owner per tenant. Its state is the policy topic
itself, read to its end before acting.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from detector.clock import Clock
from detector.response.chain import Link
from detector.schema.alert import Alert
from detector.schema.command import PolicyLogEntry, PolicyState
from detector.schema.containment import control_adapter
from detector.schema.control import MAX_CONTROL_BYTES
from detector.schema.feedback import Release, Verdict, fault_of, feedback_adapter
from detector.schema.reading import read
from detector.schema.tenant import DEFAULT_TENANT
from detector.schema.tiding import Tiding, decode_tiding
from detector.schema.topics import TopicNames
from detector.worker.health import Health
from detector.worker.log_reader import read_span, read_to_end
from detector.worker.metrics import WorkerMetrics
from detector.worker.policy_log import left_out, links_of, whole_links
from detector.worker.ports import Decision, Engine, Stage
from detector.worker.publish import KIND, KIND_FEEDBACK, KIND_TIDING, MAX_DEAD_LETTER_BYTES, Output, alert_outputs
from detector.worker.rehearing import hear_again
from detector.worker.telling import told_of

log = structlog.get_logger("detector.response")

Wire = TypeVar("Wire", bound=BaseModel)

LOG_TAIL = 2_000
"""Log entries read at a rebalance. A tenant with one among them has its last one there; for any other the rest of the
log is read too, but only when something of that tenant has to be decided, and once."""
MOST_NAMES = 64
"""Names of unknown fields that are said; a newer version adds a handful."""


class Message(NamedTuple):
    """One record of a low-rate topic, where it stands (``topic/partition/offset``), and the generation that read it.

    `receipt` is when it was written, epoch seconds: by the broker's clock, or by the writing worker's if the topic says
    CreateTime; None if the record does not say. `is_null`: the record has no value, which is not an empty one.
    """

    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]
    source: str
    partition: int = 0
    offset: int = 0
    generation: int = -1
    receipt: float | None = None
    is_null: bool = False


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
    read_to_end: Callable[..., AsyncIterator[Any]] = read_to_end
    read_span: Callable[..., AsyncIterator[list[Any]]] = read_span


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
        self._chained: set[str] = set()
        self._unread = 0
        self._known_unknown: set[str] = set()

    async def take_over(self, partitions: Iterable[int] = ()) -> None:
        """Read policy and log to their end, anew after each rebalance: another worker may have decided meanwhile.

        Of the tenants' partitions that are ours what was answered last is heard again: who called whom lives there.
        """
        parts = self._parts
        states: dict[str, PolicyState] = {}
        async for record in parts.read_to_end(parts.names.policy, None, parts.reader):
            state = self._parsed(PolicyState, record)
            if state is not None:
                known = states.get(state.subject)
                if known is None or state.revision >= known.revision:
                    states[state.subject] = state
        tail = [record async for record in parts.read_to_end(parts.names.policy_log, None, parts.reader, LOG_TAIL)]
        links = whole_links(tail)
        stage = parts.new_stage()
        stage.restore(states.values(), links)
        self._stage = stage
        self._chained = {link.tenant for link in links}
        self._unread = tail[0].offset if tail and {record.partition for record in tail} == {0} else 0
        heard = await hear_again(parts, stage, sorted(partitions))
        parts.health.is_policy_restored = True
        log.info(
            "policy restored",
            subjects=len(states),
            log_entries=len(links),
            log_entries_left=self._unread,
            heard_again=heard,
        )

    async def _chain_on(self, stage: Stage, tenant: str) -> None:
        """Read the rest of the log if a tenant's last entry may stand there."""
        if not self._unread or tenant in self._chained:
            return
        parts, links = self._parts, list[Link]()
        async for records in parts.read_span(parts.names.policy_log, 0, (0, self._unread), parts.reader):
            links += links_of(records)
            await asyncio.sleep(0)
        stage.restore((), links)
        log.info("rest of the policy log read", log_entries=len(links))
        self._unread = 0

    async def on_record(self, message: Message) -> None:
        """Decide on one record of the tenant's topic and make the decision durable, in this order.

        1. Decide. 2. Each record of the decision is acknowledged before the next one is written: states of the policy
        topic, each after the agent's partition was told of it, with their log entries, then the incident, if any. Only
        then may the caller acknowledge the record; if anything breaks off, the worker ends and starts again from the
        topics: a command that stands is recognised by its cause.
        """
        if self._stage is None:
            raise RuntimeError("the policy topic must be read before the response stage acts")
        cause = await self._cause(message)
        if cause is None:
            return
        # 1.
        records = await self._records_of(self._stage, cause, message.receipt)
        for name, count in self._stage.take_counts().items():
            self._parts.metrics.counts.labels(name).inc(count)
        # 2.
        for record in records:
            if isinstance(record, PolicyLogEntry):
                self._parts.metrics.decisions.labels(record.decision).inc()
            for output in self._outputs(record):
                await self._publish(output)

    async def on_feedback(self, message: Message) -> bool:
        """Pass a human act on to the tenant's owner; what is none becomes a dead letter, and False is returned.

        What concerns scoring alone is not passed on: a case that a SIEM closed, or what this stage told the partition.
        """
        if len(message.value) > MAX_CONTROL_BYTES:
            fault = f"size of feedback must be at most {MAX_CONTROL_BYTES} bytes, got {len(message.value)}"
            await self._refuse(message, "bad_feedback", fault)
            return False
        try:
            act = control_adapter.validate_json(message.value, extra="ignore")
        except ValidationError as exc:
            await self._refuse(message, "bad_feedback", fault_of(exc))
            return False
        if not isinstance(act, Release | Verdict):
            return True
        names = self._parts.names
        await self._publish(Output(names.by_tenant, act.tenant.encode(), message.value, [(KIND, KIND_FEEDBACK)]))
        return True

    async def _refuse(self, message: Message, reason: str, fault: str) -> None:
        """Make a record that is not what it should be a dead letter: it must not stop those behind it."""
        headers = [("reason", reason.encode()), ("detail", fault.encode()), ("topic", message.source.encode())]
        self._parts.metrics.refused.labels(reason).inc()
        log.error("record is refused", reason=reason, place=message.source, fault=fault)
        letter = Output(self._parts.names.deadletter, message.key, message.value[:MAX_DEAD_LETTER_BYTES], headers)
        await self._publish(letter)

    async def _records_of(
        self, stage: Stage, cause: Alert | Release | Verdict | Tiding, receipt: float | None
    ) -> Sequence[PolicyState | PolicyLogEntry | Alert]:
        """Return what a cause leads to, in the order in which it is to be published."""
        if isinstance(cause, Tiding):
            return stage.on_tiding(cause)
        await self._chain_on(stage, cause.tenant or DEFAULT_TENANT)
        decision = self._decide(stage, cause, receipt)
        if decision is None:
            return ()
        self._parts.metrics.counts.labels("held_commands_evicted").inc(decision.evicted)
        return decision.records

    async def _cause(self, message: Message) -> Alert | Release | Verdict | Tiding | None:
        """Return what a record of the tenant's topic holds; None, and a dead letter, if nothing that we know."""
        if message.headers.get(KIND) == KIND_TIDING:
            try:
                return decode_tiding(message.value)
            except (ValueError, RecursionError) as fault:
                await self._refuse(message, "bad_tiding", str(fault))
                return None
        is_feedback = message.headers.get(KIND) == KIND_FEEDBACK
        try:
            if is_feedback:
                act = feedback_adapter.validate_json(message.value, extra="ignore")
                return act if isinstance(act, Release | Verdict) else None
            alert, unknown = read(Alert, message.value)
        except ValidationError as exc:
            await self._refuse(message, "bad_feedback" if is_feedback else "bad_alert", _first_of(exc))
            return None
        self._note(Alert, unknown)
        return alert

    def _decide(self, stage: Stage, cause: Alert | Release | Verdict, receipt: float | None) -> Decision | None:
        if isinstance(cause, Alert):
            return stage.on_alert(cause, receipt)
        # verdicts teach the budget in a later version; they are kept on the feedback topic until then
        if not isinstance(cause, Release):
            return None
        return stage.on_release(cause, self._parts.clock() if receipt is None else receipt)

    def _note(self, kind: type[BaseModel], unknown: Iterable[str]) -> None:
        """Say once of each field that a newer version wrote it."""
        for name in unknown:
            self._parts.metrics.counts.labels("unknown_fields_of_ours").inc()
            named = f"{kind.__name__}.{re.sub(r'[.][0-9]+', '', name)}"
            if named not in self._known_unknown and len(self._known_unknown) < MOST_NAMES:
                self._known_unknown.add(named)
                log.warning("a newer version wrote a field that is left out here: update this worker", field=named)

    def _outputs(self, record: PolicyState | PolicyLogEntry | Alert) -> list[Output]:
        names = self._parts.names
        if isinstance(record, Alert):
            return alert_outputs(record, names)[:1]  # for the SOC only: it asks for no response
        topic = names.policy if isinstance(record, PolicyState) else names.policy_log
        said = Output(topic, record.subject.encode(), record.model_dump_json(by_alias=True).encode(), [])
        # told first: a state that stands is not decided on again, so what would follow it could be lost
        return [*(told_of(record, self._parts.clock(), names) if isinstance(record, PolicyState) else ()), said]

    def _parsed(self, kind: type[Wire], record: Any) -> Wire | None:  # noqa: ANN401 - aiokafka's ConsumerRecord
        if record.value is None:
            return None  # a tombstone: the subject is forgotten
        try:
            parsed, unknown = read(kind, record.value)
        except ValidationError as exc:
            left_out(record, exc.error_count())
            return None
        self._note(kind, unknown)
        return parsed

    async def _publish(self, output: Output) -> None:
        limit_s = self._parts.output_timeout_s
        send = self._parts.engine.send(output.topic, output.key, output.value, None, output.headers)
        await asyncio.wait_for(await asyncio.wait_for(send, limit_s), limit_s)


def _first_of(error: ValidationError) -> str:
    return error.errors(include_input=False, include_url=False)[0]["msg"]
