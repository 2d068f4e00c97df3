"""A real agent, from an odd act to its next call denied: its program, an OpenTelemetry Collector and Kafka, unmodified.

`make demo DEMO_ARGS="--agents codex"`, and with `gemini-cli`, several times with other errands; from the end of the odd
act by the agent's own clock, on one machine. Telemetry waits for the program's exporter (Gemini CLI's sends each five
seconds, so a run waits for anything up to that) and for the Collector's batch (`timeout: 1s` in the printed settings)
before it is on Kafka: nearly all of the time to the alert is theirs. The agent goes on with an everyday call half a
second after the last, so that much of alert to denial is the agent's own pace; `in force` is ours alone. Gemini CLI
says which tool was called and not with what: its odd act is the same command, and what shows is that an agent which
never opens a shell does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from detector.demo.agents import PROGRAMS, AgentsOptions, scene
from detector.demo.agents_summary import STEPS, AgentsSummary

SEEDS = range(1, 6)


def measure(programs: Sequence[str] = tuple(PROGRAMS)) -> dict[str, list[AgentsSummary]]:
    """Return the summaries of several runs of each program, by its name."""
    found: dict[str, list[AgentsSummary]] = {}
    for name in programs:
        runs = found[PROGRAMS[name].name] = []
        for seed in SEEDS:
            with scene(AgentsOptions(name, seed=seed), print) as one:
                runs.append(one.play())
    return found


def tables(found: Mapping[str, Sequence[AgentsSummary]]) -> str:
    """Return a table for each program."""
    return "\n\n".join(f"### {name}\n\n{table(runs)}" for name, runs in found.items())


def table(found: Sequence[AgentsSummary]) -> str:
    """Return the times as a table, and what else the runs came to."""
    whole = [one for one in found if not one.failures]
    lines = ["| from | to | median, s | longest, s | of |", "|---|---|---|---|---|"]
    spans = {("end of the odd act", said): [one.seconds[name] for one in whole] for name, said in STEPS.items()}
    for name in ("applied", "denied"):
        spans["alert on agent.alerts", STEPS[name]] = [one.seconds[name] - one.seconds["alert"] for one in whole]
    for (begin, end), seconds in spans.items():
        if seconds:
            times = np.asarray(seconds)
            lines.append(f"| {begin} | {end} | {np.median(times):.2f} | **{times.max():.2f}** | {len(times)} |")
    failed = [f"seed {one.seed}: {'; '.join(one.failures)}" for one in found if one.failures]
    between = [one.calls_between for one in whole]
    said = (
        f"{len(whole)} of {len(found)} runs whole{': ' + ' / '.join(failed) if failed else ''}; everyday calls between "
        f"the act and the denial: {min(between, default=0)} to {max(between, default=0)}; alerts of ordinary sessions: "
        f"{sum(one.false_alarms for one in found)}; load average {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores."
    )
    return "\n".join([*lines, "", said])
