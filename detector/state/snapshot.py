"""State as bytes: shards that can be written one by one, and read back into the same state.

A shard is a header (MessagePack: name, dtype and shape of each array, and what is no array) and the
arrays' bytes. Agents go in blocks of 64 rows, a peer group in two shards; open sessions, in order of
activity, are written anew each time. Two states that will behave alike give the same full snapshot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from detector.alerts.budget import Standing
from detector.errors import ArtifactError, StateError
from detector.features.memory import (
    CHUNK,
    FREE,
    NEWEST,
    OBSERVED,
    OLDEST,
    OPEN,
    SESSION,
    SESSION_TOOLS,
    SESSION_VALUES,
    STILL_OPEN,
    TOOLS,
    USED_AGENTS,
    USED_GROUPS,
    VALUES,
    Memory,
    allocate_chunks,
    blank_sessions,
)  # fmt: skip
from detector.schema.alert import Alert
from detector.scorers.codec import from_bytes, to_bytes
from detector.sketches.index import allocate_index, rebuild_index
from detector.state.grow import index_of, room_for_agents, room_for_groups
from detector.state.partition import BLOCK, Partition

VERSION = 1
MOST_BYTES = 900_000
"""No shard is larger: a record of a state topic is at most a megabyte."""
_SESSIONS_A_SHARD = 64
_FIRST_HALF = ("name", "totals", "keys", "counts", "gate")


def pack(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any] | None = None) -> bytes:
    """Return arrays and plain facts as one shard."""
    whole = {name: np.array(array, order="C") for name, array in arrays.items()}
    forms = [(name, array.dtype.str if array.dtype.names is None else "", array.shape) for name, array in whole.items()]
    head = msgspec.msgpack.encode({"version": VERSION, "arrays": forms, "facts": facts or {}})
    return b"".join([len(head).to_bytes(4, "big"), head, *(array.tobytes() for array in whole.values())])


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    arrays: list[tuple[str, str, tuple[int, ...]]]
    facts: dict[str, Any]


def unpack(
    name: str, shard: bytes, dtypes: Mapping[str, np.dtype[Any]] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and facts of a shard; structured arrays take their layout from `dtypes`.

    Raises
    ------
    StateError
        If the bytes are not a shard of this version.
    """
    try:
        size = int.from_bytes(shard[:4], "big")
        head = msgspec.msgpack.decode(shard[4 : 4 + size], type=_Head)
    except msgspec.DecodeError as error:
        raise StateError(
            f"header of shard {name} must be readable, got {error}; the partition restarts cold"
        ) from error
    if head.version != VERSION:
        raise StateError(f"version of shard {name} must be {VERSION}, got {head.version}; the partition restarts cold")
    at = 4 + size
    arrays = {}
    for field, form, shape in head.arrays:
        dtype = np.dtype(form) if form else (dtypes or {}).get(field)
        length = math.prod(shape) * (dtype.itemsize if dtype is not None else 0)
        if dtype is None or dtype.hasobject or at + length > len(shard):
            raise StateError(f"array {field} of shard {name} must fit this profile; the partition restarts cold")
        arrays[field] = np.frombuffer(shard, dtype, math.prod(shape), at).reshape(shape)
        at += length
    if at != len(shard):
        raise StateError(f"length of shard {name} must be {at}, got {len(shard)}; the partition restarts cold")
    return arrays, head.facts


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
    shards |= _session_shards(state)
    shards["core"] = _core(state)
    shards["sample"] = pack({"sample": memory.sample})
    coming = state.refit.sample
    shards["coming"] = b"" if coming is None else pack({"sample": coming}, {"due": state.refit.due})
    if full or state.forest_written != state.refit.served:
        shards["forest"] = b"" if state.refit.forest is None else to_bytes(state.refit.forest)
        state.forest_written = state.refit.served
    state.touched_blocks.clear()
    state.touched_groups.clear()
    return shards


def _agent_block(memory: Memory, first: int, stop: int) -> bytes:
    """Return rows of agents, without what only says where their open sessions lie."""
    rows = memory.agents[first:stop].copy()
    rows["first_open"] = 0
    rows["tally"][:, STILL_OPEN] = 0
    return pack({"rows": rows})


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
    }
    incidents = {str(name): alert.model_dump(mode="json") for name, alert in sorted(state.incidents.items())}
    facts = {"day": state.refit.day, "fits": state.refit.fits, "incidents": incidents, "profile": state.profile.id}
    return pack(arrays, facts)


def _session_shards(state: Partition) -> dict[str, bytes]:
    """Return the open sessions in order of activity, each with its observations; siblings as ranks."""
    memory = state.memory
    order = _activity(memory)
    rank = {slot: place for place, slot in enumerate(order)}
    shards: dict[str, bytes] = {}
    for first in range(0, len(order), _SESSIONS_A_SHARD):
        slots = order[first : first + _SESSIONS_A_SHARD]
        rows = memory.sessions[slots].copy()
        rows["sibling"] = [rank.get(int(s), -1) for s in rows["sibling"]]
        rows["order"], rows["chunk"] = 0, 0
        rows["tools"][np.arange(SESSION_TOOLS) >= rows["count"][:, TOOLS, None]] = 0
        rows["values"][np.arange(SESSION_VALUES) >= rows["count"][:, VALUES, None]] = 0
        pieces = [_observations(memory, slot) for slot in slots]
        shards.update(_session_pieces(f"sessions/{first // _SESSIONS_A_SHARD:04}", rows, np.concatenate(pieces)))
    stale = {name: b"" for name in state.session_shards if name not in shards}
    state.session_shards = set(shards)
    return shards | stale


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
        slot = int(memory.sessions["order"][slot, 1])
    return order


def _observations(memory: Memory, slot: int) -> np.ndarray:
    """Return a session's observations, shape (n, 4)."""
    session = memory.sessions[slot]
    left, chunk = int(session["count"][OBSERVED]), int(session["chunk"][0])
    pieces = [np.empty((0, 4), np.uint64)]
    while left > 0:
        pieces.append(memory.chunks.cells[chunk, : min(left, CHUNK)])
        left -= CHUNK
        chunk = int(memory.chunks.following[chunk])
    return np.concatenate(pieces)


def restore_partition(state: Partition, shards: Mapping[str, bytes]) -> None:
    """Bring a fresh partition to where the shards of a snapshot left off.

    Raises
    ------
    StateError
        If a shard is missing or does not fit this profile.
    """
    held = {name: shard for name, shard in shards.items() if shard}
    if "core" not in held or "sample" not in held:
        raise StateError(
            "shards of a snapshot must hold core and sample, got " + (", ".join(sorted(held)[:5]) or "none")
        )
    try:
        _restore_core(state, held)
        _restore_rows(state, held)
        _restore_sessions(state, held)
    except (KeyError, ValueError, IndexError, TypeError, ArtifactError) as error:
        raise StateError(
            f"shards of a snapshot must fit this profile, got {error!r}; the partition restarts cold"
        ) from error


def _restore_core(state: Partition, held: Mapping[str, bytes]) -> None:
    arrays, facts = unpack("core", held["core"])
    if facts["profile"] != state.profile.id:
        raise StateError(f"profile of a snapshot must be {state.profile.id}, got {facts['profile']}")
    memory, refit = state.memory, state.refit
    for name in ("used", "survival", "sampled", "clock"):
        getattr(memory, name)[...] = arrays[name]
    memory.sample[...] = unpack("sample", held["sample"])[0]["sample"]
    state.models.survival[...] = arrays["half_space"]
    standing: Standing = state.standing
    standing.rolling.ordered[...] = arrays["ordered"]
    standing.rolling.ring[...] = arrays["ring"]
    standing.rolling.used[...] = arrays["windowed"]
    standing.totals[...] = arrays["totals"]
    state.incidents = {int(name): Alert.model_validate(alert) for name, alert in facts["incidents"].items()}
    refit.day, refit.fits = facts["day"], facts["fits"]
    if "forest" in held:
        refit.forest = from_bytes(held["forest"])
    if "coming" in held:
        coming, about = unpack("coming", held["coming"])
        refit.sample, refit.due = coming["sample"].copy(), about["due"]
        refit.begin()


def _restore_rows(state: Partition, held: Mapping[str, bytes]) -> None:
    agents, groups = int(state.memory.used[USED_AGENTS]), int(state.memory.used[USED_GROUPS])
    memory = room_for_agents(state.memory._replace(used=np.array([0, 1], np.int64)), agents)
    memory = room_for_groups(memory, groups, state.settings.sizes.groups)
    state.memory = memory._replace(used=np.array([agents, groups], np.int64))
    state.make_room(0)
    memory, masses = state.memory, state.models.masses
    for block in range(math.ceil(agents / BLOCK)):
        name = f"agents/{block:06}"
        rows = unpack(name, held[name], {"rows": memory.agents.dtype})[0]["rows"]
        memory.agents[block * BLOCK : block * BLOCK + len(rows)] = rows
    for row in range(groups):
        first = unpack("group", held[f"groups/{row:04}/a"])[0]
        rest = unpack("group", held[f"groups/{row:04}/b"])[0]
        for name in memory.groups.dtype.names or ():
            memory.groups[name][row] = (first if name in first else rest)[name]
        masses.reference[row], masses.latest[row] = rest["reference"], rest["latest"]
        masses.seen[row] = rest["seen"]
    state.memory = memory._replace(
        agent_index=index_of(memory.agents, len(memory.agent_index.key), 0, agents),
        group_index=index_of(memory.groups, len(memory.group_index.key), 1, groups),
    )


def _restore_sessions(state: Partition, held: Mapping[str, bytes]) -> None:
    """Lay the open sessions out anew: slot by order of activity, chunks one after another."""
    names = sorted(name for name in held if name.startswith("sessions/"))
    tables = [unpack(n, held[n], {"rows": SESSION})[0] for n in names]
    rows = np.concatenate([np.empty(0, SESSION), *(t["rows"] for t in tables if "rows" in t)])
    observed = np.concatenate([np.empty((0, 4), np.uint64), *(t["observed"] for t in tables if "observed" in t)])
    counts = rows["count"][:, OBSERVED].astype(np.int64)
    needs = -(-counts // CHUNK)
    slots = max(len(state.memory.sessions), 1 << len(rows).bit_length())
    sessions = blank_sessions(slots, 0)
    chunks = allocate_chunks(max(len(state.memory.chunks.following), 1 << int(needs.sum()).bit_length()))
    at = taken = 0
    for slot, row in enumerate(rows):
        session = sessions[slot]
        for field in SESSION.names or ():
            if field not in ("order", "chunk"):
                session[field] = row[field]
        need = int(needs[slot])
        session["order"] = (slot - 1, slot + 1 if slot + 1 < len(rows) else -1)
        session["chunk"] = (taken, taken + need - 1) if need else (-1, -1)
        piece = chunks.cells[taken : taken + need].reshape(-1, 4)
        piece[: counts[slot]] = observed[at : at + counts[slot]]
        if need:
            chunks.following[taken + need - 1] = -1
        at, taken = at + int(counts[slot]), taken + need
    chunks.free[:] = (taken, len(chunks.following) - taken)
    ends = np.zeros(4, np.int32)
    ends[OLDEST], ends[NEWEST] = (0, len(rows) - 1) if len(rows) else (-1, -1)
    ends[FREE], ends[OPEN] = len(rows), len(rows)
    index = allocate_index(4 * slots)
    with np.errstate(over="ignore"):
        rebuild_index(index, sessions["name"], len(rows))
    state.memory = state.memory._replace(sessions=sessions, session_index=index, ends=ends, chunks=chunks)
    _restore_siblings(state)
    state.session_shards = set(names)
    state.make_room(0)


def _restore_siblings(state: Partition) -> None:
    """Find the head of each agent's chain of open sessions: the one no other names as its next."""
    memory = state.memory
    rows = memory.sessions[: int(memory.ends[OPEN])]
    named = {int(s) for s in rows["sibling"]}
    for slot, row in enumerate(rows):
        owner = memory.agents[int(row["agent"])]
        owner["tally"][STILL_OPEN] += 1
        if slot not in named:
            owner["first_open"] = slot + 1
