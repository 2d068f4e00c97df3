"""Shards of a snapshot become a partition that goes on where it left off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

import numpy as np

from detector.alerts.storm import Storm
from detector.channels.catalogue import MEASURES, NAMES
from detector.errors import ArtifactError, StateError
from detector.memory.grow import home_index_of, index_of, room_for_groups
from detector.memory.layout import (
    CHUNK,
    FREE,
    NEWEST,
    OBSERVED,
    OLDEST,
    OPEN,
    SESSION,
    STILL_OPEN,
    USED_AGENTS,
    USED_GROUPS,
    allocate_chunks,
    blank_sessions,
)
from detector.memory.roster import BLOCK
from detector.rules.silence import silent_agent
from detector.schema.alert import Alert
from detector.schema.past import Past
from detector.scorers.codec import from_bytes
from detector.sketches.hashing import digest_of
from detector.sketches.index import allocate_index, rebuild_index
from detector.state.partition import REWRITTEN, Partition
from detector.state.roster import restore_roster
from detector.state.shards import join, unpack
from detector.state.texts import restore_usual
from detector.state.tidings import NOTES
from detector.steps.judge import SessionStanding


def restore_partition(state: Partition, shards: Mapping[str, bytes]) -> None:
    """Bring a fresh partition to where the shards of a snapshot left off.

    Raises
    ------
    StateError
        If a shard is missing or does not fit this profile.
    """
    held = join({name: shard for name, shard in shards.items() if shard})
    if "core" not in held or "sample" not in held:
        raise StateError(
            "shards of a snapshot must hold core and sample, got " + (", ".join(sorted(held)[:5]) or "none")
        )
    try:
        _restore_core(state, held)
        _restore_rows(state, held)
        restore_roster(state, held)
        restore_usual(state, held)
        notes = [unpack(name, held[name])[1] for name in sorted(held) if name.startswith("rules/")]
        state.rule_memory.restore(notes, (*state.profile.rules.enabled, NOTES))
        if "contained" in held:
            state.rule_memory.contained.restore(unpack("contained", held["contained"])[1]["commands"])
        presence = {name: unpack(name, held[name])[1] for name in held if name.partition("/")[0] == "presence"}
        if presence and silent_agent.__name__ in state.profile.rules.enabled:
            state.rule_memory.presence.restore(presence)
        declared = [name for name in held if name.startswith("registry/")]
        state.inventory.restore({name.removeprefix("registry/"): unpack(name, held[name])[1] for name in declared})
        _restore_sessions(state, held)
        state.groups_known = int(state.memory.used[USED_GROUPS])
    except (KeyError, ValueError, IndexError, TypeError, ArtifactError) as error:
        raise StateError(
            f"shards of a snapshot must fit this profile, got {error!r}; the partition restarts cold"
        ) from error


def _restore_core(state: Partition, held: Mapping[str, bytes]) -> None:
    arrays, facts = unpack("core", held["core"])
    if facts["profile"] != state.profile.id:
        raise StateError(f"profile of a snapshot must be {state.profile.id}, got {facts['profile']}")
    if facts["key"] != (own := digest_of(state.settings.keyed.key)):
        raise StateError(
            f"key of a snapshot must be the one of digest {own}, got {facts['key']}: it was learned under another "
            "DETECTOR_STATE_KEY; set that one again, or let the partition restart cold under the new one"
        )
    if (tuple(facts["channels"]), tuple(facts["measures"])) != (NAMES, MEASURES):
        raise StateError("channels of a snapshot must be this version's, got others; the partition restarts cold")
    memory, refit = state.memory, state.refit
    for name in ("used", "survival", "sampled", "clock"):
        getattr(memory, name)[...] = arrays[name]
    memory.sample[...] = unpack("sample", held["sample"])[0]["sample"]
    state.models.survival[...] = arrays["half_space"]
    standing: SessionStanding = state.standing
    standing.rolling.ordered[...] = arrays["ordered"]
    standing.rolling.ring[...] = arrays["ring"]
    standing.rolling.used[...] = arrays["windowed"]
    standing.totals[...] = arrays["totals"]
    for name, array in standing.reference._asdict().items():
        array[...] = arrays[f"reference_{name}"]
    if "usual_tally" in arrays:  # a snapshot from before the table has none
        memory.usual.tally[...] = arrays["usual_tally"]
    state.threshold.restore(facts["threshold"])
    state.threshold.cases.restore(unpack("cases", held["cases"])[1])
    if "suppressed" in held:
        state.suppressions.restore(unpack("suppressed", held["suppressed"])[1])
    state.verdicts.update(facts["verdicts"])
    state.rule_answers.restore(facts["rule_answers"])
    state.rule_pace.restore(facts.get("rule_pace", state.rule_pace.facts()))  # one from before promises has none
    state.newcomer_pace.restore(facts.get("newcomer_pace", state.newcomer_pace.facts()))
    last = facts["last_time"]
    state.past = Past(None if last is None else datetime.fromisoformat(last), unpack("past", held["past"])[1]["agents"])
    _restore_incidents(state, held)
    state.incidents.folded = facts["folded"]
    state.incidents.ceilings.restore(facts["ceilings"])
    state.incidents.storm = None if facts["storm"] is None else Storm.of_facts(facts["storm"])
    refit.day, refit.fits, state.turnover.turn = facts["day"], facts["fits"], facts["turn"]
    if "forest" in held:
        refit.forest = from_bytes(held["forest"])
    if "coming" in held:
        coming, about = unpack("coming", held["coming"])
        refit.sample, refit.due = coming["sample"].copy(), about["due"]
        refit.begin()


def _restore_incidents(state: Partition, held: Mapping[str, bytes]) -> None:
    for shard in sorted(name for name in held if name.startswith("incidents/")):
        alerts = unpack(shard, held[shard])[1]
        state.incidents.open.update({int(name): Alert.model_validate(alert) for name, alert in alerts.items()})
    for shard in sorted(name for name in held if name.startswith("closed/")):
        for plain in unpack(shard, held[shard])[1]["alerts"]:
            alert = Alert.model_validate(plain)
            state.incidents.recent[alert.finding_uid] = alert


_LATER = ("ordered", "ring", "filled")
"""Fields of a peer group that older snapshots lack: its window is filled anew."""


def _restore_rows(state: Partition, held: Mapping[str, bytes]) -> None:
    agents, groups = int(state.memory.used[USED_AGENTS]), int(state.memory.used[USED_GROUPS])
    if agents > len(state.memory.agents):
        raise StateError("agents of a snapshot must fit this profile, got more; the partition restarts cold")
    memory = state.memory._replace(used=np.array([0, 2], np.int64))
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
        known = {**rest, **first}
        for name in memory.groups.dtype.names or ():
            if name in known or name not in _LATER:
                memory.groups[name][row] = known[name]
        masses.reference[row], masses.latest[row] = rest["reference"], rest["latest"]
        masses.seen[row] = rest["seen"]
    state.memory = memory._replace(
        agent_index=index_of(memory.agents, len(memory.agent_index.key), 0, agents),
        group_index=index_of(memory.groups, len(memory.group_index.key), 2, groups),
        home_index=home_index_of(memory.agents, len(memory.home_index.key), agents),
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
    state.rewritten = {name for name in held if name.startswith(REWRITTEN)}
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
