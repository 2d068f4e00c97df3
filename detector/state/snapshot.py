"""State as bytes: shards that can be written one by one, and read back into the same state.

A shard is a header (MessagePack: name, dtype and shape of each array, and what is no array) and the
arrays' bytes. Agents go in blocks of eight rows, a peer group in two shards; open sessions, in order of
activity, are written anew each time. Two states that will behave alike give the same full snapshot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any

import numpy as np

from detector.channels.catalogue import MEASURES, NAMES
from detector.memory.layout import (
    AFTER,
    CHUNK,
    HEAD,
    OBSERVED,
    OLDEST,
    SESSION_TOOLS,
    SESSION_VALUES,
    STILL_OPEN,
    TOOLS,
    USED_AGENTS,
    USED_GROUPS,
    VALUES,
    Memory,
)
from detector.memory.roster import BLOCK, FREE_FIRST, FREE_GROUPS, FREE_NEXT, GRAVES_A_SHARD
from detector.schema.alert import Alert
from detector.scorers.codec import to_bytes
from detector.sketches.hashing import digest_of
from detector.state.partition import Partition
from detector.state.shards import divide, pack
from detector.state.texts import usual_shards

MOST_BYTES = 900_000
"""No shard is larger: a record of a state topic is at most a megabyte."""
_SESSIONS_A_SHARD = 64
_INCIDENTS_A_SHARD = 32
_FIRST_HALF = ("name", "totals", "keys", "counts", "gate")


def snapshot_partition(state: Partition, *, full: bool) -> dict[str, bytes]:
    """Return the shards that changed since the last snapshot, or all; an empty shard is to be dropped."""
    memory = state.memory
    agents, groups = int(memory.used[USED_AGENTS]), int(memory.used[USED_GROUPS])
    blocks = range(math.ceil(agents / BLOCK)) if full else sorted(state.touched_blocks)
    rows = range(groups) if full else sorted(state.touched_groups)
    shards = {f"agents/{b:06}": _agent_block(memory, b * BLOCK, min((b + 1) * BLOCK, agents)) for b in blocks}
    for row in rows:
        group = memory.groups[row : row + 1]
        first = {name: group[name][0] for name in _FIRST_HALF}
        rest = {name: group[name][0] for name in group.dtype.names or () if name not in _FIRST_HALF}
        masses = state.models.masses
        rest |= {"reference": masses.reference[row], "latest": masses.latest[row], "seen": masses.seen[row]}
        shards[f"groups/{row:04}/a"] = pack(first)
        shards[f"groups/{row:04}/b"] = pack(rest)
    graves = _grave_blocks(memory, state.touched_graves, full=full)
    shards |= {f"graves/{block:04}": _grave_block(memory, block) for block in graves}
    shards |= usual_shards(state, full=full)
    shards |= _rewritten(state)
    shards |= {f"rules/{block:06}": pack({}, facts) for block, facts in state.rule_memory.shards(full=full).items()}
    shards |= {f"registry/{name}": pack({}, facts) for name, facts in state.inventory.shards(full=full).items()}
    shards["core"] = _core(state)
    shards["sample"] = pack({"sample": memory.sample})
    coming = state.refit.sample
    shards["coming"] = b"" if coming is None else pack({"sample": coming}, {"due": state.refit.due})
    if full or state.past.has_changed:
        shards["past"] = pack({}, {"agents": state.past.agents()})
        state.past.has_changed = False
    presence = state.rule_memory.presence.shards(full=full)
    shards |= {name: pack({}, facts) if any(facts.values()) else b"" for name, facts in presence.items()}
    contained = state.rule_memory.contained
    if contained.has_changed or (full and len(contained)):
        shards["contained"] = pack({}, {"commands": contained.facts()})
        contained.has_changed = False
    if full or state.threshold.cases.has_changed:
        shards["cases"] = pack({}, state.threshold.cases.facts())
        state.threshold.cases.has_changed = False
    if state.suppressions.was_used and (full or state.suppressions.has_changed):
        shards["suppressed"] = pack({}, state.suppressions.facts())
        state.suppressions.has_changed = False
    if full or state.forest_written != state.refit.served:
        shards["forest"] = b"" if state.refit.forest is None else to_bytes(state.refit.forest)
        state.forest_written = state.refit.served
    state.touched_blocks.clear()
    state.touched_groups.clear()
    state.touched_graves.clear()
    return divide(shards, MOST_BYTES)


def _clean(rows: np.ndarray) -> np.ndarray:
    """Return a copy whose padding is zero: what numpy leaves between fields would make equal states differ."""
    copy = np.zeros(len(rows), rows.dtype)
    for field in rows.dtype.names or ():
        copy[field] = rows[field]
    return copy


def _agent_block(memory: Memory, first: int, stop: int) -> bytes:
    """Return rows of agents, without what only says where their open sessions lie, and what those that left knew."""
    rows = _clean(memory.agents[first:stop])
    rows[rows["name"] == 0] = np.zeros((), rows.dtype)
    rows["first_open"] = 0
    rows["tally"][:, STILL_OPEN] = 0
    return pack({"rows": rows})


def _grave_blocks(memory: Memory, touched: Iterable[int], *, full: bool) -> list[int]:
    """Return which shards of tombstones are written: those that changed, or all that were ever used."""
    if not full:
        return sorted(touched)
    length = len(memory.roster.graves) // 2
    used: set[int] = set()
    for ring, buried in enumerate(memory.roster.buried.tolist()):
        first, count = ring * length, min(buried, length)
        used.update(range(first // GRAVES_A_SHARD, -(-(first + count) // GRAVES_A_SHARD) if count else 0))
    return sorted(used)


def _grave_block(memory: Memory, block: int) -> bytes:
    return pack({"graves": memory.roster.graves[block * GRAVES_A_SHARD : (block + 1) * GRAVES_A_SHARD]})


def free_rows(memory: Memory) -> np.ndarray:
    """Return the free rows of agents, the longest free first."""
    roster = memory.roster
    first, stop = int(roster.tally[FREE_FIRST]), int(roster.tally[FREE_NEXT])
    return roster.free[np.arange(first, stop) % len(roster.free)]


def _tally(memory: Memory) -> np.ndarray:
    """Return the roster's tally, the ring of free rows beginning at 0."""
    tally = memory.roster.tally.copy()
    tally[FREE_NEXT] -= tally[FREE_FIRST]
    tally[FREE_FIRST] = 0
    return tally


def _core(state: Partition) -> bytes:
    memory, standing = state.memory, state.standing
    arrays = {
        "used": memory.used,
        "survival": memory.survival,
        "sampled": memory.sampled,
        "clock": memory.clock,
        "half_space": state.models.survival,
        "ordered": standing.rolling.ordered,
        "ring": standing.rolling.ring,
        "windowed": standing.rolling.used,
        "totals": standing.totals,
        **{f"reference_{name}": array for name, array in standing.reference._asdict().items()},
        "tally": _tally(memory),
        "usual_tally": memory.usual.tally,
        "buried": memory.roster.buried,
        "free": free_rows(memory),
        "free_groups": memory.roster.free_groups[: int(memory.roster.tally[FREE_GROUPS])],
    }
    last = state.past.last
    facts = {
        "last_time": None if last is None else last.astimezone(UTC).isoformat(),
        "day": state.refit.day,
        "fits": state.refit.fits,
        "turn": state.turnover.turn,
        "profile": state.profile.id,
        "key": digest_of(state.settings.keyed.key),
        "channels": NAMES,
        "measures": MEASURES,
        "threshold": state.threshold.facts(),
        "verdicts": dict(sorted(state.verdicts.items())),
        "rule_answers": state.rule_answers.facts(),
        "rule_pace": state.rule_pace.facts(),
        "newcomer_pace": state.newcomer_pace.facts(),
        "folded": state.incidents.folded,
        "ceilings": state.incidents.ceilings.facts(),
        "storm": None if state.incidents.storm is None else state.incidents.storm.facts(),
    }
    return pack(arrays, facts)


def _rewritten(state: Partition) -> dict[str, bytes]:
    """Return what is written anew each time: open sessions and incidents; shards no longer needed are empty."""
    shards = _session_shards(state) | _incident_shards(state)
    stale = {name: b"" for name in state.rewritten if name not in shards}
    state.rewritten = set(shards)
    return shards | stale


def _incident_shards(state: Partition) -> dict[str, bytes]:
    """Return the alerts of open sessions and of closed ones, so many to a shard that none becomes too large."""
    held = [(str(name), _plain(alert)) for name, alert in sorted(state.incidents.open.items())]
    recent = [_plain(alert) for alert in state.incidents.recent.values()]
    shards = {f"incidents/{k:05}": pack({}, dict(part)) for k, part in enumerate(_parts(held))}
    return shards | {f"closed/{k:05}": pack({}, {"alerts": part}) for k, part in enumerate(_parts(recent))}


def _plain(alert: Alert) -> dict[str, Any]:
    return alert.model_dump(mode="json")


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    """Yield so many alerts as fit into one shard."""
    for at in range(0, len(items), _INCIDENTS_A_SHARD):
        yield items[at : at + _INCIDENTS_A_SHARD]


def _session_shards(state: Partition) -> dict[str, bytes]:
    """Return the open sessions in order of activity, each with its observations; siblings as ranks."""
    memory = state.memory
    order = _activity(memory)
    rank = {slot: place for place, slot in enumerate(order)}
    shards: dict[str, bytes] = {}
    for first in range(0, len(order), _SESSIONS_A_SHARD):
        slots = order[first : first + _SESSIONS_A_SHARD]
        rows = _clean(memory.sessions[slots])
        rows["sibling"] = [rank.get(int(s), -1) for s in rows["sibling"]]
        rows["order"], rows["chunk"] = 0, 0
        rows["tools"][np.arange(SESSION_TOOLS) >= rows["count"][:, TOOLS, None]] = 0
        rows["values"][np.arange(SESSION_VALUES) >= rows["count"][:, VALUES, None]] = 0
        pieces = [_observations(memory, slot) for slot in slots]
        shards.update(_session_pieces(f"sessions/{first // _SESSIONS_A_SHARD:04}", rows, np.concatenate(pieces)))
    return shards


def _session_pieces(name: str, rows: np.ndarray, observed: np.ndarray) -> dict[str, bytes]:
    """Return one shard of sessions, cut where their observations would make it too large."""
    most = MOST_BYTES // 2 // 32
    shards = {f"{name}/rows": pack({"rows": rows})}
    for piece, first in enumerate(range(0, len(observed), most)):
        shards[f"{name}/{piece:03}"] = pack({"observed": observed[first : first + most]})
    return shards


def _activity(memory: Memory) -> list[int]:
    """Return the open sessions' slots, the least recently active first."""
    order, slot = [], int(memory.ends[OLDEST])
    while slot >= 0:
        order.append(slot)
        slot = int(memory.sessions["order"][slot, AFTER])
    return order


def _observations(memory: Memory, slot: int) -> np.ndarray:
    """Return a session's observations, shape (n, 4)."""
    session = memory.sessions[slot]
    left, chunk = int(session["count"][OBSERVED]), int(session["chunk"][HEAD])
    pieces = [np.empty((0, 4), np.uint64)]
    while left > 0:
        pieces.append(memory.chunks.cells[chunk, : min(left, CHUNK)])
        left -= CHUNK
        chunk = int(memory.chunks.following[chunk])
    return np.concatenate(pieces)
