"""What the decision to alert costs and finds, with the whole pipeline, on every recorded stream.

*Verdicts*: nobody answers; or an analyst answers 60 % of the incidents, 5 % of these wrongly, 50 closed sessions
late, through the controls, as `detector evaluate --analyst answered=.6,wrong=.05,delay=50` does; means over seeds.
*Spent*: harmless live sessions alarmed as a share of what the budget promises: of all closed ones, of those with a
judged action (95 % Wilson interval, of the first seed), and of these only those that opened an incident. *Items*:
incidents a thousand live sessions, right and wrong ones. *Worst group*: the peer group with the largest such share of
its judged sessions, of those with 200 harmless ones. *Ranking*: the recall of one line through the evidence that alarms
as many harmless sessions; above 1 the decision knows more than the score. *Before*: judged spent, items, recall and
ratio of the rule at the commit named below, measured by this same code.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.quality import STREAMS, data_folder
from detector.offline.analyst import Analyst
from detector.offline.core import Core
from detector.offline.evaluate import Inputs, Question, measure, read_stream
from detector.offline.labels import read_meta
from detector.offline.metrics import Resampling
from detector.offline.reshape import LabelledStream
from detector.offline.seeds import mean_of

ANALYST = Analyst(answered=0.6, wrong=0.05, delay=50)
SEEDS = 3
LEAST_OF_GROUP = 200
"""Harmless sessions that a peer group needs for its share to say something: one promised session in a hundred."""
BEFORE = Path(__file__).with_name("decisions_before.json")
WITH_ORIGINS = "+origins"
NOBODY, ANSWERED = "nobody", "60 %"

Figures = dict[str, Any]


def named_streams(folder: Path, only: Sequence[str] = ()) -> list[str]:
    """Return the streams, and those with origins a second time under ``NAME+origins``; of `only` those named."""
    names = []
    for name in STREAMS:
        names.append(name)
        if (folder / "events" / f"{name}-dev-origin.jsonl.gz").is_file():
            names.append(name + WITH_ORIGINS)
    unknown = sorted(set(only) - set(names))
    if unknown:
        message = f"--only must be of {', '.join(names)}; got {', '.join(unknown)}"
        raise SystemExit(message)
    return [name for name in names if not only or name in only]


@cache
def opened(folder: Path, name: str) -> tuple[LabelledStream, float | None]:
    """Return a stream in memory, with its labels, and its live start."""
    bare = name.removesuffix(WITH_ORIGINS)
    events, labels = folder / "events", folder / "labels"
    inputs = Inputs(
        events=events / f"{bare}-dev.jsonl.gz",
        sessions=labels / f"{bare}-dev-sessions.csv.gz",
        event_labels=labels / f"{bare}-dev.csv.gz",
        origin=events / f"{bare}-dev-origin.jsonl.gz" if name != bare else None,
    )
    stream = read_stream(inputs)
    return stream._replace(lines=list(stream.lines)), read_meta(labels / f"{bare}-dev.meta.json").live_start


def run(streams: Iterable[tuple[LabelledStream, Analyst | None]], live_start: float | None) -> Figures:
    """Return the figures of a stream and its analyst, means over several; the detector is the same each time."""
    reports = []
    for stream, analyst in streams:
        question = Question(resampling=Resampling(0), analyst=analyst)
        reports.append(measure(Core(trusted_until=live_start), stream, question))
    return figures(reports)


def seeded(analyst: Analyst, seeds: int) -> list[Analyst]:
    """Return the analyst with so many seeds."""
    return [Analyst(analyst.answered, analyst.wrong, analyst.delay, seed) for seed in range(seeds)]


def figures(reports: Sequence[dict[str, Any]]) -> Figures:
    """Return what the tables show, means over reports."""
    mean = mean_of(reports)
    part, spent = mean["session"], mean["session"]["of_promise"]
    recall, ranking = part["live_recall"], part["ranking_recall_at_same_rate"]
    groups = {
        name: one["of_promise"]["judged"]["value"]
        for name, one in mean["by_peer_group"].items()
        if one["n"] - one["positives"] >= LEAST_OF_GROUP and one["of_promise"]["judged"]
    }
    worst = max(groups, key=lambda name: groups[name], default=None)
    seconds = mean["time_to_alert"]["seconds"]["median"]
    return {
        "n": part["n"],
        "attacks": part["positives"],
        **{name: (spent[name] or {}).get("value") for name in ("closed", "judged", "incidents")},
        "interval": (reports[0]["session"]["of_promise"]["judged"] or {}).get("interval"),
        "range": [
            end(one["session"]["of_promise"]["judged"]["value"] for one in reports) for end in (min, max)
        ] if spent["judged"] else None,
        "worst": None if worst is None else [worst, groups[worst]],
        "items": part["incident_rate"] * 1_000.0,
        "recall": recall,
        "ranking": ranking,
        "ratio": recall / ranking if recall is not None and ranking else None,
        "ranking_at_promise": part["recall_at_1pct"],
        "seconds": seconds,
        "named": mean["time_to_alert"]["named_attack_act"],
    }  # fmt: skip


@dataclass(slots=True)
class Progress:
    """Says what was measured, as it is: how many of how many, what came of it, how long it took."""

    total: int
    done: int = 0
    since: float = field(default_factory=time.monotonic)

    def say(self, what: str, found: Figures) -> None:
        """Print a line for one run."""
        self.done += 1
        now = time.monotonic()
        spent, recall = cell(found["judged"]), cell(found["recall"], 3)
        print(f"{self.done}/{self.total} {what}: spent {spent}, recall {recall} ({now - self.since:.0f} s)", flush=True)
        self.since = now


def measure_all(folder: Path, only: Sequence[str] = (), seeds: int = SEEDS) -> Iterator[tuple[str, str, Figures]]:
    """Yield (stream, who answers, figures)."""
    names = named_streams(folder, only)
    progress = Progress(2 * len(names))
    for name in names:
        stream, live_start = opened(folder, name)
        for who, analysts in ((NOBODY, [None]), (ANSWERED, seeded(ANALYST, seeds))):
            found = run([(stream, analyst) for analyst in analysts], live_start)
            progress.say(f"{name}, {who}", found)
            yield name, who, found
        opened.cache_clear()


def cell(value: float | None, digits: int = 2) -> str:
    """Return a figure as a cell of a table."""
    return "-" if value is None else f"{value:.{digits}f}"


def spent_cell(found: Figures) -> str:
    """Return the shares of the promise: closed / judged [interval] / incidents."""
    interval = found["interval"]
    told = f" [{interval[0]:.1f}, {interval[1]:.1f}]" if interval else ""
    return f"{cell(found['closed'])} / **{cell(found['judged'])}**{told} / {cell(found['incidents'])}"


def recall_cells(found: Figures) -> list[str]:
    """Return recall live, what the ranking allows at that rate, and their ratio."""
    return [cell(found["recall"], 3), cell(found["ranking"], 3), cell(found["ratio"])]


def before_cell(before: Figures | None) -> str:
    """Return what the earlier rule came to: judged spent, items, recall, ratio."""
    if before is None:
        return "-"
    items, recall = cell(before["items"], 1), cell(before["recall"], 3)
    return f"{cell(before['judged'])}, {items}, {recall}, {cell(before['ratio'])}"


def table(rows: Iterable[tuple[str, str, Figures]], before: dict[str, Figures]) -> str:
    """Return the figures as a Markdown table, the earlier rule beside them."""
    lines = [
        (
            "| stream | sessions (attacks) | verdicts | spent: closed / judged [95 %] / incidents | worst group "
            "| items | recall live | ranking at that rate | ratio | ranking at 1 % | seconds to alert | names the act "
            "| before |"
        ),
        "|" + "---|" * 13,
    ]
    for name, who, found in rows:
        worst = "-" if found["worst"] is None else f"{found['worst'][1]:.2f} {found['worst'][0]}"
        rest = [cell(found["ranking_at_promise"], 3), cell(found["seconds"], 0), cell(found["named"])]
        sessions = f"{found['n']:.0f} ({found['attacks']:.0f})"
        cells = [name, sessions, who, spent_cell(found), worst, cell(found["items"], 1), *recall_cells(found), *rest]
        cells.append(before_cell(before.get(f"{name}, {who}")))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def commit() -> str:
    """Return the commit that is checked out, and whether anything was changed since."""
    asked = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    return done.stdout.strip()


def keep(path: Path, rows: Iterable[tuple[str, str, Figures]], at: str) -> None:
    """Write figures down, and the commit they are of, so that a later rule can be held against the one of today."""
    kept = {f"{name}, {who}": _rounded(found) for name, who, found in rows}
    path.write_text(json.dumps({"commit": at, "rows": kept}, indent=1) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:  # noqa: ANN401 - a tree of plain values
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value


def kept_before(path: Path = BEFORE) -> tuple[str, dict[str, Figures]]:
    """Return the commit and the figures of the earlier rule; empty where none were kept."""
    if not path.is_file():
        return "", {}
    held = json.loads(path.read_text(encoding="utf-8"))
    return str(held["commit"]), dict(held["rows"])


def section(only: Sequence[str] = (), seeds: int = SEEDS) -> str:
    """Return the chapter, or what there is of it for the streams named."""
    folder = data_folder()
    if folder is None:
        return "Skipped: DETECTOR_DATA named no folder of recorded streams."
    at, before = kept_before()
    told = f"Analyst seeds: {seeds}. Before: the rule at {at or 'no commit: nothing was kept'}."
    return f"{told}\n\n{table(measure_all(folder, only, seeds), before)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table, or keep the figures for a later rule to be held against."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", default=[], metavar="STREAM", help="may be given several times")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="analysts, each with a seed of its own")
    parser.add_argument("--keep", action="store_true", help=f"write all figures to {BEFORE.name} instead")
    given = parser.parse_args(arguments)
    folder = data_folder()
    if given.keep and folder is not None:
        at = commit()  # before anything runs: the tree may change meanwhile
        keep(BEFORE, list(measure_all(folder, given.only, given.seeds)), at)
    else:
        print(section(given.only, given.seeds))


if __name__ == "__main__":
    main()
