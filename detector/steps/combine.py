"""Evidence of an event: a weighted sum of -log10 p, weighed by what the event could do.

Two voices. The plain one looks at all values alike (configuration H of the study); the origin
voice, for events that say where their values came from, discounts what the user supplied and what
is only repeated, and adds how rare it is that a value comes from tool output here (HO). Without
origins the two are equal.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from detector.intake.columns import DATA_ACCESS, Columns
from detector.memory import layout as mem
from detector.scorers.half_space import Masses, Structure, is_ready, score_then_learn_one
from detector.sketches.survival import BINS, note_bin, tail_p
from detector.steps.workspace import JUDGED, NO_ORIGIN, OTHER_ORIGIN, Context

HALF_SPACE_CHANNELS = 8
"""The half-space trees see the p-values of the first eight channels."""


class Weights(NamedTuple):
    """Weights of the channels in catalogue order, of the models, and of the risk."""

    plain: np.ndarray
    origin: np.ndarray
    forest: float
    half_space: float
    not_ok: float
    read: float
    no_tool_origin: float


class Models(NamedTuple):
    """The half-space trees of every peer group, and the histogram of what they answered."""

    structure: Structure
    masses: Masses
    survival: np.ndarray


class Evidence(NamedTuple):
    """Evidence of n events.

    Parameters
    ----------
    total : ndarray of float64, shape (n, 2)
        Of the plain and of the origin voice; 0 for an event that is not judged.
    factor : ndarray of float64, shape (n,)
        Risk weight by outcome and kind.
    forest : ndarray of float64, shape (n,)
        -log10 of the rank among the forest's training scores; 0 until there is a forest.
    half_space : ndarray of float64, shape (n,)
        -log10 p of the half-space trees; 0 until a group's first window is full.
    """

    total: np.ndarray
    factor: np.ndarray
    forest: np.ndarray
    half_space: np.ndarray


def allocate_evidence(events: int) -> Evidence:
    """Return room for the evidence of a micro-batch."""
    return Evidence(np.zeros((events, 2)), np.zeros(events), np.zeros(events), np.zeros(events))


@njit(cache=True)
def ask_half_space(models: Models, context: Context, span: tuple[int, int], out: Evidence) -> None:
    """Write what the half-space trees say of each action; they learn it at once, gate or no gate."""
    x = np.empty(HALF_SPACE_CHANNELS)
    for i in range(span[0], span[1]):
        out.half_space[i] = 0.0
        if context.state[i] != JUDGED:
            continue
        for k in range(HALF_SPACE_CHANNELS):
            x[k] = min(10.0 ** -context.logs[i, k], 1.0)
        group = np.int64(context.group[i])
        ready = is_ready(models.structure, models.masses, group)
        score = score_then_learn_one(models.structure, models.masses, group, x)
        if ready:
            place = min(max(np.int64(score * BINS), 0), BINS - 1)
            out.half_space[i] = -math.log10(max(tail_p(models.survival, place), 1e-7))
            note_bin(models.survival, place)


@njit(cache=True)
def _weighted(weights: np.ndarray, logs: np.ndarray) -> float:
    total = 0.0
    for k in range(len(weights)):
        total += weights[k] * logs[k]
    return total


@njit(cache=True)
def combine(weights: Weights, columns: Columns, context: Context, span: tuple[int, int], out: Evidence) -> None:
    """Write the evidence of each event: what the channels and the models add up to, times its risk."""
    for i in range(span[0], span[1]):
        out.total[i, :] = 0.0
        if context.state[i] != JUDGED:
            continue
        factor = weights.not_ok if columns.outcome[i] else 1.0
        if columns.kind[i] == DATA_ACCESS:
            factor *= weights.read
        models = weights.forest * out.forest[i] + weights.half_space * out.half_space[i]
        logs = context.logs[i]
        plain = _weighted(weights.plain, logs)
        origin = plain
        if context.origin[i] != NO_ORIGIN:
            origin = _weighted(weights.origin, logs)
        origin += models
        if context.origin[i] == OTHER_ORIGIN:
            origin *= weights.no_tool_origin
        out.factor[i] = factor
        out.total[i, 0] = factor * (plain + models)
        out.total[i, 1] = factor * origin


def voice_weights(by_channel: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the plain and of the origin voice, in catalogue order of the channels."""
    plain = np.array([by_channel.get(name, 0.0) for name in mem.CHANNELS])
    plain[mem.NOVELTY_ORIGIN :] = 0.0
    origin = plain.copy()
    origin[mem.NOVELTY_ORIGIN], origin[mem.NOVELTY] = plain[mem.NOVELTY], 0.0
    origin[mem.ARGUMENTS_ORIGIN], origin[mem.ARGUMENTS] = plain[mem.ARGUMENTS], 0.0
    origin[mem.RARITY] = by_channel.get("rarity", 0.0)
    return plain, origin
