"""What a worker is put together from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from detector.clock import Clock
from detector.worker.acknowledging import AckFollower
from detector.worker.health import Health
from detector.worker.metrics import WorkerMetrics
from detector.worker.ports import Engine, PipelineFactory, Stage
from detector.worker.responding import ResponseProcessor
from detector.worker.scoring import ScoringStage


def nothing_to_ask() -> None:
    """Ask nothing: the embedded broker answers no such question."""


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """The pieces handed to the app: the pure ones below it, and what it reports to."""

    pipelines: PipelineFactory
    new_stage: Callable[[], Stage]
    metrics: WorkerMetrics
    health: Health
    clock: Clock
    look_at_clock: Callable[[], None] = nothing_to_ask
    """Asks the broker whose clock dates the events, and says so if that has changed; blocks for seconds."""


class Built(NamedTuple):
    """The stages of one app."""

    engine: Engine
    scoring: ScoringStage
    responding: ResponseProcessor
    acks: AckFollower
    channel: Any
