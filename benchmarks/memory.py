"""Bytes an agent that has closed its session: growth of the process's memory over 100,000 agents, all tables included.

What is imported and compiled is there before the first reading; every agent has one session of five
actions, closed. Run alone, in a process of its own: ``python -m benchmarks.memory``.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import psutil

from detector.memory.layout import agent_dtype
from detector.offline.core import Core
from detector.scorers.forest_fit import fit

AGENTS = 100_000
_START = datetime(2026, 3, 2, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


def _session(agent: int) -> Iterator[bytes]:
    ts = _START + timedelta(seconds=agent)
    same = {"ts": ts, "agent_id": f"agent-{agent:06}", "agent_type": f"role-{agent % 10}", "session_id": f"s-{agent}"}
    yield _encode({**same, "event_id": f"{agent}-0", "kind": "lifecycle", "name": "session_start"})
    for k in range(1, 6):
        action = {"kind": "tool_call", "name": f"tool-{k % 3}", "target": f"/data/{agent % 97}/{k}"}
        sizes = {"bytes_in": 100.0 + k, "bytes_out": 1_000.0 * k, "duration_ms": 5.0}
        attributes = {"query": f"words {agent % 13}", "count": k}
        yield _encode({**same, **action, **sizes, "event_id": f"{agent}-{k}", "attributes": attributes})
    yield _encode({**same, "event_id": f"{agent}-6", "kind": "lifecycle", "name": "session_end"})


def _feed(core: Core, first: int, stop: int) -> None:
    waiting: list[bytes] = []
    for agent in range(first, stop):
        waiting.extend(_session(agent))
        if len(waiting) >= 500:
            core.process(waiting)
            waiting.clear()
    core.process(waiting)


def measure() -> tuple[int, float]:
    """Return the bytes of an agent's row, and the bytes of memory each agent took."""
    fit(np.random.default_rng(0).random((500, 7)))  # scikit-learn is no agent's memory
    core = Core()
    _feed(core, 0, 200)
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    _feed(core, 200, 200 + AGENTS)
    gc.collect()
    grown = process.memory_info().rss - before
    return agent_dtype(core.pipeline.state.settings.sizes).itemsize, grown / AGENTS


if __name__ == "__main__":
    row, taken = measure()
    print(f"{row} {taken:.0f}")
