"""Sessions against the budget: the alarm is the moment a session passes what only a stated share of sessions reach.

A session's score is the largest evidence of its events, corrected within narrow bounds for agents
that are always odd, and known the moment it rises. It is held against the last sessions of this
partition, unlabelled; so the threshold follows drift, and an attack wave larger than the budget is
cut to the budget. Of the two voices the origin one has most of the budget; evidence of the plain one
counts as much as evidence of the origin voice that is as rare, each within its share.

Rank alone would make an alarm of nothing in a fleet whose sessions are all alike: there the
evidence must also pass a floor, twice what an event has in which every channel is ordinary.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from detector.memory.layout import Memory
from detector.sketches.rolling import Rolling, allocate_rolling, log_rarity, note_value, upper_quantile
from detector.steps.combine import Evidence
from detector.steps.workspace import JUDGED, REPEATED, Closes, Context

PLAIN, ORIGIN, FUSED = (np.int64(voice) for voice in range(3))
QUIET, ALERT, QUARANTINE = 0, 1, 2
_ROUND = 1e6


class Budget(NamedTuple):
    """Settings: shares of closed sessions, and how they are kept; `floor`: evidence below which nothing alerts."""

    alerts: float
    quarantine: float
    tail: float
    origin_share: float
    least: int
    warm_sessions: int
    exponent: float
    low: float
    high: float
    prior_sessions: float
    cap: float
    floor: float


class Standing(NamedTuple):
    """Where the budget stands.

    Parameters
    ----------
    rolling : Rolling
        The last sessions' scores: plain, origin, fused.
    totals : ndarray of float64, shape (5,)
        Sessions that count for the correction, their capped scores (plain, origin), closed
        sessions, sessions that alerted.
    """

    rolling: Rolling
    totals: np.ndarray


class Verdicts(NamedTuple):
    """What came of n events and of the sessions closed among them.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        Fused evidence of each event, corrected for its agent.
    rarity : ndarray of float64, shape (n,)
        -log10 of the share of recent sessions at least as strange as this event's session has become.
    passed : ndarray of uint8, shape (n,)
        ALERT or QUARANTINE where this event took its session past that level for the first time.
    plain_leads : ndarray of bool, shape (n,)
        Whether the plain voice gave the score.
    over : ndarray of int32, shape (n,)
        Events of the session past the alert level, this one included.
    closed_level : ndarray of uint8, shape (rows,)
    closed_rarity : ndarray of float64, shape (rows,)
    closed_over : ndarray of int32, shape (rows,)
        For each closed session: the level it passed, its rarity at the end, its events past the level.
    """

    score: np.ndarray
    rarity: np.ndarray
    passed: np.ndarray
    plain_leads: np.ndarray
    over: np.ndarray
    closed_level: np.ndarray
    closed_rarity: np.ndarray
    closed_over: np.ndarray


def allocate_standing(window: int) -> Standing:
    """Return a standing before any session has closed."""
    return Standing(allocate_rolling(3, window), np.zeros(5))


def allocate_verdicts(events: int, rows: int) -> Verdicts:
    """Return room for the verdicts on a micro-batch in which up to `rows` sessions close."""
    return Verdicts(
        score=np.zeros(events),
        rarity=np.zeros(events),
        passed=np.zeros(events, np.uint8),
        plain_leads=np.zeros(events, np.bool_),
        over=np.zeros(events, np.int32),
        closed_level=np.zeros(rows, np.uint8),
        closed_rarity=np.zeros(rows),
        closed_over=np.zeros(rows, np.int32),
    )


@njit(cache=True)
def _round(x: float) -> float:
    return math.floor(x * _ROUND + 0.5) / _ROUND


@njit(cache=True)
def correction(budget: Budget, standing: Standing, sums: np.ndarray, voice: int) -> float:
    """Return the factor for an agent: its fleet's mean session score to its own, shrunk and clipped."""
    total = standing.totals[0]
    if total <= budget.least // 2 or standing.totals[1 + voice] <= 0.0:
        return 1.0
    mean = standing.totals[1 + voice] / total
    sessions, own = sums[0], sums[1 + voice]
    shrunk = mean + (own - sessions * mean) / (sessions + budget.prior_sessions)
    factor = (mean / max(shrunk, 0.1 * mean)) ** budget.exponent
    return min(max(factor, budget.low), budget.high)


@njit(cache=True)
def _settle(budget: Budget, standing: Standing, memory: Memory, closes: Closes, row: int, out: Verdicts) -> None:
    """Take a closed session into the windows and the means."""
    session, agent = memory.sessions[closes.slot[row]], memory.agents[closes.agent[row]]
    best, passed, sums = session["best"], session["passed"], agent["sums"]
    rolling = standing.rolling
    out.closed_level[row] = passed[0]
    out.closed_over[row] = passed[1]
    out.closed_rarity[row] = 0.0
    totals = standing.totals
    totals[3] += 1.0
    if passed[0]:
        totals[4] += 1.0
    if best[FUSED] < 0.0:
        return
    out.closed_rarity[row] = _round(log_rarity(rolling, FUSED, best[FUSED], budget.tail, budget.least))
    if totals[3] > budget.warm_sessions:
        for voice in range(3):
            note_value(rolling, voice, best[voice])
        sums[0] += 1.0
        totals[0] += 1.0
        for voice in range(2):
            capped = min(best[3 + voice], budget.cap)
            sums[1 + voice] += capped
            totals[1 + voice] += capped
    best[:] = -1.0
    passed[:] = 0


@njit(cache=True)
def _exchange(budget: Budget, rolling: Rolling, plain: float) -> float:
    """Return what evidence of the plain voice is worth in evidence of the origin voice.

    The level that the origin voice reaches as rarely, its larger share of the budget granted; 0
    while either window is too young.
    """
    if rolling.used[PLAIN, 0] < budget.least or budget.origin_share >= 1.0:
        return 0.0
    share = 10.0 ** -log_rarity(rolling, PLAIN, plain, budget.tail, budget.least)
    share *= budget.origin_share / (1.0 - budget.origin_share)
    return upper_quantile(rolling, ORIGIN, share, budget.tail) if share < 1.0 else 0.0


@njit(cache=True)
def _judge(
    budget: Budget, standing: Standing, memory: Memory, context: Context, evidence: Evidence, i: int, out: Verdicts
) -> None:
    """Score an action and raise its session."""
    session = memory.sessions[context.slot[i]]
    sums = memory.agents[context.agent[i]]["sums"]
    best, passed = session["best"], session["passed"]
    plain = evidence.total[i, PLAIN] * correction(budget, standing, sums, PLAIN)
    origin = evidence.total[i, ORIGIN] * correction(budget, standing, sums, ORIGIN)
    exchanged = _exchange(budget, standing.rolling, plain)
    score = _round(max(origin, exchanged))
    out.score[i] = score
    out.plain_leads[i] = exchanged > origin
    rises = score > best[FUSED]
    best[PLAIN] = max(best[PLAIN], _round(plain))
    best[ORIGIN] = max(best[ORIGIN], _round(origin))
    best[FUSED] = max(best[FUSED], score)
    best[3] = max(best[3], _round(evidence.total[i, PLAIN]))
    best[4] = max(best[4], _round(evidence.total[i, ORIGIN]))
    own = _round(log_rarity(standing.rolling, FUSED, score, budget.tail, budget.least))
    out.rarity[i] = own
    if standing.rolling.used[FUSED, 0] < budget.least or score < budget.floor or own < -math.log10(budget.alerts):
        return
    passed[1] += 1
    out.over[i] = passed[1]
    level = QUARANTINE if own >= -math.log10(budget.quarantine) else ALERT
    if rises and level > passed[0]:
        passed[0] = level
        out.passed[i] = level


@njit(cache=True)
def judge(
    budget: Budget,
    standing: Standing,
    memory: Memory,
    context: Context,
    evidence: Evidence,
    closes: Closes,
    span: tuple[int, int, int],
    out: Verdicts,
) -> int:
    """Write the verdicts on the events of a span and on the sessions closed among them.

    Parameters
    ----------
    budget : Budget
        Settings.
    standing, memory : Standing, Memory
        Changed in place: open sessions, windows, means.
    context, evidence, closes : Context, Evidence, Closes
        What was found.
    span : (int, int, int)
        First event, one past the last, first close that is not settled.
    out : Verdicts
        Written.

    Returns
    -------
    int
        First close that is not settled yet.
    """
    row = span[2]
    for i in range(span[0], span[1]):
        while row < closes.count[0] and closes.at[row] <= i:
            _settle(budget, standing, memory, closes, row, out)
            row += 1
        out.score[i] = np.nan if context.state[i] == REPEATED else 0.0
        out.rarity[i] = 0.0
        out.passed[i] = QUIET
        out.plain_leads[i] = False
        out.over[i] = 0
        if context.state[i] == JUDGED:
            _judge(budget, standing, memory, context, evidence, i, out)
    return row


@njit(cache=True)
def settle_rest(budget: Budget, standing: Standing, memory: Memory, closes: Closes, row: int, out: Verdicts) -> None:
    """Settle the closes from ``row`` on, where no events follow."""
    for k in range(row, closes.count[0]):
        _settle(budget, standing, memory, closes, k, out)
