"""Who leaves when the rows of agents are full, and what is kept of those that left.

The law: fresh newcomers leave before seasoned ones, these before newcomers that alerted lately, these before
established agents; within a queue, whose last session closed longest ago. Nobody with an open session leaves, so
nobody with an open incident. Whoever had taught leaves a tombstone, and comes back with the days it had; a newcomer's
tombstone never takes the place of an established agent's. Constants: ``docs/science.md``, *Who is remembered*.
"""

from __future__ import annotations

import numpy as np

from detector.memory import layout as mem
from detector.memory import roster as ros
from detector.memory.layout import NOW, Memory
from detector.memory.roster import BLOCK, BUSY, DAYS, ESTABLISHED, ESTABLISHED_DAYS, FRESH, HELD, LAST_DAY, QUEUE
from detector.sketches.index import drop_row, find_row, put_row
from detector.sketches.kernel import kernel

DAY_S = 86_400.0
QUORUM = 10
"""Established agents from which on newcomers have no vote (``docs/science.md``, *Who is remembered*)."""
_MOST_MOVES = 8
"""Established agents that alerted lately and are passed over before one of them leaves all the same."""


@kernel
def is_established(agent: np.void) -> bool:
    """Return whether an agent taught on several days, or in history that is trusted."""
    return agent["standing"][DAYS] >= ESTABLISHED_DAYS


@kernel
def has_vote(memory: Memory, agent: np.void) -> bool:
    """Return whether an agent's sessions count in the histograms; while few are established everybody's do."""
    return memory.roster.tally[ros.KNOWN_WELL] < QUORUM or is_established(agent)


@kernel
def _is_held(memory: Memory, agent: np.void) -> bool:
    """Return whether an agent alerted lately, as far as any cut into micro-batches would know by now."""
    since = memory.roster.tally[ros.EVENT] - agent["alerted_event"]
    is_told = agent["alerted_event"] > 0 and since >= ros.SPARE
    return is_told and memory.clock[NOW] < agent["alerted"] + memory.roster.limits[ros.HELD_S]


@kernel
def _queue_of(memory: Memory, agent: np.void) -> int:
    """Return the queue in which an agent without an open session stands."""
    if is_established(agent):
        return ESTABLISHED
    if _is_held(memory, agent):
        return HELD
    return ros.SEASONED if agent["standing"][DAYS] > 0 else FRESH


@kernel
def _leave_queue(memory: Memory, row: int) -> None:
    roster, standing = memory.roster, memory.agents[row]["standing"]
    queue = np.int64(standing[QUEUE])
    if queue == ros.NOWHERE:
        return
    before, after = np.int64(roster.near[row, 0]), np.int64(roster.near[row, 1])
    if before >= 0:
        roster.near[before, 1] = after
    else:
        roster.ends[queue, ros.FRONT] = after
    if after >= 0:
        roster.near[after, 0] = before
    else:
        roster.ends[queue, ros.BACK] = before
    standing[QUEUE] = ros.NOWHERE


@kernel
def append(roster: ros.Roster, queue: int, row: int) -> None:
    """Put a row, which stands nowhere, at the back of a queue."""
    back = np.int64(roster.ends[queue, ros.BACK])
    roster.near[row, 0], roster.near[row, 1] = back, -1
    if back >= 0:
        roster.near[back, 1] = row
    else:
        roster.ends[queue, ros.FRONT] = row
    roster.ends[queue, ros.BACK] = row


@kernel
def _stand(memory: Memory, row: int, queue: int) -> None:
    """Move an agent to the back of a queue."""
    _leave_queue(memory, row)
    roster, agent = memory.roster, memory.agents[row]
    agent["standing"][QUEUE] = queue
    if queue == ros.NOWHERE:
        return
    roster.tally[ros.LINK] += 1
    agent["linked"] = roster.tally[ros.LINK]
    append(roster, queue, row)


@kernel
def place_agent(memory: Memory, row: int) -> None:
    """Put an agent where it belongs after its first session opened, or its last one closed."""
    agent = memory.agents[row]
    if agent["tally"][mem.STILL_OPEN] == 0:
        _stand(memory, row, _queue_of(memory, agent))
    else:
        _stand(memory, row, ros.NOWHERE if is_established(agent) else BUSY)


@kernel
def hear(memory: Memory, row: int) -> None:
    """Count an event that is no repeat, and note that its agent was heard."""
    memory.roster.tally[ros.EVENT] += 1
    agent = memory.agents[row]
    agent["heard"] = memory.clock[NOW]
    if agent["standing"][QUEUE] == BUSY and memory.roster.ends[BUSY, ros.BACK] != row:
        _stand(memory, row, BUSY)


@kernel
def note_taught(memory: Memory, row: int, group: int, is_trusted: bool) -> None:
    """Note that a session taught everything: a day more for its agent, unless it had taught on that day before."""
    agent, tally = memory.agents[row], memory.roster.tally
    standing, was = agent["standing"], is_established(agent)
    memory.groups[group]["taught_at"] = memory.clock[NOW]
    day = np.int32(memory.clock[NOW] // DAY_S + 1.0)
    if is_trusted:
        standing[DAYS] = max(standing[DAYS], ESTABLISHED_DAYS)
    elif standing[LAST_DAY] != day:
        standing[DAYS] += 1
    standing[LAST_DAY] = day
    if not was and is_established(agent):
        tally[ros.KNOWN_WELL] += 1
        place_agent(memory, row)


@kernel
def _bury(memory: Memory, agent: np.void) -> None:
    """Leave a tombstone, in place of the oldest of its ring."""
    roster, ring = memory.roster, ros.WELL_KNOWN if is_established(agent) else ros.NEWCOMERS
    length = len(roster.graves) // 2
    place = ring * length + roster.buried[ring] % length
    roster.buried[ring] += 1
    grave = roster.graves[place]
    if grave["name"] != 0:
        drop_row(roster.grave_index, grave["name"])
        roster.tally[ros.LOST] += 1
    grave["name"] = agent["name"]
    grave["days"] = agent["standing"][DAYS]
    grave["last_day"] = agent["standing"][LAST_DAY]
    put_row(roster.grave_index, grave["name"], place)
    roster.touched_graves[place // ros.GRAVES_A_SHARD] = 1


@kernel
def _recall(memory: Memory, row: int) -> None:
    """Give an agent that came back the days of its tombstone, which it no longer needs."""
    roster, agent = memory.roster, memory.agents[row]
    place = find_row(roster.grave_index, agent["name"])
    if place < 0:
        return
    grave = roster.graves[place]
    agent["standing"][DAYS], agent["standing"][LAST_DAY] = grave["days"], grave["last_day"]
    drop_row(roster.grave_index, grave["name"])
    grave["name"], grave["days"], grave["last_day"] = 0, 0, 0
    roster.touched_graves[place // ros.GRAVES_A_SHARD] = 1
    roster.tally[ros.RETURNED] += 1
    if is_established(agent):
        roster.tally[ros.KNOWN_WELL] += 1


@kernel
def evict(memory: Memory, row: int) -> None:
    """Take an agent without an open session out; its row stays as it is until it is used again."""
    roster, agent = memory.roster, memory.agents[row]
    tally = roster.tally
    if agent["standing"][DAYS] > 0:
        _bury(memory, agent)
    _leave_queue(memory, row)
    drop_row(memory.agent_index, agent["name"])
    if agent["is_home"] != 0:
        drop_row(memory.home_index, agent["bare"])
        agent["is_home"] = 0
    agent["name"] = 0
    tally[ros.LIVE] -= 1
    tally[ros.EVICTED] += 1
    if is_established(agent):
        tally[ros.KNOWN_WELL] -= 1
        tally[ros.EVICTED_ESTABLISHED] += 1
    roster.free[tally[ros.FREE_NEXT] % len(roster.free)] = row
    tally[ros.FREE_NEXT] += 1
    roster.touched[row // BLOCK] = 1


@kernel
def _least_useful(memory: Memory) -> int:
    """Return the row of the agent that leaves next; half of the rows at least are without an open session."""
    roster, moves = memory.roster, 0
    for queue in range(FRESH, ESTABLISHED):
        while roster.ends[queue, ros.FRONT] >= 0:
            row = np.int64(roster.ends[queue, ros.FRONT])
            now = _queue_of(memory, memory.agents[row])
            if now <= queue:
                return row
            _stand(memory, row, now)
            roster.touched[row // BLOCK] = 1
    row = np.int64(roster.ends[ESTABLISHED, ros.FRONT])
    while moves < _MOST_MOVES and _is_held(memory, memory.agents[row]):
        _stand(memory, row, ESTABLISHED)
        roster.touched[row // BLOCK] = 1
        row = np.int64(roster.ends[ESTABLISHED, ros.FRONT])
        moves += 1
    return row


@kernel
def _blank(agent: np.void) -> None:
    """Forget what the row's last owner left."""
    agent["seen"] = agent["heard"] = agent["alerted"] = 0.0
    agent["alerted_event"] = agent["linked"] = agent["is_home"] = 0
    agent["group"] = agent["first_open"] = 0
    agent["sums"][:] = 0.0
    agent["tally"][:] = 0
    agent["standing"][:] = 0
    agent["keys"][:] = 0
    agent["recent"][:] = 0
    agent["number_moments"][:] = 0.0
    agent["number_tags"][:] = 0
    agent["tails"][:] = 0
    agent["gate"][:] = 0


@kernel
def admit(memory: Memory, name: np.uint64) -> int:
    """Return the row of an agent that has none; where all are taken, the least useful agent leaves."""
    roster = memory.roster
    tally, most = roster.tally, np.int64(roster.limits[ros.MOST_AGENTS])
    if tally[ros.LIVE] >= most:
        evict(memory, _least_useful(memory))
    row = np.int64(memory.used[mem.USED_AGENTS])
    if row < most + ros.SPARE:
        memory.used[mem.USED_AGENTS] += 1
    else:
        row = np.int64(roster.free[tally[ros.FREE_FIRST] % len(roster.free)])
        tally[ros.FREE_FIRST] += 1
        _blank(memory.agents[row])
    memory.agents[row]["name"] = name
    put_row(memory.agent_index, name, row)
    tally[ros.LIVE] += 1
    _recall(memory, row)
    place_agent(memory, row)
    return row


@kernel
def evict_idle(memory: Memory, before: float) -> None:
    """Let established agents leave that were heard last before `before`, epoch seconds."""
    front = np.int64(memory.roster.ends[ESTABLISHED, ros.FRONT])
    while front >= 0 and memory.agents[front]["heard"] < before and not _is_held(memory, memory.agents[front]):
        evict(memory, front)
        front = np.int64(memory.roster.ends[ESTABLISHED, ros.FRONT])
