"""The Faust app: which processors there are, what happens at a rebalance, and when it gives up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import faust
import structlog

from detector.worker.acknowledging import AckFollower, AckParts
from detector.worker.checkpoint import CheckpointStore, key_of
from detector.worker.clients import aiokafka_options, faust_credentials
from detector.worker.controls import both, leave
from detector.worker.declarations import Declarations, gathered
from detector.worker.faust_engine import FaustEngine
from detector.worker.parts import Built, WorkerParts
from detector.worker.ports import Engine
from detector.worker.responding import Message, RespondingParts, ResponseProcessor
from detector.worker.scoring import ScoringParts, ScoringStage
from detector.worker.settings import WorkerSettings
from detector.worker.transport import BatchSink, BatchTransport, MicroBatch, partitions_of
from detector.worker.watching import outside, watch_partitions

log = structlog.get_logger("detector.worker")
T = TypeVar("T")

QUEUED_BATCHES = 4
"""Fetches that may wait for the scoring stage; more would only cost memory and delay a rebalance."""
BEAT_S = 1.0
EMBEDDED: dict[str, Any] = {"broker_session_timeout": 6.0, "broker_heartbeat_interval": 1.0}
"""librdkafka's mock makes a group wait for session timeout less one second at each rebalance."""


def build_app(settings: WorkerSettings, parts: WorkerParts, folder: Path) -> Any:  # noqa: ANN401
    """Return the app, ready to be run by a Faust worker.

    Parameters
    ----------
    settings : WorkerSettings
        As loaded.
    parts : WorkerParts
        Pipelines, response stage, metrics, health and clock.
    folder : Path
        Faust's data folder; nothing of ours is kept there.
    """
    app = _bare_app(settings, folder)
    built = _stages(app, settings, parts)
    app.batch_sink = built.scoring
    _add_processors(app, built, settings)
    _add_rebalance(app, built, settings, parts)
    _add_tasks(app, built, settings, parts)
    return app


class DetectorApp(faust.App):
    """Faust's app with what our transport and stages read from it."""

    batch_sink: BatchSink
    fetch_max_wait_ms: int = 500
    fault: BaseException | None = None


def _bare_app(settings: WorkerSettings, folder: Path) -> DetectorApp:
    heartbeat: dict[str, Any] = {
        "broker_session_timeout": settings.session_timeout_s,
        "broker_heartbeat_interval": min(3.0, settings.session_timeout_s / 4),
    }
    app = DetectorApp(
        settings.group,
        broker=";".join(f"kafka://{address.strip()}" for address in settings.bootstrap.split(",")),
        broker_credentials=faust_credentials(settings),
        datadir=str(folder),
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_commit_interval=2.0,
        broker_max_poll_records=settings.max_poll_records,
        broker_request_timeout=max(90.0, settings.session_timeout_s),
        stream_wait_empty=True,
        producer_acks=-1,
        producer_max_request_size=2 * 1_024 * 1_024,
        worker_redirect_stdouts=False,
        **(EMBEDDED if settings.broker == "embedded" else heartbeat),
    )
    app.fetch_max_wait_ms = 50 if settings.broker == "embedded" else settings.fetch_max_wait_ms
    app.transport = BatchTransport(app.conf.broker_consumer, app)
    return app


def _stages(app: Any, settings: WorkerSettings, parts: WorkerParts) -> Built:  # noqa: ANN401
    engine = FaustEngine(app)
    names, reader = settings.topics, aiokafka_options(settings)
    secret = settings.state_key.get_secret_value() if settings.state_key else None

    async def send_state(topic: str, key: bytes, value: bytes, partition: int) -> Awaitable[Any]:
        return await engine.send(topic, key, value, partition, [])

    store = CheckpointStore(names.state, settings.group, key_of(secret, settings.group), send_state)
    channel = app.channel(maxsize=QUEUED_BATCHES)
    scoring = ScoringStage(
        ScoringParts(
            names,
            engine,
            parts.pipelines,
            store,
            parts.metrics,
            parts.health,
            parts.clock,
            reader,
            settings.micro_batch,
            settings.output_timeout_s,
            settings.time_tolerance_s,
            settings.poison_per_hour,
        ),
        channel.put,
    )
    responding = ResponseProcessor(
        RespondingParts(
            names,
            engine,
            parts.new_stage,
            parts.metrics,
            parts.health,
            parts.clock,
            reader,
            settings.output_timeout_s,
        )
    )
    acks = AckFollower(
        AckParts(
            names,
            engine,
            parts.metrics,
            parts.clock,
            reader,
            lambda: 0 in scoring.owners and not engine.is_moving,  # one worker holds the first partition
            settings.output_timeout_s,
        )
    )
    return Built(engine, scoring, responding, acks, channel)


def _add_processors(app: Any, built: Built, settings: WorkerSettings) -> None:  # noqa: ANN401
    names = settings.topics

    def raw(name: str) -> Any:  # noqa: ANN401
        return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    @app.agent(raw(names.events), name="subscribe")
    async def subscribe(stream: Any) -> None:  # noqa: ANN401 - makes Faust subscribe; nothing arrives here
        async for _ in stream:
            raise RuntimeError("a record of the batch topic came through the per-event path: is the transport ours?")

    @app.agent(built.channel, name="score")
    async def score(stream: Any) -> None:  # noqa: ANN401
        async for batch in stream:
            await _or_crash(built.engine, built.scoring.process(MicroBatch(*batch)))

    app.agent(raw(names.by_tenant), name="respond")(_acknowledging(built.engine, built.responding.on_record))
    feedback = _acknowledging(built.engine, both(built.responding, built.scoring.controls))
    app.agent(raw(names.feedback), name="feedback")(feedback)
    app.agent(raw(names.registry), name="registry")(_together(built.engine, Declarations(built.scoring.controls)))


def _acknowledging(engine: Engine, take: Callable[[Message], Awaitable[bool | None]]) -> Any:  # noqa: ANN401
    """Return a processor that acknowledges a record only after it was taken care of; one that was not is left."""

    async def processor(stream: Any) -> None:  # noqa: ANN401
        async for event in stream.noack().events():
            if await _or_crash(engine, take(_message(event.message))) is False:
                leave(stream.app.consumer, event.message)
            else:
                event.ack()

    return processor


def _message(found: Any) -> Message:  # noqa: ANN401 - Faust's own
    source = f"{found.topic}/{found.partition}/{found.offset}"
    place = (found.partition, found.offset, found.generation_id, max(found.timestamp or 0.0, 0.0) or None)
    return Message(found.key, found.value or b"", dict(found.headers or ()), source, *place, found.value is None)


def _together(engine: Engine, declarations: Declarations) -> Any:  # noqa: ANN401
    """Return a processor of the registry's records: those that were read together are taken care of together."""

    async def processor(stream: Any) -> None:  # noqa: ANN401
        async for events in gathered(stream.noack().events()):
            taken = await _or_crash(engine, declarations.take([_message(event.message) for event in events]))
            for event, is_done in zip(events, taken, strict=True):
                if is_done:
                    event.ack()
                else:
                    leave(stream.app.consumer, event.message)

    return processor


async def _or_crash(engine: Engine, work: Awaitable[T]) -> T:
    """Await the work; end the worker if it breaks off, because a processor that raises acknowledges its record."""
    try:
        return await work
    except Exception as exc:
        log.exception("worker gives up")
        await engine.crash(exc)
        raise


def _add_rebalance(app: Any, built: Built, settings: WorkerSettings, parts: WorkerParts) -> None:  # noqa: ANN401
    async def on_revoked(*_: Any, **__: Any) -> None:  # noqa: ANN401
        parts.health.lose()

    async def on_complete(*_: Any, **__: Any) -> None:  # noqa: ANN401
        # Faust awaits this before it seeks and resumes: the one safe place to load state
        assignment = app.consumer.assignment()
        try:
            await built.responding.take_over(partitions_of(assignment, settings.topics.by_tenant))
            await built.scoring.take_over(partitions_of(assignment, settings.topics.events))
        except Exception as exc:
            log.exception("state cannot be restored")
            await built.engine.crash(exc)
            raise
        log.info("assigned", partitions=sorted(partitions_of(assignment, settings.topics.events)))
        app.add_future(asyncio.to_thread(parts.look_at_clock))  # beside the work: a rebalance waits for nobody's answer

    app.on_partitions_revoked.connect(on_revoked, weak=False)
    app.on_rebalance_complete.connect(on_complete, weak=False)


def _add_tasks(app: Any, built: Built, settings: WorkerSettings, parts: WorkerParts) -> None:  # noqa: ANN401
    @app.task
    async def checkpoints() -> None:
        while not app.should_stop:
            await app.sleep(settings.checkpoint_interval_s)
            if not app.rebalancing and not app.should_stop:
                await built.scoring.checkpoint()

    @app.task
    async def partitions() -> None:
        await watch_partitions(app, built.engine, settings)

    @app.task
    async def acknowledgements() -> None:
        if settings.broker != "embedded":  # it keeps no index of times
            await built.acks.run(lambda: bool(app.should_stop), app.sleep)

    @app.task
    async def watchdog() -> None:
        outside_since: float | None = None
        while not app.should_stop:
            parts.health.beat()
            now = time.monotonic()
            outside_since = None if parts.health.partitions is not None else (outside_since or now)
            if outside_since is not None and now - outside_since > settings.assignment_timeout_s:
                await built.engine.crash(outside(settings))
                return
            await app.sleep(BEAT_S)
