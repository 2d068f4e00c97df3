"""How long a hook takes, from the start of its interpreter to its answer, and an alert until it denies a call.

The gate is started anew for each call, as agents do, with the input of a recorded form, against a running edge service
on a unix socket. *In a script* is what the installed `detector-gate` does: site-packages and their hooks are looked
through first. CPU is the process's own, user and system, and does not grow when others use the machine; wall time does:
hold a gate's against that of the interpreter that does nothing, started in turn with it. Containment is measured on a
real Kafka with a real worker, one agent after the other: from before the alert (or the policy record) is written until
a gate, started over and over, has denied; so a gate's own time is in it. A *Check* is a gateway's question over gRPC on
loopback, Envoy's, on a connection that stays open, from the client's side.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np

from detector.edge import wire
from detector.edge.grpc_server import ENVOY_SERVICE
from detector.local.ladder import open_broker
from tests.edge.gateways import free_port
from tests.edge.questions import envoy_question, tool
from tests.edge.recordings import MADE_UP
from tests.kafka.edge_scene import BY_COMMAND, GATE, EdgeScene, edge_scene, isolation
from tests.kafka.harness import deployment
from tests.project.sources import ROOT

CALLS = 500
CHECKS = 5_000
CHECK = "Check"
AGENTS = 15
"""The breaker lets no more than twenty be contained in an hour."""
BOUND_MS = 60.0
CONTAINED_MS = 250.0
CHECK_MS = 20.0
"""A tenth of Envoy's own limit for an answer, 200 ms."""
NOTHING = "an interpreter that does nothing, `python -I -S -c pass`"
SCRIPT = "import sys; from detector_gate import main; sys.exit(main())"


class Spread(NamedTuple):
    """Milliseconds: median, 99th percentile, longest; of how many times; the 99th percentile of CPU, if measured."""

    median: float
    p99: float
    longest: float
    times: int
    cpu_p99: float | None = None


def spread(seconds: Sequence[float], cpu: Sequence[float] = ()) -> Spread:
    """Return the spread of some times."""
    ms = np.asarray(seconds) * 1_000
    cpu_p99 = float(np.percentile(np.asarray(cpu) * 1_000, 99)) if cpu else None
    return Spread(float(np.median(ms)), float(np.percentile(ms, 99)), float(ms.max()), len(ms), cpu_p99)


class Started(NamedTuple):
    """A command that is started anew each time, and what its answer must be: a denial, nothing, or not asked."""

    command: Sequence[str]
    is_denied: bool | None = None


def _once(one: Started) -> tuple[float, float]:
    """Return wall and CPU seconds of one start; its answer is checked."""
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        one.command, input=MADE_UP["codex"], capture_output=True, timeout=60, check=True, cwd=ROOT, env={}
    )
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if one.is_denied is not None and (b'"deny"' in done.stdout) != one.is_denied:
        raise RuntimeError(f"the gate must have {'denied' if one.is_denied else 'allowed'}, got {done.stdout!r}")
    return taken, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


def _starts(started: dict[str, Started]) -> dict[str, Spread]:
    """Return how long commands take, started in turn, so that each meets the same machine."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in started}
    for _ in range(CALLS):
        for name, one in started.items():
            taken[name].append(_once(one))
    return {name: spread([wall for wall, _ in times], [cpu for _, cpu in times]) for name, times in taken.items()}


def _denied_within(scene: EdgeScene, agent: str, tenant: str) -> float:
    """Return when the first gate has denied."""
    while BY_COMMAND not in (answer := scene.ask(agent, tenant=tenant)).said:
        pass
    return answer.at


def _checks(port: int) -> dict[str, Spread]:
    """Return how long a gateway waits for an answer, in turn of a free and of a contained agent."""
    asked = {f"{CHECK}, call allowed": ("ci-8", 0), f"{CHECK}, call denied": ("ci-7", 7)}
    taken: dict[str, list[float]] = {name: [] for name in asked}
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary(f"/{ENVOY_SERVICE}/Check")
        for _ in range(CHECKS):
            for name, (agent, code) in asked.items():
                raw, began = envoy_question(tool("lookup"), agent), time.perf_counter()
                told = ask(raw, timeout=10.0)
                taken[name].append(time.perf_counter() - began)
                if wire.CheckResponse.FromString(told).status.code != code:
                    raise RuntimeError(f"{name}: the answer must have been {code}")
    return {name: spread(times) for name, times in taken.items()}


def measure() -> dict[str, Spread]:
    """Return the spreads by what was measured."""
    with (
        open_broker(print) as broker,
        tempfile.TemporaryDirectory() as folder,
        deployment(broker, "gate", Path(folder)) as made,
        edge_scene(made) as scene,
    ):
        made.start(mode="enforce")
        port = free_port()
        scene.start("edge", "--ext-authz", f"127.0.0.1:{port}")
        scene.publish(isolation("ci-7"))
        scene.alert("warm-up", 1)
        for agent, tenant in (("ci-7", "default"), ("warm-up", "acme")):
            scene.until(agent, is_denied=True, tenant=tenant)
        where = ["--product", "codex", "--socket", str(scene.folder / "edge")]
        denied = [*where, "--agent", "ci-7"]
        started = {
            NOTHING: Started([*GATE[:3], "-c", "pass"]),
            "gate, call allowed": Started([*GATE, *where, "--agent", "ci-8"], is_denied=False),
            "gate, call denied": Started([*GATE, *denied], is_denied=True),
            "gate in a script, call denied": Started([sys.executable, "-c", SCRIPT, *denied], is_denied=True),
        }
        found = {**_starts(started), **_checks(port)}
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
    """Return the measured times, and the bounds."""
    lines = ["| what | median, ms | p99, ms | longest, ms | CPU p99, ms | of |", "|---|---|---|---|---|---|"]
    for name, one in found.items():
        cpu = "" if one.cpu_p99 is None else f"{one.cpu_p99:.1f}"
        lines.append(f"| {name} | {one.median:.1f} | **{one.p99:.1f}** | {one.longest:.1f} | {cpu} | {one.times} |")
    gates = [one for name, one in found.items() if name.startswith("gate")]
    slowest, nothing = max(one.p99 for one in gates), found[NOTHING].p99
    contained = found["alert to denied call"].longest
    check = max(one.p99 for name, one in found.items() if name.startswith(CHECK))
    said = [
        f"a gate's p99 under {BOUND_MS:.0f} ms: {_kept(slowest, BOUND_MS)}, where nothing at all took {nothing:.1f}",
        f"its CPU: {_kept(max(one.cpu_p99 or 0.0 for one in gates), BOUND_MS)}",
        f"alert to denied call under {CONTAINED_MS:.0f} ms: {_kept(contained, CONTAINED_MS)}",
        f"a Check's p99 under {CHECK_MS:.0f} ms: {_kept(check, CHECK_MS)}",
    ]
    lines += ["", f"Bounds, with a load average of {os.getloadavg()[1]:.1f} on two cores: {'; '.join(said)}."]
    return "\n".join(lines)


def _kept(value: float, bound: float) -> str:
    return f"{'kept' if value < bound else 'NOT kept'}, {value:.1f}"
