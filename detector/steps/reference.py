"""Reference: which closed sessions the next ones are held against, so that nobody fills it with what he wants unseen.

A window of everything that closes holds the attacks as well: at one attack in twenty it hides half of what the ranking
would find, and a wave of one kind raises the level above itself. So a cause that has alerted counts once as long as it
is in the window; an agent that keeps alerting counts once whatever it does; no agent holds more than a few times
its share, nor of the far end of the window, where the rest of its sessions are held as no stranger than that begins;
and sessions from trusted history, which were judged by what they themselves had taught, make way as live ones come.

Formulas, constants and what they cost: ``docs/science.md``, *Reference*.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.memory.layout import ACTIVE, ENTERED, FAR, FUSED, ODD, SCORED, TURN
from detector.sketches.hashing import mix
from detector.sketches.kernel import allocating_kernel, kernel
from detector.sketches.rolling import Rolling, forget_oldest, note_value, share_above
from detector.steps.causes import NO_CAUSE

CAUSES = 512
"""Causes that have alerted remembered: many times what a window has of them."""
TOP = 0.1
"""Share of the reference from which on a cause that has alerted counts once."""
LOUD = 6.0
"""Sessions past the alert level, halved every :data:`TURN_ENTRIES`, from which on an agent counts as one cause."""
LOUD_FLEET = 3.5
"""Agents below which that takes more: in a fleet of one every alert is of one agent."""
MOST_SHARES = 4.0
"""Times its even share of the reference that one agent may hold."""
LEAST_SHARE = 0.01
"""Share that it may hold in any case, however many agents there are."""
FAR_SHARES = 1.5
"""Times the promised share of the reference that is its far end, which the alert level lies in."""
MOST_FAR_SHARES = 2.0
"""Times its even share of the far end that one agent may hold: what one agent does is not everyone's level."""
LEAST_FAR_SHARE = 0.1
"""Share of the far end that it may hold in any case."""
FIRST_FAR = 10.0
"""Entries at the far end before which shares of it mean nothing."""
FIRST_ENTRIES = 200.0
"""Entries before which shares mean nothing."""
KNOWN_SESSIONS = 5.0
"""Sessions of an agent before which it is a newcomer, and not counted among those who share the reference."""
KNOWN_FLEET = 10
"""Agents so counted, in a day, from which on newcomers are kept in bounds: a young fleet has nobody else."""
DAY_S = 86_400.0
"""Who shares the reference is counted anew each day: shares of agents that are gone would leave it to nobody."""
NEWCOMERS = 0.05
"""Share of the entries, and of those in the strangest tenth, that newcomers may hold together: ids cost nothing."""
TURN_ENTRIES = 500
"""Entries after which what agents did counts half; not closed sessions, for whoever is turned away closes them too."""

TURNED_AWAY, TAKEN_IN, LEFT_OUT = range(3)
"""What became of a closed session: turned away, there, or not there for others like it were attacks."""
_AGENT = np.uint64(0x2F6E9A41C3B7D805)

NEXT, TRUSTED, TURNS, DAY, TODAY, BEFORE = range(6)
"""Columns of ``count``: where the next cause goes; entries from trusted history; turns so far; the present day since
the epoch, and the known agents with a session in it and in the last day that had any."""
FALSE_SHARE, LEFT_OVER = range(2)
"""Columns of ``weight``: the share of alerts that people found to be false, 1 while nobody has answered any."""
BARRED = 64
"""Open sessions called attacks that are remembered."""
OF_NEWCOMERS, OF_ALL = range(2)
"""Columns of ``entries``; its rows are all entries, those in the strangest tenth, and those at the far end."""


class Reference(NamedTuple):
    """What is remembered beside the window of fused scores.

    Parameters
    ----------
    cause : ndarray of uint64, shape (CAUSES,)
        Causes of the sessions past the alert level that entered last.
    entered : ndarray of int64, shape (CAUSES,)
        The number of the entry each had, from 1; 0 for none.
    count : ndarray of int64, shape (6,)
        See :data:`NEXT` and those with it.
    entries : ndarray of float64, shape (3, 2)
        Entries, those of earlier turns halved at each. See :data:`OF_ALL`.
    weight : ndarray of float64, shape (2,)
        With what weight a session past the alert level enters, and what is left over of earlier ones. See
        :data:`FALSE_SHARE`.
    barred : ndarray of uint64, shape (BARRED,)
        Names of open sessions that a person has called attacks: they do not enter. The latest go in front.
    """

    cause: np.ndarray
    entered: np.ndarray
    count: np.ndarray
    entries: np.ndarray
    weight: np.ndarray
    barred: np.ndarray


def allocate_reference() -> Reference:
    """Return a reference nothing has entered: 9 KiB."""
    return Reference(
        np.zeros(CAUSES, np.uint64), np.zeros(CAUSES, np.int64), np.zeros(6, np.int64), np.zeros((3, 2)),
        np.array([1.0, 0.0]), np.zeros(BARRED, np.uint64),
    )  # fmt: skip


@kernel
def _has_entered(rolling: Rolling, reference: Reference, cause: np.uint64, is_odd: bool) -> bool:
    """Return whether a cause that alerted is in the window; notes one that alerts as entering now if it is not."""
    ever, size = np.int64(rolling.used[FUSED, 1]), rolling.ordered.shape[1]
    for k in range(CAUSES):
        if reference.entered[k] > 0 and reference.cause[k] == cause and ever + 1 - reference.entered[k] < size:
            return True
    if is_odd:
        at = np.int64(reference.count[NEXT])
        reference.cause[at], reference.entered[at] = cause, ever + 1
        reference.count[NEXT] = (at + 1) % CAUSES
    return False


@allocating_kernel
def is_barred(held: Reference, session: np.uint64) -> bool:
    """Return whether a person has called a session an attack while it was open; it is so once."""
    for k in range(BARRED):
        if held.barred[k] == NO_CAUSE:
            return False
        if held.barred[k] == session:
            held.barred[k:-1] = held.barred[k + 1 :]
            held.barred[-1] = 0
            return True
    return False


def bar(held: Reference, session: int) -> None:
    """Keep an open session out of the reference: a person has called it an attack."""
    held.barred[1:] = held.barred[:-1].copy()
    held.barred[0] = session


def unbar(held: Reference, session: int) -> None:
    """Let an open session into the reference after all."""
    is_barred(held, np.uint64(session))


@kernel
def _take_turns(sums: np.ndarray, reference: Reference) -> None:
    """Halve what an agent did in earlier turns."""
    turns = np.float64(reference.count[TURNS])
    if sums[TURN] < turns:
        factor = 0.5 ** min(turns - sums[TURN], 64.0)
        sums[ODD] *= factor
        sums[ENTERED] *= factor
        sums[FAR] *= factor
        sums[TURN] = turns


@kernel
def _count_agents(sums: np.ndarray, reference: Reference, at: float) -> int:
    """Return how many known agents were active of late, this one among them if it is known.

    A session that ended a day ago counts in the present one; one from longer ago shows that the watermark fell back.
    """
    count, day = reference.count, np.int64(at // DAY_S)
    if day > count[DAY] or day < count[DAY] - 1:
        count[DAY], count[BEFORE], count[TODAY] = day, count[TODAY], 0
    if sums[SCORED] > KNOWN_SESSIONS and sums[ACTIVE] != count[DAY]:
        count[TODAY] += 1
        sums[ACTIVE] = count[DAY]
    return max(count[TODAY], count[BEFORE])


@kernel
def _is_crowded(sums: np.ndarray, reference: Reference, agents: int, is_top: bool) -> bool:
    """Return whether an agent, or newcomers together, hold as much of the reference as they may."""
    entries = reference.entries
    total = entries[0, OF_ALL]
    if total < FIRST_ENTRIES:
        return False
    if sums[ENTERED] > max(MOST_SHARES / max(agents, 1), LEAST_SHARE) * total:
        return True
    if agents < KNOWN_FLEET or sums[SCORED] > KNOWN_SESSIONS:
        return False
    row = np.int64(is_top)
    return entries[0, OF_NEWCOMERS] > NEWCOMERS * total or entries[row, OF_NEWCOMERS] > NEWCOMERS * entries[row, OF_ALL]


@kernel
def _is_left_out(held: Reference) -> bool:
    """Return whether the next session past the alert level counts as an attack: so many in turn as people found."""
    held.weight[LEFT_OVER] += held.weight[FALSE_SHARE]
    if held.weight[LEFT_OVER] < 1.0:
        return True
    held.weight[LEFT_OVER] -= 1.0
    return False


@kernel
def _as_held(
    rolling: Rolling, reference: Reference, sums: np.ndarray, score: float, limits: tuple[float, float]
) -> tuple[float, bool]:
    """Return the score a session is held with, and whether it is at the far end.

    `limits`: the strangest share that is the far end, and the share of that which the session's agent may hold.

    Where its agent holds as much of that as it may, it is held as no stranger than the far end begins: turned away,
    such sessions would be missing among all, and the level would sink for everyone.
    """
    used, far = np.int64(rolling.used[FUSED, 0]), limits[0]
    if share_above(rolling, FUSED, score) > far:
        return score, False
    entries = reference.entries[2, OF_ALL]
    if entries < FIRST_FAR or sums[FAR] + 1.0 <= max(limits[1], LEAST_FAR_SHARE) * entries:
        return score, True
    return min(score, rolling.ordered[FUSED, max(used - max(np.int64(far * used), 1) - 1, 0)]), False


@kernel
def _note_entry(sums: np.ndarray, reference: Reference, is_top: bool, is_far: bool) -> None:
    """Count an entry of an agent, and of newcomers if it is one."""
    sums[ENTERED] += 1.0
    sums[FAR] += is_far
    for row in range(1 + is_top + is_far):
        reference.entries[row, OF_ALL] += 1.0
        reference.entries[row, OF_NEWCOMERS] += sums[SCORED] <= KNOWN_SESSIONS


@kernel
def let_in(rolling: Rolling, reference: Reference, score: float) -> None:
    """Let a score into the window; where it is full the oldest makes way, of trusted history first."""
    if rolling.used[FUSED, 0] == rolling.ordered.shape[1] and reference.count[TRUSTED] > 0:
        reference.count[TRUSTED] -= 1
    note_value(rolling, FUSED, score)


@allocating_kernel
def enter_reference(
    rolling: Rolling, reference: Reference, session: tuple[float, np.uint64, float], sums: np.ndarray,
    agent: tuple[np.uint64, bool, bool], least: int, alerts: float,
) -> tuple[int, float]:  # fmt: skip
    """Let a closed session enter the window of fused scores, if it counts; return what became of it, its score there.

    TAKEN_IN, TURNED_AWAY, or LEFT_OUT: one past the alert level enters with the weight of false alarms among such,
    which leaves out in turn, by no chance, as many as were attacks.

    Parameters
    ----------
    rolling, reference
        Changed in place.
    session : (float, uint64, float)
        Its fused score, the cause of its strangest act, and the watermark at its last event, epoch seconds.
    sums : ndarray of float64, shape (8,)
        Its agent's; changed in place. :data:`~detector.memory.layout.SCORED` counts this session already.
    agent : (uint64, bool, bool)
        Name of the agent; whether the session was past the alert level, and whether it is trusted history.
    least : int
        Entries below which no session is turned away.
    alerts : float
        The promised share.
    """
    (score, cause, at), (name, is_odd, is_trusted) = session, agent
    count = reference.count
    _take_turns(sums, reference)
    agents = _count_agents(sums, reference, at)
    sums[ODD] += is_odd
    used, is_top, is_far = np.int64(rolling.used[FUSED, 0]), False, False
    if used >= least:
        is_top = share_above(rolling, FUSED, score) <= TOP
        if _is_crowded(sums, reference, agents, is_top):
            return TURNED_AWAY, score
        limits = (min(FAR_SHARES * alerts, TOP), np.inf if is_trusted else MOST_FAR_SHARES / max(agents, 1))
        score, is_far = _as_held(rolling, reference, sums, score, limits)
        if is_odd and _is_left_out(reference):
            return LEFT_OUT, score
        if is_top and cause != NO_CAUSE:
            is_loud = sums[ODD] >= LOUD * max(1.0, LOUD_FLEET / max(agents, 1))
            if _has_entered(rolling, reference, mix(name, _AGENT) if is_loud else cause, is_odd):
                return TURNED_AWAY, score
        if not is_trusted and count[TRUSTED] > 0 and used > least:
            forget_oldest(rolling, FUSED)
            count[TRUSTED] -= 1
    let_in(rolling, reference, score)
    count[TRUSTED] += is_trusted
    _note_entry(sums, reference, is_top, is_far)
    if rolling.used[FUSED, 1] % TURN_ENTRIES == 0:
        count[TURNS] += 1
        reference.entries[:] *= 0.5
    return TAKEN_IN, score
