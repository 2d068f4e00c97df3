"""Zones and crossings as events say them, proposed for review: nothing of it is allowed before somebody applies it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from detector.registry.documents import comment, lines_of_mapping
from detector.registry.study.coarse import literal
from detector.registry.study.peers import Firmness
from detector.registry.study.seen import MOST_MARKS
from detector.schema.event import Event
from detector.schema.tenant import DEFAULT_TENANT
from detector.schema.zones import MOST_CROSSINGS, MOST_MEMBERS, MOST_ZONES, ZONE_NAME
from detector.views.shown import shown

MOST_AGENTS: Final = 100_000
MOST_PAIRS: Final = 16_384
"""Agents with zones by their own word, by others', and pairs of zones, that are held; further ones are counted."""
MOST_TOLD: Final = 40
"""Rare crossings that are written out as comments; the rest are counted."""


class CrossingUse:
    """How often a crossing was seen: sessions and days, as many as decide; and by which agent first."""

    __slots__ = ("days", "first", "sessions")

    def __init__(self, first: str) -> None:
        self.sessions: set[str] = set()
        self.days: set[str] = set()
        self.first = first

    def add(self, event: Event) -> None:
        """Count an act."""
        marks = ((self.sessions, event.session_id or event.event_id), (self.days, _day(event.ts)))
        for held, mark in marks:
            if len(held) < MOST_MARKS:
                held.add(mark)


class SeenPair(NamedTuple):
    """A pair of zones, from and to."""

    begin: str
    end: str


class SeenZones:
    """What one tenant's events say of zones.

    Parameters
    ----------
    tenant : str
        Whose events count.

    Attributes
    ----------
    left_out : Counter
        What did not fit, by what it was.
    """

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._zones: dict[str, Counter[str]] = {}
        self._told: dict[str, Counter[str]] = {}
        self._pairs: dict[SeenPair, CrossingUse] = {}
        self.left_out: Counter[str] = Counter()

    def add_all(self, events: Iterable[Event]) -> SeenZones:
        """Count events and return what was seen."""
        for event in events:
            if (event.tenant or DEFAULT_TENANT) == self._tenant:
                self._stands(self._zones, event.agent_id, event.zone)
                self._stands(self._told, event.peer_agent_id, event.peer_zone)
                if event.outcome == "ok" and event.zone and event.peer_zone and event.zone != event.peer_zone:
                    self._crosses(SeenPair(event.zone, event.peer_zone), event)
        return self

    def page(self, firmness: Firmness, made_from: int = 0) -> Iterator[str]:
        """Yield a file to review: zones with the agents seen in them, crossings that were seen often enough."""
        members = self._members()
        zones = [{"name": name, "members": ids} for name, ids in members.items()]
        firm = [pair for pair, use in self._sorted() if _holds(use, firmness) and {*pair} <= members.keys()]
        yield from (comment(line) for line in self._headlines())
        if len(firm) > MOST_CROSSINGS:
            yield comment(f"left out: {len(firm) - MOST_CROSSINGS} firm crossings beyond {MOST_CROSSINGS}")
        body: dict[str, Any] = {"tenant": self._tenant, "revision": made_from, "zones": zones}
        body["crossings"] = [{"from": pair.begin, "to": pair.end} for pair in firm[:MOST_CROSSINGS]]
        yield from lines_of_mapping(body, 0)
        yield from self._rare(set(firm))

    def _stands(self, held: dict[str, Counter[str]], agent: str | None, zone: str | None) -> None:
        if not agent or not zone:
            return
        if agent not in held and len(held) >= MOST_AGENTS:
            self.left_out["acts of agents beyond what is held"] += 1
            return
        counted = held.setdefault(agent, Counter())
        if zone in counted or len(counted) < MOST_MARKS:
            counted[zone] += 1
        else:
            self.left_out["zones of an agent beyond what is held"] += 1

    def _agents(self) -> list[tuple[str, Counter[str]]]:
        """Return the zones of each agent: as it says itself; as others say only of one that says nothing."""
        return sorted((self._told | self._zones).items())

    def _crosses(self, pair: SeenPair, event: Event) -> None:
        if pair not in self._pairs and len(self._pairs) >= MOST_PAIRS:
            self.left_out["crossings beyond what is held"] += 1
            return
        self._pairs.setdefault(pair, CrossingUse(event.agent_id)).add(event)

    def _by_zone(self) -> dict[str, list[str]]:
        """Return the agents of each zone, those that were seen in it alone; the largest zones first."""
        found: dict[str, list[str]] = {}
        for agent, zones in self._agents():
            if len(zones) == 1 and ZONE_NAME.fullmatch(zone := next(iter(zones))):
                found.setdefault(zone, []).append(agent)
        return dict(sorted(found.items(), key=lambda one: (-len(one[1]), one[0])))

    def _members(self) -> dict[str, list[str]]:
        """Return the members of each zone that is proposed: an agent that calls itself a pattern is no pattern."""
        found = {}
        for name, ids in sorted(list(self._by_zone().items())[:MOST_ZONES]):
            named = [one for agent in ids if (one := literal(agent)) is not None]
            found[name] = named if len(ids) <= MOST_MEMBERS else []
        return found

    def _headlines(self) -> Iterator[str]:
        agents = self._agents()
        yield f"{len(agents)} agents with a zone, {len(self._pairs)} crossings, as events of {self._tenant} say it"
        yield "Review, then: detector registry zones apply THIS FILE. What is not listed is not allowed."
        for agent, zones in agents:
            if len(zones) > 1:
                told = ", ".join(f"{shown(zone, 40)} ({count})" for zone, count in zones.most_common(5))
                yield f"decide: {shown(agent, 80)} was seen in {told}"
        yield from self._of_others()
        held = Counter(next(iter(zones)) for _, zones in agents if len(zones) == 1)
        for zone, count in sorted(held.items()):
            if count > MOST_MEMBERS:
                yield f"{shown(zone, 80)} has {count} agents: write patterns of their ids as its members"
            if ZONE_NAME.fullmatch(zone) is None:
                yield f"{shown(zone, 80)} is no name a zone may have: {count} agents"
        if beyond := list(self._by_zone())[MOST_ZONES:]:
            told = ", ".join(beyond[:MOST_TOLD])
            yield f"left out: {len(beyond)} zones beyond {MOST_ZONES}, of fewest agents, and their crossings: {told}"
        for agent, zones in agents:
            if len(zones) == 1 and literal(agent) is None:
                yield f"decide: no member can say {shown(agent, 80)}"
        yield from (f"left out: {count} {what}" for what, count in sorted(self.left_out.items()))

    def _of_others(self) -> Iterator[str]:
        """Yield what others alone say of where an agent stands: whoever names a peer may say anything of it."""
        for agent, told in sorted(self._told.items()):
            if further := sorted(told.keys() - self._zones.get(agent, {}).keys()):
                zones = ", ".join(shown(zone, 40) for zone in further[:5])
                yield f"decide: {shown(agent, 80)} is in {zones} as others say; it says {self._own(agent)}"

    def _own(self, agent: str) -> str:
        return ", ".join(shown(zone, 40) for zone in sorted(self._zones.get(agent, {}))[:5]) or "nothing"

    def _sorted(self) -> list[tuple[SeenPair, CrossingUse]]:
        return sorted(self._pairs.items())

    def _rare(self, firm: set[SeenPair]) -> Iterator[str]:
        rare = [(pair, use) for pair, use in self._sorted() if pair not in firm]
        for pair, use in rare[:MOST_TOLD]:
            seen = f"{len(use.sessions)} sessions, {len(use.days)} days, first by {shown(use.first, 80)}"
            yield comment(f"rare, decide: {shown(pair.begin, 80)} -> {shown(pair.end, 80)}: {seen}")
        if len(rare) > MOST_TOLD:
            yield comment(f"and {len(rare) - MOST_TOLD} rare crossings more")


def _holds(use: CrossingUse, firmness: Firmness) -> bool:
    return len(use.sessions) >= min(firmness.sessions, MOST_MARKS) and len(use.days) >= min(firmness.days, MOST_MARKS)


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()
