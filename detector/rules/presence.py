"""Who reports when: of each agent its last act and the longest pause, in hours in which its peers reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from detector.schema.event import Event

HOUR_S: Final = 3_600.0
HOURS_A_DAY: Final = 24
LEAST_PEERS: Final = 3
"""Agents known since another day that must report in an hour for it to count: in other hours nobody is missed."""
LEAST_AGE: Final = 8
"""Days from an agent's first report to its last one before it is missed: a weekend and the return from it are among
them."""
LEAST_REPORTS: Final = 48
"""Hours in which an agent has reported before it is missed: of pauses without a memory, one in 2,300 is more than twice
the longest of so many."""
FACTOR: Final = 2
"""Times its longest pause that an agent may pause."""
LEAST_SILENT: Final = 6
"""Hours that count in which an agent must have been silent, however steady it was."""
BUCKETS: Final = 64
"""Parts of the table, each a shard of its own; an agent's is by its name's hash."""
MOST_KNOWN: Final = 128
"""Agents of a bucket that reported on two days; one more is not followed before one of them is gone for a month."""
MOST_NEW: Final = 32
"""Agents of a bucket that reported on one day only; whoever was heard longest ago leaves first."""
GONE_H: Final = 30 * 24
"""Hours after which an agent that is silent makes room."""
MOST_TOLD: Final = 256
"""Silences that are remembered: who fell silent beside one of them is folded into it; the oldest are forgotten."""
MOST_NAMED: Final = 5
"""Agents that a finding names."""


class LastAct(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An agent's last act of those that began an hour of its reports, and where it stands."""

    event_id: str
    ts: float
    agent_id: str
    tenant: str | None
    agent_type: str
    agent_version: str | None
    zone: str | None
    session_id: str | None
    kind: str
    name: str
    place: tuple[str, int, int, int]

    @classmethod
    def of(cls, event: Event, place: tuple[str, int, int, int]) -> LastAct:
        """Return what is kept of an event; `place`: topic, partition, offset, line."""
        return cls(
            event.event_id, event.ts.timestamp(), event.agent_id, event.tenant, event.agent_type, event.agent_version,
            event.zone, event.session_id, event.kind, event.name, place,
        )  # fmt: skip


class ReportingAgent(msgspec.Struct, array_like=True, gc=False):
    """What is known of one agent's reports.

    Parameters
    ----------
    last : LastAct
        The act that began its last hour.
    hour, tick : int
        That hour since the epoch, and how many hours had counted by then.
    first_day, day, days, reports : int
        First and last day since the epoch, days and hours with a report.
    longest : int
        The longest pause, in hours that count.
    is_silent : bool
        Told, or folded; until it reports again.
    """

    last: LastAct
    hour: int
    tick: int
    first_day: int
    day: int
    days: int = 1
    reports: int = 1
    longest: int = 0
    is_silent: bool = False

    def is_missed(self, ticks: int) -> bool:
        """Tell whether an agent that is regular has been silent for far longer than ever."""
        if self.is_silent or self.reports < LEAST_REPORTS or self.day - self.first_day < LEAST_AGE:
            return False
        silent = self.silent_at(ticks)
        return silent >= LEAST_SILENT and silent > FACTOR * self.longest

    def silent_at(self, ticks: int) -> int:
        """Return for how many hours that count there was no report; the hour of the last one is none of them."""
        return max(0, ticks - self.tick - 1)


class Silence(NamedTuple):
    """Agents of one tenant that reported last in the same hour or the next, the longest known first."""

    agents: list[ReportingAgent]
    ticks: int


class Presence:
    """The reports of the agents of a partition, at most 8,192 that are known and 2,048 others; time is the partition's.

    An hour *counts* if at least :data:`LEAST_PEERS` agents that were there on another day reported in it. So nights,
    weekends and outages in which all are silent are nobody's pause, and invented agents count from their second day on.

    Attributes
    ----------
    counts : Counter of str
        Agents that fell silent beside others that had been told, and those that found no room, since somebody took
        them; no part of the state.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._begin()
        self._touched.clear()

    def _begin(self) -> None:
        self._new: list[dict[int, ReportingAgent]] = [{} for _ in range(BUCKETS)]
        self._known: list[dict[int, ReportingAgent]] = [{} for _ in range(BUCKETS)]
        self._hour = self._ticks = self._reporters = 0
        self._told: dict[str, None] = {}
        self._heard: set[int] = set()
        self._touched: set[int] = set(range(BUCKETS))

    def span(self) -> tuple[float, float]:
        """Return the present hour: its begin, and the next one's, epoch seconds."""
        return self._hour * HOUR_S, (self._hour + 1) * HOUR_S

    def heard(self) -> Container[int]:
        """Return the agents that have reported in this hour."""
        return self._heard

    def move_to(self, hour: int) -> Iterator[Silence]:
        """Enter an hour since the epoch; yield who is missed, if the one before counted.

        A clock that fell back, for its first event was from 2099, begins anew.
        """
        if hour < self._hour:
            self._begin()
        has_counted = self._reporters >= LEAST_PEERS
        self._hour, self._reporters = hour, 0
        self._heard.clear()
        if has_counted:
            self._ticks += 1
            yield from self._told_of(self._missed())

    def _missed(self) -> list[ReportingAgent]:
        """Return who is missed now, in the order in which they were heard last, the longest known first."""
        missed = []
        for bucket, known in enumerate(self._known):
            for one in known.values():
                if one.is_missed(self._ticks):
                    one.is_silent = True
                    missed.append(one)
                    self._touched.add(bucket)
        return sorted(missed, key=lambda one: (one.hour, -one.reports, one.last.agent_id))

    def _told_of(self, missed: list[ReportingAgent]) -> Iterator[Silence]:
        """Yield the missed by tenant and by when they reported last; beside a silence that was told, none is told."""
        by_end: dict[tuple[str, int], list[ReportingAgent]] = {}
        for one in missed:
            tenant = one.last.tenant or ""
            beside = (tenant, one.hour - 1)
            by_end.setdefault(beside if beside in by_end else (tenant, one.hour), []).append(one)
        for (tenant, end), agents in by_end.items():
            if any(f"{near}/{tenant}" in self._told for near in (end - 1, end, end + 1)):
                self.counts["silences_folded"] += len(agents)
                continue
            self._told[f"{end}/{tenant}"] = None
            if len(self._told) > MOST_TOLD:
                del self._told[next(iter(self._told))]
            yield Silence(sorted(agents, key=lambda one: (-one.reports, one.last.agent_id)), self._ticks)

    def hear(self, agent: int, last: LastAct) -> None:
        """Note the first report of an agent in this hour."""
        bucket, day = agent % BUCKETS, self._hour // HOURS_A_DAY
        new, known = self._new[bucket], self._known[bucket]
        self._touched.add(bucket)
        self._heard.add(agent)
        one = known.pop(agent, None) or new.pop(agent, None)
        if one is None:
            new[agent] = ReportingAgent(last, self._hour, self._ticks, day, day)
        else:
            one.longest = max(one.longest, one.silent_at(self._ticks))
            one.days += one.day != day
            one.last, one.hour, one.tick, one.day, one.is_silent = last, self._hour, self._ticks, day, False
            one.reports += 1
            self._reporters += one.days > 1
            (known if one.days > 1 and self._has_room(known) else new)[agent] = one
        if len(new) > MOST_NEW:
            oldest = next(iter(new))
            del new[oldest]
            self._heard.discard(oldest)

    def _has_room(self, known: dict[int, ReportingAgent]) -> bool:
        """Tell whether one more agent can be followed; whoever is gone for a month makes room."""
        if len(known) < MOST_KNOWN:
            return True
        first = next(iter(known))
        if self._hour - known[first].hour < GONE_H:
            self.counts["presence_full"] += 1
            return False
        del known[first]
        return True

    def shards(self, *, full: bool) -> dict[str, Any]:
        """Return plain facts by shard: those that changed, or all that hold somebody; forgets which changed."""
        if not self._hour:
            return {}
        wanted = [at for at in range(BUCKETS) if self._known[at] or self._new[at]] if full else sorted(self._touched)
        self._touched.clear()
        counts = {"counts": [self._hour, self._ticks, self._reporters], "told": list(self._told)}
        return {"presence": counts, **{f"presence/{at:02}": self._facts(at) for at in wanted}}

    def _facts(self, bucket: int) -> dict[str, Any]:
        tables = {"new": self._new[bucket], "known": self._known[bucket]}
        return {
            name: [[str(agent), msgspec.to_builtins(one)] for agent, one in table.items()]
            for name, table in tables.items()
        }

    def restore(self, shards: Mapping[str, Mapping[str, Any]]) -> None:
        """Go on where shards left off."""
        self._begin()
        facts = shards["presence"]
        self._hour, self._ticks, self._reporters = map(int, facts["counts"])
        self._told = dict.fromkeys(map(str, facts["told"]))
        for name, tables in shards.items():
            if name != "presence":
                for kind, all_of in (("new", self._new), ("known", self._known)):
                    held = {int(agent): msgspec.convert(one, ReportingAgent) for agent, one in tables[kind]}
                    all_of[int(name.rpartition("/")[2])] = held
                    self._heard.update(agent for agent, one in held.items() if one.hour == self._hour)
        self._touched.clear()
