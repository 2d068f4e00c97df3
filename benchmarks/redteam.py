"""Tricks of attackers who have read the code, on a recorded stream: what each one costs and what is still seen.

`agentdyn-dev` with origins, every fourth labelled attack, so that the wave does not hide itself. *Alerted*: attacks of
which a session alerted. *Named*: those where the evidence of an alert holds the harmful act. *Benign*: harmless live
sessions that alerted. Deterministic: no chance, no clock.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.drill_stream import Met, recorded, run
from benchmarks.drills import DRILLS
from benchmarks.quality import data_folder


def measure(names: Sequence[str], folder: Path) -> Iterator[tuple[str, Met]]:
    """Yield what each drill came to."""
    for name in names:
        met, _ = run(DRILLS[name].make(recorded(folder)))
        yield name, met


def row(name: str, met: Met) -> str:
    """Return one drill as a line of a Markdown table."""
    drill = DRILLS[name]
    return (
        f"| {drill.who} | {name} | {drill.trick} | {drill.cost} | {met.alerted} of {met.attacks} | {met.named} "
        f"| {met.benign} of {met.closed} | {met.incidents} |"
    )


HEAD = "| who | drill | what is done | cost | alerted | named | benign alerted | incidents |\n" + "|" + "---|" * 8


def table(names: Sequence[str] = ()) -> str:
    """Return the table of all drills, or of those that are named."""
    folder = data_folder()
    if folder is None:
        return "Skipped: DETECTOR_DATA named no folder of recorded streams."
    lines = [HEAD]
    for name, met in measure(names or list(DRILLS), folder):
        lines.append(row(name, met))
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run drills and print a line for each as it ends; `python -m benchmarks redteam` writes the table down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.redteam", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("drills", nargs="*", metavar="drill", help="names of drills; all if none is named")
    named = parser.parse_args(arguments).drills
    unknown = sorted(set(named) - set(DRILLS))
    if unknown:
        parser.error(f"drills must be of {', '.join(DRILLS)}; got {', '.join(unknown)}")
    table(named)


if __name__ == "__main__":
    main()
