"""Who acts: an agent without an entry, one that may not act, one that is two at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from detector.rules.criticality import declared_acts, severity_for
from detector.rules.rule import Hit, RuleScene, short
from detector.schema.tenant import DEFAULT_TENANT

OVERLAP_S: Final = 900.0
"""Seconds of the partition's time within which a place that was left and is acted from again counts as never left."""
RETURNS: Final = 2
"""Returns that make an overlap: one alone is an event that came late when an instance took over from another."""
MOST_PLACES: Final = 8
"""Places of an agent that are remembered, the last ones."""


def unregistered(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events of agents without an entry though their tenant keeps a registry, and of those that may not act.

    One cause for each of: no entry, an entry of another tenant than its events say, suspended, retired. An empty
    registry says nothing of anybody.
    """
    if scene.inventory is None:
        return
    for i, agent in enumerate(scene.declared):
        if agent is None and i in scene.elsewhere:
            yield Hit(i, "tenant", {"standing": "has an entry of another tenant"}, "high")
        elif agent is None:
            if scene.inventory.lists(scene.events[i].tenant or DEFAULT_TENANT, scene.clock[i]):
                yield Hit(i, "unknown", {"standing": "has no entry"})
        elif agent.facts.lifecycle in {"suspended", "retired"}:
            standing = agent.facts.lifecycle
            yield Hit(i, standing, {"standing": f"is {standing}"}, severity_for("high", agent.facts.criticality))


def two_instances(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events that show one identity at work in two instances, or two zones, at once; one cause for each."""
    for act in declared_acts(scene):
        for field in ("instance", "zone"):
            place = act.event.instance_id if field == "instance" else act.event.zone
            if place and (other := _elsewhere(scene, act.place, field, short(place))) is not None:
                words = {"field": field, "here": short(place), "other": other}
                yield Hit(act.place, field, words, act.severity("medium"))


def _elsewhere(scene: RuleScene, i: int, field: str, place: str) -> str | None:
    """Return where else an agent acts, None as far as is known nowhere; notes that it acts here now.

    A place is kept with the time it was last acted from and how often it was come back to.
    """
    now = scene.clock[i]
    known = scene.known(i)
    places: list[list[Any]] = [] if known is None else known.kept.get(field, [])
    if places and places[-1][0] == place and now - places[-1][1] < OVERLAP_S / 2:
        return None  # nothing has changed but the time: noted now and then
    kept = scene.notes(i).kept
    places = [one for one in kept.get(field, []) if now - one[1] < OVERLAP_S or one[0] == place]
    before = next((one for one in places if one[0] == place), None)
    other = places[-1][0] if places and places[-1][0] != place else None
    returns = 0
    if before is not None:
        places.remove(before)
        returns = before[2] if now - before[1] < OVERLAP_S else 0
        returns += other is not None and now - before[1] < OVERLAP_S
    kept[field] = [*places, [place, now, returns]][-MOST_PLACES:]
    return other if other is not None and returns >= RETURNS else None
