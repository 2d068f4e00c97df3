"""Measure everything, or the chapters that are named, and write benchmarks/RESULTS.md: ``make bench``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import (
    agents,
    chaos,
    core_speed,
    decisions,
    declared,
    expected,
    flood,
    gate,
    graph,
    models,
    mutants,
    otlp,
    quality,
    redteam,
    registry,
    robustness,
    rules,
    sensitivity,
    threats,
    worker,
    zones,
)
from benchmarks.results import RESULTS, made_by, put_into

_QUALITY = """One configuration, the default profile, on every recorded stream: prequential, unlabelled, the gate off
before the stream's live start. In brackets 95 % bootstrap intervals over sessions. The same as `detector evaluate` on
each."""


def _quality() -> str:
    folder = quality.data_folder()
    if folder is None:
        return f"{_QUALITY}\n\nSkipped: DETECTOR_DATA named no folder of recorded streams."
    return f"{_QUALITY}\n\n{quality.table(quality.measure(folder))}"


def _speed() -> str:
    table = core_speed.table(core_speed.measure_all(quality.data_folder()))
    return f"{(core_speed.__doc__ or '').strip()}\n\n{table}"


def _memory() -> str:
    """Return the memory chapter, measured in a process of its own."""
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "benchmarks.memory"]
    row, taken = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout.split()
    return (
        "| scenario | an agent's row, bytes | memory an agent, bytes |\n|---|---|---|\n"
        f"| memory/100k-agents-closed | {row} | **{taken}** |\n\n{(flood.__doc__ or '').strip()}\n\n{flood.table()}"
    )


CHAPTERS: dict[str, tuple[str, Callable[[], str]]] = {
    "quality": ("Quality", _quality),
    "decisions": ("Decisions", lambda: f"{(decisions.__doc__ or '').strip()}\n\n{decisions.section()}"),
    "robustness": ("Robustness", lambda: f"{(robustness.__doc__ or '').strip()}\n\n{robustness.section()}"),
    "speed": ("Speed of the core", _speed),
    "models": (
        "Models against their makers",
        lambda: f"{(models.__doc__ or '').strip()}\n\n{models.table(models.measure())}",
    ),
    "memory": ("Memory", _memory),
    "worker": (
        "Worker on a real broker",
        lambda: f"{(worker.__doc__ or '').strip()}\n\n{worker.table(worker.measure())}",
    ),
    "otlp": ("OpenTelemetry in", lambda: f"{(otlp.__doc__ or '').strip()}\n\n{otlp.table()}"),
    "gate": (
        "Denying a call at the agent",
        lambda: f"{(gate.__doc__ or '').strip()}\n\n{gate.table(gate.measure())}",
    ),
    "agents": (
        "A real agent, denied",
        lambda: f"{(agents.__doc__ or '').strip()}\n\n{agents.tables(agents.measure())}",
    ),
    "redteam": ("Attacks on the detector", lambda: f"{(redteam.__doc__ or '').strip()}\n\n{redteam.table()}"),
    "rules": ("Rules", lambda: f"{(rules.__doc__ or '').strip()}\n\n{rules.section()}"),
    "declared": ("Registry at the workers", lambda: f"{(declared.__doc__ or '').strip()}\n\n{declared.section()}"),
    "zones": ("Zones", lambda: f"{(zones.__doc__ or '').strip()}\n\n{zones.section()}"),
    "expected": ("Declared jobs", lambda: f"{(expected.__doc__ or '').strip()}\n\n{expected.section()}"),
    "registry": ("Inventory", lambda: f"{(registry.__doc__ or '').strip()}\n\n{registry.section()}"),
    "graph": ("Agents together", lambda: f"{(graph.__doc__ or '').strip()}\n\n{graph.section()}"),
    "chaos": ("Faults", lambda: f"{(chaos.__doc__ or '').strip()}\n\n{chaos.section()}"),
    "sensitivity": ("Sensitivity", lambda: f"{(sensitivity.__doc__ or '').strip()}\n\n{sensitivity.section()}"),
    "mutants": ("Mutants", lambda: f"{(mutants.__doc__ or '').strip()}\n\n{mutants.table(mutants.measure(10.0, 1))}"),
}
"""Name on the command line -> title in the results, what measures it."""

PARTS: dict[str, Callable[[Sequence[str]], str]] = {"decisions": decisions.section, "robustness": robustness.section}
"""Chapters of which some streams can be measured alone: that is printed, and not written down."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure chapters, saying which one runs, and write each as soon as it is done; drills stand in two pages."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="chapter", help=f"all if none is named: {', '.join(CHAPTERS)}")
    parser.add_argument(
        "--only", action="append", metavar="STREAM", help=f"print this stream of {', '.join(PARTS)}; several times"
    )
    given = parser.parse_args(arguments)
    named = given.chapters
    unknown = sorted(set(named) - set(CHAPTERS))
    if unknown:
        parser.error(f"chapters must be of {', '.join(CHAPTERS)}, got {', '.join(unknown)}")
    if given.only:
        if not named or set(named) - set(PARTS):
            parser.error(f"--only needs chapters of {', '.join(PARTS)}, got {', '.join(named) or 'none'}")
        for name in named:
            print(PARTS[name](given.only))
        return
    for name in named or CHAPTERS:
        title, measure = CHAPTERS[name]
        print(f"{title.lower()} ...", flush=True)
        put_into(RESULTS, f"## {title}\n\n{made_by(f'python -m benchmarks {name}')}\n\n{measure()}")
        if name == "redteam":
            threats.write()
    print(f"written: {RESULTS}")


if __name__ == "__main__":
    main()
