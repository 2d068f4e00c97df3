"""The partition's clock: a watermark that nobody moves past the broker's time, or, unknown, by more than a step."""

from __future__ import annotations

import math

import numpy as np

from detector.memory import layout as mem
from detector.memory.layout import CONFIRMED, NOW, SET_BY, Memory
from detector.sketches.kernel import allocating_kernel, kernel


@kernel
def advance(clock: np.ndarray, ts: float, agent: np.uint64, step_s: float) -> bool:
    """Move the watermark to an event's time; return whether it fell back.

    One event moves it by at most a step. The first event of all sets it; until an event of another
    agent, within a step of it, has confirmed it, an event more than a step behind takes it back: a
    first event from 2099 stops nobody's clock.
    """
    mark = np.float64(agent >> np.uint64(12)) + 1.0
    if clock[NOW] == 0.0 or (clock[CONFIRMED] == 0.0 and ts < clock[NOW] - step_s):
        fell = clock[NOW] != 0.0
        clock[NOW], clock[SET_BY] = ts, mark
        return fell
    if abs(ts - clock[NOW]) <= step_s and mark != clock[SET_BY]:
        clock[CONFIRMED] = 1.0
    if ts > clock[NOW]:
        clock[NOW] = min(ts, clock[NOW] + step_s)
    return False


@kernel
def step_of(receipt: float, step_s: float) -> float:
    """Return how far one event may move the watermark: to wherever its receipt allows, or a step if nobody knows it."""
    return step_s if math.isnan(receipt) else math.inf


@kernel
def fall_back(memory: Memory) -> None:
    """Bring the sessions that are open back to a watermark that fell."""
    slot = np.int64(memory.ends[mem.OLDEST])
    while slot >= 0:
        session = memory.sessions[slot]
        session["seen"] = memory.clock[NOW]
        session["started"] = min(session["started"], memory.clock[NOW])
        slot = np.int64(session["order"][mem.AFTER])


def first_change(changes: np.ndarray, first: int) -> int:
    """Return the event, counted from `first` on, at which the first change is; one past the last if there is none."""
    return first + (int(changes.argmax()) if changes.any() else len(changes))


@allocating_kernel
def watermarks(
    clock: np.ndarray, ts: np.ndarray, receipts: np.ndarray, agents: np.ndarray, step_s: float
) -> np.ndarray:
    """Return the watermark as each event of a batch will find it."""
    held = clock.copy()
    out = np.empty(len(ts))
    for i in range(len(ts)):
        advance(held, ts[i], agents[i], step_of(receipts[i], step_s))
        out[i] = held[NOW]
    return out
