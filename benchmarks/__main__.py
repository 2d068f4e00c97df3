"""Measure everything and write benchmarks/RESULTS.md: ``make bench``."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import core_speed, models, mutants, quality, sensitivity, worker

RESULTS = Path(__file__).parent / "RESULTS.md"
_PACKAGES = ("numpy", "numba", "msgspec", "river", "scikit-learn", "faust-streaming", "aiokafka")

_QUALITY = """## Quality

One configuration, the default profile, on every recorded stream: prequential, unlabelled, the gate off before the
stream's live start. In brackets 95 % bootstrap intervals over sessions. The same as `detector evaluate` on each."""


def _memory() -> str:
    """Return the memory section, measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory"],
        capture_output=True,
        text=True,
        check=True,
        cwd=RESULTS.parent.parent,
    )
    row, taken = done.stdout.split()
    return (
        "| scenario | an agent's row, bytes | memory an agent, bytes |\n|---|---|---|\n"
        f"| memory/100k-agents-closed | {row} | **{taken}** |"
    )


def main() -> None:
    """Run every benchmark, saying what runs, and write the results."""
    folder = quality.data_folder()
    sections = [
        "# Results",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}. Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
        + f"; {platform.machine()}, 2 cores shared with everything else: compare ratios, not microseconds.",
        _QUALITY,
    ]
    if folder is None:
        print("quality: DETECTOR_DATA names no folder of recorded streams: these rows are skipped", flush=True)
        sections.append("Skipped: DETECTOR_DATA named no folder of recorded streams.")
    else:
        sections.append(quality.table(quality.measure(folder)))
    chapters: list[tuple[str, Callable[[], str]]] = [
        (
            "## Speed of the core\n\n" + (core_speed.__doc__ or ""),
            lambda: core_speed.table(core_speed.measure_all(folder)),
        ),
        ("## Sensitivity\n\n" + (sensitivity.__doc__ or ""), sensitivity.section),
        ("## Models against their makers\n\n" + (models.__doc__ or ""), lambda: models.table(models.measure())),
        ("## Memory", _memory),
        ("## Worker on a real broker\n\n" + (worker.__doc__ or ""), lambda: worker.table(worker.measure())),
        (f"{mutants.TITLE}\n\n" + (mutants.__doc__ or ""), lambda: mutants.table(mutants.measure(10.0, 1))),
    ]
    for title, run in chapters:
        print(title.splitlines()[0].lstrip("# ").lower() + " ...", flush=True)
        sections += [title.strip(), run()]
        RESULTS.write_text("\n\n".join(sections) + "\n")
    print(f"written: {RESULTS}")


if __name__ == "__main__":
    main()
