"""What several agents make together, on the one recorded stream that is near it, and in a made-up fleet.

*darpa98*, the network traffic of 1998, stands in for agents that call each other: each host is an agent, each connection
a call (its destination taken for `peer_agent_id`), history is trusted. No recorded stream holds one agent compromising
another, and this one holds no path in several steps either: its attackers come from outside to their victim in one. The
critical agents are the hosts that most others called in the history; labels choose nothing. Of each kind of attack: its
sessions, and those in which something was told, by whichever detection; a finding counts for the sessions whose events
it names. Of harmless sessions the same: what is told there is false. *Made-up fleet*: chains of two to four new calls to
one of five critical agents laid over a fleet at work, three hijacked agents one behind the other along calls of the
fleet, and stolen credentials; what else is told is false. The chains are as this benchmark believes them to be: figures
for them say that the parts fit together, not how often attackers do so.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.quality import data_folder
from detector.offline.labels import read_meta, read_sessions
from detector.offline.replay import Replay, ReplaySettings
from detector.profile.load import load_profile
from detector.profile.model import Profile
from detector.schema.alert import Alert
from detector.simulate.chance import Chance
from detector.simulate.fleet import DAY_S, MONDAY, Fleet, Injection
from detector.simulate.render import timestamp

JOINT: Final = ("response.lateral_path", "response.credential_shared", "response.cascade")
BURST: Final = "rule.delegation_burst"
COLUMNS: Final = ("response.lateral_path", "response.cascade", BURST, "behaviour.session")
FAN_OUT: Final = ("ipsweep", "nmap", "portsweep", "satan", "smurf", "neptune")
BATCH: Final = 4_096
CHAINS: Final = 12
"""Chains of each length that are laid over the fleet."""


def profile_with(critical: Sequence[str]) -> Profile:
    """Return the shipped profile with critical agents, and the rule of many calls at once on."""
    table = load_profile().model_dump()
    table["response"]["critical"] = tuple(critical)
    table["rules"]["enabled"] = (*table["rules"]["enabled"], "delegation_burst")
    return Profile.model_validate(table)


def replayed(lines: Sequence[bytes], profile: Profile, trusted_until: float) -> tuple[list[Alert], Counter[str]]:
    """Return the alerts of a replay as workers with four partitions would raise them, and its counts."""
    run = Replay(profile, ReplaySettings(partitions=4, trusted_until=trusted_until))
    alerts: list[Alert] = []
    counts: Counter[str] = Counter()
    for at in range(0, len(lines), BATCH):
        out = run.feed(lines[at : at + BATCH])
        alerts += out.alerts
        counts.update(out.counts)
    return alerts, counts


class Stand(NamedTuple):
    """A stream as calls of agents: lines, session of each event, where its live part starts, who is called most."""

    lines: list[bytes]
    sessions: dict[str, str]
    live_start: float
    called: list[str]


def stand_in(folder: Path) -> Stand:
    """Return darpa98 with each connection as a call of the host it goes to."""
    live = read_meta(folder / "labels" / "darpa98-dev.meta.json").live_start
    callers: defaultdict[str, set[str]] = defaultdict(set)
    agents: set[str] = set()
    lines: list[bytes] = []
    sessions: dict[str, str] = {}
    with gzip.open(folder / "events" / "darpa98-dev.jsonl.gz") as file:
        for line in file:
            event = json.loads(line)
            event["peer_agent_id"] = event["target"]
            sessions[event["event_id"]] = event["session_id"]
            lines.append(json.dumps(event).encode())
            if event["ts"] < timestamp(round(live * 1_000)):
                agents.add(event["agent_id"])
                callers[event["target"]].add(event["agent_id"])
    called = sorted((one for one in callers if one in agents), key=lambda one: (-len(callers[one]), one))
    return Stand(lines, sessions, live, called)


def told_in(alerts: Iterable[Alert], sessions: Mapping[str, str]) -> dict[str, set[str]]:
    """Return of each detection the sessions whose events its findings name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for alert in alerts:
        if alert.activity in {"create", "update"}:
            # a cascade is its members' sessions, a path those of its calls, any other finding its own
            named = alert.evidence if alert.detection in JOINT else alert.evidence[:1]
            found[alert.detection].update(sessions[one.event_id] for one in named if one.event_id in sessions)
    return found


def darpa_tables(folder: Path) -> str:
    """Return what is told of each kind of attack, and of harmless sessions, by how many hosts are called critical."""
    stand = stand_in(folder)
    labels = read_sessions(folder / "labels" / "darpa98-dev-sessions.csv.gz")
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for session, label in labels.items():
        if label.is_live:
            kinds[label.attack_type if label.is_attack else "harmless"].add(session)
    parts = []
    for most in (5, len(stand.called)):
        alerts, counts = replayed(stand.lines, profile_with(stand.called[:most]), stand.live_start)
        begun = Counter(one.detection for one in alerts if one.activity == "create")
        figures = ", ".join(f"{name} {begun[name]}" for name in JOINT)
        said = f"{counts['tidings']} tidings of {len(stand.lines)} events, {counts['tidings_dropped']} dropped"
        parts.append(
            f"{most} hosts critical. Findings: {figures}; {said}.\n\n{_by_kind(kinds, told_in(alerts, stand.sessions))}"
        )
    return "\n\n".join(parts)


def _by_kind(kinds: Mapping[str, set[str]], told: Mapping[str, set[str]]) -> str:
    head = "| sessions | fan-out | in all | " + " | ".join(f"`{one}`" for one in COLUMNS) + " | told by none |"
    rows = [head, "|---|---|---|" + "---|" * (len(COLUMNS) + 1)]
    for kind in sorted(kinds, key=lambda one: (one != "harmless", -len(kinds[one]), one)):
        mine = kinds[kind]
        any_of = set().union(*(told.get(one, set()) for one in COLUMNS))
        cells = " | ".join(str(len(mine & told.get(one, set()))) for one in COLUMNS)
        missed = len(mine - any_of)
        rows.append(f"| {kind} | {'yes' if kind in FAN_OUT else ''} | {len(mine)} | {cells} | {missed} |")
    return "\n".join(rows)


class Laid(NamedTuple):
    """Events laid over a fleet: what kind, of which attack, by id."""

    lines: list[tuple[float, bytes]]
    attack_of: dict[str, str]


def chains(agents: Sequence[str], critical: Sequence[str], span: tuple[float, float], chance: Chance) -> Laid:
    """Return chains of new calls that end at a critical agent, each call ten minutes to four hours after the last."""
    laid = Laid([], {})
    others = [one for one in agents if one not in critical]
    for length in (2, 3, 4):
        for number in range(CHAINS):
            way = _different(chance, others, length)
            path = [*way, critical[chance.below(len(critical))]]
            at = span[0] + (span[1] - span[0] - length * 4 * 3_600.0) * chance.random()
            for step, (one, other) in enumerate(pairwise(path)):
                at += 600.0 + 13_800.0 * chance.random()
                name = f"chain-{length}-{number}"
                event = {
                    "event_id": f"{name}-{step}", "ts": timestamp(round(at * 1_000)), "agent_id": one,
                    "agent_type": one.rpartition("-")[0], "session_id": f"s-{name}-{step}", "kind": "message",
                    "name": "ask_agent", "target": other, "peer_agent_id": other, "credential": {"id": f"cred-{one}"},
                }  # fmt: skip
                laid.lines.append((at, json.dumps(event).encode()))
                laid.attack_of[str(event["event_id"])] = name
    return laid


def _different(chance: Chance, agents: Sequence[str], count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        one = agents[chance.below(len(agents))]
        if one not in found:
            found.append(one)
    return found


def spreading(calls: Mapping[str, set[str]], since: float, until: float, chance: Chance) -> list[list[Injection]]:
    """Return hijacks of three agents one behind the other along known calls, half an hour apart."""
    ways = sorted(
        (one, other, third)
        for one, sinks in calls.items()
        for other in sinks
        for third in calls.get(other, ())
        if len({one, other, third}) == 3
    )
    found = []
    for _ in range(CHAINS if ways else 0):
        way = ways[chance.below(len(ways))]
        at = since + (until - since - 7_200.0) * chance.random()
        found.append([Injection("hijack", int(one[-6:]), at + 1_500.0 * step) for step, one in enumerate(way)])
    return found


def fleet_table() -> str:
    """Return what is found of what was laid over a fleet at work, and what is told beside."""
    chance = Chance(7, 11)
    fleet = Fleet(150, 3, days=12.0, sessions_per_day=4.0)
    live, end = MONDAY + 8 * DAY_S, MONDAY + 12 * DAY_S
    agents: dict[str, None] = {}
    calls: defaultdict[str, set[str]] = defaultdict(set)
    for event in fleet.stream():
        agents[event.agent_id] = None
        peer = json.loads(event.value).get("peer_agent_id")
        if peer:
            calls[event.agent_id].add(peer)
    critical = _different(chance, list(agents), 5)
    stolen = [
        Injection("credential_misuse", chance.below(fleet.agents), live + (end - live) * 0.9 * chance.random())
        for _ in range(CHAINS)
    ]
    spread = spreading(calls, live, end, chance)
    injected = tuple(one for each in spread for one in each)
    stream = replace(fleet, injections=(*stolen, *injected)).stream()
    attacked = [(event.ts_ms / 1_000.0, event.value, event) for event in stream]
    laid = chains(list(agents), critical, (live, end), chance)
    lines = sorted([(at, value) for at, value, _ in attacked] + laid.lines, key=lambda one: one[0])
    alerts, counts = replayed([value for _, value in lines], profile_with(critical), live)
    kind_of = {event.event_id: event.attack for _, _, event in attacked if event.is_attack}
    sessions = {event.session_id for at, _, event in attacked if at >= live and not event.attack}
    return _fleet_rows(alerts, counts, (laid, kind_of, spread, len(sessions), len(lines)))


def _fleet_rows(alerts: Sequence[Alert], counts: Counter[str], laid_over: tuple[Any, ...]) -> str:
    laid, kind_of, spread, harmless, events = laid_over
    begun = [one for one in alerts if one.activity == "create"]
    paths = [one for one in begun if one.detection == JOINT[0]]
    found: Counter[int] = Counter()
    for name in sorted(set(laid.attack_of.values())):
        mine = {event for event, of in laid.attack_of.items() if of == name}
        hit = any(len({act.event_id for act in one.evidence} & mine) >= 2 for one in paths)
        found[int(name.split("-")[1])] += hit
    false = [one for one in paths if not any(act.event_id in laid.attack_of for act in one.evidence)]
    shared = [one for one in begun if one.detection == JOINT[1]]
    stolen = [one for one in shared if any(kind_of.get(act.event_id) == "credential_misuse" for act in one.evidence)]
    cascades = [one for one in begun if one.detection == JOINT[2]]
    true = [one for one in cascades if sum(kind_of.get(act.event_id) == "hijack" for act in one.evidence) >= 2]
    rows = [
        "| laid over the fleet | found | beside it, in harmless sessions |",
        "|---|---|---|",
        *(f"| {CHAINS} chains of {length} new calls | {found[length]} | |" for length in (2, 3, 4)),
        f"| paths in all | | {len(false)} of {harmless} |",
        f"| {CHAINS} stolen credentials | {len(stolen)} | {len(shared) - len(stolen)} |",
        f"| {len(spread)} times three hijacked agents one behind the other | {len(true)} | {len(cascades) - len(true)} |",
    ]
    told = f"{counts['tidings']} tidings of {events} events, {counts['tidings_dropped']} dropped."
    return "\n".join(rows) + f"\n\n{told}"


def section() -> str:
    """Return the chapter's tables."""
    folder = data_folder()
    stand = "Skipped: DETECTOR_DATA named no folder of recorded streams." if folder is None else darpa_tables(folder)
    return f"### darpa98\n\n{stand}\n\n### A made-up fleet\n\n{fleet_table()}"


if __name__ == "__main__":
    print(section())
