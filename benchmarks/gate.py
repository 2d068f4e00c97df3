"""How long a hook takes, from the start of its interpreter to its answer, and an alert until it denies a call.

The gate is started anew for each call, as agents do, with the input of a recorded form, against a running edge service
on a unix socket. *In a script* is what the installed `detector-gate` does: site-packages and their hooks are looked
through first. Containment is measured on a real Kafka with a real worker, one agent after the other: from before the
alert (or the policy record) is written until a gate, started over and over, has denied; so a gate's own time is in it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from detector.local.ladder import open_broker
from tests.edge.recordings import MADE_UP
from tests.kafka.edge_scene import GATE, EdgeScene, edge_scene, isolation
from tests.kafka.harness import deployment
from tests.project.sources import ROOT

CALLS = 1_000
AGENTS = 15
"""The breaker lets no more than twenty be contained in an hour."""
BOUND_MS = 60.0
CONTAINED_MS = 250.0
SCRIPT = "import sys; from detector_gate import main; sys.exit(main())"


class Spread(NamedTuple):
    """Milliseconds: median, 99th percentile, longest; and of how many times."""

    median: float
    p99: float
    longest: float
    times: int


def spread(seconds: Sequence[float]) -> Spread:
    """Return the spread of some times."""
    ms = np.asarray(seconds) * 1_000
    return Spread(float(np.median(ms)), float(np.percentile(ms, 99)), float(ms.max()), len(ms))


def _starts(command: Sequence[str], is_denied: bool | None) -> Spread:
    """Return how long a command takes that is started anew each time; its answer is checked."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        done = subprocess.run(
            command, input=MADE_UP["codex"], capture_output=True, timeout=60, check=True, cwd=ROOT, env={}
        )
        taken.append(time.perf_counter() - began)
        if is_denied is not None and (b'"deny"' in done.stdout) != is_denied:
            raise RuntimeError(f"the gate must have {'denied' if is_denied else 'allowed'}, got {done.stdout!r}")
    return spread(taken)


def _denied_within(scene: EdgeScene, agent: str, tenant: str) -> float:
    """Return when the first gate has denied."""
    while not (answer := scene.ask(agent, tenant=tenant)).is_denied:
        pass
    return answer.at


def measure() -> dict[str, Spread]:
    """Return the spreads by what was measured."""
    found: dict[str, Spread] = {}
    with (
        open_broker(print) as broker,
        tempfile.TemporaryDirectory() as folder,
        deployment(broker, "gate", Path(folder)) as made,
        edge_scene(made) as scene,
    ):
        made.start(mode="enforce")
        scene.start()
        scene.publish(isolation("ci-7"))
        scene.alert("warm-up", 1)
        for agent, tenant in (("ci-7", "default"), ("warm-up", "acme")):
            scene.until(agent, is_denied=True, tenant=tenant)
        where = ["--product", "codex", "--socket", str(scene.folder / "edge")]
        found["an interpreter that does nothing, `python -I -S -c pass`"] = _starts([*GATE[:3], "-c", "pass"], None)
        found["gate, call allowed"] = _starts([*GATE, *where, "--agent", "ci-8"], is_denied=False)
        found["gate, call denied"] = _starts([*GATE, *where, "--agent", "ci-7"], is_denied=True)
        script = [sys.executable, "-c", SCRIPT, *where, "--agent", "ci-7"]
        found["gate in a script, call denied"] = _starts(script, is_denied=True)
        records, alerts = [], []
        for number in range(AGENTS):
            began = time.time()
            scene.publish(isolation(f"r-{number}"))
            records.append(_denied_within(scene, f"r-{number}", "default") - began)
            began = scene.alert(f"a-{number}", 2 + number)
            alerts.append(_denied_within(scene, f"a-{number}", "acme") - began)
        found["policy record to denied call"] = spread(records)
        found["alert to denied call"] = spread(alerts)
    return found


def table(found: dict[str, Spread]) -> str:
    """Return the measured times, and the two bounds."""
    lines = ["| what | median, ms | p99, ms | longest, ms | of |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {one.median:.1f} | **{one.p99:.1f}** | {one.longest:.1f} | {one.times} |"
        for name, one in found.items()
    ]
    slowest = max(one.p99 for name, one in found.items() if name.startswith("gate"))
    contained = found["alert to denied call"].longest
    gate_said = f"a gate's p99 under {BOUND_MS:.0f} ms: {_kept(slowest, BOUND_MS)}"
    contained_said = f"alert to denied call under {CONTAINED_MS:.0f} ms: {_kept(contained, CONTAINED_MS)}"
    lines += ["", f"Bounds: {gate_said}; {contained_said}."]
    return "\n".join(lines)


def _kept(value: float, bound: float) -> str:
    return f"{'kept' if value < bound else 'NOT kept'}, {value:.1f}"
