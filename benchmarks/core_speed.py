"""Cost of the whole core an event, as a ratio to decoding the same events, in one process on one core.

The core is `detector.offline.Core` with the default profile, forest and half-space trees on: bytes
to alerts. The base is msgspec's decode into the full typed struct, timestamps included, the events
kept alive. Rounds take turns over fresh events; a ratio is the median over the rounds. The first
fit of a forest happens before the measured part; later fits run on a thread of their own and are
not in the figure (about 0.15 s each, one an event-time day).
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from benchmarks import streams
from detector.offline.core import Core
from detector.schema.event import Event

ROUND = 20_480
BATCH = 512
_decode = msgspec.json.Decoder(Event).decode


class Cost(NamedTuple):
    """CPU microseconds an event: medians over the rounds, and the median of the ratios of each round."""

    scenario: str
    events: int
    size: float
    decode_us: float
    core_us: float
    ratio: float
    low: float
    high: float


def _base(events: Sequence[bytes]) -> float:
    """Return the seconds that decoding takes, every event alive at the end."""
    begin = time.thread_time()
    alive = [_decode(event) for event in events]
    taken = time.thread_time() - begin
    del alive
    return taken


def _run(core: Core, events: Sequence[bytes]) -> float:
    begin = time.thread_time()
    for start in range(0, len(events), BATCH):
        core.process(events[start : start + BATCH])
    return time.thread_time() - begin


def measure(scenario: str, warm: Sequence[bytes], events: Sequence[bytes]) -> Cost:
    """Return the cost on `events`, after a core has learned from `warm`."""
    core = Core()
    _run(core, warm)
    if core.pipeline.state.refit.forest is None:
        msg = f"forest of {scenario} must be fitted before the measured part, got none"
        raise RuntimeError(msg)
    pairs = []
    for turn, start in enumerate(range(0, len(events) - ROUND + 1, ROUND)):
        part = events[start : start + ROUND]
        if turn % 2:
            core_s = _run(core, part)
            base_s = _base(part)
        else:
            base_s = _base(part)
            core_s = _run(core, part)
        pairs.append((base_s, core_s))
    ratios = [core_s / base_s for base_s, core_s in pairs]
    return Cost(
        scenario,
        len(pairs) * ROUND,
        float(np.mean([len(event) for event in events])),
        statistics.median(base for base, _ in pairs) / ROUND * 1e6,
        statistics.median(core_s for _, core_s in pairs) / ROUND * 1e6,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
    )


def measure_all(folder: Path | None) -> list[Cost]:
    """Return the cost on the made-up fleet, and on agentdyn-dev cycled where it is at hand."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    made_up = streams.fleet()
    costs = [measure("core/fleet-100k", made_up[:450_000], made_up[450_000:])]
    if folder is not None:
        cycles = list(streams.cycled(folder / "events" / "agentdyn-dev.jsonl.gz", 3))
        costs.append(measure("core/agentdyn-cycled", cycles[0], cycles[1] + cycles[2]))
    return costs


def table(costs: list[Cost]) -> str:
    """Return costs as a Markdown table."""
    lines = [
        "| scenario | events | mean bytes | msgspec decode, us/event | core, us/event | core : decode [rounds] |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {c.scenario} | {c.events} | {c.size:.0f} | {c.decode_us:.2f} | {c.core_us:.2f} "
        f"| **{c.ratio:.2f}** [{c.low:.2f}, {c.high:.2f}] |"
        for c in costs
    ]
    return "\n".join(lines)
