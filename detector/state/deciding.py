"""From a batch that was judged to what passes a level."""

from __future__ import annotations

from detector.state.classes import classify
from detector.state.groups import count_groups
from detector.state.partition import Partition
from detector.state.report import Batch, Outcome
from detector.steps.decisions import Ended, Passed
from detector.steps.judge import settle_rest


def decide(state: Partition, batch: Batch, settled: int, outcome: Outcome) -> list[Passed | Ended]:
    """Return each event past a level and what ended after one; settles the closes from `settled` on before.

    Which session is of which risk class is told to the outcome.
    """
    settle_rest(state.settings.judge, state.standing, state.memory, state.work, settled)
    outcome.classes.update(classify(state, batch.events))
    passed = state.threshold.decide(len(batch.events), state.work)
    count_groups(state, batch.events, passed)
    return passed
