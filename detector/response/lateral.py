"""A chain of new calls towards a critical agent, by way of an agent that had no business there before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from detector.response.graph import DelegationGraph, ToldEdge

WINDOW_S: Final = 86_400.0
"""Seconds between the first and the last new edge of a chain."""
MOST_STEPS: Final = 6
"""Edges of a chain; a longer one is told by its last ones."""
MOST_SEARCHED: Final = 1_024
"""Edges that are looked at beyond one new edge: whoever invents many makes no search long."""

Path = tuple["ToldEdge", ...]


def paths_by(graph: DelegationGraph, edge: ToldEdge, is_critical: Callable[[str], bool]) -> list[Path]:
    """Return the chains of at least two new edges that a new edge completes, one a last edge.

    The edges of a chain are new, may follow each other within :data:`WINDOW_S`, and meet no agent twice; the last
    one ends at a critical agent and begins at one that was established before: a team that is all new is a deployment.
    A call counts as no later than its partition's time, and as late as that where its event says it was earlier than
    what led to it: whoever backdates an act leaves no chain by it.

    Parameters
    ----------
    graph : DelegationGraph
        With the edge in it.
    edge : ToldEdge
        As it stands.
    is_critical : callable
        Tells whether an agent is critical.
    """
    if not edge.is_new:
        return []
    source, sink = edge.key
    before = _leading_to(graph, edge)
    found = []
    for rest in _reaching(graph, edge, is_critical, {source, sink}):
        leading = before
        while leading and not _is_within((*leading, edge, *rest)[-MOST_STEPS:]):
            leading = leading[1:]  # the rest is a path, whatever led to it a day before
        path = (*leading, edge, *rest)[-MOST_STEPS:]
        last = graph.agent(path[-1].key[0])
        if len(path) >= 2 and last is not None and last.established and _is_within(path):
            found.append(path)
    return found


def _is_within(path: Path) -> bool:
    met = [path[0].key[0], *(edge.key[1] for edge in path)]
    return path[-1].first_at - path[0].first_at <= WINDOW_S and len(set(met)) == len(met)


def _leading_to(graph: DelegationGraph, edge: ToldEdge) -> Path:
    """Return the new edges one behind the other that lead to an edge's source, each the latest before the next."""
    path: list[ToldEdge] = []
    met, first = {*edge.key}, edge
    while len(path) < MOST_STEPS - 1:
        span = (edge.first_at - WINDOW_S, first.first_by)
        steps = [one for one in graph.new_into(first.key[0], span) if one.key[0] not in met]
        if not steps:
            break
        first = max(steps, key=lambda one: (one.first_at, one.key))
        met.add(first.key[0])
        path.insert(0, first)
    return tuple(path)


def _reaching(
    graph: DelegationGraph, edge: ToldEdge, is_critical: Callable[[str], bool], met: set[str]
) -> list[tuple[ToldEdge, ...]]:
    """Return how an edge goes on to critical agents, one way to each last edge; nothing more where it ends at one."""
    if is_critical(edge.key[1]):
        return [()]
    found: dict[tuple[str, str], Path] = {}
    waiting: list[Path] = [(edge,)]
    looks = 0
    while waiting and looks < MOST_SEARCHED:
        path = waiting.pop(0)
        span = (path[-1].first_at, edge.first_at + WINDOW_S)
        for one in sorted(graph.new_out(path[-1].key[1], span), key=lambda each: (each.first_at, each.key)):
            looks += 1
            if one.key[1] in met:
                continue
            if is_critical(one.key[1]):
                found.setdefault(one.key, (*path[1:], one))
            elif len(path) < MOST_STEPS - 1:
                met.add(one.key[1])
                waiting.append((*path, one))
    return [found[key] for key in sorted(found)]
