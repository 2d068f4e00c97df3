"""Peers: how rare a score is among the sessions of one peer group, and how far that may move what the fleet says.

Groups differ in how strange their ordinary sessions are, so one level for all spends most of the promise on one of
them and finds little in the others. Each group remembers the last scores that entered the reference from it, and they
correct the fleet's rarity, the more of them the more, but never by more than a factor of two: whoever makes a group of
his own, or fills one, buys no more than that.

Formulas, constants and what they cost: ``docs/science.md``, *Peers*.
"""

from __future__ import annotations

import numpy as np

from detector.memory.layout import FUSED, STRANGERS, Memory
from detector.sketches.kernel import kernel
from detector.sketches.rolling import Rolling, forget_oldest, forget_value, log_rarity, note_value

FLEET_SESSIONS = 50.0
"""Sessions that the fleet's rarity counts as beside a group's own."""
MOST_CORRECTION = 0.3
"""Digits of rarity that a group moves at most, both ways: a factor of two in the share of sessions."""

HELD, EVER, HISTORY = range(3)
"""Columns of a group's ``filled``: scores held, how many ever came, and how many of those held are trusted history."""


@kernel
def windows_of(memory: Memory) -> Rolling:
    """Return the windows of all peer groups, one series for each row."""
    return Rolling(memory.groups["ordered"], memory.groups["ring"], memory.groups["filled"])


@kernel
def rarity_among(rolling: Rolling, memory: Memory, group: int, x: float, about: tuple[float, int]) -> float:
    """Return -log10 of the share of recent sessions at least as strange as `x`, corrected for a peer group.

    Parameters
    ----------
    rolling, memory
        The fleet's window, and the groups'.
    group : int
        Row of the peer group.
    x : float
        A session's fused score.
    about : (float, int)
        Share of a window that is its tail; sessions below which a group says nothing.
    """
    fleet, windows = log_rarity(rolling, FUSED, x, about[0], about[1]), windows_of(memory)
    held = np.float64(windows.used[group, HELD])
    if group == STRANGERS or held < about[1]:
        return fleet
    own = log_rarity(windows, group, x, about[0], about[1])
    mixed = (held * own + FLEET_SESSIONS * fleet) / (held + FLEET_SESSIONS)
    return min(max(mixed, fleet - MOST_CORRECTION), fleet + MOST_CORRECTION)


@kernel
def note_peers(memory: Memory, group: int, x: float) -> None:
    """Let a score into the window of a group; where it is full the oldest makes way, of trusted history first."""
    windows, filled = windows_of(memory), memory.groups["filled"]
    if filled[group, HISTORY] > 0 and filled[group, HELD] == windows.ordered.shape[1]:
        filled[group, HISTORY] -= 1
    note_value(windows, group, x)


@kernel
def enter_peers(memory: Memory, group: int, x: float, is_trusted: bool, least: int) -> None:
    """Let the score of a closed session into the window of its group; of trusted history one leaves for a live one.

    Those for whom there is no row of their own have nothing in common, not even a tenant, and no window.
    """
    if group == STRANGERS:
        return
    filled = memory.groups["filled"]
    if not is_trusted and filled[group, HISTORY] > 0 and filled[group, HELD] > least:
        forget_oldest(windows_of(memory), group)
        filled[group, HISTORY] -= 1
    note_peers(memory, group, x)
    filled[group, HISTORY] += is_trusted


@kernel
def leave_peers(memory: Memory, group: int, x: float) -> bool:
    """Take a score out of the window of a group; return whether it was there."""
    if not forget_value(windows_of(memory), group, x):
        return False
    filled = memory.groups["filled"]
    filled[group, HISTORY] = min(filled[group, HISTORY], filled[group, HELD])
    return True
