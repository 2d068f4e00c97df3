"""Findings that spread: one agent's, then its neighbour's, then the next one's, more often than by chance."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from detector.response.graph import DelegationGraph, SpreadingFinding

LAG_S: Final = 3_600.0
"""Seconds within which a neighbour's finding may follow from one."""
LEAST_MEMBERS: Final = 3
"""Agents of a cascade: two neighbours with findings are two findings."""
MOST_MEMBERS: Final = 64
"""Agents of a cascade that are followed, and as many newcomers: invented agents crowd nobody out."""
RARE: Final = 0.01
"""How often chance may make as much of it: a cascade that is likelier is not told."""


class CascadeStep(NamedTuple):
    """A finding of a cascade, and the one that it follows; the first follows none."""

    found: SpreadingFinding
    after: SpreadingFinding | None


class Cascade(NamedTuple):
    """Findings in the order in which they spread, and how often chance alone would spread them as far."""

    steps: tuple[CascadeStep, ...]
    chance: float
    others: int

    @property
    def root(self) -> SpreadingFinding:
        """The finding it began with."""
        return self.steps[0].found


def cascade_of(graph: DelegationGraph, one: SpreadingFinding, fleet: int) -> Cascade | None:
    """Return the cascade that a finding is part of, None if there is none, or chance makes as much.

    Newcomers may be members. What chance makes is worked out from established agents alone: whoever invents agents with
    findings, or that call somebody, makes no cascade by it, and hides none.

    Parameters
    ----------
    graph : DelegationGraph
        With the finding in it.
    one : SpreadingFinding
        The finding.
    fleet : int
        Established agents of the tenant.
    """
    near = _near(graph, one)
    if len(near) < LEAST_MEMBERS:
        return None
    steps = _steps(graph, near)
    if len(steps) < LEAST_MEMBERS or all(step.found.uid != one.uid for step in steps):
        return None
    members = {step.found.agent_id for step in steps}
    span = (steps[0].found.at, steps[-1].found.at)
    there = (span[0] - LAG_S, span[1] + LAG_S)
    others = {each.agent_id for each in graph.found[True].values() if there[0] <= each.at <= there[1]} - members
    share = min(1.0, (len(others) + 1) / (max(fleet, len(graph.agents[True])) + 1))
    chance = _chance(graph, steps, share)
    return Cascade(steps, chance, len(others)) if chance <= RARE else None


def _near(graph: DelegationGraph, one: SpreadingFinding) -> dict[str, SpreadingFinding]:
    """Return the findings that hang together with one by edges, one an agent: the first within the lag."""
    near, waiting, count = {one.agent_id: one}, [one], Counter({one.established: 1})
    while waiting:
        this = waiting.pop(0)
        for agent in graph.neighbours(this.agent_id):
            held = () if agent in near else graph.found_of(agent, (this.at - LAG_S, this.at + LAG_S))
            if held and count[held[0].established] < MOST_MEMBERS:
                near[agent] = held[0]
                count[held[0].established] += 1
                waiting.append(held[0])
    return near


def _steps(graph: DelegationGraph, near: dict[str, SpreadingFinding]) -> tuple[CascadeStep, ...]:
    """Return the findings from the earliest one on, each behind the latest earlier one of a neighbour.

    Of an established neighbour if there is one: nobody comes between two by inventing a third.
    """
    first, *rest = sorted(near.values(), key=lambda one: (one.at, one.uid))
    steps = [CascadeStep(first, None)]
    for one in rest:
        beside = set(graph.neighbours(one.agent_id))
        before = [step.found for step in steps if step.found.agent_id in beside and one.at - step.found.at <= LAG_S]
        if before:
            steps.append(CascadeStep(one, max(enumerate(before), key=lambda each: (each[1].established, each[0]))[1]))
    return tuple(steps)


def _chance(graph: DelegationGraph, steps: tuple[CascadeStep, ...], share: float) -> float:
    """Return how often findings that fall on a share of agents at random would spread as far.

    Of each agent that established ones follow: that so many of its neighbours have a finding, by the binomial law. An
    agent that many agents call is followed by some at any time, and proves nothing.
    """
    followers = Counter(step.after.agent_id for step in steps if step.after is not None and step.found.established)
    chance = 1.0
    for agent, count in sorted(followers.items()):
        chance *= _at_least(count, max(graph.circle(agent), count), share)
    return chance


def _at_least(count: int, of: int, share: float) -> float:
    """Return the probability of at least so many of so many."""
    below = sum(math.comb(of, k) * share**k * (1.0 - share) ** (of - k) for k in range(count))
    return max(0.0, 1.0 - below)
