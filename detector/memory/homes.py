"""Homes: whose row stands for an agent's bare id, so that a new tenant of that id is held against peers that know it.

Tenant and id together are the agent, so whoever writes its events is a new agent, among peers that know nothing, as
soon as it names a tenant it never had. But the record's key owns the id. While its own peers know too little to tell,
a session is held against those of the established agent of its id; it teaches its own peers all the same.
"""

from __future__ import annotations

import numpy as np

from detector.memory.eviction import is_established
from detector.memory.layout import STRANGERS, TAUGHT, Memory
from detector.memory.roster import BLOCK
from detector.sketches.index import drop_row, find_row, put_row
from detector.sketches.kernel import kernel

YOUNG_GROUP = 50
"""Sessions a peer group has learned from before it tells anything of an agent that comes from elsewhere."""


@kernel
def is_young(memory: Memory, group: int) -> bool:
    """Return whether a peer group knows too little to tell; strangers never know enough."""
    return group == STRANGERS or memory.groups[group]["totals"][TAUGHT] < YOUNG_GROUP


@kernel
def claim_home(memory: Memory, row: int) -> None:
    """Let an agent stand for its bare id if nobody does, or, once it is established, if nobody established does."""
    agent = memory.agents[row]
    if agent["is_home"] != 0:
        return
    held = find_row(memory.home_index, agent["bare"])
    if held >= 0:
        if not is_established(agent) or is_established(memory.agents[held]):
            return
        drop_row(memory.home_index, agent["bare"])
        memory.agents[held]["is_home"] = 0
        memory.roster.touched[held // BLOCK] = 1
    put_row(memory.home_index, agent["bare"], row)
    agent["is_home"] = 1
    memory.roster.touched[row // BLOCK] = 1


@kernel
def held_against(memory: Memory, row: int, own: int) -> int:
    """Return the peers that a session of an agent is held against: its own, or, while these are young, its home's."""
    if not is_young(memory, own):
        return own
    held = find_row(memory.home_index, memory.agents[row]["bare"])
    if held < 0 or held == row or not is_established(memory.agents[held]):
        return own
    home = np.int64(memory.agents[held]["group"])
    return own if home <= STRANGERS or is_young(memory, home) else home
