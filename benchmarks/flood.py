"""A million invented ids among an honest fleet: what they take, and what they change.

Two hundred agents for four days, two of them trusted, one attack of every kind in the last two; in these the ids
come in between, one tool call each in a session of its own, under a thousand invented types. The alerts of the honest
fleet are held against the run without them. Run alone, in a process of its own: ``python -m benchmarks.flood``.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path

import msgspec

from detector.offline.core import Core
from detector.simulate.fleet import DAY_S, Fleet
from detector.simulate.render import timestamp
from detector.simulate.scenario import plan_attacks

IDS = 1_000_000
_AGENTS, _DAYS, _TRUSTED_DAYS = 200, 4.0, 2.0
_TARGETS = 97
_BATCH = 512
_encode = msgspec.json.Encoder().encode


def _fleet() -> tuple[list[tuple[float, bytes]], float]:
    """Return the honest events with their times, and until when history is trusted."""
    fleet = Fleet(agents=_AGENTS, seed=1, days=_DAYS, sessions_per_day=4.0)
    since = fleet.start + _TRUSTED_DAYS * DAY_S
    fleet = replace(fleet, injections=plan_attacks(fleet, 1, since))
    events = [event.value for event in fleet.stream()]
    return [(msgspec.json.decode(value, type=_Time).ts.timestamp(), value) for value in events], since


class _Time(msgspec.Struct):
    ts: datetime


def _invented(number: int, now: float) -> bytes:
    return _encode(
        {
            "event_id": "e", "ts": timestamp(round(now * 1000.0)), "agent_id": f"invented-{number:07}",
            "agent_type": f"invented-{number % 1_000}", "session_id": f"i-{number}", "kind": "tool_call",
            "name": "lookup", "target": f"/data/{number % _TARGETS}",
        }
    )  # fmt: skip


def _stream(events: list[tuple[float, bytes]], since: float, ids: int) -> Iterator[bytes]:
    """Yield the honest events, and behind each live one its share of the invented ones."""
    live = sum(now >= since for now, _ in events)
    told = seen = 0
    for now, value in events:
        yield value
        if now < since:
            continue
        seen += 1
        while told < ids * seen // live:
            yield _invented(told, now)
            told += 1


def run(ids: int) -> dict[str, object]:
    """Return what came of the honest fleet among `ids` invented ones: sessions alerted, gauges, seconds, peak bytes."""
    events, since = _fleet()
    core, waiting, count, taken = Core(trusted_until=since), [], 0, 0.0
    core.process([value for _, value in events[:_BATCH]])  # kernels are there before the clock starts
    core = Core(trusted_until=since)
    for value in chain(_stream(events, since, ids), (b"",)):
        if value:
            waiting.append(value)
        if len(waiting) == _BATCH or not value:
            began = time.perf_counter()
            core.process(waiting)
            taken += time.perf_counter() - began
            count += len(waiting)
            waiting.clear()
    honest = sorted({f"{a.agent_id} {a.session_id}" for a in core.alerts if not a.agent_id.startswith("invented-")})
    return {
        "alerts": honest,
        "invented": len({a.agent_id for a in core.alerts if a.agent_id.startswith("invented-")}),
        "gauges": core.pipeline.gauges(),
        "events": count,
        "us_an_event": 1e6 * taken / count,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def table() -> str:
    """Return the table of the runs without the ids and with them, each in a process of its own."""
    root = Path(__file__).resolve().parents[1]
    lines = [
        "| invented ids | events | us each | peak RSS, MB | agents, evicted | types, evicted | honest alerts | same |",
        "|---|---|---|---|---|---|---|---|",
    ]
    before: set[str] | None = None
    for ids in (0, IDS):
        command = [sys.executable, "-m", "benchmarks.flood", str(ids)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout)
        alerts, gauges = set(found["alerts"]), found["gauges"]
        before = alerts if before is None else before
        lines.append(
            f"| {ids:,} | {found['events']:,} | {found['us_an_event']:.1f} | **{found['peak'] / 1e6:,.0f}** "
            f"| {gauges['agents']:,.0f}, {gauges['agents_evicted']:,.0f} "
            f"| {gauges['groups']:.0f}, {gauges['groups_evicted']:.0f} "
            f"| {len(alerts)} | **{len(alerts & before)} of {len(before)}** |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else IDS)))
