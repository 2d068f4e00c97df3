"""Whether discovery proposes what a person would accept, and what least privilege costs and finds.

*Accepted*: nobody in the recordings can be asked, so weeks to come stand in for the person who knows the agent: of
proposals from the history, as they are, those that lack no name that the harmless sessions of the live weeks use firmly
(by the measure of a proposal: three sessions, two days), those that lack one at most, and of all that lack those that
stood beside the proposal as rare, one edit away. Each as proposed by default, without what is proposed by role
(`--own`) and of a window that somebody knows to hold no attack (`--trusted`), as these histories do. *By role*: tools
that were proposed of agents that had not used them, those that their harmless sessions used later, and acts that are
labelled as attacks' and use one of them. *Same*: proposals from either half of the history, name by name. *Outside*: of
each proposal as it is, and of a tightening, narrowed, of entries that allowed everything (what was used once is kept,
and marked: of its own window it may deny nothing); acts of the history, harmless sessions, attacks, and attacks of
which an act that is labelled as theirs is outside. *Poisoned*: discovery over the live weeks alone, attacks in them:
the share of labelled acts that are then inside, without alerts and with those the pipeline gives by its default
profile. Labels are read here only. *Cost*: events a second, and the memory of what is held.
"""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.quality import data_folder
from detector.offline.core import Core
from detector.offline.labels import read_events, read_meta, read_sessions, session_of, truth_of
from detector.offline.sources import batches, lines_of
from detector.otlp.mapper import Mapper
from detector.otlp.read import read
from detector.registry.changes import difference
from detector.registry.drafts import Draft
from detector.registry.owners import Owners
from detector.registry.pages import ReviewItem
from detector.registry.study.allowed import Judge
from detector.registry.study.coarse import literal
from detector.registry.study.discover import Discovery
from detector.registry.study.events import EventSource
from detector.registry.study.peers import Firmness
from detector.registry.study.seen import SeenFleet
from detector.registry.study.tighten import Tightening
from detector.registry.study.usage import Usage
from detector.schema.event import Event
from detector.schema.registry import RegistryEntry

STREAMS: Final = ("agentdyn", "agentdyn_again", "agentdyn_noisy", "agentdyn_shift", "oas", "asb")
"""Recordings of agents with tools, a history and attacks."""
FIELDS: Final = ("tools", "targets")
POISONED: Final = ("agentdyn", "asb")
"""Streams with labelled acts that are also carried through the pipeline, for its alerts."""

WAYS: Final = (
    ("by default", Firmness()),
    ("--own", Firmness(by_role=False)),
    ("--trusted", Firmness(is_trusted=True)),
)
"""How `discover` may be asked."""

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


def proposed(events: Iterable[Event], firmness: Firmness | None = None) -> dict[str, ReviewItem]:
    """Return proposals by agent, as active entries."""
    items = Discovery(SeenFleet().add_all(events), {}, firmness, Owners(others="owner")).items()
    active = (one.draft.entry.model_copy(update={"lifecycle": "active"}) for one in items)
    return {entry.agent_id: one._replace(draft=Draft(0, entry)) for one, entry in zip(items, active, strict=True)}


def _entries(items: Mapping[str, ReviewItem]) -> dict[str, RegistryEntry]:
    return {agent: item.draft.entry for agent, item in items.items()}


def tightened(events: Sequence[Event]) -> dict[str, RegistryEntry]:
    """Return entries that allowed everything, tightened to what events used."""
    seen = SeenFleet().add_all(events)
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


def halves(one: Recording) -> tuple[int, int, list[str]]:
    """Return agents of both halves, how many proposals are the same to the name, and the difference of the first."""
    middle = len(one.history) // 2
    first, second = (_entries(proposed(some)) for some in (one.history[:middle], one.history[middle:]))
    both = sorted(set(first) & set(second))
    differences = {agent: list(difference(first[agent], second[agent])) for agent in both}
    example = next(([agent, *lines] for agent, lines in differences.items() if lines), [])
    return len(both), sum(not lines for lines in differences.values()), example


class Lacking(NamedTuple):
    """Proposals held against weeks to come: how many, that lack nothing, one name at most; names, and those beside."""

    agents: int
    none: int
    one: int
    names: int
    beside: int


def lacking(one: Recording, field: str, firmness: Firmness) -> Lacking:
    """Return what proposals from the history lack of what harmless sessions use firmly later."""
    items = proposed(one.history, firmness)
    counts, names, beside = [], 0, 0
    for (_, agent), seen in harmless(one).agents.items():
        if agent not in items:
            continue
        judge, rare = Judge(items[agent].draft.entry), {value for value, _ in items[agent].aside.get(field, [])}
        uses = seen.uses.get(field, {}).items()
        missing = [value for value, use in uses if Firmness().holds(use) and not judge.allows(field, value, 0.0)]
        counts.append(len(missing))
        names += len(missing)
        beside += sum(literal(value) in rare for value in missing)
    return Lacking(len(counts), counts.count(0), sum(number <= 1 for number in counts), names, beside)


def harmless(one: Recording) -> SeenFleet:
    """Return what the harmless sessions of the live weeks use."""
    return SeenFleet().add_all(event for event in one.live if (event.session_id or "") not in one.attacks)


def by_role(one: Recording) -> str:
    """Return the cells of a table: tools proposed by role, those used later, and labelled acts that use one."""
    added = {
        (agent, tool)
        for agent, item in proposed(one.history).items()
        for (field, tool), why in item.why.items()
        if field == "tools" and why.startswith("by its role")
    }
    later = {
        (agent, str(literal(tool)))
        for (_, agent), seen in harmless(one).agents.items()
        for tool, use in seen.uses.get("tools", {}).items()
        if use.ok
    }
    acts = [event for event in one.live if event.event_id in one.acts and (event.session_id or "") in one.attacks]
    taken = sum((event.agent_id, str(literal(event.name))) in added for event in acts)
    return f"{len(added)} | {len(added & later)} | {taken} of {len(acts)}"


def poisoned(one: Recording, firmness: Firmness, sessions: frozenset[str] = frozenset()) -> str:
    """Return the share of labelled acts that is inside of proposals made while they were done, some sessions apart."""
    seen = (event for event in one.live if (event.session_id or "") not in sessions)
    judges = {agent: Judge(entry) for agent, entry in _entries(proposed(seen, firmness)).items()}
    acts = [event for event in one.live if event.event_id in one.acts and (event.session_id or "") in one.attacks]
    inside = sum(event.agent_id in judges and not any(judges[event.agent_id].outside(event)) for event in acts)
    return f"{inside} of {len(acts)}: **{_share(inside, len(acts))}**"


def alerted(folder: Path, name: str) -> frozenset[str]:
    """Return the sessions that the pipeline alerts on, with the default profile, the history trusted."""
    path = folder / "events" / f"{name}-dev.jsonl.gz"
    start = read_meta(folder / "labels" / f"{name}-dev.meta.json").live_start
    core = Core(trusted_until=start)
    for lines in batches(lines_of(path)):
        core.process(lines)
    core.finish()
    return frozenset(map(session_of, core.alerts))


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
        seen = SeenFleet().add_all(events)
        used = {tool for one in seen.agents.values() for tool, use in one.uses.get("tools", {}).items() if use.ok}
        strict, loose = (
            {tool for entry in _entries(proposed(events, firmness)).values() for tool in entry.tools or ()}
            for firmness in (None, Firmness(1, 1))
        )
        cells = (len(events), len(seen.agents), len(used), len(strict), len(loose), len(loose - used))
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return lines


def cost(events: Sequence[Event]) -> str:
    """Return events a second of discovery, and megabytes of what it holds."""
    begin = time.process_time()
    SeenFleet().add_all(events)
    took = time.process_time() - begin
    tracemalloc.start()
    seen = SeenFleet().add_all(events)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    values = sum(len(uses) for one in seen.agents.values() for uses in one.uses.values())
    return (
        f"{len(events):,} decoded events of {len(seen.agents)} agents in {took:.2f} s of CPU: "
        f"{len(events) / took:,.0f} a second; {held / 1e6:.1f} MB for {values:,} values, "
        f"{held / values:,.0f} bytes each. "
        "The cap of 400,000 values bounds it, whatever is sent."
    )


def section() -> str:
    """Return the chapter."""
    folder = data_folder()
    if folder is None:
        return "Skipped: DETECTOR_DATA named no folder of recorded streams."
    recordings = [recording(folder, name) for name in STREAMS]
    titles = (
        "stream | field | discover | agents | accepted | lack one at most | names that lack | of these beside, as rare",
        "stream | tools proposed by role | of these used later by harmless sessions | labelled acts that use one",
        "stream | entries | history outside | harmless sessions outside | attacks outside | by their own act",
        "stream | discover | labelled acts inside, without alerts | with the sessions that were alerted on left out",
    )
    lack, role, least, poison = ([f"| {one} |", "|---" * (one.count("|") + 1) + "|"] for one in titles)
    for one in recordings:
        for field, (way, firmness) in itertools.product(FIELDS, WAYS):
            found = lacking(one, field, firmness)
            cells = f"{found.agents} | **{found.none}** | **{found.one}** | {found.names} | {found.beside}"
            lack.append(f"| {one.name} | {field} | {way} | {cells} |")
        role.append(f"| {one.name} | {by_role(one)} |")
        entries = {way: _entries(proposed(one.history, firmness)) for way, firmness in WAYS}
        for what, some in {**entries, "tightened": tightened(one.history)}.items():
            least.append(f"| {one.name} | {what} | {denied(one, some)} |")
        if one.name in POISONED:
            told = alerted(folder, one.name)
            poison += [
                f"| {one.name} | {way} | {poisoned(one, firmness)} | {poisoned(one, firmness, told)} |"
                for way, firmness in WAYS
            ]
    both, same, example = halves(recordings[0])
    shown = "\n".join(f"    {line}" for line in example)
    halves_told = (
        f"Of {both} agents of {recordings[0].name} {same} have one proposal from both halves. The first of the others:"
    )
    events = [*recordings[0].history, *recordings[0].live]
    tables = ["\n".join(lines) for lines in (lack, role, least, poison, _telemetry(folder))]
    return "\n\n".join([*tables[:2], f"{halves_told}\n\n{shown}", *tables[2:], cost(events)])
