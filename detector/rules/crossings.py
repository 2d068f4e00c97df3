"""Where acts lead: into a zone that nobody allowed, from a zone that is not the agent's, into one that is new to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from detector.rules.criticality import severity_for
from detector.rules.declared import DEFAULT_TENANT, DeclaredAgent
from detector.rules.rule import Hit, RuleScene, short
from detector.rules.zoned import ZoneMap
from detector.schema.event import Event

LEAST_DAYS: Final = 5
"""Days on which an agent has acted on peers before a zone that is new to it is told."""
MOST_CROSSED: Final = 32
"""Zones of an agent that are known; of more the first ones, and each further one is new."""
DAY_S: Final = 86_400.0
UNDECLARED: Final = "undeclared"
"""Cause of crossings into zones that nobody declared: whoever makes up names of zones makes one finding."""


class ZonedAct(NamedTuple):
    """An event of a tenant that has zones; its place in the batch, and the entry of its agent."""

    place: int
    event: Event
    zones: ZoneMap
    agent: DeclaredAgent | None


def zone_crossing(scene: RuleScene) -> Iterator[Hit]:
    """Yield the acts that cross into another zone where no declared crossing allows it; one cause a pair of zones."""
    for act in _zoned(scene, scene.places.towards_peers):
        own, peer = act.zones.own_zone(act.event, act.agent), act.zones.peer_zone(act.event)
        if own is None or peer is None or act.zones.allows(act.event, own, peer):
            continue
        is_declared = peer in act.zones.criticality
        words = {"zone": short(own), "other": short(peer), "peer": short(act.event.peer_agent_id or "an agent")}
        cause = f"{short(own)}>{peer}" if is_declared else UNDECLARED
        yield Hit(act.place, cause, words, severity_for("medium", act.zones.criticality.get(peer, "medium")))


def zone_mismatch(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events that say another zone than the one declared of their agent."""
    for act in _zoned(scene, scene.places.in_zones):
        said, own = act.event.zone, act.zones.own_zone(act.event, act.agent)
        if own is not None and said is not None and said != own:
            words = {"said": short(said), "zone": short(own)}
            yield Hit(act.place, "zone", words, severity_for("medium", act.zones.criticality.get(own, "medium")))


def _zoned(scene: RuleScene, places: Callable[[], list[int]]) -> Iterator[ZonedAct]:
    """Yield the events at some places whose tenant has zones."""
    if scene.inventory is None or not len(scene.inventory.zones):
        return
    held = scene.inventory.zones
    for i in places():
        event = scene.events[i]
        if (zones := held.of(event.tenant or DEFAULT_TENANT)) is not None:
            yield ZonedAct(i, event, zones, scene.declared[i] if scene.declared else None)


def new_crossing(scene: RuleScene) -> Iterator[Hit]:
    """Yield the acts that lead an agent, known on five days, into a zone it never acted on; one cause a zone.

    What is declared is not learned: a crossing that is allowed is none, and one that is not is told as such.
    """
    for i in scene.places.having("peer_agent_id"):
        event = scene.events[i]
        zone = _crossed(scene, i, event)
        day = int(scene.clock[i] // DAY_S)
        known = scene.known(i)
        if known is not None and known.kept["day"] == day and (zone is None or zone in known.kept["zones"]):
            continue
        kept = scene.notes(i).kept
        days, zones = kept.get("days", 0), kept.setdefault("zones", [])
        if kept.get("day") != day:
            kept["day"], kept["days"] = day, min(days + 1, LEAST_DAYS + 1)
        if zone is None or zone in zones:
            continue
        if len(zones) < MOST_CROSSED:
            zones.append(zone)
        else:
            scene.memory.counts["rule_notes_full"] += 1
        if kept["days"] > LEAST_DAYS:
            yield Hit(i, zone, {"zone": zone, "peer": short(event.peer_agent_id or "")})


def _crossed(scene: RuleScene, i: int, event: Event) -> str | None:
    """Return the zone that an act leads into from another, where nothing declared decides it; None: no such one."""
    zones = None if scene.inventory is None else scene.inventory.zones.of(event.tenant or DEFAULT_TENANT)
    if zones is None:
        own, peer = event.zone, event.peer_zone
    else:
        declared = zones.own_zone(event, scene.declared[i] if scene.declared else None)
        peer = zones.peer_zone(event)
        if declared is not None and peer is not None:
            return None
        own = declared or event.zone
    return None if peer is None or peer == own else short(peer)
