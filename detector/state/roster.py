"""The roster out of a snapshot: tombstones and free rows are read, the queues laid out anew from the agents' rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detector.errors import StateError
from detector.memory.eviction import append
from detector.memory.layout import USED_AGENTS
from detector.memory.roster import FREE_GROUPS, GRAVE, GRAVES_A_SHARD, NOWHERE, QUEUE
from detector.sketches.index import rebuild_index
from detector.state.partition import Partition
from detector.state.shards import unpack


def restore_roster(state: Partition, held: Mapping[str, bytes]) -> None:
    """Bring a fresh roster to where a snapshot left it, once the agents' rows are there; StateError if it cannot be."""
    arrays, roster = unpack("core", held["core"])[0], state.memory.roster
    free, free_groups = arrays["free"], arrays["free_groups"]
    if len(free) > len(roster.free) or len(free_groups) != arrays["tally"][FREE_GROUPS]:
        raise StateError("free rows of a snapshot must fit this profile, got more; the partition restarts cold")
    roster.tally[...], roster.buried[...] = arrays["tally"], arrays["buried"]
    roster.free[: len(free)] = free
    roster.free_groups[: len(free_groups)] = free_groups
    for name in (name for name in held if name.startswith("graves/")):
        graves = unpack(name, held[name], {"graves": GRAVE})[0]["graves"]
        first = int(name.removeprefix("graves/")) * GRAVES_A_SHARD
        roster.graves[first : first + len(graves)] = graves
    with np.errstate(over="ignore"):
        rebuild_index(roster.grave_index, np.ascontiguousarray(roster.graves["name"]), len(roster.graves))
    _lay_out(state)


def _lay_out(state: Partition) -> None:
    """Put the agents into their queues, in the order in which they came there."""
    agents, roster = state.memory.agents[: int(state.memory.used[USED_AGENTS])], state.memory.roster
    queues = agents["standing"][:, QUEUE]
    for row in np.argsort(agents["linked"], kind="stable").tolist():
        if queues[row] != NOWHERE:
            append(roster, int(queues[row]), row)
