"""From a batch that was judged to what passes a level."""

from __future__ import annotations

from detector.state.classes import classify
from detector.state.partition import Partition
from detector.state.report import Batch
from detector.steps.decisions import Ended, Passed
from detector.steps.judge import settle_rest


def decide(state: Partition, batch: Batch, settled: int) -> list[Passed | Ended]:
    """Return each event past a level and what ended after one; settles the closes from `settled` on before."""
    settle_rest(state.settings.judge, state.standing, state.memory, state.work, settled)
    classify(state, batch.events)
    return state.threshold.decide(len(batch.events), state.work)
