"""The decision under other shares of attacks, a wave, decoys, and bad verdicts: the whole pipeline run again each time.

Attacks are left out or repeated until they are the share named (`--attack-share` of `detector evaluate`). *Wave*: all
attack sessions begin within 12 hours. *Decoys*: as many as 5 % of the live sessions, from so many of the agents that
were there before, each with a target, tool and arguments nobody has seen; they are harmless, are dismissed where an
analyst answers, and count neither as harmless sessions here nor as attacks. Verdicts and columns as in *Decisions*.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.decisions import (
    ANALYST,
    ANSWERED,
    NOBODY,
    WITH_ORIGINS,
    Figures,
    Progress,
    before_cell,
    cell,
    commit,
    keep,
    kept_before,
    opened,
    recall_cells,
    run,
    seeded,
    spent_cell,
)
from benchmarks.quality import data_folder
from detector.offline.analyst import Analyst, drawn
from detector.offline.episodes import seconds
from detector.offline.reshape import LabelledStream, into_window, merged, with_attack_share
from detector.offline.scored import LineFacts, facts_of

STREAMS = ("agentdyn", f"agentdyn{WITH_ORIGINS}", "agentdyn_noisy")
BEFORE = Path(__file__).with_name("robustness_before.json")
SEEDS = 1
WAVE_S = 12 * 3_600.0
DECOYS = 0.05
"""Decoys as a share of the live sessions."""
WRONG = replace(ANALYST, wrong=0.3)
MANY_WRONG = "60 %, 30 % wrong"

Change = Callable[[LabelledStream, int], LabelledStream]


class Case(NamedTuple):
    """One thing that is tried: what is done to the stream, and who answers."""

    name: str
    change: Change
    analysts: tuple[tuple[str, Analyst | None], ...]


def _share(share: float) -> Change:
    return lambda stream, seed: with_attack_share(stream, share, seed)


def with_decoys(stream: LabelledStream, agents: int, seed: int) -> LabelledStream:
    """Return the stream with harmless sessions that look like attacks, sent by so many of its agents."""
    lines = list(stream.lines)
    facts = [facts_of(line) for line in lines]
    live = {name for name, label in stream.sessions.items() if label.is_live}
    begun: dict[str, LineFacts] = {}
    for one in facts:
        if one.session in live:
            begun.setdefault(one.session, one)
    types = {one.agent_id: one.agent_type for one in begun.values()}
    senders = sorted(types, key=lambda agent: (drawn(seed, "sender", agent), agent))[:agents]
    times = sorted(seconds(one.ts) for one in begun.values())
    more = [
        _decoy(k, senders[k % len(senders)], types[senders[k % len(senders)]], times[_place(seed, k, len(times))])
        for k in range(round(DECOYS * len(live)))
    ]
    return stream._replace(lines=merged(lines, more))


def _place(seed: int, k: int, places: int) -> int:
    return int(drawn(seed, "decoy", str(k)) * places)


def _decoy(k: int, agent: str, agent_type: str | None, at: float) -> bytes:
    body = {
        "event_id": f"decoy-{k}",
        "ts": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "agent_id": agent,
        "session_id": f"decoy-{k}",
        "kind": "tool_call",
        "name": f"noise_{k}",
        "target": f"https://noise-{k}.example/",
        "attributes": {"a": f"Qq{k}!", "b": f"{{{k}}}"},
        "arg_origin": {"target": "tool", "a": "tool", "b": "tool"},
    }
    return msgspec.json.encode(body if agent_type is None else {**body, "agent_type": agent_type})


def cases() -> list[Case]:
    """Return what is tried, in the order of the table."""
    both = ((NOBODY, None), (ANSWERED, ANALYST))

    def decoys(agents: int) -> Change:
        return lambda stream, seed: with_decoys(stream, agents, seed)

    return [
        Case("as recorded", lambda stream, _: stream, (*both, (MANY_WRONG, WRONG))),
        Case("no attacks", _share(0.0), both),
        Case("attacks .1 %", _share(0.001), both),
        Case("attacks 1 %", _share(0.01), both),
        Case("attacks 5 %", _share(0.05), both),
        Case("attacks 30 %", _share(0.3), both),
        Case("wave of 12 h", lambda stream, seed: into_window(stream, WAVE_S, seed), both),
        *(Case(f"decoys of {agents} agents", decoys(agents), both) for agents in (1, 3, 6)),
    ]


def measure_all(
    folder: Path, only: Sequence[str] = (), names: Sequence[str] = (), seeds: int = SEEDS
) -> Iterator[tuple[str, str, Figures]]:
    """Yield (stream, case and who answers, figures)."""
    chosen = [one for one in cases() if not names or one.name in names]
    streams = [name for name in STREAMS if not only or name in only]
    progress = Progress(len(streams) * sum(len(one.analysts) for one in chosen))
    for name in streams:
        stream, live_start = opened(folder, name)
        for case in chosen:
            changed = [case.change(stream, seed) for seed in range(seeds)]
            for who, analyst in case.analysts:
                analysts = [None] * seeds if analyst is None else seeded(analyst, seeds)
                found = run(zip(changed, analysts, strict=True), live_start)
                what = f"{case.name}; {who}"
                progress.say(f"{name}, {what}", found)
                yield name, what, found
        opened.cache_clear()


def table(rows: Iterable[tuple[str, str, Figures]], before: dict[str, Figures]) -> str:
    """Return the figures as a Markdown table, the earlier rule beside them."""
    lines = [
        (
            "| stream | case | verdicts | attacks | spent: closed / judged [95 %] / incidents | items "
            "| recall live | ranking at that rate | ratio | ranking at 1 % | before |"
        ),
        "|" + "---|" * 11,
    ]
    for name, what, found in rows:
        case, who = what.split("; ")
        cells = [name, case, who, f"{found['attacks']:.0f}", spent_cell(found), cell(found["items"], 1),
                 *recall_cells(found), cell(found["ranking_at_promise"], 3),
                 before_cell(before.get(f"{name}, {what}"))]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def section(only: Sequence[str] = (), names: Sequence[str] = (), seeds: int = SEEDS) -> str:
    """Return the chapter, or what there is of it for the streams and cases named."""
    folder = data_folder()
    if folder is None:
        return "Skipped: DETECTOR_DATA named no folder of recorded streams."
    at, before = kept_before(BEFORE)
    told = f"Seeds: {seeds}. Before: the rule at {at or 'no commit: nothing was kept'}."
    return f"{told}\n\n{table(measure_all(folder, only, names, seeds), before)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table, or keep the figures for a later rule to be held against."""
    known = [one.name for one in cases()]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.robustness", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--only", action="append", default=[], metavar="STREAM", choices=STREAMS, help="several times")
    parser.add_argument("--case", action="append", default=[], metavar="CASE", choices=known, help=", ".join(known))
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of the changes and the analysts")
    parser.add_argument("--keep", action="store_true", help=f"write all figures to {BEFORE.name} instead")
    given = parser.parse_args(arguments)
    folder = data_folder()
    if given.keep and folder is not None:
        at = commit()  # before anything runs: the tree may change meanwhile
        keep(BEFORE, list(measure_all(folder, given.only, given.case, given.seeds)), at)
    else:
        print(section(given.only, given.case, given.seeds))


if __name__ == "__main__":
    main()
