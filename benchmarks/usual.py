"""What naming usual values costs an event, as a share of the core's time in the same process.

A core learns from agentdyn-dev; on part of a second cycle its time is taken, then, over the last rows again, that of
the two steps that were added: `look_for_usual`, once an event, and `note_usual`, as often as sessions taught known
values. Prints one line: ``python -m benchmarks.usual``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numba import njit

from benchmarks import quality, streams
from detector.channels.context import Context, Surroundings
from detector.channels.usual import look_for_usual
from detector.intake.columns import Columns
from detector.memory.layout import FLEET, Memory
from detector.offline.core import Core
from detector.sketches.usual import Usual, note_usual

BATCH = 512
AGAIN = 20
MEASURED = 20_480


@njit
def _look(memory: Memory, columns: Columns, context: Context, events: int) -> None:
    for i in range(events):
        if context.slot[i] < 0:
            continue
        agent, group = memory.agents[context.agent[i]], memory.groups[context.group[i]]
        session = memory.sessions[context.slot[i]]
        at = Surroundings(agent, group, memory.groups[FLEET], session, memory.chunks)
        look_for_usual(memory.usual, at, columns, i, context)
    context.told_count[0] = 0


@njit
def _note(usual: Usual, places: np.ndarray, values: np.ndarray, times: int) -> None:
    for k in range(times):
        note_usual(usual, places[k % len(places)], values[k % len(places)], 1)


def _taken(step: Callable[..., None], *given: object) -> float:
    """Return the seconds a step takes, once it is compiled: the least of several goes."""
    found = []
    for _ in range(AGAIN + 1):
        begin = time.thread_time()
        step(*given)
        found.append(time.thread_time() - begin)
    return min(found[1:])


def measure() -> tuple[float, float, float]:
    """Return microseconds an event: of the core, of looking, of noting."""
    folder = quality.data_folder()
    if folder is None:
        raise SystemExit("DETECTOR_DATA must name the folder of recorded streams, got none")
    first, second = streams.cycled(folder / "events" / "agentdyn-dev.jsonl.gz", 2)
    measured = second[:MEASURED]
    core = Core()
    for start in range(0, len(first), BATCH):
        core.process(first[start : start + BATCH])
    usual = core.pipeline.state.memory.usual
    lived = usual.rows["count"].astype(np.int64)
    spent = []
    for start in range(0, len(measured) - BATCH + 1, BATCH):
        begin = time.thread_time()
        core.process(measured[start : start + BATCH])
        spent.append(time.thread_time() - begin)
    work, memory = core.pipeline.state.work, core.pipeline.state.memory
    looked = _taken(_look, memory, work.columns, work.context, BATCH) / BATCH
    # every value of a slot was noted at least as often as its count went up; others are as many again, at most
    noted = 2.0 * float(np.maximum(usual.rows["count"].astype(np.int64) - lived, 0).sum()) / len(measured)
    rows = np.flatnonzero(usual.place)
    given = usual.place[rows].copy(), usual.rows["value"][rows, 0].copy()
    times = 10 * len(rows)
    once = _taken(_note, usual, *given, times) / times
    return float(np.sum(spent)) / (len(spent) * BATCH) * 1e6, looked * 1e6, once * noted * 1e6


def main() -> None:
    """Print what it costs."""
    core, look, note = measure()
    share = 100.0 * (look + note) / core
    print(f"core {core:.2f} us an event; looking {look:.3f}, noting {note:.3f}: {share:.1f} % of it")


if __name__ == "__main__":
    main()
