"""Quality on every recorded stream, one configuration for all: ``detector evaluate`` with the default profile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from detector.offline.core import Core
from detector.offline.evaluate import Inputs, Question, evaluate
from detector.offline.labels import read_meta

STREAMS = (
    "agentdyn", "agentdyn_again", "agentdyn_noisy", "agentdyn_shift", "oas", "darpa98", "nab", "asb", "intercode",
    "wikiqa",
)  # fmt: skip
"""Of `intercode` and `wikiqa` nothing is labelled an attack: they show what an honest fleet costs."""
_FIGURES = ("roc_auc", "average_precision", "recall_at_0_5pct", "recall_at_1pct", "recall_at_5pct")


def data_folder() -> Path | None:
    """Return the folder of recorded streams, or None."""
    named = os.environ.get("DETECTOR_DATA")
    return Path(named) if named and Path(named).is_dir() else None


def measure(folder: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (stream, origins, report) of each stream, with and without origins where they are known."""
    rows = []
    for name in STREAMS:
        events, labels = folder / "events", folder / "labels"
        origin = events / f"{name}-dev-origin.jsonl.gz"
        meta = read_meta(labels / f"{name}-dev.meta.json")
        for joined in (None, origin) if origin.is_file() else (None,):
            inputs = Inputs(
                events=events / f"{name}-dev.jsonl.gz",
                sessions=labels / f"{name}-dev-sessions.csv.gz",
                event_labels=labels / f"{name}-dev.csv.gz",
                origin=joined,
            )
            report = evaluate(Core(trusted_until=meta.live_start), inputs, Question())
            rows.append((name, "yes" if joined else "no", report))
            auc = _cell(report["session"], "roc_auc").split(" ", 1)[0]
            print(f"quality: {name}, origins {rows[-1][1]}: AUC {auc}", flush=True)
    return rows


def _cell(part: dict[str, Any], figure: str) -> str:
    value = part.get(figure)
    if value is None:
        return "-"
    low_high = (part.get("intervals") or {}).get(figure)
    if not low_high:
        return f"{value:.3f}"
    return f"{value:.3f} [{low_high[0]:.3f}, {low_high[1]:.3f}]"


def table(rows: list[tuple[str, str, dict[str, Any]]]) -> str:
    """Return the reports as a Markdown table: session level, then event level."""
    lines = [
        (
            "| stream | origins | sessions (bad) | AUC | average precision | recall at 0.5 % | at 1 % | at 5 % "
            "| benign sessions alarmed live (promised) | recall live | events: AUC, AP |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, origins, report in rows:
        part, event = report["session"], report.get("event") or {}
        cells = [_cell(part, figure) for figure in _FIGURES]
        alarms = f"{_cell(part, 'benign_alarm_rate')} ({part['promised_rate']})"
        of_events = f"{_cell(event, 'roc_auc')}, {_cell(event, 'average_precision')}"
        row = [
            name,
            origins,
            f"{part['n']} ({part['positives']})",
            *cells,
            alarms,
            _cell(part, "live_recall"),
            of_events,
        ]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)
