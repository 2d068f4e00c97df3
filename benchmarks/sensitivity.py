"""What a constant is worth: each one halved and doubled, alone, and what that does to the ranking of sessions.

A constant of the profile is changed there; one of a module is changed in a copy of the package, which is compiled
anew. Figures are means over the streams named, of session ROC-AUC and of recall at 1 % of harmless sessions. Same
streams, same table; what fifteen minutes did not reach is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.quality import data_folder
from detector.offline.core import Core
from detector.offline.evaluate import Inputs, Question, evaluate
from detector.offline.labels import read_meta
from detector.offline.metrics import Resampling
from detector.profile.load import load_profile, parse_profile

ROOT = Path(__file__).parent.parent
STREAMS = (("agentdyn", True), ("agentdyn_noisy", False), ("oas", False))
"""Streams, and whether the origins of their values are told."""
TIMEOUT_S = 1_800.0
"""A variant that takes longer is left out."""


class Constant(NamedTuple):
    """A constant, where it stands, and what else it is tried at.

    `where` is ``profile`` for a dotted field of the profile, else the module's file below ``detector``.
    """

    where: str
    name: str
    default: float
    values: tuple[float, ...]


def _of_profile(name: str, *values: float) -> Constant:
    section, field = name.split(".")
    return Constant("profile", name, load_profile().model_dump()[section][field], values)


def constants_varied() -> list[Constant]:
    """Return what is varied: half and double, or as near as its limits allow."""
    profile = [
        *(_of_profile(f"weights.{name}", 0.5, 2.0) for name in ("novelty", "arguments")),
        *(
            _of_profile(f"weights.{name}", half / 2, half * 2)
            for name, half in (
                ("cooccurrence", 0.5), ("transition", 0.5), ("volume", 0.5), ("read_size", 0.5), ("number", 0.3),
                ("pair", 0.3), ("rarity", 0.5), ("forest", 0.25), ("half_space", 0.25),
            )
        ),
        *(
            _of_profile(f"risk.{name}", half / 2, min(half * 2, 1.0))
            for name, half in (
                ("not_ok", 0.3), ("read", 0.5), ("no_tool_origin", 0.5), ("other_origin", 0.5), ("echo", 0.5)
            )
        ),
        _of_profile("learning.gate_p", 0.125, 0.5),
        _of_profile("learning.histogram_p", 0.0625, 0.25),
        _of_profile("learning.probation_s", 43_200.0, 172_800.0),
        _of_profile("learning.agent_prior", 10, 40),
        _of_profile("agent_correction.exponent", 0.25, 1.0),
        _of_profile("agent_correction.prior_sessions", 50, 200),
        _of_profile("agent_correction.cap", 3.0, 12.0),
        _of_profile("budget.origin_share", 0.6, 0.9),
        _of_profile("budget.tail", 0.025, 0.1),
        _of_profile("budget.window", 1_000, 4_000),
        _of_profile("forest.trees", 25, 100),
        _of_profile("forest.samples", 128, 512),
        _of_profile("forest.window", 4_096, 16_384),
        _of_profile("half_space.trees", 5, 20),
        _of_profile("half_space.window", 125, 500),
        _of_profile("memory.agent_keys", 256, 1_024),
        _of_profile("memory.agent_tools", 12, 48),
        _of_profile("memory.group_keys", 8_192, 65_536),
        _of_profile("memory.group_contexts", 1_024, 8_192),
    ]  # fmt: skip
    module = [
        Constant("sketches/levels.py", "PRIOR_WEIGHT", 2.0, (1.0, 4.0)),
        Constant("sketches/tails.py", "LEAST_PRIOR", 0.02, (0.01, 0.04)),
        Constant("sketches/numbers.py", "VARIANCE_FLOOR", 0.0225, (0.01125, 0.045)),
        Constant("sketches/survival.py", "PER_UNIT", 4.0, (2.0, 8.0)),
        Constant("state/settings.py", "GATE_CONTEXT", 0.3, (0.15, 0.6)),
        Constant("channels/context.py", "TOP_ARGUMENTS", 3, (1, 6)),
        Constant("sketches/tails.py", "PRIOR_WEIGHT", 2.0, (1.0, 4.0)),
        Constant("sketches/numbers.py", "WINSOR", 4.0, (2.0, 8.0)),
        Constant("steps/close.py", "OWN_PER_UNIT", 2.0, (1.0, 4.0)),
    ]
    return [*profile, *module]


Figures = tuple[float, float] | None


class Variant(NamedTuple):
    """One constant at one value; without a name, everything as it is."""

    where: str
    name: str
    value: float


def measure(field: str, value: float) -> tuple[float, float]:
    """Return mean session AUC and recall at 1 % with one field of the profile changed; none for an empty name."""
    folder = data_folder()
    assert folder is not None  # noqa: S101 - the parent has looked
    table = load_profile().model_dump()
    if field:
        section, name = field.split(".")
        table[section][name] = value
    found = []
    for stream, has_origins in STREAMS:
        labels, events = folder / "labels", folder / "events"
        inputs = Inputs(
            events=events / f"{stream}-dev.jsonl.gz",
            sessions=labels / f"{stream}-dev-sessions.csv.gz",
            origin=events / f"{stream}-dev-origin.jsonl.gz" if has_origins else None,
        )
        core = Core(parse_profile(table), trusted_until=read_meta(labels / f"{stream}-dev.meta.json").live_start)
        report = evaluate(core, inputs, Question(resampling=Resampling(0)))["session"]
        found.append((report["roc_auc"], report["recall_at_1pct"]))
    return sum(auc for auc, _ in found) / len(found), sum(recall for _, recall in found) / len(found)


def _copy_with(variant: Variant, folder: Path) -> None:
    """Write a copy of the package in which one constant of a module has another value."""
    for name in ("detector", "benchmarks", "models"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "detector" / variant.where
    setting = f"{variant.name} = {variant.value!r}"
    text, times = re.subn(rf"^{variant.name} = .*$", setting, path.read_text(), flags=re.MULTILINE)
    if times != 1:
        message = f"{variant.name} of {variant.where} must be set on one line, got {times}: correct the list here"
        raise ValueError(message)
    path.write_text(text)


def _measure_copy(folder: Path) -> tuple[float, float] | None:
    """Return what a process makes of the copy of the package in `folder`; None if it took too long."""
    kept = {name: text for name, text in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sensitivity", "--answer"],
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
            timeout=TIMEOUT_S,
            env={**kept, "PYTHONPATH": str(folder)},
        )
    except subprocess.TimeoutExpired:
        return None
    auc, recall = json.loads(done.stdout)
    return auc, recall


def run(variant: Variant, end: float = float("inf")) -> tuple[float, float] | None:
    """Return mean AUC and recall of one variant; None if it took too long, or `end` (monotonic) had passed before."""
    if time.monotonic() > end:
        return None
    if variant.where in {"", "profile"}:
        return measure(variant.name, variant.value)
    with tempfile.TemporaryDirectory() as folder:
        _copy_with(variant, Path(folder))
        return _measure_copy(Path(folder))


def measure_all(constants: Sequence[Constant], minutes: float) -> Iterator[tuple[Variant, Figures]]:
    """Yield each variant and its figures, the unchanged one first; None for what the time did not reach."""
    end = time.monotonic() + 60.0 * minutes
    unchanged = Variant("", "", 0.0)
    print("sensitivity: unchanged first, with kernels to compile: about a minute", file=sys.stderr, flush=True)
    yield unchanged, run(unchanged)  # compiles, so that the others find the kernels made
    variants = [Variant(one.where, one.name, value) for one in constants for value in one.values]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        found = pool.map(partial(run, end=end), variants)
        for count, (variant, figures) in enumerate(zip(variants, found, strict=True), 1):
            said = "not reached" if figures is None else f"AUC {figures[0]:.4f}, recall {figures[1]:.3f}"
            print(f"{count}/{len(variants)} {variant.name} = {variant.value:g}: {said}", file=sys.stderr, flush=True)
            yield variant, figures


def table(constants: Sequence[Constant], found: dict[Variant, Figures]) -> str:
    """Return the figures as a Markdown table: what each value changes against everything as it is."""
    unchanged = found[Variant("", "", 0.0)]
    if unchanged is None:
        return "Skipped: the unchanged detector took too long."
    lines = [
        f"Unchanged: AUC {unchanged[0]:.4f}, recall at 1 % {unchanged[1]:.3f}, means over "
        + ", ".join(name + (" with origins" if has_origins else "") for name, has_origins in STREAMS)
        + ".",
        "",
        "| constant | value | tried | change of AUC | change of recall at 1 % |",
        "|---|---|---|---|---|",
    ]
    for one in constants:
        figures = [found.get(Variant(one.where, one.name, value)) for value in one.values]
        cells = [
            " / ".join("-" if pair is None else f"{pair[k] - unchanged[k]:+.{digits}f}" for pair in figures)
            for k, digits in ((0, 4), (1, 3))
        ]
        place = "" if one.where == "profile" else f" ({one.where})"
        tried = " / ".join(f"{value:g}" for value in one.values)
        lines.append(f"| `{one.name}`{place} | {one.default:g} | {tried} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def section(minutes: float = 15.0, only: Sequence[str] = ()) -> str:
    """Return the table of all constants, or of those named; a sentence where there is nothing to measure on."""
    if data_folder() is None:
        return "Skipped: DETECTOR_DATA named no folder of recorded streams."
    constants = [one for one in constants_varied() if not only or one.name in only]
    return table(constants, dict(measure_all(constants, minutes)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.sensitivity", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=15.0, help="what is not begun by then is left out")
    parser.add_argument("--only", default="", help="names of constants, separated by commas")
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.answer:
        print(json.dumps(measure("", 0.0)))
    else:
        print(section(given.minutes, [name for name in given.only.split(",") if name]))


if __name__ == "__main__":
    main()
