"""Whether discovery proposes what a person would accept, and what least privilege costs and finds.

*Stable*: proposals from the first half of a history against those from the second, agent by agent: how many are the
same to the name, and of how many the second half adds nothing. A person who knows the agent accepts a proposal unchanged
if it allows its job and nothing else. Nobody in the recordings can be asked; as a stand-in, *accepted* counts the agents
of which the proposal from the whole history allows everything that harmless sessions of the live weeks use on two days
or more, and has no name that neither they nor two peers use. *Outside*: of the proposals, as they are (rare values not
allowed), and of a tightening, narrowed, of an entry that allows everything (rare values kept: of its own window it may
deny nothing); acts of the history, harmless sessions of the live weeks, attacks, and attacks of which an act that is
labelled as theirs is outside. Labels are read here only. *Cost*: events a second, and the memory of what is held.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.quality import data_folder
from detector.offline.labels import read_events, read_meta, read_sessions, truth_of
from detector.otlp.mapper import Mapper
from detector.otlp.read import read
from detector.registry.changes import difference
from detector.registry.study.allowed import Judge
from detector.registry.study.discover import Discovery
from detector.registry.study.events import EventSource
from detector.registry.study.propose import Firmness
from detector.registry.study.seen import Seen
from detector.registry.study.tighten import Tightening
from detector.registry.study.usage import Usage
from detector.schema.event import Event
from detector.schema.registry import RegistryEntry

STREAMS: Final = ("agentdyn", "agentdyn_again", "agentdyn_noisy", "agentdyn_shift", "oas", "asb")
"""Recordings of agents with tools, a history and attacks."""
FIELDS: Final = ("tools", "targets")
LATER: Final = Firmness(2, 2)
"""What a later week must use to count as a job that a proposal should have allowed."""

Entries = Mapping[str, RegistryEntry]


@dataclass
class Recording:
    """One stream, cut at its live start; sessions and events that are labelled attacks."""

    name: str
    history: list[Event]
    live: list[Event]
    attacks: frozenset[str]
    acts: frozenset[str]


def recording(folder: Path, name: str) -> Recording:
    """Return one of the streams of the folder."""
    labels = folder / "labels"
    start = read_meta(labels / f"{name}-dev.meta.json").live_start or 0.0
    truth = truth_of(read_sessions(labels / f"{name}-dev-sessions.csv.gz"))
    acts = {one for one, label in read_events(labels / f"{name}-dev.csv.gz").items() if label.is_attack}
    events = list(EventSource([folder / "events" / f"{name}-dev.jsonl.gz"]).read())
    history = [one for one in events if one.ts.timestamp() < start]
    live = [one for one in events if one.ts.timestamp() >= start]
    attacks = {one.session_id or "" for one in live if truth(one.session_id or "")}
    return Recording(name, history, live, frozenset(attacks), frozenset(acts))


def proposals(events: Iterable[Event], firmness: Firmness | None = None) -> dict[str, RegistryEntry]:
    """Return proposed entries by agent, as active ones."""
    items = Discovery(Seen().add_all(events), {}, firmness, "owner").items()
    entries = [item.draft.entry.model_copy(update={"lifecycle": "active"}) for item in items]
    return {one.agent_id: one for one in entries}


def tightened(events: Sequence[Event]) -> dict[str, RegistryEntry]:
    """Return entries that allowed everything, tightened to what events used."""
    seen = Seen().add_all(events)
    open_ = {
        agent: RegistryEntry(
            agent_id=agent, tenant=tenant, revision=1, at=1.0, by="b", reason="b", owner="b", lifecycle="active"
        )
        for tenant, agent in seen.agents
    }
    items = Tightening(narrow=True).items(Usage(seen, open_))
    return open_ | {item.draft.entry.agent_id: item.draft.entry for item in items}


def outside(events: Iterable[Event], entries: Entries) -> Iterator[Event]:
    """Yield the acts that are outside of the entry of their agent; refused ones apart."""
    judges = {agent: Judge(entry) for agent, entry in entries.items()}
    for event in events:
        judge = judges.get(event.agent_id)
        if judge is not None and event.outcome != "denied" and any(judge.outside(event)):
            yield event


def stable(one: Recording) -> tuple[int, int, int, list[str]]:
    """Return agents of both halves; how many proposals are the same; how many cover the later one; an example."""
    middle = len(one.history) // 2
    first, second = proposals(one.history[:middle]), proposals(one.history[middle:])
    both = sorted(set(first) & set(second))
    same = covered = 0
    example: list[str] = []
    for agent in both:
        lines = list(difference(first[agent], second[agent]))
        same += not lines
        covered += not any(line.startswith("  +") for line in lines)
        if lines and not example:
            example = [agent, *lines]
    return len(both), same, covered, example


def accepted(one: Recording, field: str) -> tuple[int, int]:
    """Return for how many agents, of how many, the proposal allows the week after and nothing that nobody uses."""
    entries = proposals(one.history)
    later = Seen().add_all(event for event in one.live if (event.session_id or "") not in one.attacks)
    past = Seen().add_all(one.history)
    good = judged = 0
    for (_, agent), seen in later.agents.items():
        if agent not in entries:
            continue
        judged += 1
        judge, declared = Judge(entries[agent]), getattr(entries[agent], field)
        uses = seen.uses.get(field, {})
        missing = [value for value, use in uses.items() if LATER.holds(use) and not judge.allows(field, value, 0.0)]
        peers = [
            other for other in (*later.agents.values(), *past.agents.values()) if other.agent_type == seen.agent_type
        ]
        idle = [
            name
            for name in declared or ()
            if not _matches(name, uses)
            and sum(_matches(name, peer.uses.get(field, {})) for peer in peers if peer.agent_id != agent) < 2
        ]
        good += not missing and not idle
    return good, judged


def _matches(name: str, uses: Mapping[str, object]) -> bool:
    from detector.rules.patterns import Patterns

    pattern = Patterns((name,))
    return any(map(pattern.allows, uses))


def denied(one: Recording, entries: Entries) -> str:
    """Return the cells of a table: what entries deny of the history, of harmless sessions, and of attacks."""
    past = sum(1 for _ in outside(one.history, entries))
    live = list(outside(one.live, entries))
    hit = {event.session_id or "" for event in live}
    by_act = {event.session_id or "" for event in live if event.event_id in one.acts} & one.attacks
    sessions = {event.session_id or "" for event in one.live}
    harmless = sessions - one.attacks
    labelled = {event.session_id or "" for event in one.live if event.event_id in one.acts} & one.attacks
    acts = (
        f"{len(by_act)} of {len(labelled)}: **{_share(len(by_act), len(labelled))}**" if labelled else "no event labels"
    )
    return (
        f"{past} of {len(one.history)} | {_share(len(hit & harmless), len(harmless))} of {len(harmless)} | "
        f"{_share(len(hit & one.attacks), len(one.attacks))} of {len(one.attacks)} | {acts}"
    )


def _share(number: int, of: int) -> str:
    return f"{number / of:.3f}" if of else "-"


def recorded(folder: Path) -> Iterator[tuple[str, list[Event]]]:
    """Yield program and its mapped events, of the recorded telemetry."""
    for program in sorted(path for path in (folder / "agent-telemetry").iterdir() if path.is_dir()):
        mapper = Mapper()
        verdicts = [mapper.map(read(path.read_bytes())) for path in sorted(program.glob("otlp/*.json"))]
        events = [one.event for found in verdicts for one in found if one.event is not None]
        yield program.name, sorted(events, key=lambda one: one.ts)


def _telemetry(folder: Path) -> list[str]:
    lines = [
        "| recording of | events | agents | tools that went through | proposed | proposed of 1 session | not used |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, events in recorded(folder):
        seen = Seen().add_all(events)
        used = {tool for one in seen.agents.values() for tool, use in one.uses.get("tools", {}).items() if use.ok}
        strict, loose = (
            {tool for entry in proposals(events, firmness).values() for tool in entry.tools or ()}
            for firmness in (None, Firmness(1, 1))
        )
        cells = (len(events), len(seen.agents), len(used), len(strict), len(loose), len(loose - used))
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return lines


def cost(events: Sequence[Event]) -> str:
    """Return events a second of discovery, and megabytes of what it holds."""
    begin = time.process_time()
    Seen().add_all(events)
    took = time.process_time() - begin
    tracemalloc.start()
    seen = Seen().add_all(events)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    values = sum(len(uses) for one in seen.agents.values() for uses in one.uses.values())
    return (
        f"{len(events):,} decoded events of {len(seen.agents)} agents in {took:.2f} s of CPU: {len(events) / took:,.0f} "
        f"a second; {held / 1e6:.1f} MB for {values:,} values, {held / values:,.0f} bytes each. The cap of 400,000 "
        "values bounds it, whatever is sent."
    )


def section() -> str:
    """Return the chapter."""
    folder = data_folder()
    if folder is None:
        return "Skipped: DETECTOR_DATA named no folder of recorded streams."
    recordings = [recording(folder, name) for name in STREAMS]
    halves = [
        "| stream | agents of both halves | same to the name | nothing added | accepted: tools | accepted: targets |"
    ]
    halves.append("|---" * 6 + "|")
    least = [
        "| stream | entries | history outside | harmless sessions outside | attacks outside | found by their own act |",
        "|---" * 6 + "|",
    ]
    for one in recordings:
        both, same, covered, _ = stable(one)
        found = [accepted(one, field) for field in FIELDS]
        cells = " | ".join(f"**{good} of {of}**" for good, of in found)
        halves.append(f"| {one.name} | {both} | {same} | {covered} | {cells} |")
        for what, entries in (("as proposed", proposals(one.history)), ("tightened by use", tightened(one.history))):
            least.append(f"| {one.name} | {what} | {denied(one, entries)} |")
    example = stable(recordings[0])[3]
    shown = "\n".join(f"    {line}" for line in ["", *example]) if example else ""
    parts = [
        "\n".join(halves),
        f"First half against second half of one agent's history ({recordings[0].name}):\n{shown}",
        "\n".join(least),
        "\n".join(_telemetry(folder)),
        cost([*recordings[0].history, *recordings[0].live]),
    ]
    return "\n\n".join(parts)
