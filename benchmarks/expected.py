"""What a declared change of version is worth, on the stream whose agents get new jobs.

`agentdyn_shift`: 6 of 20 kinds of jobs appear only after the history. Here every agent acts in version 1 before the
live part and in version 2 from there on, which the recorded runs do not say. *Declared*: at the beginning an entry
lists version 1, with the tools and targets of the agent's type in the history; at the live start a second revision
lists version 2, and the tools and targets of the new jobs. These are taken from the clean runs of the new jobs by the
*other* agents of its type, as far as two such runs have them: what an agent does itself is never declared for it.
*Version alone*: the second revision lists version 2, and no job. *Nobody*: no entry is ever written. The window is
`learning.expected_s` of the profile: a day where the row says nothing else. The rules of the registry are off in all
rows, for they are measured in *Registry at the workers*; nobody gives verdicts.

*AP*, *R@1%*: average precision, and the recall of a line through the evidence that alarms one harmless session in a
hundred. *Spent*: harmless live sessions that alarmed in shares of what is promised, and of these sessions those of new
and of old jobs by themselves. *Found*: attacks that alarmed; *ranking*: what a line finds that alarms as many harmless
sessions. *Expected*: events whose novelty was declared, and how many of them are an attack's acts by the labels.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec
import numpy as np

from benchmarks.decisions import WITH_ORIGINS, opened
from benchmarks.quality import data_folder
from detector.offline.alarms import alarms_of
from detector.offline.core import Core
from detector.offline.episodes import seconds
from detector.offline.evaluate import Question, judge_sessions
from detector.offline.metrics import Resampling
from detector.offline.reshape import LabelledStream
from detector.offline.scored import facts_of, score_stream
from detector.profile.load import load_profile
from detector.profile.model import Profile
from detector.rules import SHIPPED
from detector.rules.declared import uses_of
from detector.schema.control import Control
from detector.schema.declaration import declaration_of, in_controls, pack_declarations
from detector.schema.event import Event

STREAM: Final = "agentdyn_shift"
OF_REGISTRY: Final = {"unregistered", "outside_grant", "credential_age", "grant_overdue", "unapproved"}
LEAST_RUNS: Final = 2
"""Clean runs of new jobs that must have a tool or target before an entry lists it."""
DAY_S: Final = 86_400.0
_LISTS: Final = {"tool": "tools", "target": "targets"}
_ENTRY: Final = {"by": "bench", "reason": "measured", "lifecycle": "active", "owner": "team", "at": 0.0}

Declares = Literal["nobody", "version alone", "declared"]
ROWS: Final[tuple[tuple[Declares, float], ...]] = (
    ("nobody", DAY_S), ("version alone", DAY_S), ("declared", DAY_S), ("declared", 2 * DAY_S),
)  # fmt: skip
Uses = dict[str, set[str]]
"""By list of an entry what stands there."""
Runs = dict[tuple[str, str], dict[str, set[str]]]
"""By list of an entry and name, and by agent, the sessions that use it."""
Entries = list[dict[str, Any]]


class Run(NamedTuple):
    """What the labels say of a session: whose, of which type, whether history, and whether a clean run of a new job."""

    agent: str
    agent_type: str
    is_history: bool
    is_new: bool
    is_clean: bool


def read_runs(folder: Path) -> dict[str, Run]:
    """Return the sessions of the stream by id; which jobs are new its own facts say."""
    meta = json.loads((folder / "labels" / f"{STREAM}-dev.meta.json").read_text(encoding="utf-8"))
    new = {(suite, task) for suite, tasks in meta["new_tasks"].items() for task in tasks}
    with gzip.open(folder / "labels" / f"{STREAM}-dev-sessions.csv.gz", "rt", encoding="utf-8") as rows:
        return {
            row["session_id"]: Run(
                row["agent_id"], row["agent_type"], row["phase"] == "history",
                tuple(row["source"].split("/")[2:4]) in new, row["stratum"].startswith("benign"),
            )
            for row in csv.DictReader(rows)
        }  # fmt: skip


def entries_of(lines: Iterable[bytes], runs: dict[str, Run]) -> tuple[Entries, Entries]:
    """Return the entries of the beginning and those of the live start, one an agent."""
    decode = msgspec.json.Decoder(Event).decode
    before: dict[str, Uses] = defaultdict(lambda: defaultdict(set))
    jobs: dict[str, Runs] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    for line in lines:
        event = decode(line)
        session = event.session_id or ""
        run = runs[session]
        for used in uses_of(event):
            if used.use in _LISTS and run.is_history:
                before[run.agent_type][_LISTS[used.use]].add(used.name)
            elif used.use in _LISTS and run.is_new and run.is_clean:
                jobs[run.agent_type][_LISTS[used.use], used.name][run.agent].add(session)
    agents = sorted({(run.agent, run.agent_type) for run in runs.values()})
    first = [_entry(agent, 1, before[kind]) for agent, kind in agents]
    return first, [_entry(agent, 2, _with(before[kind], jobs[kind], agent)) for agent, kind in agents]


def _with(before: Uses, jobs: Runs, agent: str) -> Uses:
    """Return what a type did before, and what the other agents' clean runs of its new jobs have."""
    found = {name: set(values) for name, values in before.items()}
    for (name, value), by_agent in jobs.items():
        if sum(len(sessions) for who, sessions in by_agent.items() if who != agent) >= LEAST_RUNS:
            found[name].add(value)
    return found


def _entry(agent: str, revision: int, uses: Uses) -> dict[str, Any]:
    lists = {name: sorted(values) for name, values in uses.items()}
    versions = [str(number + 1) for number in range(revision)]
    return {**_ENTRY, "agent_id": agent, "revision": revision, "approved": {"versions": versions}, **lists}


def versioned(lines: Iterable[bytes], live_start: float) -> Iterator[bytes]:
    """Yield the events with a version: 1 before the live start, 2 from there on."""
    for line in lines:
        version = b"1" if seconds(facts_of(line).ts) < live_start else b"2"
        yield line.replace(b'"agent_type"', b'"agent_version":"' + version + b'","agent_type"', 1)


class ExpectingCore(Core):
    """The detector with entries: some take effect before the first event, others before the first live one."""

    def __init__(self, profile: Profile, live_start: float, first: Entries, second: Entries) -> None:
        super().__init__(profile, trusted_until=live_start)
        self._start, self._second = live_start, second
        self.expected: list[bool] = []
        self._declare(first)

    def process(self, records: Sequence[bytes]) -> np.ndarray:
        """Return one score a line; notes of each event whether it was expected."""
        live = (place for place, line in enumerate(records) if seconds(facts_of(line).ts) >= self._start)
        cut = next(live, len(records)) if self._second else len(records)
        scores = [self._process(records[:cut])]
        if cut < len(records):
            self._declare(self._second)
            self._second = []
            scores.append(self._process(records[cut:]))
        return np.concatenate(scores)

    def _process(self, records: Sequence[bytes]) -> np.ndarray:
        if not records:
            return np.empty(0)
        scores = super().process(records)
        self.expected += self.pipeline.state.work.columns.is_expected[: len(records)].tolist()
        return scores

    def _declare(self, entries: Entries) -> None:
        names = enumerate((str(one["agent_id"]).encode(), json.dumps(one).encode()) for one in entries)
        for group in in_controls(declaration_of(number, *pair) for number, pair in names):
            refused = self.control([Control(group[-1].offset, pack_declarations(group), "registry")]).refusals
            if refused:
                raise RuntimeError(f"entries of the benchmark must apply, got {refused[0]}")


def profile_of(window_s: float) -> Profile:
    """Return the shipped profile with a window and without the rules of the registry."""
    table = load_profile().model_dump()
    table["rules"]["enabled"] = tuple(name for name in SHIPPED if name not in OF_REGISTRY)
    table["learning"]["expected_s"] = window_s
    return Profile.model_validate(table)


def measure(
    stream: tuple[LabelledStream, float], runs: dict[str, Run], declares: Declares, window_s: float
) -> dict[str, Any]:
    """Return the figures of a stream, and its live start, for what somebody declares."""
    (labelled, live_start), (first, second) = stream, entries_of(stream[0].lines, runs)
    if declares == "nobody":
        first, second = [], []
    elif declares == "version alone":
        second = [{**one, "revision": 2, "approved": {"versions": ["1", "2"]}} for one in first]
    core = ExpectingCore(profile_of(window_s), live_start, first, second)
    scored = score_stream(core, versioned(labelled.lines, live_start))
    report = judge_sessions(scored, labelled.sessions, Question(resampling=Resampling(0)))["session"]
    harmless = {name for name, label in labelled.sessions.items() if label.is_live and not label.is_attack}
    alarmed, acts = alarms_of(scored).alarmed, labelled.events or {}

    def spent(counts: Callable[[Run], bool]) -> float:
        some = {name for name in harmless if counts(runs[name])}
        return len(some & alarmed) / len(some) / float(report["promised_rate"])

    expected = [name for name, is_so in zip(scored.events, core.expected, strict=True) if is_so]
    return {
        **report,
        "spent": [spent(lambda _: True), spent(lambda run: run.is_new), spent(lambda run: not run.is_new)],
        "expected": len(expected),
        "of_attacks": sum(name in acts and acts[name].is_attack for name in expected),
    }


def _row(name: str, declares: str, window_s: float, found: dict[str, Any]) -> str:
    told = declares if window_s == DAY_S else f"{declares}, {window_s / DAY_S:.0f} days"
    figures = ("average_precision", "recall_at_1pct", "live_recall", "ranking_recall_at_same_rate")
    precision, recall, live, ranking = (f"{found[key]:.3f}" for key in figures)
    whole, new, old = (f"{one:.2f}" for one in found["spent"])
    cells = (name, told, precision, recall, f"**{whole}**", new, old, f"**{live}**", ranking)
    return f"| {' | '.join(cells)} | {found['expected']:,} ({found['of_attacks']}) |"


def section() -> str:
    """Return the table, or why there is none."""
    folder = data_folder()
    if folder is None:
        return "Skipped: DETECTOR_DATA named no folder of recorded streams."
    head = "| stream | declared by | AP | R@1% | spent | new | old | found | ranking | expected (attacks) |"
    lines, runs = [head, "|---" * 10 + "|"], read_runs(folder)
    for name in (STREAM, STREAM + WITH_ORIGINS):
        labelled, live_start = opened(folder, name)
        if live_start is None:
            raise RuntimeError(f"{name} must say when its live part begins")
        for declares, window_s in ROWS:
            found = measure((labelled, live_start), runs, declares, window_s)
            lines.append(_row(name, declares, window_s, found))
            print(f"expected: {lines[-1]}", flush=True)
    return "\n".join(lines)
