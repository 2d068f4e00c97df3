"""A registry of a million agents in one partition, and what its rules say of recorded agents.

*A million entries*, each of its own agent with four tools, two target patterns and an owner: CPU to apply them in
controls of at most 64 KiB as a worker gives them, memory of the process before and after, shards and their bytes, a
restore; then one entry changed. *What is proposed*: of each recorded stream the first half is counted agent by agent as
discovery counts, and declared: the tools, peers, data classes, versions and models that it used, where these are at
most 256; and, apart, its targets too, word for word, which nobody who reviews an entry would leave so, because a target
that was never named before is usual. Agents of the second half are held against that. Of the sessions of the second
half: the harmless ones and the attacks that a rule was told in. Without a registry the same rules are told in none.
*Cost*: CPU of the shipped rules with every agent of the events registered, against msgspec, as in *Rules*.
"""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import psutil

from benchmarks.decode import made_up
from benchmarks.quality import STREAMS, data_folder
from benchmarks.rules import Replayed, cost, pieces
from detector.offline.labels import read_sessions, truth_of
from detector.rules import RULES, SHIPPED, Acts, Inventory
from detector.rules.declared import Facts, facts_of, model_of, uses_of
from detector.schema.declaration import declaration_of, in_controls, pack_declarations
from detector.schema.event import Event
from detector.schema.registry import MOST_DECLARED, RegistryEntry
from detector.schema.tenant import DEFAULT_TENANT

MILLION: Final = 1_000_000
RULE_NAMES: Final = (
    "unregistered", "outside_grant", "credential_age", "grant_overdue", "two_instances", "unapproved",
)  # fmt: skip
_LISTS: Final = {"tool": "tools", "target": "targets", "peer": "peers", "delegate": "delegates"}
_FACTS: Final = {"by": "bench", "reason": "measured", "revision": 1, "at": 0.0, "lifecycle": "active", "owner": "team"}


class Registered(Replayed):
    """Rules over events without the pipeline, with what a registry declares."""

    def __init__(self, rules: Sequence[Any], entries: dict[str, Facts]) -> None:
        super().__init__(rules)
        self._inventory = Inventory(max(len(entries), 1))
        self._names: dict[str, int] = {}
        for agent, facts in entries.items():
            self._inventory.take(self._name(agent), facts, -1e9)

    def _name(self, agent: str) -> int:
        return self._names.setdefault(agent, len(self._names) + 1)

    def acts(self, events: Sequence[Event]) -> Acts:
        """Return a batch as rules see it."""
        if not len(self._inventory):
            return super().acts(events)
        find = self._inventory.of
        declared = [find(self._name(one.agent_id), one.tenant or DEFAULT_TENANT) for one in events]
        return super().acts(events)._replace(declared=declared, inventory=self._inventory)


def proposed(events: Iterable[Event], *, has_targets: bool = False) -> dict[str, Facts]:
    """Return what agents used, as entries that allow just that; a list that would be too long is left out."""
    used: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for event in events:
        of = used[event.agent_id]
        for one in uses_of(event):
            if one.use == "target" and not has_targets:
                continue
            of[_LISTS.get(one.use, "data_classes")].add(one.name)
        for name, value in (("versions", event.agent_version), ("models", model_of(event))):
            if value:
                of[name].add(value)
    return {agent: _entry(agent, lists) for agent, lists in used.items()}


def _entry(agent: str, lists: dict[str, set[str]]) -> Facts:
    short = {name: sorted(found) for name, found in lists.items() if len(found) <= MOST_DECLARED}
    plain = {name: found for name, found in short.items() if all(len(one) <= 512 and "*" not in one for one in found)}
    approved = {name: plain.pop(name) for name in ("versions", "models") if name in plain}
    body = {**_FACTS, "agent_id": agent, "approved": approved, **plain}
    return facts_of(RegistryEntry.model_validate(body), b"")


class Told(NamedTuple):
    """Sessions of the second half, and those in which a rule of the registry was told."""

    harmless: int
    attacks: int
    told: dict[str, tuple[int, int]]


def told(
    events: Sequence[Event], is_attack: Callable[[str], bool], *, declares: bool = True, has_targets: bool = False
) -> Told:
    """Return what the rules say of the second half of a stream's time where the first is declared."""
    middle = len(events) // 2
    early, late = events[:middle], events[middle:]
    rules = [RULES[name] for name in RULE_NAMES]
    replayed = Registered(rules, proposed(early, has_targets=has_targets) if declares else {})
    spoken: dict[str, set[str]] = defaultdict(set)
    for batch in pieces(late):
        for name, session in replayed.hits(batch):
            spoken[name].add(session)
    sessions = {event.session_id or "" for event in late}
    attacks = {one for one in sessions if is_attack(one)}
    found = {name: (len(spoken[name] - attacks), len(spoken[name] & attacks)) for name in RULE_NAMES}
    return Told(len(sessions - attacks), len(attacks), found)


def _streams(folder: Path) -> Iterable[tuple[str, Told, Told]]:
    decoder = msgspec.json.Decoder(Event)
    for name in STREAMS:
        with gzip.open(folder / "events" / f"{name}-dev.jsonl.gz") as lines:
            events = [decoder.decode(line) for line in lines]
        truth = truth_of(read_sessions(folder / "labels" / f"{name}-dev-sessions.csv.gz"))
        without = told(events, truth, declares=False)
        yield name, told(events, truth), without
        yield f"{name}, targets word for word", told(events, truth, has_targets=True), without


def rates(folder: Path) -> str:
    """Return the table of recorded streams."""
    rows = ["| stream | rule | harmless sessions | told in | share | attacks | told in |", "|---" * 7 + "|"]
    silent = 0
    for name, found, without in _streams(folder):
        silent += sum(map(sum, without.told.values()))
        spoke = {rule: pair for rule, pair in found.told.items() if any(pair)}
        for rule, (harmless, attacks) in spoke.items():
            share = harmless / max(found.harmless, 1)
            rows.append(
                f"| {name} | `{rule}` | {found.harmless} | {harmless} | **{share:.4f}** | {found.attacks} | {attacks} |"
            )
        if not spoke:
            rows.append(f"| {name} | none of them | {found.harmless} | 0 | **0** | {found.attacks} | 0 |")
    return "\n".join(rows) + f"\n\nTold without a registry, all streams and rules: **{silent}**."


def costs() -> str:
    """Return what rules cost with and without a registry."""
    values = made_up(50_000)
    decoder = msgspec.json.Decoder(Event)
    entries = proposed(decoder.decode(one) for one in values)
    rows = ["| agents registered | msgspec, us | rules that are on, us | ratio |", "|---|---|---|---|"]
    on = [RULES[name] for name in SHIPPED]
    for count, known in ((0, {}), (len(entries), entries)):
        base, ours, ratio = cost(values, on, partial(Registered, entries=known))
        rows.append(f"| {count} | {base:.2f} | {ours:.2f} | **{ratio:.3f}** |")
    return "\n".join(rows)


def _million() -> str:
    """Return the figures of a million entries, as a row; run in a process of its own."""
    from detector.pipeline import Pipeline
    from detector.profile.load import load_profile
    from detector.schema.control import Control

    profile, process = load_profile(), psutil.Process()
    pipeline = Pipeline(profile)
    pipeline.snapshot(full=True)
    before = process.memory_info().rss
    apply_s, written, shards = 0.0, 0, 0
    records = (declaration_of(number, f"agent-{number:07}".encode(), _line(number)) for number in range(MILLION))
    for number, some in enumerate(in_controls(records)):
        control = Control(some[-1].offset, pack_declarations(some), "registry")
        begun = time.process_time()
        refused = pipeline.control([control]).refusals
        apply_s += time.process_time() - begun
        if refused:
            raise RuntimeError(f"entries of the benchmark must apply, got {refused[0]}")
        if number % 500 == 499:  # as a worker's checkpoints do, every few seconds
            changed = pipeline.snapshot()
            shards, written = shards + len(changed), written + sum(map(len, changed.values()))
    rss = process.memory_info().rss
    begun = time.process_time()
    full = pipeline.snapshot(full=True)
    snapshot_s = time.process_time() - begun
    size = sum(len(shard) for name, shard in full.items() if name.startswith("registry/"))
    pipeline.snapshot()
    line = _line(7).replace(b'"revision":1', b'"revision":2')
    pipeline.control([Control(0, pack_declarations([declaration_of(0, b"agent-0000007", line)]), "registry")])
    one = sum(len(shard) for name, shard in pipeline.snapshot().items() if name.startswith("registry/"))
    begun = time.process_time()
    Pipeline.restore(profile, full)
    restore_s = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    cells = [
        f"{apply_s:.1f} s ({1e6 * apply_s / MILLION:.1f} us each)", f"{(rss - before) / 2**20:,.0f} MiB",
        f"{size / 2**20:,.0f} MiB in {snapshot_s:.1f} s", f"{written / 2**20:,.0f} MiB in {shards:,} shards",
        f"{one:,} bytes", f"{restore_s:.1f} s", f"{peak:,.0f} MiB",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _line(number: int) -> bytes:
    tools = [f"tool-{(number + step) % 97}" for step in range(4)]
    targets = [f"https://api-{number % 131}.example/*", f"/data/{number % 977}/*"]
    body = {**_FACTS, "agent_id": f"agent-{number:07}", "tools": tools, "targets": targets, "purpose": "measured"}
    return json.dumps(body, separators=(",", ":")).encode()


def section() -> str:
    """Return the chapter."""
    root, folder = Path(__file__).resolve().parents[1], data_folder()
    command = [sys.executable, "-m", "benchmarks.declared"]
    row = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout.strip()
    head = (
        "| applied, CPU | memory taken | full snapshot | written by checkpoints of the import | "
        "checkpoint of one change | restore | peak with snapshot and restore |\n" + "|---" * 7 + "|"
    )
    streams = "Skipped: DETECTOR_DATA named no folder of recorded streams." if folder is None else rates(folder)
    return "\n\n".join([f"{head}\n{row}", streams, costs()])


if __name__ == "__main__":
    print(_million())
