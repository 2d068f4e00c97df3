"""Declared zones as a partition knows them: of each tenant who stands where, and which crossings are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Final, Literal

import msgspec

from detector.rules.declared import TOOL_KINDS, DeclaredAgent, digest_of_entry
from detector.rules.patterns import Patterns
from detector.schema.event import Event, Kind
from detector.schema.registry import Criticality, Declared
from detector.schema.zones import ANY, ZoneDeclaration

MOST_TENANTS: Final = 64
"""Tenants of a partition whose zones are held; a further one's are refused, and none are forgotten for them."""
MOST_ASKED: Final = 4_096
"""Agents of a tenant whose zone is kept ready. No part of the state."""
MOST_FINE: Final = 16_384
"""Acts that are known to be fine; beyond, all are forgotten and found anew. No part of the state."""
MOST_LETTERS: Final = 128
"""Letters of a text that is kept ready to be found: of a longer one everything is matched each time."""

BecameOfZones = Literal["applied", "repeated", "outdated", "full"]
"""What became of zones: took effect; stand already; an older revision, or the same one with other bytes; no room."""


class ZoneFacts(msgspec.Struct, frozen=True, array_like=True):
    """A zone as rules need it."""

    name: str
    criticality: Criticality
    members: tuple[str, ...]


class CrossingFacts(msgspec.Struct, frozen=True, array_like=True):
    """An allowed crossing as rules need it; ``*``: every zone."""

    from_: str
    to: str
    tools: Declared
    kinds: tuple[Kind, ...] | None


class ZonesFacts(msgspec.Struct, frozen=True, array_like=True):
    """A tenant's zones as rules need them; `digest` is that of the record's bytes."""

    digest: bytes
    revision: int
    zones: tuple[ZoneFacts, ...]
    crossings: tuple[CrossingFacts, ...]


def zones_facts_of(declared: ZoneDeclaration, value: bytes) -> ZonesFacts:
    """Return a declaration as rules need it.

    Raises
    ------
    ValueError
        One of its patterns is none.
    """
    zones = tuple(ZoneFacts(one.name, one.criticality, one.members) for one in declared.zones)
    crossings = tuple(CrossingFacts(one.from_, one.to, one.tools, one.kinds) for one in declared.crossings)
    facts = ZonesFacts(digest_of_entry(value), declared.revision, zones, crossings)
    ZoneMap(facts)
    return facts


class ZoneMap:
    """A tenant's zones, ready to be asked.

    Raises
    ------
    ValueError
        A pattern is none.
    """

    def __init__(self, facts: ZonesFacts) -> None:
        self.criticality: dict[str, Criticality] = {one.name: one.criticality for one in facts.zones}
        self._members = [(one.name, Patterns(one.members)) for one in facts.zones if one.members]
        self._asked: dict[str, str | None] = {}
        self._allowed: dict[tuple[str, str], list[tuple[Patterns | None, frozenset[str] | None]]] = {}
        for one in facts.crossings:
            tools = None if one.tools is None else Patterns(one.tools)
            kinds = None if one.kinds is None else frozenset(one.kinds)
            self._allowed.setdefault((one.from_, one.to), []).append((tools, kinds))

    def zone_of(self, agent_id: str) -> str | None:
        """Return the first zone that has an agent among its members; None: no zone has."""
        if agent_id in self._asked:
            return self._asked[agent_id]
        found = next((name for name, members in self._members if members.allows(agent_id)), None)
        if len(agent_id) <= MOST_LETTERS:
            if len(self._asked) >= MOST_ASKED:
                self._asked.clear()
            self._asked[agent_id] = found
        return found

    def own_zone(self, event: Event, agent: DeclaredAgent | None) -> str | None:
        """Return the declared zone of who acts: that of an active entry, else the one whose member it is.

        What the event itself says of its zone is no declaration.
        """
        if agent is not None and agent.facts.zone is not None and agent.facts.lifecycle == "active":
            return agent.facts.zone
        return self.zone_of(event.agent_id)

    def peer_zone(self, event: Event) -> str | None:
        """Return the zone of whom an event acts on: the declared one of the peer it names, else as the event says.

        None where it says none, or an empty one. Of an agent that names itself it is for the caller to say.
        """
        found = None if event.peer_agent_id is None else self.zone_of(event.peer_agent_id)
        return found or event.peer_zone or None

    def allows(self, event: Event, begin: str, end: str) -> bool:
        """Tell whether an act may cross from one zone into another; within a zone it may."""
        if begin == end:
            return True
        tool = event.name if event.kind in TOOL_KINDS else None
        begins, ends = self._names_of(begin), self._names_of(end)
        return any(
            (kinds is None or event.kind in kinds) and (tools is None or (tool is not None and tools.allows(tool)))
            for pair in product(begins, ends)
            for tools, kinds in self._allowed.get(pair, ())
        )

    def neighbours(self, zone: str) -> tuple[list[str], list[str]]:
        """Return the zones that agents of a zone may act on, and those that may act on it, as they were declared."""
        own = self._names_of(zone)
        others = [name for name in self.criticality if name != zone]
        out_of = [name for name in others if self._is_edge(own, self._names_of(name))]
        return out_of, [name for name in others if self._is_edge(self._names_of(name), own)]

    def _is_edge(self, begins: tuple[str, ...], ends: tuple[str, ...]) -> bool:
        return any(pair in self._allowed for pair in product(begins, ends))

    def _names_of(self, zone: str) -> tuple[str, ...]:
        return (zone, ANY) if zone in self.criticality else ()


class Zones:
    """Declared zones by tenant.

    Attributes
    ----------
    has_changed : bool
        Since the last snapshot.
    fine : set
        What decided that acts are fine, see :meth:`note`: a few short ones, forgotten with every change of zones or
        entries. No part of the state.
    """

    def __init__(self) -> None:
        self.fine: set[tuple[object, ...]] = set()
        self._held: dict[str, ZonesFacts] = {}
        self._ready: dict[str, ZoneMap] = {}
        self.has_changed = False

    def __len__(self) -> int:
        return len(self._held)

    def take(self, tenant: str, facts: ZonesFacts) -> BecameOfZones:
        """Let a declaration take effect, if it may."""
        old = self._held.get(tenant)
        if old is not None and facts.revision <= old.revision:
            return "repeated" if (facts.revision, facts.digest) == (old.revision, old.digest) else "outdated"
        if old is None and len(self._held) >= MOST_TENANTS:
            return "full"
        self._held[tenant] = facts
        self._ready.pop(tenant, None)
        self.fine.clear()
        self.has_changed = True
        return "applied"

    def note(self, key: tuple[str | None, str, str | None, tuple[str | None, ...] | None]) -> None:
        """Remember that acts of a kind are fine: tenant, agent, zone, and whom it acts on by which tool and kind."""
        texts = (*key[:3], *(key[3] or ()))
        if all(text is None or len(text) <= MOST_LETTERS for text in texts):
            if len(self.fine) >= MOST_FINE:
                self.fine.clear()
            self.fine.add(key)

    def remove(self, tenant: str) -> bool:
        """Forget a tenant's zones; tell whether there were any."""
        self._ready.pop(tenant, None)
        self.fine.clear()
        is_held = self._held.pop(tenant, None) is not None
        self.has_changed |= is_held
        return is_held

    def of(self, tenant: str) -> ZoneMap | None:
        """Return the zones of a tenant; None if none are declared."""
        found = self._ready.get(tenant)
        if found is None and (facts := self._held.get(tenant)) is not None:
            found = self._ready[tenant] = ZoneMap(facts)
        return found

    def facts(self) -> dict[str, Any]:
        """Return all that is held as plain values, the same for the same."""
        return {tenant: msgspec.to_builtins(facts) for tenant, facts in sorted(self._held.items())}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Take up what :meth:`facts` returned."""
        self._held = {str(tenant): msgspec.convert(one, ZonesFacts) for tenant, one in facts.items()}
        self._ready.clear()
        self.fine.clear()
        self.has_changed = False
