"""The made-up half of *Agents together*: what is laid over a fleet at work, and what telling costs."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from typing import Final, NamedTuple

from benchmarks.graph_replay import BATCH, JOINT, profile_with, replayed
from detector.pipeline import Pipeline
from detector.profile.load import load_profile
from detector.profile.model import Profile
from detector.schema.alert import Alert
from detector.schema.record import Record
from detector.simulate.chance import Chance
from detector.simulate.fleet import DAY_S, MONDAY, Fleet, Injection
from detector.simulate.render import Simulated, timestamp

CHAINS: Final = 12
"""Chains of each length that are laid over the fleet."""
EVENTS: Final = 30_000
ROUNDS: Final = 5
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


def cost() -> str:
    """Return what tidings cost an event: CPU of the pipeline over the fleet's events with and without, interleaved."""
    records = [Record(one.value, None, "events", 0, at) for at, one in enumerate(islice(FLEET.stream(), EVENTS))]
    table = load_profile().model_dump()
    table["response"]["graph"] = ()
    profiles = (load_profile(), Profile.model_validate(table))
    for profile in profiles:
        _seconds(profile, records[:BATCH])  # kernels are loaded
    rounds = [tuple(_seconds(profile, records) for profile in profiles) for _ in range(ROUNDS)]
    ratio = statistics.median(with_them / without for with_them, without in rounds)
    return (
        f"CPU of the pipeline with tidings, as a share of that without, on {EVENTS:,} events of the fleet, most with a "
        f"credential: {ratio:.3f} (median of {ROUNDS} interleaved rounds)."
    )


def _seconds(profile: Profile, records: Sequence[Record]) -> float:
    pipeline = Pipeline(profile)
    begin = time.process_time()
    for at in range(0, len(records), 512):
        pipeline.process(records[at : at + 512])
    return time.process_time() - begin
