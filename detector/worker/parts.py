"""What a worker is put together from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from detector.clock import Clock
from detector.worker.health import Health
from detector.worker.metrics import WorkerMetrics
from detector.worker.ports import Engine, PipelineFactory
from detector.worker.responding import ResponseProcessor, Stage
from detector.worker.scoring import ScoringStage


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """The pieces handed to the app: the pure ones below it, and what it reports to."""

    pipelines: PipelineFactory
    new_stage: Callable[[], Stage]
    metrics: WorkerMetrics
    health: Health
    clock: Clock


class Built(NamedTuple):
    """The stages of one app."""

    engine: Engine
    scoring: ScoringStage
    responding: ResponseProcessor
    channel: Any
