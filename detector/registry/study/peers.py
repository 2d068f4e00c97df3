"""What the agents of one tenant and type use between them: how much of it vouches for one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from detector.registry.study.seen import MOST_MARKS, MOST_NAMES, Marks, SeenAgent, Use

ALONE: Final = 3
"""How many times as many sessions and days a value needs that no peer uses."""
PEERS: Final = 2
"""Established peers that make one session enough; and that must be there before "no peer uses it" says anything."""
LEAST_ROLE: Final = 3
"""Peers that must use a tool before it is their role's."""
SHARE_READS: Final = 0.5
SHARE_WRITES: Final = 0.75
"""Of an agent's peers those that must use a tool before it is their role's: one that reads, one that can change things.

Nothing on the recordings tells 0.5 from 0.75 (``python -m benchmarks registry``); what writes is the dearer mistake.
"""
ALIKE: Final = 0.5
"""Of the tools an agent uses firmly, those that a peer does too, before it is taken for one of the role."""
STEADY: Final = 0.5
"""Of the time that the longest of its peers was there, what an agent must have been before it vouches for a role."""
ROLE_TIMES: Final = 2
"""How many times the sessions of one agent a role's use needs, of which each agent brings those of one at most."""
MOST_ROLE: Final = 64
MOST_ROLE_LETTERS: Final = 100
"""Tools that are proposed of an agent by its role, those of most peers, and how long a name may be: no more is told."""


@dataclass(frozen=True, slots=True)
class Firmness:
    """What is asked of a value before it is proposed.

    Parameters
    ----------
    sessions, days : int
        In which it must have gone through.
    is_trusted : bool
        Somebody knows the window to hold no attack: once is enough.
    by_role : bool
        Tools are proposed that the agent's role uses, and it not yet.
    """

    sessions: int = 3
    days: int = 2
    is_trusted: bool = False
    by_role: bool = True

    def holds(self, use: Use, times: int = 1) -> bool:
        """Tell whether a use is firm, of one that nobody shares with so many times as much."""
        return len(use.sessions) >= min(self.sessions * times, MOST_MARKS) and len(use.days) >= min(
            self.days * times, MOST_MARKS
        )


class Peers:
    """The established agents of one tenant and type, and how many of them use what: counted once, for large fleets."""

    def __init__(self, agents: Sequence[SeenAgent], firmness: Firmness) -> None:
        self._members = {id(agent) for agent in agents}
        self._users: Counter[tuple[str, str]] = Counter()
        self._firm: Counter[tuple[str, str]] = Counter()
        for agent in agents:
            for name, values in agent.uses.items():
                for value, use in values.items():
                    self._users[name, value] += use.ok > 0
                    self._firm[name, value] += use.ok > 0 and firmness.holds(use)

    def users(self, name: str, value: str, besides: SeenAgent, firmness: Firmness) -> tuple[int, int]:
        """Return how many others use a value of a field, and how many of them firmly."""
        own = besides.uses[name][value]
        is_member = id(besides) in self._members and own.ok > 0
        return (
            self._users[name, value] - is_member,
            self._firm[name, value] - (is_member and firmness.holds(own)),
        )

    def others(self, agent: SeenAgent) -> int:
        """Return how many there are besides an agent."""
        return len(self._members) - (id(agent) in self._members)


@dataclass(slots=True)
class _Together:
    """One tool as a role uses it; of each agent no more sessions count than make one agent's use firm."""

    users: int = 0
    firm: int = 0
    sessions: int = 0
    days: Marks = field(default_factory=Marks)
    writes: bool = False


class RoleTool(NamedTuple):
    """A tool that an agent's role uses and it does not: what vouches for it."""

    tool: str
    told: str


class PeerRole:
    """The tools of those that vouch for a role: established agents that were there half as long as the longest.

    Whoever invents agents must bring as many as a share of the real ones, of one type, for half of the window, and all
    he gets is a proposal that says so. An agent without a use of its own is proposed a tool only if it works like them.

    Parameters
    ----------
    agents : sequence of SeenAgent
        Established agents of one tenant and type that may vouch.
    firmness : Firmness
        What is asked of one agent's use.
    """

    def __init__(self, agents: Sequence[SeenAgent], firmness: Firmness) -> None:
        # not the window of all events: anybody's clock that is wrong would leave nobody who was there for half of it
        longest = max((one.whole.last - one.whole.first for one in agents), default=0.0)
        steady = [one for one in agents if one.whole.last - one.whole.first >= STEADY * longest]
        self._firmness = firmness
        self._members = {id(agent) for agent in steady}
        self._tools: dict[str, _Together] = {}
        for agent in steady:
            for tool, use in agent.uses.get("tools", {}).items():
                if use.ok:
                    self._add(agent, tool, use)
        # the widest spread first: of what does not fit the least is left out
        self._common = sorted(
            (tool for tool, one in self._tools.items() if self._is_common(one)),
            key=lambda tool: (-self._tools[tool].users, tool),
        )

    def _add(self, agent: SeenAgent, tool: str, use: Use) -> None:
        one = self._tools.setdefault(tool, _Together())
        one.users += 1
        one.firm += self._firmness.holds(use)
        one.sessions += min(len(use.sessions), self._firmness.sessions)
        one.days.add_all(use.days)
        # of an agent with more writing tools than are held nobody knows which of them only read
        one.writes = one.writes or tool in agent.writes or len(agent.writes) >= MOST_NAMES

    def _is_common(self, one: _Together) -> bool:
        return (
            one.users >= LEAST_ROLE
            and one.sessions >= ROLE_TIMES * self._firmness.sessions
            and len(one.days) > self._firmness.days
        )

    def carries(self, agent: SeenAgent, tool: str) -> bool:
        """Tell whether peers make up for what an agent's own use of a tool lacks.

        One that uses it firmly: for a session. Two others, of a tool that the role has in common: for all but the days,
        which they share; a tool that an attack tried once on each of them is none.
        """
        one, use = self._tools.get(tool), agent.uses["tools"][tool]
        if one is None:
            return False
        is_own = id(agent) in self._members
        others, firm = one.users - is_own, one.firm - (is_own and self._firmness.holds(use))
        if firm and len(use.sessions) >= self._firmness.sessions - 1 and len(use.days) >= self._firmness.days:
            return True
        days = Marks()
        days.add_all(one.days)
        days.add_all(use.days)
        return others >= PEERS and self._is_common(one) and len(days) >= self._firmness.days

    def lacking(self, agent: SeenAgent) -> Iterator[RoleTool]:
        """Yield the tools that an agent's role uses and that never went through for it; none that it was denied."""
        others = len(self._members) - (id(agent) in self._members)
        if others < LEAST_ROLE or not self._is_of_role(agent):
            return
        used, told = agent.uses.get("tools", {}), 0
        for tool in self._common:
            own, one = used.get(tool), self._tools[tool]
            share = SHARE_WRITES if one.writes else SHARE_READS
            if (own is not None and (own.ok or own.denied)) or one.users < share * others:
                continue
            days = f"{len(one.days)}{'+' * (len(one.days) == MOST_MARKS)} days"
            yield RoleTool(tool, f"by its role: {one.users} of {others} peers, {days}; not yet by this one")
            told += 1
            if told == MOST_ROLE:
                return

    def _is_of_role(self, agent: SeenAgent) -> bool:
        """Tell whether an agent is established, says one type alone, and works like those that vouch."""
        if len(agent.types) != 1 or not self._firmness.holds(agent.whole):
            return False
        firm = [tool for tool, use in agent.uses.get("tools", {}).items() if use.ok and self._firmness.holds(use)]
        is_own = id(agent) in self._members
        alike = sum(tool in self._tools and self._tools[tool].firm > is_own for tool in firm)
        return bool(firm) and alike >= ALIKE * len(firm)
