"""What zones cost an event, and what is told of a made-up fleet as new to its agents: no recorded stream has zones.

*Cost*: CPU of the shipped rules, and of those without the rules of zones, over decoded events against msgspec decoding
the same bytes, as in *Rules*: events as they are, events that all say their zone and of which every second names a peer
with none declared, and the same with zones declared and kept to. *A fleet*: 400 agents for twelve days, six of them
moving to other zones behind the sixth. Harmless agents of this simulation always say that their peers are in their own
zone, so its rate of false findings is none by construction and says nothing of yours: that is why `new_crossing` is
off. Rules that hold acts against a declaration have no rate of their own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import msgspec

from benchmarks.decode import made_up
from benchmarks.rules import Replayed, cost, pieces
from detector.rules import RULES, SHIPPED, Acts, Inventory
from detector.rules.zoned import ZoneFacts, ZonesFacts
from detector.schema.event import Event
from detector.schema.tenant import DEFAULT_TENANT
from detector.simulate.fleet import DAY_S, Fleet
from detector.simulate.scenario import plan_attacks

RULE_NAMES: Final = ("zone_crossing", "zone_mismatch", "new_crossing")
_AGENTS, _DAYS, _QUIET_DAYS, _ATTACKS = 400, 12.0, 6.0, 6
_decoder: Final = msgspec.json.Decoder(Event)


class Zoned(Replayed):
    """Rules over events without the pipeline, with zones declared, or none."""

    def __init__(self, rules: Sequence[Any], zones: ZonesFacts | None = None) -> None:
        super().__init__(rules)
        self._inventory = Inventory(1)
        if zones is not None:
            self._inventory.zones.take(DEFAULT_TENANT, zones)

    def acts(self, events: Sequence[Event]) -> Acts:
        """Return a batch as rules see it."""
        return super().acts(events)._replace(inventory=self._inventory)


def zones_of(events: Iterable[Event]) -> ZonesFacts:
    """Return the zones of agents as their events say them, and no crossing."""
    members: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.zone:
            members[event.zone].add(event.agent_id)
    zones = tuple(ZoneFacts(name, "medium", tuple(sorted(ids))) for name, ids in sorted(members.items()))
    return ZonesFacts(b"", 1, zones, ())


def costs() -> str:
    """Return what the rules cost, in a table."""
    plain = made_up(50_000)
    zoned = [_zoned(value, number) for number, value in enumerate(plain)]
    declared = zones_of(map(_decoder.decode, zoned))
    with_zones = [RULES[name] for name in SHIPPED]
    without = [RULES[name] for name in SHIPPED if name not in RULE_NAMES]
    rows = ["| events | rules that are on | msgspec, us | rules, us | ratio |", "|---|---|---|---|---|"]
    for what, values, zones in (
        ("as they are", plain, None),
        ("all with zones, none declared", zoned, None),
        (f"all with zones, {len(declared.zones)} declared", zoned, declared),
    ):
        for name, rules in (("without those of zones", without), ("all", with_zones)):
            base, ours, ratio = cost(values, rules, partial(Zoned, zones=zones))
            rows.append(f"| {what} | {name} | {base:.2f} | {ours:.2f} | **{ratio:.3f}** |")
    return "\n".join(rows)


def _zoned(value: bytes, number: int) -> bytes:
    """Return an event whose agent is in one of four zones; every second one names a peer of the same zone."""
    body = json.loads(value)
    zone = int(body["agent_id"][-1]) % 4
    body["zone"] = f"zone-{zone}"
    if number % 2:
        body |= {"peer_agent_id": f"peer-{zone}", "peer_zone": f"zone-{zone}"}
    return json.dumps(body, separators=(",", ":")).encode()


def fleet() -> str:
    """Return in which sessions of a made-up fleet a zone was told as new to its agent."""
    made = Fleet(agents=_AGENTS, seed=1, days=_DAYS, sessions_per_day=4.0)
    attacks = plan_attacks(made, _ATTACKS, made.start + _QUIET_DAYS * DAY_S, ("lateral_movement",))
    stream = list(replace(made, injections=attacks).stream())
    hostile = {one.session_id for one in stream if one.attack}
    events = [_decoder.decode(one.value) for one in stream]
    reads = {event.session_id for event in events if event.peer_agent_id} - hostile
    replayed, told = Zoned([RULES["new_crossing"]]), set[str]()
    for batch in pieces(events):
        told |= {session for _, session in replayed.hits(batch)}
    head = "| rule | harmless sessions with a peer | told in | attacks | told in |\n" + "|---" * 5 + "|"
    return f"{head}\n| `new_crossing` | {len(reads)} | {len(told - hostile)} | {len(hostile)} | {len(told & hostile)} |"


def section() -> str:
    """Return the chapter."""
    return f"{costs()}\n\n{fleet()}"
