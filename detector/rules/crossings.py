"""Where acts lead: into a zone that nobody allowed, from a zone that is not the agent's, into one that is new to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from detector.rules.criticality import severity_for
from detector.rules.places import in_order
from detector.rules.rule import Hit, RuleScene, short
from detector.rules.zoned import ZoneMap, Zones
from detector.schema.event import Event
from detector.schema.marks import OF_FIELD
from detector.schema.tenant import DEFAULT_TENANT

LEAST_DAYS: Final = 5
"""Days on which an agent has said its zone, or acted on another, before a zone that is new to it is told."""
MOST_CROSSED: Final = 32
"""Zones of an agent that are known; of more the first ones, and each further one is new."""
DAY_S: Final = 86_400.0
_OF_ZONES: Final = OF_FIELD["peer_agent_id"] | OF_FIELD["peer_zone"] | OF_FIELD["zone"]
UNDECLARED: Final = "undeclared"
"""Cause of crossings into zones that nobody declared: whoever makes up names of zones makes one finding."""


class ZonedAct(NamedTuple):
    """An event held against its tenant's zones: its place in the batch, and whose zones these are.

    `own` is the declared zone of who acts, `peer` that of whom it acts on, or what the event says of it.
    """

    place: int
    event: Event
    zones: ZoneMap
    own: str
    peer: str | None

    @property
    def is_allowed(self) -> bool:
        """Whether it stays within its zone, or a declared crossing allows it, or nobody knows where it leads."""
        return self.peer is None or self.zones.allows(self.event, self.own, self.peer)

    @property
    def is_true(self) -> bool:
        """Whether the event says the declared zone, or none."""
        return not self.event.zone or self.event.zone == self.own


def zone_crossing(scene: RuleScene) -> Iterator[Hit]:
    """Yield the acts that cross into another zone where no declared crossing allows it; one cause a pair of zones."""
    for act in _suspects(scene):
        if act.peer is None or act.is_allowed:
            continue
        words = {"zone": short(act.own), "other": short(act.peer), "peer": short(act.event.peer_agent_id or "an agent")}
        criticality = act.zones.criticality.get(act.peer)
        cause = UNDECLARED if criticality is None else f"{short(act.own)}>{act.peer}"
        yield Hit(act.place, cause, words, severity_for("medium", criticality or "medium"))


def zone_mismatch(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events that say another zone than the one declared of their agent."""
    for act in _suspects(scene):
        if not act.is_true:
            words = {"said": short(act.event.zone or ""), "zone": short(act.own)}
            criticality = act.zones.criticality.get(act.own, "medium")
            yield Hit(act.place, "zone", words, severity_for("medium", criticality))


def _suspects(scene: RuleScene) -> list[ZonedAct]:
    """Return the acts that break something declared of zones: looked for once, for both rules.

    What was found fine is known by what decided it, so that most events cost a look into a set.
    """
    inventory = scene.inventory
    if inventory is None or not len(inventory.zones):
        return []
    return scene.places.once("zoned", lambda: list(_broken(scene, inventory.zones)))


def _broken(scene: RuleScene, zones: Zones) -> Iterator[ZonedAct]:
    for i in scene.places.where(_OF_ZONES):
        event = scene.events[i]
        if event.peer_agent_id is not None or event.peer_zone is not None:
            whom = (event.peer_agent_id, event.peer_zone, event.name, event.kind)
        elif event.zone:
            whom = None
        else:
            continue
        key = (event.tenant, event.agent_id, event.zone, whom)
        if key in zones.fine:
            continue
        act = _act(scene, i, event, zones)
        if act is None or (act.is_true and act.is_allowed):
            zones.note(key)
        else:
            yield act


def _act(scene: RuleScene, i: int, event: Event, zones: Zones) -> ZonedAct | None:
    """Return an event with the zones it is held against; None if its tenant has none, or its agent stands in none."""
    held = zones.of(event.tenant or DEFAULT_TENANT)
    own = None if held is None else held.own_zone(event, scene.declared[i] if scene.declared else None)
    if held is None or own is None:
        return None
    # its entry may have moved it out of the zone whose member it is: it does not cross to itself
    peer = own if event.peer_agent_id == event.agent_id else held.peer_zone(event)
    return ZonedAct(i, event, held, own, peer)


def new_crossing(scene: RuleScene) -> Iterator[Hit]:
    """Yield the acts that lead an agent, known on five days, into a zone it never acted on; one cause a zone.

    A day counts on which it says its zone, or acts on another agent.
    What is declared is not learned: a crossing that is allowed is none, and one that is not is told as such.
    """
    for i in in_order(_first_of_days(scene), scene.places.having("peer_agent_id")):
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


def _first_of_days(scene: RuleScene) -> list[int]:
    """Return where each agent first says its zone on each day of the batch."""
    found: dict[tuple[int, float], int] = {}
    for i in scene.places.having("zone"):
        if scene.events[i].zone:
            found.setdefault((scene.rows[i], scene.clock[i] // DAY_S), i)
    return list(found.values())


def _crossed(scene: RuleScene, i: int, event: Event) -> str | None:
    """Return the zone that an act leads into from another, where nothing declared decides it; None: no such one."""
    if event.peer_agent_id is None or event.peer_agent_id == event.agent_id:
        return None
    zones = None if scene.inventory is None else scene.inventory.zones.of(event.tenant or DEFAULT_TENANT)
    if zones is None:
        own, peer = event.zone, event.peer_zone
    else:
        declared = zones.own_zone(event, scene.declared[i] if scene.declared else None)
        peer = zones.peer_zone(event)
        if declared is not None and peer is not None:
            return None
        own = declared or event.zone
    return None if not peer or peer == own else short(peer)
