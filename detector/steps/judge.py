"""Judge: how strange an event makes its session, among the last sessions of this partition.

A session's score is the largest evidence of its events, corrected within narrow bounds for agents
that are always odd, and known the moment it rises. It is held against the last sessions, unlabelled:
its rarity follows drift, and is corrected within bounds for its peer group. Of the two voices the
origin one has most of the budget; evidence of the plain one counts as much as evidence of the origin
voice that is as rare, each within its share.

Formulas and constants: ``docs/science.md``, *Judging*.

What follows from a rarity is the threshold's business (:mod:`detector.steps.threshold`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from detector.channels.context import JUDGED, REPEATED, Context
from detector.intake.columns import Columns
from detector.memory.layout import (
    CAPPED_PLAIN,
    FUSED,
    ORIGIN,
    PLAIN,
    RAW_ORIGIN,
    RAW_PLAIN,
    SCORED,
    Memory,
)
from detector.sketches.kernel import kernel
from detector.sketches.rolling import Rolling, allocate_rolling, count_from, log_rarity, note_value, upper_quantile
from detector.steps.causes import NO_CAUSE, cause_of_act
from detector.steps.peers import enter_peers, rarity_among
from detector.steps.reference import (
    TAKEN_IN,
    TURNED_AWAY,
    Reference,
    allocate_reference,
    enter_reference,
    is_barred,
)
from detector.steps.workspace import Closes, EvidenceRows, Judgements, Workspace

ROUND = 1e6
"""Scores and rarities are rounded to its inverse, so that the last bit of a sum decides nothing."""
LEAST_MEAN = 0.1
"""An agent's mean counts as at least this share of the fleet's: the clip bites long before."""

COUNTED, SUM_PLAIN, SUM_ORIGIN, CLOSED_SESSIONS = range(4)
"""Columns of the totals."""


class JudgeSettings(NamedTuple):
    """Settings: the tail model, the voices' shares, the correction for the agent, what is promised.

    `alerts`: share of sessions that may alert; `floor`: evidence below which, and `trusted_until`: event time before
    which none does.
    """

    tail: float
    origin_share: float
    least: int
    warm_sessions: int
    exponent: float
    low: float
    high: float
    prior_sessions: float
    cap: float
    alerts: float
    floor: float
    trusted_until: float


class SessionStanding(NamedTuple):
    """What sessions are held against.

    Parameters
    ----------
    rolling : Rolling
        The last sessions' scores: plain, origin, fused.
    totals : ndarray of float64, shape (4,)
        Sessions that count for the correction, their capped scores (plain, origin), closed sessions.
    reference : Reference
        Who may enter the window of fused scores.
    """

    rolling: Rolling
    totals: np.ndarray
    reference: Reference


def allocate_standing(window: int) -> SessionStanding:
    """Return a standing before any session has closed."""
    return SessionStanding(allocate_rolling(3, window), np.zeros(4), allocate_reference())


@kernel
def _round(x: float) -> float:
    return math.floor(x * ROUND + 0.5) / ROUND


@kernel
def correction(settings: JudgeSettings, standing: SessionStanding, sums: np.ndarray, voice: int) -> float:
    """Return the factor for an agent: its fleet's mean session score to its own, shrunk and clipped."""
    total = standing.totals[COUNTED]
    if total <= settings.least // 2 or standing.totals[SUM_PLAIN + voice] <= 0.0:
        return 1.0
    mean = standing.totals[SUM_PLAIN + voice] / total
    sessions, own = sums[SCORED], sums[CAPPED_PLAIN + voice]
    shrunk = mean + (own - sessions * mean) / (sessions + settings.prior_sessions)
    factor = (mean / max(shrunk, LEAST_MEAN * mean)) ** settings.exponent
    return min(max(factor, settings.low), settings.high)


@kernel
def _settle(
    settings: JudgeSettings, standing: SessionStanding, memory: Memory, closes: Closes, row: int, out: Judgements
) -> None:
    """Take a closed session into the windows and the means, and forget its scores."""
    session = memory.sessions[closes.slot[row]]
    best, sums = session["best"], memory.agents[closes.agent[row]]["sums"]
    rolling, totals = standing.rolling, standing.totals
    out.closed_score[row] = best[FUSED]
    out.closed_rarity[row] = 0.0
    out.closed_entry[row] = TURNED_AWAY
    out.closed_held[row] = best[FUSED]
    totals[CLOSED_SESSIONS] += 1.0
    is_attack = is_barred(standing.reference, closes.name[row])
    if best[FUSED] < 0.0:
        return
    group, about = np.int64(closes.group[row]), (settings.tail, settings.least)
    out.closed_rarity[row] = _round(rarity_among(rolling, memory, group, best[FUSED], about))
    if totals[CLOSED_SESSIONS] > settings.warm_sessions:
        note_value(rolling, PLAIN, best[PLAIN])
        note_value(rolling, ORIGIN, best[ORIGIN])
        sums[SCORED] += 1.0
        is_trusted = closes.seen[row] < settings.trusted_until
        is_odd = not is_trusted and best[FUSED] >= settings.floor
        is_odd &= out.closed_rarity[row] >= -math.log10(settings.alerts)
        entering = (best[FUSED], session["cause"], closes.seen[row])
        if not is_attack:
            agent = (closes.owner[row], is_odd, is_trusted)
            entry, held = enter_reference(
                rolling, standing.reference, entering, sums, agent, settings.least, settings.alerts
            )
            out.closed_entry[row], out.closed_held[row] = entry, held
            if entry == TAKEN_IN:
                enter_peers(memory, group, held, is_trusted, settings.least)
        totals[COUNTED] += 1.0
        for voice in range(2):
            capped = min(best[RAW_PLAIN + voice], settings.cap)
            sums[CAPPED_PLAIN + voice] += capped
            totals[SUM_PLAIN + voice] += capped
    best[:] = -1.0
    session["cause"] = NO_CAUSE


@kernel
def _exchange(settings: JudgeSettings, rolling: Rolling, plain: float) -> float:
    """Return what evidence of the plain voice is worth in evidence of the origin voice.

    The level that the origin voice reaches as rarely, its larger share of the budget granted; 0
    while either window is too young.
    """
    if rolling.used[PLAIN, 0] < settings.least or settings.origin_share >= 1.0:
        return 0.0
    share = 10.0 ** -log_rarity(rolling, PLAIN, plain, settings.tail, settings.least)
    share *= settings.origin_share / (1.0 - settings.origin_share)
    return upper_quantile(rolling, ORIGIN, share, settings.tail) if share < 1.0 else 0.0


@kernel
def _judge_one(
    settings: JudgeSettings, standing: SessionStanding, memory: Memory, columns: Columns, context: Context,
    evidence: EvidenceRows, i: int, out: Judgements,
) -> None:  # fmt: skip
    """Score an action and raise its session."""
    session = memory.sessions[context.slot[i]]
    best, sums = session["best"], memory.agents[context.agent[i]]["sums"]
    rolling = standing.rolling
    plain = evidence.total[i, PLAIN] * correction(settings, standing, sums, PLAIN)
    origin = evidence.total[i, ORIGIN] * correction(settings, standing, sums, ORIGIN)
    exchanged = _exchange(settings, rolling, plain)
    score = _round(max(origin, exchanged))
    out.score[i] = score
    out.plain_leads[i] = exchanged > origin
    out.rises[i] = score > best[FUSED]
    if out.rises[i]:
        session["cause"] = cause_of_act(columns, i)
    best[PLAIN] = max(best[PLAIN], _round(plain))
    best[ORIGIN] = max(best[ORIGIN], _round(origin))
    best[FUSED] = max(best[FUSED], score)
    best[RAW_PLAIN] = max(best[RAW_PLAIN], _round(evidence.total[i, PLAIN]))
    best[RAW_ORIGIN] = max(best[RAW_ORIGIN], _round(evidence.total[i, ORIGIN]))
    about = (settings.tail, settings.least)
    out.rarity[i] = _round(rarity_among(rolling, memory, np.int64(context.group[i]), score, about))
    out.as_strange[i] = count_from(rolling, FUSED, score)
    out.ready[i] = out.references[i] >= settings.least


@kernel
def _judge(
    settings: JudgeSettings, standing: SessionStanding, memory: Memory, columns: Columns, context: Context,
    evidence: EvidenceRows, closes: Closes, span: tuple[int, int, int], out: Judgements,
) -> int:  # fmt: skip
    row = span[2]
    for i in range(span[0], span[1]):
        while row < closes.count[0] and closes.at[row] <= i:
            _settle(settings, standing, memory, closes, row, out)
            row += 1
        out.score[i] = np.nan if context.state[i] == REPEATED else 0.0
        out.rarity[i] = 0.0
        out.references[i], out.as_strange[i] = standing.rolling.used[FUSED, 0], 0
        out.ready[i] = out.rises[i] = out.plain_leads[i] = False
        if context.state[i] == JUDGED:
            _judge_one(settings, standing, memory, columns, context, evidence, i, out)
    return row


@kernel
def _settle_from(
    settings: JudgeSettings, standing: SessionStanding, memory: Memory, closes: Closes, row: int, out: Judgements
) -> None:
    for k in range(row, closes.count[0]):
        _settle(settings, standing, memory, closes, k, out)


def judge(
    settings: JudgeSettings, standing: SessionStanding, memory: Memory, work: Workspace, span: tuple[int, int, int]
) -> int:
    """Return the first close that is not settled yet; changes open sessions' scores, windows and means.

    Parameters
    ----------
    settings : JudgeSettings
        Settings.
    standing, memory : SessionStanding, Memory
        Changed in place.
    work : Workspace
        Its judgements are written: of the events of the span, and of the sessions closed among them.
    span : (int, int, int)
        First event, one past the last, first close that is not settled.
    """
    row: int = _judge(
        settings, standing, memory, work.columns, work.context, work.evidence, work.closes, span, work.judgements
    )
    return row


def settle_rest(settings: JudgeSettings, standing: SessionStanding, memory: Memory, work: Workspace, row: int) -> None:
    """Settle the closes from `row` on, where no events follow; changes windows and means."""
    _settle_from(settings, standing, memory, work.closes, row, work.judgements)
