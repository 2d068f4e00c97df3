"""Stories of the registry laid over a fleet: on whom, and the sessions each is made of."""

from __future__ import annotations

from collections.abc import Iterator

from detector.errors import SetupError
from detector.simulate.agent import Agent
from detector.simulate.attacks import Kind
from detector.simulate.fleet import DAY_S, Fleet, Injection
from detector.simulate.registered import CRITICALITY
from detector.simulate.targets import usual_peers

_STEP_S = 120.0
"""Seconds, at the pace of today's models, between the steps of a path: each agent asks the next when it was asked."""

_USED_DAYS_BEFORE = (4.5, 1.0)


def story(fleet: Fleet, kind: Kind, agent: int, at: float) -> tuple[Injection, ...]:
    """Return the sessions of a story on one agent that goes wrong at an event time.

    A grant that outlives its term was used while it ran, twice, on days before. A lateral path is two sessions: the
    agent asks one that it never asks, and that one another, which is critical.
    """
    if kind == "overdue_grant":
        uses = [at - days * DAY_S for days in _USED_DAYS_BEFORE]
        before = [Injection(kind, agent, use, 0) for use in uses if use >= fleet.start]
        return (*before, Injection(kind, agent, at, 1))
    if kind == "lateral_path":
        first, second, last = path_from(fleet, agent)
        return Injection(kind, first, at, second), Injection(kind, second, at + _STEP_S * fleet.pace, last)
    return (Injection(kind, agent, at),)


def path_from(fleet: Fleet, number: int) -> tuple[int, int, int]:
    """Return the agents of a lateral path, by number: who begins, who is asked, and the critical one it ends at.

    Neither asks the next in ordinary work. It begins at this agent, or at the next one that asks others and is not
    critical itself.

    Raises
    ------
    SetupError
        The fleet is too small to have such a path.
    """
    order = [fleet.agent((number + step) % fleet.agents) for step in range(min(fleet.agents, 200))]
    ends = [agent for agent in order if _is_critical(agent)]
    for first in _asking(order):
        for second in _asking(order):
            if second.number != first.number and second.agent_id not in usual_peers(first):
                strange = (end for end in ends if end.agent_id not in usual_peers(second))
                if (last := next(strange, None)) is not None:
                    return first.number, second.number, last.number
    raise SetupError(f"agents of a simulated fleet with a lateral path must be at least 20, got {fleet.agents}")


def _asking(order: list[Agent]) -> Iterator[Agent]:
    for agent in order:
        if not _is_critical(agent) and any(tool.name == "ask_agent" for tool in agent.role.tools):
            yield agent


def _is_critical(agent: Agent) -> bool:
    return CRITICALITY[agent.role.name] == "critical"
