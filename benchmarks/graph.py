"""What several agents make together, on the one recorded stream that is near it, and in a made-up fleet.

*darpa98*, the network traffic of 1998, stands in for agents that call each other: each host is an agent, each
connection a call (its destination is taken for `peer_agent_id`), history is trusted. No recorded stream holds one agent
compromising another, and this one holds no path in several steps either: its attackers come from outside to their
victim in one. The critical agents are the hosts that most others called in the history, labels choose nothing; then,
the worst case, all of them. Of each kind of attack: its live sessions, and those of which a finding was told by who
called whom, or by the rule of many calls at once, which is on here; what scores find stands in *Decisions*. Of harmless
sessions the same: what is told there is false. *A made-up fleet* at work: laid over it are chains of two to four new
calls to one of five critical agents, stolen credentials, and hijacked agents of which the first calls the second and
the second the third; what else is told is false. Such chains are as this benchmark believes them to be: their figures
say that the parts fit together, not how often attackers do so.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.quality import data_folder
from detector.offline.labels import read_meta, read_sessions
from detector.offline.replay import Replay, ReplaySettings
from detector.profile.load import load_profile
from detector.profile.model import Profile
from detector.schema.alert import Alert
from detector.simulate.chance import Chance
from detector.simulate.fleet import DAY_S, MONDAY, Fleet, Injection
from detector.simulate.render import Simulated, timestamp

JOINT: Final = ("response.lateral_path", "response.credential_shared", "response.cascade")
BURST: Final = "rule.delegation_burst"
COLUMNS: Final = ("response.lateral_path", "response.cascade", BURST)
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
    live = read_meta(folder / "labels" / "darpa98-dev.meta.json").live_start or 0.0
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
            for name in {alert.detection, *(cause.partition("/")[0] for cause in alert.causes)}:
                found[name].update(sessions[one.event_id] for one in named if one.event_id in sessions)
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
    head = "| sessions | fan-out | in all | " + " | ".join(f"`{one}`" for one in COLUMNS) + " | none of them |"
    rows = [head, "|---|---|---|" + "---|" * (len(COLUMNS) + 1)]
    for kind in sorted(kinds, key=lambda one: (one != "harmless", -len(kinds[one]), one)):
        mine = kinds[kind]
        any_of = set().union(*(told.get(one, set()) for one in COLUMNS))
        cells = " | ".join(str(len(mine & told.get(one, set()))) for one in COLUMNS)
        missed = len(mine - any_of)
        rows.append(f"| {kind} | {'yes' if kind in FAN_OUT else ''} | {len(mine)} | {cells} | {missed} |")
    return "\n".join(rows)


FLEET: Final = Fleet(150, 3, days=12.0, sessions_per_day=4.0)
LIVE: Final = MONDAY + 8 * DAY_S
END: Final = MONDAY + 12 * DAY_S
LAG_S: Final = 1_500.0
"""Seconds between two hijacked agents."""


class Laid(NamedTuple):
    """Events laid over a fleet: what kind, of which attack, by id."""

    lines: list[tuple[float, bytes]]
    attack_of: dict[str, str]


def chains(fleet: Sequence[str], calls: Mapping[str, set[str]], critical: Sequence[str], chance: Chance) -> Laid:
    """Return chains of new calls that end at a critical agent, each call ten minutes to four hours after the last."""
    laid = Laid([], {})
    others = [one for one in fleet if one not in critical]
    for length in (2, 3, 4):
        for number in range(CHAINS):
            path = _new_way(chance, (others, critical), length, calls)
            at = LIVE + (END - LIVE - length * 4 * 3_600.0) * chance.random()
            for step, way in enumerate(pairwise(path)):
                at += 600.0 + 13_800.0 * chance.random()
                _lay(laid, f"chain-{length}-{number}", step, (*way, at))
    return laid


def _new_way(
    chance: Chance, of: tuple[Sequence[str], Sequence[str]], length: int, calls: Mapping[str, set[str]]
) -> list[str]:
    """Return a way of which no step is a call of the fleet."""
    while True:
        path = [*_different(chance, of[0], length), of[1][chance.below(len(of[1]))]]
        if not any(other in calls.get(one, ()) for one, other in pairwise(path)):
            return path


def _lay(laid: Laid, name: str, step: int, call: tuple[str, str, float]) -> None:
    """Lay one call of an agent by another over the fleet."""
    one, other, at = call
    event = {
        "event_id": f"{name}-{step}", "ts": timestamp(round(at * 1_000)), "agent_id": one,
        "agent_type": one.rpartition("-")[0], "session_id": f"s-{name}-{step}", "kind": "message", "name": "ask_agent",
        "target": other, "peer_agent_id": other, "credential": {"id": f"cred-{one}"},
    }  # fmt: skip
    laid.lines.append((at, json.dumps(event).encode()))
    laid.attack_of[str(event["event_id"])] = name


def _different(chance: Chance, agents: Sequence[str], count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        one = agents[chance.below(len(agents))]
        if one not in found:
            found.append(one)
    return found


def spreading(laid: Laid, calls: Mapping[str, set[str]], chance: Chance) -> list[list[Injection]]:
    """Return hijacks of three agents one behind the other along known calls, half an hour apart; lays those calls."""
    ways = sorted(
        (one, other, third)
        for one, sinks in calls.items()
        for other in sinks
        for third in calls.get(other, ())
        if len({one, other, third}) == 3
    )
    found = []
    for number in range(CHAINS):
        way = ways[chance.below(len(ways))]
        at = LIVE + (END - LIVE - 7_200.0) * chance.random()
        found.append([Injection("hijack", int(one[-6:]), at + LAG_S * step) for step, one in enumerate(way)])
        for step, pair in enumerate(pairwise(way)):
            _lay(laid, f"spread-{number}", step, (*pair, at + LAG_S * (step + 0.5)))
    return found


def fleet_table() -> str:
    """Return what is found of what was laid over a fleet at work, and what is told beside."""
    chance = Chance(7, 11)
    agents: dict[str, None] = {}
    calls: defaultdict[str, set[str]] = defaultdict(set)
    for event in FLEET.stream():
        agents[event.agent_id] = None
        peer = json.loads(event.value).get("peer_agent_id")
        if peer:
            calls[event.agent_id].add(peer)
    critical = _different(chance, list(agents), 5)
    stolen = [
        Injection("credential_misuse", chance.below(FLEET.agents), LIVE + (END - LIVE) * 0.9 * chance.random())
        for _ in range(CHAINS)
    ]
    laid = chains(list(agents), calls, critical, chance)
    spread = spreading(laid, calls, chance)
    injected = tuple(one for each in spread for one in each)
    stream = list(replace(FLEET, injections=(*stolen, *injected)).stream())
    lines = sorted([(one.ts_ms / 1_000.0, one.value) for one in stream] + laid.lines, key=lambda one: one[0])
    alerts, counts = replayed([value for _, value in lines], profile_with(critical), LIVE)
    told = f"{counts['tidings']} tidings of {len(lines)} events, {counts['tidings_dropped']} dropped."
    return "\n".join(_fleet_rows(alerts, stream, laid, spread)) + f"\n\n{told}"


def _fleet_rows(
    alerts: Sequence[Alert], stream: Sequence[Simulated], laid: Laid, spread: list[list[Injection]]
) -> list[str]:
    begun = [one for one in alerts if one.activity == "create"]
    of = {name: [one for one in begun if one.detection == name] for name in JOINT}
    kind_of = {event.event_id: event.attack for event in stream if event.is_attack}
    harmless = {event.session_id for event in stream if event.ts_ms / 1_000.0 >= LIVE and not event.attack}
    found: Counter[int] = Counter()
    for name in {one for one in laid.attack_of.values() if one.startswith("chain")}:
        mine = {event for event, attack in laid.attack_of.items() if attack == name}
        found[int(name.split("-")[1])] += any(len(_acts(one) & mine) >= 2 for one in of[JOINT[0]])
    paths = [one for one in of[JOINT[0]] if not _acts(one) & set(laid.attack_of)]
    stolen = [one for one in of[JOINT[1]] if any(kind_of.get(act) == "credential_misuse" for act in _acts(one))]
    true = [one for one in of[JOINT[2]] if sum(kind_of.get(act) == "hijack" for act in _acts(one)) >= 2]
    known = sum(all(_is_found(begun, one) for one in each) for each in spread)
    three = f"{len(spread)} times three hijacked agents, {known} times each with a finding of its own"
    return [
        f"| laid over the fleet | found | beside it, in {len(harmless)} harmless sessions |",
        "|---|---|---|",
        *(f"| {CHAINS} chains of {length} new calls | {found[length]} | |" for length in (2, 3, 4)),
        f"| all paths | | {len(paths)} |",
        f"| {CHAINS} stolen credentials | {len(stolen)} | {len(of[JOINT[1]]) - len(stolen)} |",
        f"| {three} | {len(true)} | {len(of[JOINT[2]]) - len(true)} |",
    ]


def _acts(alert: Alert) -> set[str]:
    return {act.event_id for act in alert.evidence}


def _is_found(begun: Iterable[Alert], one: Injection) -> bool:
    """Tell whether a hijacked agent has a finding within the hour."""
    name = f"-{one.agent:06d}"
    return any(each.agent_id.endswith(name) and 0.0 <= each.time - one.start <= 3_600.0 for each in begun)


def section() -> str:
    """Return the chapter's tables."""
    folder = data_folder()
    stand = "Skipped: DETECTOR_DATA named no folder of recorded streams." if folder is None else darpa_tables(folder)
    return f"### darpa98\n\n{stand}\n\n### A made-up fleet\n\n{fleet_table()}"


if __name__ == "__main__":
    print(section())
