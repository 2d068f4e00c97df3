"""Edges between zones: which crossings are allowed, and which of them are to be cut where an agent is isolated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from detector.errors import SetupError
from detector.registry.zones.drafts import zones_record_of
from detector.rules.zoned import ZoneMap, zones_facts_of
from detector.schema.registry import RegistryEntry
from detector.schema.zones import ANY, Crossing, Zone, ZoneDeclaration
from detector.views.shown import shown


class Edge(NamedTuple):
    """An allowed crossing between two zones, or within one (then `crossing` is None: everything is allowed)."""

    begin: str
    end: str
    crossing: Crossing | None

    @property
    def limits(self) -> str:
        """By what it may be used, in words; empty: by anything."""
        if self.crossing is None:
            return ""
        tools, kinds = self.crossing.tools, self.crossing.kinds
        said = [] if tools is None else ["tools " + (", ".join(shown(one, 60) for one in tools) or "none")]
        return "; ".join([*said, *([] if kinds is None else ["kinds " + ", ".join(kinds)])])


def edges_of(declared: ZoneDeclaration) -> Iterator[Edge]:
    """Yield every allowed edge between two different zones, ``*`` written out, in the order of the crossings."""
    names = [zone.name for zone in declared.zones]
    for crossing in declared.crossings:
        for begin in names if crossing.from_ == ANY else [crossing.from_]:
            for end in names if crossing.to == ANY else [crossing.to]:
                if begin != end:
                    yield Edge(begin, end, crossing)


def limits_unsaid(declared: ZoneDeclaration) -> Iterator[str]:
    """Yield which allowed edges have limits by tool or kind that no policy of a network can say."""
    for edge in edges_of(declared):
        if edge.limits:
            yield f"{edge.begin} -> {edge.end} is allowed for {edge.limits} only; here it is allowed whole"


def neighbours(declared: ZoneDeclaration, zone: str) -> tuple[list[str], list[str]]:
    """Return the zones that may act on a zone, and those it may act on, each in the order of the declaration."""
    edges = list(edges_of(declared))
    sources = {edge.begin for edge in edges if edge.end == zone}
    targets = {edge.end for edge in edges if edge.begin == zone}
    names = [one.name for one in declared.zones]
    return [name for name in names if name in sources], [name for name in names if name in targets]


def zone_of_agent(declared: ZoneDeclaration, agent: str, entry: RegistryEntry | None) -> Zone:
    """Return the zone an agent stands in, as the workers see it: that of its active entry, else whose member it is.

    Raises
    ------
    SetupError
        It stands in none, or its entry names one that is not declared.
    """
    is_active = entry is not None and entry.lifecycle == "active" and entry.tenant == declared.tenant
    name = entry.zone if entry is not None and is_active else None
    name = name or ZoneMap(zones_facts_of(declared, zones_record_of(declared))).zone_of(agent)
    found = next((zone for zone in declared.zones if zone.name == name), None)
    if found is None:
        told = "it is no zone's member and its entry names none" if name is None else f"its entry names {shown(name)}"
        raise SetupError(f"agent must stand in a zone of tenant {shown(declared.tenant)}, got {shown(agent)}: {told}")
    return found


def edges_to_cut(declared: ZoneDeclaration, zone: str) -> list[Edge]:
    """Return the edges an agent of a zone could use or be reached by: within it first, then out of it, then into it."""
    edges = list(edges_of(declared))
    outward = [edge for edge in edges if edge.begin == zone]
    return [Edge(zone, zone, None), *outward, *(edge for edge in edges if edge.end == zone)]
