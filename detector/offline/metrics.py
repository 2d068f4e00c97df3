"""How well scores rank what is bad, at budgets an operator has; pure numpy, no labels kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Measures: TypeAlias = dict[str, float | None]

BUDGETS = {"recall_at_0_5pct": 0.005, "recall_at_1pct": 0.01, "recall_at_5pct": 0.05}
"""Measure -> share of what is harmless that may be alarmed."""

_TIE_ORDERS = 3


class Sample(NamedTuple):
    """Scored things with their labels.

    Parameters
    ----------
    scores : ndarray of float64, shape (n,)
        High is strange; finite.
    labels : ndarray of bool, shape (n,)
        True for what is bad.
    alarmed : ndarray of bool, shape (n,), or None
        Whether an alert went out; None where that was not asked.
    units : ndarray of int64, shape (n,), or None
        What is drawn as a whole in a bootstrap (the session of an event); None if each thing is its own.
    opened : ndarray of bool, shape (n,), or None
        Of what alarmed, whether it opened an incident; None where all did, or it was not asked.
    judged : ndarray of bool, shape (n,), or None
        Whether anything of it was judged; None where all was.
    """

    scores: Floats
    labels: NDArray[np.bool_]
    alarmed: NDArray[np.bool_] | None = None
    units: NDArray[np.int64] | None = None
    opened: NDArray[np.bool_] | None = None
    judged: NDArray[np.bool_] | None = None

    def where(self, keep: NDArray[np.bool_]) -> Sample:
        """Return the sample of what is kept."""
        return Sample(*(None if part is None else part[keep] for part in self))  # type: ignore[arg-type]  # same order


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: sessions drawn again, bad and harmless ones apart.

    Parameters
    ----------
    draws : int
        Bootstrap samples; 0 for no intervals.
    seed : int
        Of the draws and of the order of ties.
    level : float
        Share of the draws inside an interval.
    """

    draws: int = 200
    seed: int = 0
    level: float = 0.95


def filled(scores: Floats) -> Floats:
    """Return the scores with NaN (not scored) as the smallest of them, or 0 if there is none."""
    scored = scores[~np.isnan(scores)]
    lowest = scored.min() if len(scored) else 0.0
    return np.where(np.isnan(scores), lowest, scores)


class Ranking:
    """One sample sorted once, so that it can be measured many times under different weights.

    Ties count half in the area, and as if in random order elsewhere: recalls take the mean over all
    orders, average precision the mean over three drawn with the seed. ``ranking_recall_at_same_rate`` is the recall of
    a line through the scores that alarms just as much of what is harmless as alarmed; where it would have to cut a tie,
    it takes the same share of the tie's bad as of its harmless things, which is that mean.

    Parameters
    ----------
    sample : Sample
        What is ranked.
    seed : int
        Of the order of ties.
    """

    def __init__(self, sample: Sample, seed: int = 0) -> None:
        scores, labels = sample.scores, sample.labels
        chance = np.random.default_rng(seed)
        self._labels = labels
        self._alarmed = sample.alarmed
        self._opened = sample.alarmed if sample.opened is None else sample.opened
        self._judged = np.ones(len(scores), dtype=bool) if sample.judged is None else sample.judged
        self._orders = [np.lexsort((chance.random(len(scores)), -scores)) for _ in range(_TIE_ORDERS)]
        self._order = np.argsort(-scores, kind="stable")
        ranked = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, np.int64)

    def measure(self, weights: Floats | None = None) -> Measures:
        """Return every measure; None for one that this sample does not define.

        Parameters
        ----------
        weights : ndarray of float64, shape (n,), optional
            How often each thing counts; once if left out.
        """
        weight = np.ones(len(self._labels)) if weights is None else weights
        bad, good = weight * self._labels, weight * ~self._labels
        n_bad, n_good = float(bad.sum()), float(good.sum())
        out: Measures = dict.fromkeys(("roc_auc", "average_precision", *BUDGETS))
        if n_bad > 0.0:
            out["average_precision"] = float(np.mean([_precision(bad[o], good[o]) for o in self._orders]))
        spent = 0.0 if self._alarmed is None else float((good * self._alarmed).sum())
        if n_bad > 0.0 and n_good > 0.0:
            group_bad = np.add.reduceat(bad[self._order], self._starts)
            group_good = np.add.reduceat(good[self._order], self._starts)
            before = np.cumsum(group_bad) - group_bad
            out["roc_auc"] = float(((before + group_bad / 2.0) * group_good).sum() / (n_bad * n_good))
            for name, share in BUDGETS.items():
                out[name] = _recall(group_bad, group_good, share * n_good) / n_bad
            if self._alarmed is not None:
                out["ranking_recall_at_same_rate"] = _recall(group_bad, group_good, spent) / n_bad
        if self._alarmed is not None and self._opened is not None:
            out |= self._alarms(self._alarmed, self._opened, bad, good)
            out.setdefault("ranking_recall_at_same_rate", None)
        return out

    def recalls(self, shares: Sequence[float]) -> list[float]:
        """Return what a line through the scores finds that alarms such a share of what is harmless, for each share.

        Both kinds must be there.
        """
        bad, good = self._labels[self._order].astype(np.float64), (~self._labels[self._order]).astype(np.float64)
        group_bad, group_good = np.add.reduceat(bad, self._starts), np.add.reduceat(good, self._starts)
        return [_recall(group_bad, group_good, share * good.sum()) / float(bad.sum()) for share in shares]

    def _alarms(self, alarmed: NDArray[np.bool_], opened: NDArray[np.bool_], bad: Floats, good: Floats) -> Measures:
        """Return what the alarms cost and found."""
        n_bad, n_good, judged = float(bad.sum()), float(good.sum()), float((good * self._judged).sum())
        return {
            "benign_alarm_rate": _ratio((good * alarmed).sum(), n_good),
            "benign_alarm_rate_judged": _ratio((good * (alarmed & self._judged)).sum(), judged),
            "benign_incident_rate": _ratio((good * opened).sum(), n_good),
            "benign_incident_rate_judged": _ratio((good * (opened & self._judged)).sum(), judged),
            "benign_join_rate": _ratio((good * (alarmed & ~opened)).sum(), n_good),
            "alarm_rate": _ratio(((bad + good) * alarmed).sum(), n_bad + n_good),
            "incident_rate": _ratio(((bad + good) * opened).sum(), n_bad + n_good),
            "live_recall": _ratio((bad * alarmed).sum(), n_bad),
        }


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0.0 else None


def _precision(bad: Floats, good: Floats) -> float:
    """Return average precision of weights in ranked order."""
    found = np.cumsum(bad)
    seen = found + np.cumsum(good)
    return float((bad * np.divide(found, seen, out=np.zeros_like(found), where=seen > 0.0)).sum() / bad.sum())


def _recall(bad: Floats, good: Floats, allowed: float) -> float:
    """Return how much is found before this much of the harmless is alarmed; groups of ties in ranked order."""
    spent = np.cumsum(good)
    group = min(int(np.searchsorted(spent, allowed, "right")), len(spent) - 1)
    before = spent[group] - good[group]
    inside = min(max((allowed - before) / good[group], 0.0), 1.0) if good[group] > 0.0 else 1.0
    return float(bad[:group].sum() + inside * bad[group])


def wilson(part: float, whole: float, level: float = 0.95) -> tuple[float, float] | None:
    """Return an interval of a share that also says something where nothing or everything was counted.

    Parameters
    ----------
    part, whole : float
        What was counted, of how much; None comes back for a whole of 0.
    level : float
        Share of such intervals that hold the truth, if cases are independent of each other.

    References
    ----------
    .. [1] E. B. Wilson (1927). Probable inference, the law of succession, and statistical inference. *Journal of the
       American Statistical Association* 22.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(0, 100) or ()]
    [0.0, 0.037]
    """
    if whole <= 0.0:
        return None
    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    share, spread = part / whole, z * z / whole
    middle = share + spread / 2.0
    half = z * math.sqrt(share * (1.0 - share) / whole + spread / (4.0 * whole))
    return max(middle - half, 0.0) / (1.0 + spread), min((middle + half) / (1.0 + spread), 1.0)


def chance_of(part: int, whole: int, share: float) -> float:
    """Return how likely at least so many of a whole are, where each is one with a probability of `share` by itself.

    Examples
    --------
    >>> chance_of(0, 10, 0.5), chance_of(10, 10, 0.5)
    (1.0, 0.0009765625)
    """
    if part <= 0:
        return 1.0
    if not 0.0 < share < 1.0:
        return float(share >= 1.0)
    ways = (math.lgamma(whole + 1) - math.lgamma(k + 1) - math.lgamma(whole - k + 1) for k in range(part, whole + 1))
    terms = (way + k * math.log(share) + (whole - k) * math.log1p(-share) for k, way in enumerate(ways, start=part))
    return min(math.fsum(math.exp(term) for term in terms), 1.0)


def roc_auc(scores: Floats, labels: NDArray[np.bool_]) -> float | None:
    """Return the area under the ROC curve, ties counting half; None without both classes.

    Examples
    --------
    >>> roc_auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    return Ranking(Sample(scores, labels)).measure()["roc_auc"]


def summary(sample: Sample, resampling: Resampling) -> dict[str, Any]:
    """Return the measures of a sample with ``n``, ``positives`` and bootstrap ``intervals``.

    Intervals resample units (sessions), those with anything bad and those without apart, and hold what the
    sample defines.
    """
    ranking = Ranking(sample, resampling.seed)
    out: dict[str, Any] = dict(ranking.measure())
    out["n"], out["positives"] = len(sample.labels), int(sample.labels.sum())
    out["intervals"] = _intervals(ranking.measure, sample, resampling)
    return out


def _intervals(
    measure: Callable[[Floats], Measures], sample: Sample, resampling: Resampling
) -> dict[str, tuple[float, float]]:
    if not resampling.draws or not len(sample.labels):
        return {}
    units = np.arange(len(sample.labels)) if sample.units is None else np.unique(sample.units, return_inverse=True)[1]
    is_bad = np.zeros(int(units.max()) + 1, dtype=bool)
    is_bad[units[sample.labels]] = True
    strata = [np.flatnonzero(is_bad), np.flatnonzero(~is_bad)]
    chance = np.random.default_rng(resampling.seed)
    drawn: dict[str, list[float]] = {}
    for _ in range(resampling.draws):
        weights = np.zeros(len(is_bad))
        for stratum in strata:
            if len(stratum):
                weights += np.bincount(chance.choice(stratum, len(stratum)), minlength=len(is_bad))
        for name, value in measure(weights[units]).items():
            if value is not None:
                drawn.setdefault(name, []).append(value)
    tail = (1.0 - resampling.level) / 2.0
    return {
        name: (float(np.quantile(values, tail)), float(np.quantile(values, 1.0 - tail)))
        for name, values in drawn.items()
    }
