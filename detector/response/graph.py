"""Who called whom, of one tenant, in bounded memory: agents, edges told within a day, findings, credentials."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from detector.schema.alert import Evidence
    from detector.schema.tiding import Tiding

KEPT_S: Final = 2 * 86_400.0
"""Seconds after which an edge that was not told again is gone: it is told every day on which it is used."""
MOST_EDGES: Final = {True: 16_384, False: 4_096}
"""Edges of a tenant, told by established agents and by newcomers: invented agents push out no honest one's."""
MOST_AGENTS: Final = {True: 8_192, False: 2_048}
"""Agents of a tenant of which something is remembered beside their edges, likewise."""
MOST_CREDENTIALS: Final = {True: 8_192, False: 2_048}
"""Credentials of a tenant whose users are remembered: those an established agent used, and those of newcomers only."""
MOST_USERS: Final = {True: 64, False: 8}
"""Agents of a credential that are remembered, likewise: invented ones with long names fill no memory."""
MOST_LOOKS: Final = 1_024
"""Calls of one agent that are looked through, those first told last: many invented callers slow nobody."""
MOST_FOUND: Final = {True: 4_096, False: 1_024}
"""Findings of a tenant that may be part of a cascade, of established agents and of newcomers."""

Key = tuple[str, str]
"""Who calls, and who is called."""


class ToldEdge(NamedTuple):
    """A call of one agent by another: the event that told it, and when it was first told, and last.

    `first_at` is as its event says; `first_by` is the partition's time then: it was no later, whatever the event says.
    `is_new`: the first time was news, and no more than :data:`KEPT_S` ago.
    """

    tiding: Tiding
    first_at: float
    last_at: float
    is_new: bool
    first_by: float

    @property
    def key(self) -> Key:
        """Who calls, and who is called."""
        return self.tiding.source, self.tiding.sink


class KnownAgent(NamedTuple):
    """What an agent's own events say of it."""

    established: bool
    is_critical: bool
    last_at: float


class Reached(NamedTuple):
    """A time that was told, epoch seconds, and by whom."""

    at: float = 0.0
    agent_id: str = ""


class SpreadingFinding(NamedTuple):
    """A finding that may be part of a cascade."""

    uid: str
    agent_id: str
    at: float
    detection: str
    evidence: Evidence | None
    established: bool = True


@dataclass(slots=True)
class DelegationGraph:
    """The graph of one tenant; every table has a cap and forgets what was told longest ago.

    Memory: at most some 20,000 edges of about 1 kB, 10,000 agents, 10,000 credentials and 5,000 findings.

    Attributes
    ----------
    counts : Counter of str
        What was forgotten for want of room, by what.
    latest : dict of bool to (Reached, Reached)
        The latest time that established agents told, and newcomers, and the latest that another one of them did.
    """

    edges: dict[bool, OrderedDict[Key, ToldEdge]] = field(
        default_factory=lambda: {True: OrderedDict(), False: OrderedDict()}
    )
    into: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    out: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    agents: dict[bool, OrderedDict[str, KnownAgent]] = field(
        default_factory=lambda: {True: OrderedDict(), False: OrderedDict()}
    )
    credentials: dict[bool, OrderedDict[str, dict[str, Tiding]]] = field(
        default_factory=lambda: {True: OrderedDict(), False: OrderedDict()}
    )
    found: dict[bool, OrderedDict[str, SpreadingFinding]] = field(
        default_factory=lambda: {True: OrderedDict(), False: OrderedDict()}
    )
    of_agent: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    counts: Counter[str] = field(default_factory=Counter)
    latest: dict[bool, tuple[Reached, Reached]] = field(
        default_factory=lambda: {True: (Reached(), Reached()), False: (Reached(), Reached())}
    )

    def edge(self, source: str, sink: str) -> ToldEdge | None:
        """Return the edge from one agent to another, None if there is none."""
        key = (source, sink)
        return self.edges[True].get(key) or self.edges[False].get(key)

    def know(self, tiding: Tiding) -> None:
        """Take up what an agent's own event says of it."""
        agent, kind = tiding.agent_id, tiding.established
        self._reach(kind, Reached(tiding.at, agent))
        before = self.agents[True].pop(agent, None) or self.agents[False].pop(agent, None)
        last = tiding.at if before is None else max(tiding.at, before.last_at)
        self.agents[kind][agent] = KnownAgent(kind, tiding.is_critical, last)
        while len(self.agents[kind]) > MOST_AGENTS[kind]:
            self.agents[kind].popitem(last=False)
            self.counts["graph_agents_evicted"] += 1

    def _reach(self, kind: bool, told: Reached) -> None:
        first, second = self.latest[kind]
        if told.agent_id == first.agent_id:
            first = max(first, told)
        elif told.at > first.at:
            first, second = told, first
        else:
            second = max(second, told)
        self.latest[kind] = first, second

    def agent(self, agent_id: str) -> KnownAgent | None:
        """Return what is known of an agent, None if it told nothing."""
        return self.agents[True].get(agent_id) or self.agents[False].get(agent_id)

    def connect(self, tiding: Tiding) -> ToldEdge:
        """Take up an edge, and return it as it stands now."""
        kind, key = tiding.established, (tiding.source, tiding.sink)
        before = self.edges[True].pop(key, None) or self.edges[False].pop(key, None)
        if before is None:
            edge = ToldEdge(tiding, tiding.at, tiding.at, tiding.is_new, tiding.by)
        else:
            first = min(before.first_at, tiding.at)
            # told by both sides, it is as new as the first of them said
            last, by = max(before.last_at, tiding.at), min(before.first_by, tiding.by)
            edge = ToldEdge(before.tiding, first, last, before.is_new, by)
        self.edges[kind][key] = edge
        for table, end, other in ((self.out, key[0], key[1]), (self.into, key[1], key[0])):
            table[end].setdefault(other)  # told again it keeps its place: who retells old calls hides no new one
        self._forget_old(kind)
        return edge

    def _forget_old(self, kind: bool) -> None:
        held, now = self.edges[kind], self.latest[kind][1].at  # that two agents told: one from 2099 ages no call
        while held:
            key, edge = next(iter(held.items()))
            is_full = len(held) > MOST_EDGES[kind]
            if not is_full and edge.last_at >= now - KEPT_S:
                return
            self.counts["graph_edges_evicted"] += is_full
            del held[key]
            _drop(self.out, key[0], key[1])
            _drop(self.into, key[1], key[0])

    def new_into(self, agent_id: str, span: tuple[float, float]) -> Iterator[ToldEdge]:
        """Yield the new edges into an agent whose first time may lie in a span, both ends included."""
        latest = islice(reversed(self.into.get(agent_id, {})), MOST_LOOKS)
        yield from self._new([(source, agent_id) for source in latest], span)

    def new_out(self, agent_id: str, span: tuple[float, float]) -> Iterator[ToldEdge]:
        """Yield the new edges out of an agent, likewise."""
        latest = islice(reversed(self.out.get(agent_id, {})), MOST_LOOKS)
        yield from self._new([(agent_id, sink) for sink in latest], span)

    def _new(self, keys: list[Key], span: tuple[float, float]) -> Iterator[ToldEdge]:
        for source, sink in keys:
            edge = self.edge(source, sink)
            if edge is not None and edge.is_new and edge.first_at <= span[1] and edge.first_by >= span[0]:
                yield edge

    def neighbours(self, agent_id: str) -> list[str]:
        """Return who called an agent or was called by it, in a fixed order."""
        return sorted({*self.into.get(agent_id, ()), *self.out.get(agent_id, ())})

    def circle(self, agent_id: str) -> int:
        """Return how many others an agent has to do with, as far as nobody could have invented them.

        Of an established agent those that it calls and established callers; of a newcomer all.
        """
        known, others = self.agent(agent_id), self.neighbours(agent_id)
        if known is not None and not known.established:
            return len(others)
        return sum(one in self.agents[True] or (agent_id, one) in self.edges[True] for one in others)

    def use(self, tiding: Tiding) -> dict[str, Tiding]:
        """Take up the use of a credential, and return its users with how each was told first, this one included."""
        kind = tiding.established or tiding.other in self.credentials[True]
        before = self.credentials[True].pop(tiding.other, None) or self.credentials[False].pop(tiding.other, None)
        users: dict[str, Tiding] = {} if before is None else before
        held = self.credentials[kind]
        held[tiding.other] = users
        if tiding.agent_id not in users and len(users) < MOST_USERS[kind]:
            users[tiding.agent_id] = tiding
        if len(held) > MOST_CREDENTIALS[kind]:
            held.popitem(last=False)
            self.counts["graph_credentials_evicted"] += 1
        return users

    def note(self, one: SpreadingFinding) -> bool:
        """Take up a finding; tell whether it was not known."""
        if one.uid in self.found[True] or one.uid in self.found[False]:
            return False
        held = self.found[one.established]
        held[one.uid] = one
        self.of_agent[one.agent_id][one.uid] = None
        if len(held) > MOST_FOUND[one.established]:
            uid, old = held.popitem(last=False)
            _drop(self.of_agent, old.agent_id, uid)
            self.counts["graph_findings_evicted"] += 1
        return True

    def found_of(self, agent_id: str, span: tuple[float, float]) -> list[SpreadingFinding]:
        """Return the findings of an agent in a span, the earliest first."""
        held = [self.found[True].get(uid) or self.found[False][uid] for uid in self.of_agent.get(agent_id, ())]
        return sorted((one for one in held if span[0] <= one.at <= span[1]), key=lambda one: (one.at, one.uid))


def _drop(table: defaultdict[str, dict[str, None]], key: str, one: str) -> None:
    held = table.get(key)
    if held is not None:
        held.pop(one, None)
        if not held:
            del table[key]
