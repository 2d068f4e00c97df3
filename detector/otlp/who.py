"""Who acted: the agent's id, what it was taken from, and the agent above it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from detector.otlp.facts import Subject
from detector.otlp.shapes import Shape
from detector.otlp.traces import Node
from detector.otlp.values import text

NAMED, INHERITED, SERVICE = "agent name", "ancestor", "service.name"
BY_NAME = frozenset({NAMED, INHERITED, SERVICE})
"""What an id is taken from where agents are known by their names within a service."""
UNKNOWN = "unknown"
"""Agent of a record that says nothing at all of where it comes from."""


class Found(Struct, frozen=True, gc=False):
    """An agent.

    Parameters
    ----------
    agent_id : str
        Its id.
    taken_from : str
        The attribute that it was taken from, as tables name it; ``ancestor`` for a span above, ``unknown`` for nothing.
    instance : str or None
        Name of the sub-agent, where agents of one id have names.
    parent : str or None
        Agent id of the next different agent above.
    """

    agent_id: str
    taken_from: str
    instance: str | None = None
    parent: str | None = None


def service_of(subject: Subject) -> str:
    """Return what stands for the program: its service, else its scope."""
    return subject.home.service or text(subject.item.scope) or UNKNOWN


def find(shape: Shape, subject: Subject, chain: Sequence[Node]) -> Found:
    """Return who acted, asked in this order: the fleet, the person, the workload or key, the product's user, the name.

    Names of agents in spans are looked for upwards in the `chain` of spans, this one first: of the nearest span that
    has one, here or in another service.
    """
    who = shape.who
    for source, get, is_under in who.ways:
        if (value := text(get(subject))) is not None:
            agent_id = _under(who.product or service_of(subject), value) if is_under else value
            return Found(agent_id, source, subject.agent, None if subject.agent is None else agent_id)
    if who.are_instances:
        agent_id = who.product or service_of(subject)
        return Found(agent_id, "product", subject.agent, None if subject.agent is None else agent_id)
    return _named(subject, chain)


def whole_id(subject: Subject) -> str:
    """Return the id of the agent that a record names, of its service: so another service can inherit it."""
    return _under(service_of(subject), subject.agent or "")


def _named(subject: Subject, chain: Sequence[Node]) -> Found:
    """Return the agent by its name, or by that of the nearest span above; its parent is the next different one."""
    mine = subject.agent_id
    taken_from = NAMED if mine is not None else ""
    parent = None
    for node in chain:
        if node.agent is None or node.agent == mine:
            continue
        if mine is None:
            mine, taken_from = node.agent, INHERITED
        else:
            parent = node.agent
            break
    if mine is not None:
        return Found(mine, taken_from, None, parent)
    if subject.home.service is not None:
        return Found(subject.home.service, SERVICE)
    scope = text(subject.item.scope)
    return Found(UNKNOWN, UNKNOWN) if scope is None else Found(scope, "scope")


def _under(product: str, name: str) -> str:
    return text(f"{product}/{name}") or product
