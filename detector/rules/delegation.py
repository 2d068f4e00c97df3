"""On whose behalf: a session that changes its principal, an agent that calls many others at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.counting import digest_of, distinct
from detector.rules.rule import Hit, RuleScene, short
from detector.schema.marks import OF_FIELD

MOST_PRINCIPALS: Final = 16
"""Sessions of an agent whose principal is remembered, the last ones."""
LEAST_PEERS: Final = 12
"""Different agents called within :data:`PEERS_S` that are told."""
PEERS_S: Final = 600.0
"""Seconds of the partition's time."""


def principal_changed(scene: RuleScene) -> Iterator[Hit]:
    """Yield the acts of a session on behalf of another than it began for; one cause an agent."""
    for i in scene.places.where(OF_FIELD["on_behalf_of"], OF_FIELD["session_id"]):
        event = scene.events[i]
        session, principal = short(event.session_id or ""), digest_of(event.on_behalf_of)
        known = scene.known(i)
        before = None if known is None else known.kept.get(session)
        if before == principal:
            continue
        if before is not None:
            yield Hit(i, "principal", {})
            continue
        kept = scene.notes(i).kept
        kept[session] = principal
        while len(kept) > MOST_PRINCIPALS:
            del kept[next(iter(kept))]


def delegation_burst(scene: RuleScene) -> Iterator[Hit]:
    """Yield the calls of another agent, one after many others, far beyond what this agent does; one cause an agent."""
    for i in scene.places.having("peer_agent_id"):
        peer = digest_of(scene.events[i].peer_agent_id)
        count = distinct(scene.notes(i).kept, "peers", peer, scene.clock[i], (LEAST_PEERS, PEERS_S))
        if count:
            yield Hit(i, "peers", {"count": str(count)})
