"""Who acted: the agent's id, what it was taken from, and the agent above it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from detector.otlp.facts import Subject
from detector.otlp.shapes import Named, Shape
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
    if not shape.who.is_told:
        return _named(subject, chain)
    who, product = shape.who, shape.source.table.product
    instance = subject.agent
    fixed = _first(who.fleet, subject)
    if fixed is None and (person := _first(who.person, subject)) is not None:
        fixed = (_under(product or service_of(subject), person[0]), person[1])
    fixed = fixed or _first(who.workload, subject)
    if fixed is None and product is not None:
        user = _first(who.user, subject)
        fixed = None if user is None else (_under(product, user[0]), user[1])
    if fixed is None and who.are_instances:
        fixed = (product or service_of(subject), "product")
    if fixed is not None:
        agent_id, taken_from = fixed
        return Found(agent_id, taken_from, instance, agent_id if instance is not None else None)
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


def session_of(subject: Subject, chain: Sequence[Node]) -> str | None:
    """Return the conversation of the outermost span that has one; a sub-agent's own is a part of it."""
    found = subject.session
    for node in chain:
        found = node.session or found
    return found


def _first(named: Named, subject: Subject) -> tuple[str, str] | None:
    """Return the first value that is there, and the source it was taken from."""
    for name, getter in named:
        if (value := text(getter(subject))) is not None:
            return value, name
    return None


def _under(product: str, name: str) -> str:
    return text(f"{product}/{name}") or product
