"""What agents were seen to use: counts by value, in bounded memory; what does not fit is counted, never forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from detector.registry.study.acts import is_write, uses_of
from detector.schema.event import Event

MOST_AGENTS: Final = 20_000
"""Agents that are held; the acts of others are counted. An inventory of more is discovered by parts (a topic range)."""
MOST_VALUES: Final = 2_048
"""Values of one field that are held of an agent."""
MOST_KEYS: Final = 400_000
"""Values held of all agents together: about 0.4 GB where every one was used in a dozen sessions."""
MOST_MARKS: Final = 12
"""Sessions, and days, that are told apart for a value; beyond it is "12 or more", which no decision asks beyond."""
MOST_NAMES: Final = 64
"""Instances, zones, types and credentials of an agent that are held."""
MOST_SESSIONS: Final = 256
"""Sessions of an agent that are told apart for its headline."""
_DAY_S: Final = 86_400


class Marks:
    """Different things counted up to a dozen, in at most a dozen numbers."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: list[int] = []

    def add(self, mark: int) -> None:
        """Count one, if it is new and there is room."""
        if len(self._held) < MOST_MARKS and mark not in self._held:
            self._held.append(mark)

    def add_all(self, other: Marks) -> None:
        """Count those of another."""
        for mark in other._held:
            self.add(mark)

    def __len__(self) -> int:
        return len(self._held)


class Use:
    """How one value was used: acts, sessions, days, the first and the last time; refused and failed acts apart.

    `ok` counts acts that went through; sessions and days are those of such acts, unless there was none.
    """

    __slots__ = ("acts", "days", "denied", "first", "last", "ok", "sessions")

    def __init__(self, at: float) -> None:
        self.acts = self.ok = self.denied = 0
        self.sessions, self.days = Marks(), Marks()
        self.first = self.last = at

    def add(self, event: Event, at: float) -> None:
        """Count one act."""
        self.acts += 1
        self.first, self.last = min(self.first, at), max(self.last, at)
        if event.outcome == "denied":
            self.denied += 1
        if event.outcome == "ok":
            self.ok += 1
            self.sessions.add(hash(event.session_id or event.trace_id or int(at // _DAY_S)))
            self.days.add(int(at // _DAY_S))

    @property
    def text(self) -> str:
        """How often, in words."""
        told = f"{_many(self.sessions, 'session')}, {_many(self.days, 'day')}"
        if not self.ok:
            return f"{self.acts} act{'' if self.acts == 1 else 's'}, none went through" + (
                f", {self.denied} denied" if self.denied else ""
            )
        return told


def _many(marks: Marks, what: str) -> str:
    number = len(marks)
    return f"{number}+ {what}s" if number == MOST_MARKS else f"{number} {what}{'' if number == 1 else 's'}"


@dataclass(slots=True)
class Span:
    """When one instance, or zone, was seen."""

    first: float
    last: float
    acts: int = 0


@dataclass(slots=True)
class SeenAgent:
    """One agent as its events show it.

    Parameters
    ----------
    uses : dict
        Field of an entry -> value -> how it was used.
    overflow : Counter
        Acts by field whose value did not fit.
    writes : set
        Tools that can change something.
    whole : Use
        All its acts together.
    """

    agent_id: str
    tenant: str
    whole: Use
    types: Counter[str] = field(default_factory=Counter)
    uses: dict[str, dict[str, Use]] = field(default_factory=dict)
    overflow: Counter[str] = field(default_factory=Counter)
    writes: set[str] = field(default_factory=set)
    instances: dict[str, Span] = field(default_factory=dict)
    zones: dict[str, Span] = field(default_factory=dict)
    spiffe_ids: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)
    oldest_credential_s: float = 0.0
    sessions: set[int] = field(default_factory=set)

    @property
    def agent_type(self) -> str:
        """The type most of its events say."""
        return self.types.most_common(1)[0][0] if self.types else "default"


class SeenFleet:
    """All agents of a window.

    Parameters
    ----------
    first, last : float
        Event times of the window as it was found; infinite where there was no event.
    unheld : Counter
        Acts that are in no count: of agents beyond the cap, and of values beyond it.
    """

    def __init__(self) -> None:
        self.agents: dict[tuple[str, str], SeenAgent] = {}
        self.events = 0
        self.first, self.last = float("inf"), float("-inf")
        self.unheld: Counter[str] = Counter()
        self._keys = 0

    def add_all(self, events: Iterable[Event]) -> SeenFleet:
        """Count events, and return what was seen."""
        for event in events:
            self.add(event)
        return self

    def add(self, event: Event) -> None:
        """Count one event."""
        at = event.ts.timestamp()
        self.events += 1
        self.first, self.last = min(self.first, at), max(self.last, at)
        tenant = event.tenant or "default"
        agent = self.agents.get((tenant, event.agent_id))
        if agent is None:
            if len(self.agents) >= MOST_AGENTS:
                self.unheld["acts of agents beyond the cap"] += 1
                return
            agent = self.agents[tenant, event.agent_id] = SeenAgent(event.agent_id, tenant, Use(at))
        self._note(agent, event, at)
        for name, value in uses_of(event):
            self._use(agent, name, value, event, at)

    def _use(self, agent: SeenAgent, name: str, value: str, event: Event, at: float) -> None:
        values = agent.uses.setdefault(name, {})
        use = values.get(value)
        if use is None:
            if len(values) >= MOST_VALUES or self._keys >= MOST_KEYS:
                agent.overflow[name] += 1
                self.unheld[f"acts with {name} beyond the cap"] += 1
                return
            self._keys += 1
            use = values[value] = Use(at)
        use.add(event, at)

    @staticmethod
    def _note(agent: SeenAgent, event: Event, at: float) -> None:
        agent.whole.add(event, at)
        if len(agent.sessions) < MOST_SESSIONS:
            agent.sessions.add(hash(event.session_id or event.trace_id))
        if event.agent_type in agent.types or len(agent.types) < MOST_NAMES:
            agent.types[event.agent_type] += 1
        _span(agent.instances, event.instance_id, at)
        _span(agent.zones, event.zone, at)
        _held(agent.spiffe_ids, event.spiffe_id)
        if event.credential is not None:
            _held(agent.credentials, event.credential.id)
            if event.credential.issued_at is not None:
                age = at - event.credential.issued_at.timestamp()
                agent.oldest_credential_s = max(agent.oldest_credential_s, age)
        if is_write(event):
            _held(agent.writes, event.name)


def _span(spans: dict[str, Span], name: str | None, at: float) -> None:
    if name is None or (name not in spans and len(spans) >= MOST_NAMES):
        return
    span = spans.setdefault(name, Span(at, at))
    span.first, span.last, span.acts = min(span.first, at), max(span.last, at), span.acts + 1


def _held(names: set[str], name: str | None) -> None:
    if name is not None and len(names) < MOST_NAMES:
        names.add(name)
