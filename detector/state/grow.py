"""Room for what is to come: memories double before a batch needs it, so that kernels never run out."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from detector.alerts.budget import Standing
from detector.features.memory import (
    Agents, Chunks, Groups, Memory, Sessions, Sizes, allocate_agents, allocate_chunks, allocate_groups, allocate_sessions,
)  # fmt: skip
from detector.sketches.index import Index, put_row

CHUNKS_PER_EVENT = 4
"""Chunks one event can fill at most: 96 observations, and one chunk begun."""

T = TypeVar("T")


def _move(old: T, new: T, rows: int) -> T:
    """Return `new` with the first `rows` rows of every array of `old`; indices and single cells are left alone."""
    for before, after in zip(old, new, strict=True):  # type: ignore[call-overload]
        if isinstance(before, Index):
            continue
        if isinstance(before, tuple):
            _move(before, after, rows)
        elif isinstance(before, np.ndarray) and len(before) != len(after):
            after[:rows] = before[:rows]
        elif isinstance(before, np.ndarray):
            after[:] = before
    return new


def enter_names(index: Index, name: np.ndarray, first: int, stop: int) -> None:
    """Enter the names of rows ``first`` to ``stop - 1``."""
    with np.errstate(over="ignore"):
        for row in range(first, stop):
            put_row(index, name[row], row)


def _grown(need: int, have: int) -> int:
    while have < need:
        have *= 2
    return have


def room_for_agents(agents: Agents, sizes: Sizes, need: int) -> Agents:
    """Return rows for at least `need` agents."""
    if need <= len(agents.name):
        return agents
    used = int(agents.used[0])
    new = _move(agents, allocate_agents(_grown(need, len(agents.name)), sizes), used)
    enter_names(new.index, new.name, 0, used)
    return new


def room_for_groups(groups: Groups, sizes: Sizes, need: int) -> Groups:
    """Return tables for at least `need` groups, up to the cap."""
    need = min(need, sizes.groups)
    if need <= len(groups.name):
        return groups
    used = int(groups.used[0])
    new = _move(groups, allocate_groups(min(_grown(need, len(groups.name)), sizes.groups), sizes), used)
    enter_names(new.index, new.name, 1, used)
    return new


def room_for_sessions(sessions: Sessions, need: int) -> Sessions:
    """Return slots for at least `need` open sessions; slots keep their numbers."""
    old = len(sessions.name)
    if need <= old:
        return sessions
    slots = _grown(need, old)
    new = _move(sessions, allocate_sessions(slots), old)
    new.order[old:-1, 1] = np.arange(old + 1, slots)
    new.order[-1, 1] = sessions.ends[2]
    new.ends[2] = old
    slot = int(new.ends[0])
    while slot >= 0:
        enter_names(new.index, new.name, slot, slot + 1)
        slot = int(new.order[slot, 1])
    return new


def room_for_chunks(chunks: Chunks, need: int) -> Chunks:
    """Return a pool with at least `need` free chunks."""
    free = int(chunks.free[1])
    if need <= free:
        return chunks
    old = len(chunks.following)
    total = _grown(old - free + need, old)
    new = allocate_chunks(total)
    new.cells[:old] = chunks.cells
    new.following[:old] = chunks.following
    new.following[-1] = chunks.free[0]
    new.free[:] = (old, free + total - old)
    return new


def room_for_standing(standing: Standing, slots: int) -> Standing:
    """Return the standing of `slots` sessions."""
    have = len(standing.passed)
    if slots <= have:
        return standing
    best, passed = np.full((slots, standing.best.shape[1]), -1.0), np.zeros((slots, 2), np.int32)
    best[:have], passed[:have] = standing.best, standing.passed
    return standing._replace(best=best, passed=passed)


def room_for_batch(memory: Memory, sizes: Sizes, events: int, new_groups: int) -> Memory:
    """Return a memory in which `events` more events find room, `new_groups` unknown peer groups among them."""
    return memory._replace(
        agents=room_for_agents(memory.agents, sizes, int(memory.agents.used[0]) + events),
        groups=room_for_groups(memory.groups, sizes, int(memory.groups.used[0]) + new_groups),
        sessions=room_for_sessions(memory.sessions, int(memory.sessions.ends[3]) + events),
        chunks=room_for_chunks(memory.chunks, CHUNKS_PER_EVENT * events),
    )
