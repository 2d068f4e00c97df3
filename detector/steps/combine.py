"""Combine: the models are asked, and all that was found adds up to the evidence of an event.

Two voices. The plain one looks at all values alike; the origin voice, for events that say where their values
came from, discounts what the user supplied and what is only repeated, and adds how rare it is that a value comes
from tool output here. Without origins the two are equal. Formulas: ``docs/science.md``, *Evidence*.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from detector.channels.catalogue import CHANNELS, HALF_SPACE, spoken_of
from detector.channels.context import (
    AS_FAILED,
    AS_READ,
    FLEET_AGENTS,
    IS_ESTABLISHED,
    JUDGED,
    NO_ORIGIN,
    OTHER_ORIGIN,
    Context,
)
from detector.intake.columns import DATA_ACCESS, LIFECYCLE, LLM_CALL, Columns
from detector.memory.eviction import QUORUM
from detector.memory.layout import ORIGIN, PLAIN
from detector.scorers.forest import FlatForest
from detector.scorers.forest import evidence as forest_evidence
from detector.scorers.half_space import Masses, Structure, is_ready, score_then_learn_one
from detector.sketches.kernel import allocating_kernel, kernel
from detector.sketches.survival import BINS, note_bin, tail_p
from detector.steps.look import LEAST_P
from detector.steps.workspace import EvidenceRows, Workspace

_SEEN_BY_TREES = np.array(HALF_SPACE)


class EvidenceWeights(NamedTuple):
    """EvidenceWeights of the channels, by column, of the models, and of the risk."""

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


def voice_weights(by_name: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the plain and of the origin voice, by column; a voice gives 0 to what is not its own."""
    weights = [by_name[spoken_of(channel.name).name] for channel in CHANNELS]
    plain, origin = (
        np.array([w if voice in channel.voices else 0.0 for w, channel in zip(weights, CHANNELS, strict=True)])
        for voice in ("plain", "origin")
    )
    return plain, origin


def score_by_forest(forest: FlatForest | None, work: Workspace, span: tuple[int, int]) -> None:
    """Write what the isolation forest says of each event of a span; it learns nothing here."""
    rows, out = slice(*span), work.evidence
    out.has_forest[rows] = forest is not None
    if forest is None:
        out.forest[rows] = 0.0
    else:
        forest_evidence(forest, work.context.measures[rows], out.forest[rows])


def score_by_half_space(models: Models, work: Workspace, span: tuple[int, int]) -> None:
    """Write what the half-space trees say of each action of a span; they learn it at once, gate or no gate."""
    _score_by_half_space(models, work.context, span, work.evidence)


def combine(weights: EvidenceWeights, work: Workspace, span: tuple[int, int]) -> None:
    """Write the evidence of each event of a span: what channels and models add up to, times its risk."""
    _combine(weights, work.columns, work.context, span, work.evidence)


@allocating_kernel
def _score_by_half_space(models: Models, context: Context, span: tuple[int, int], out: EvidenceRows) -> None:
    x = np.empty(len(_SEEN_BY_TREES))
    for i in range(span[0], span[1]):
        out.half_space[i] = 0.0
        out.has_half_space[i] = False
        if context.state[i] != JUDGED:
            continue
        for k in range(len(_SEEN_BY_TREES)):
            x[k] = min(10.0 ** -context.logs[i, _SEEN_BY_TREES[k]], 1.0)
        group = np.int64(context.group[i])
        ready = is_ready(models.structure, models.masses, group)
        score = score_then_learn_one(models.structure, models.masses, group, x)
        if ready:
            place = min(max(np.int64(score * BINS), 0), BINS - 1)
            out.half_space[i] = -math.log10(max(tail_p(models.survival, place), LEAST_P))
            out.has_half_space[i] = True
            if context.known[i, IS_ESTABLISHED] or context.known[i, FLEET_AGENTS] < QUORUM:
                note_bin(models.survival, place)


@kernel
def _weighted(weights: np.ndarray, logs: np.ndarray) -> float:
    total = 0.0
    for k in range(len(weights)):
        total += weights[k] * logs[k]
    return total


@kernel
def _combine(
    weights: EvidenceWeights, columns: Columns, context: Context, span: tuple[int, int], out: EvidenceRows
) -> None:
    for i in range(span[0], span[1]):
        out.total[i, :] = 0.0
        if context.state[i] != JUDGED:
            continue
        # what the sender declares lowers its score only as far as the tool is known for it among its peers
        factor = 1.0
        if columns.outcome[i]:
            factor -= (1.0 - weights.not_ok) * context.earned[i, AS_FAILED]
        if columns.kind[i] in (DATA_ACCESS, LLM_CALL, LIFECYCLE):
            factor *= 1.0 - (1.0 - weights.read) * context.earned[i, AS_READ]
        models = (weights.forest * out.forest[i]) if out.has_forest[i] else 0.0
        if out.has_half_space[i]:
            models += weights.half_space * out.half_space[i]
        logs = context.logs[i]
        plain = _weighted(weights.plain, logs)
        origin = plain
        if context.origin[i] != NO_ORIGIN:
            origin = _weighted(weights.origin, logs)
        origin += models
        if context.origin[i] == OTHER_ORIGIN:
            origin *= weights.no_tool_origin
        out.factor[i] = factor
        out.total[i, PLAIN] = factor * (plain + models)
        out.total[i, ORIGIN] = factor * origin
