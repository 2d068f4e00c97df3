"""Zones and their changes as lines for a terminal; what others wrote is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from detector.registry.tables import rows
from detector.registry.zones.changes import ZonesChange, ZonesRecord
from detector.registry.zones.edges import Edge, neighbours
from detector.registry.zones.stores import StandingZones
from detector.views.shown import moment, shown


def zones_listed(standing: StandingZones) -> Iterator[str]:
    """Yield one line a zone, then what is not as it should be."""
    body = [
        (
            shown(tenant, 24),
            zone.name,
            zone.criticality,
            str(len(zone.members)),
            ", ".join(neighbours(declared, zone.name)[0]) or "-",
            str(declared.revision),
            f"{moment(declared.at)} {shown(declared.by, 24)}",
        )
        for tenant, declared in sorted(standing.declared.items())
        for zone in declared.zones
    ]
    yield from rows(("tenant", "zone", "criticality", "members", "entered from", "rev", "changed"), body)
    yield f"{len(body)} zones of {len(standing.declared)} tenants"
    if standing.refused:
        yield f"left out: {standing.refused} records that are no zones, or lie under another tenant's key"
    yield from behind_lines(standing)


def behind_lines(standing: StandingZones) -> Iterator[str]:
    """Yield of which tenants a partition has other zones than the others, or none."""
    for tenant, places in sorted(standing.behind.items()):
        numbers = ", ".join(map(str, places))
        yield f"{shown(tenant)}: partitions {numbers} have other zones, or none: apply the file again"


def zones_told(changes: Iterable[ZonesChange]) -> Iterator[str]:
    """Yield what a file would change, tenant by tenant and name by name."""
    for change in changes:
        declared = change.draft.declared
        yield f"{change.kind}: zones of {shown(declared.tenant)}, {len(declared.zones)} zones"
        yield from change.lines
        if change.why_not:
            yield f"  refused: {change.why_not}"


def zones_history(log: Iterable[ZonesRecord], tenant: str) -> Iterator[str]:
    """Yield the changes of a tenant's zones, the newest first."""
    own = [one for one in log if one.tenant == tenant]
    for one in sorted(own, key=lambda one: one.revision, reverse=True):
        what = ", ".join(one.changed)
        yield f"revision {one.revision}  {moment(one.at)} {shown(one.by)}: {shown(one.reason, 200)} ({what})"


def edge_line(edge: Edge) -> str:
    """Return an edge in words."""
    if edge.crossing is None:
        return f"{edge.begin} -> {edge.end}  within the zone"
    return f"{edge.begin} -> {edge.end}  {edge.limits or 'everything'}"


def edge_body(agent: str, edge: Edge) -> dict[str, Any]:
    """Return an edge that is to be cut as plain JSON values."""
    crossing = edge.crossing
    return {
        "agent_id": agent,
        "from": edge.begin,
        "to": edge.end,
        "tools": None if crossing is None else crossing.tools,
        "kinds": None if crossing is None else crossing.kinds,
    }
