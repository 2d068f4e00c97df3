"""What is counted of a micro-batch: events by what became of them, sessions by how they ended and what they taught."""

from __future__ import annotations

from collections import Counter

import numpy as np

from detector.channels.context import JUDGED, REPEATED, UNJUDGED
from detector.memory.layout import STRANGERS
from detector.state.partition import Partition
from detector.steps.workspace import AT_CROWD, AT_SIZE, EVERYTHING, HISTOGRAMS


def count_batch(state: Partition, events: int, counts: Counter[str]) -> None:
    """Count what happened to events and sessions."""
    work = state.work
    closes = int(work.closes.count[0])
    states = np.bincount(work.context.state[:events], minlength=REPEATED + 1)
    lessons = np.bincount(work.closes.lesson[:closes], minlength=EVERYTHING + 1)
    reasons = work.closes.reason[:closes]
    counts["events"] += events
    counts["events_scored"] += int(states[JUDGED])
    counts["events_context"] += int(states[UNJUDGED])
    counts["events_repeated"] += int(states[REPEATED])
    counts["events_reusing_an_id"] += int(np.count_nonzero(work.context.is_reused[:events]))
    counts["events_of_strangers"] += int(np.count_nonzero(work.context.group[:events] == STRANGERS))
    counts["sessions_closed"] += closes
    counts["sessions_capped"] += int((reasons == AT_CROWD).sum() + (reasons == AT_SIZE).sum())
    counts["sessions_learned"] += int(lessons[EVERYTHING])
    counts["sessions_withheld"] += int(lessons[:HISTOGRAMS].sum())
    counts["parts_cut"] += int(work.columns.cut[0])
    counts["events_expected"] += state.expected
    counts.update(state.rule_memory.counts)
    state.rule_memory.counts.clear()
    work.columns.cut[0] = state.expected = 0
