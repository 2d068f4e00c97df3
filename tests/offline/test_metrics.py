"""Ranking measures against plain definitions, and intervals that can be trusted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.offline.metrics import Ranking, Resampling, Sample, chance_of, filled, roc_auc, summary, wilson


def _sample(scores: list[float], labels: list[int]) -> Sample:
    return Sample(np.array(scores, dtype=np.float64), np.array(labels, dtype=bool))


def _recall_by_definition(scores: np.ndarray, labels: np.ndarray, share: float) -> float:
    """Return recall at a threshold on harmless scores, ties taken in part."""
    good, bad = np.sort(scores[~labels])[::-1], scores[labels]
    threshold = good[min(int(share * len(good)), len(good) - 1)]
    above, ties = (good > threshold).sum(), (good == threshold).sum()
    part = min(max((share * len(good) - above) / max(ties, 1), 0.0), 1.0)
    return float(((bad > threshold).sum() + part * (bad == threshold).sum()) / len(bad))


coarse = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: {label for _, label in rows} == {False, True}
)


@given(rows=coarse)
def test_the_area_is_the_share_of_pairs_in_order_with_ties_half(rows: list[tuple[int, bool]]) -> None:
    """The definition, pair by pair."""
    bad = [score for score, label in rows if label]
    good = [score for score, label in rows if not label]
    pairs = [(b > g) + 0.5 * (b == g) for b in bad for g in good]
    found = roc_auc(np.array([s for s, _ in rows], dtype=float), np.array([y for _, y in rows]))
    assert found == pytest.approx(np.mean(pairs))


@given(rows=coarse)
def test_recalls_follow_the_definition_with_ties_in_part(rows: list[tuple[int, bool]]) -> None:
    """At every budget, as the mean over random orders of the ties."""
    scores, labels = np.array([s for s, _ in rows], dtype=float), np.array([y for _, y in rows])
    found = Ranking(Sample(scores, labels)).measure()
    for name, share in (("recall_at_0_5pct", 0.005), ("recall_at_1pct", 0.01), ("recall_at_5pct", 0.05)):
        assert found[name] == pytest.approx(_recall_by_definition(scores, labels, share))


def test_average_precision_without_ties_is_the_mean_precision_at_every_hit() -> None:
    """Hits at ranks 1, 3 and 4: (1 + 2/3 + 3/4) / 3."""
    found = Ranking(_sample([9, 8, 7, 6, 5], [1, 0, 1, 1, 0])).measure()["average_precision"]
    assert found == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_tied_scores_earn_no_more_than_chance() -> None:
    """A score that says the same of everything ranks nothing: order in the file does not help."""
    labels = np.arange(400) < 40
    found = Ranking(Sample(np.zeros(400), labels)).measure()
    assert found["roc_auc"] == 0.5
    assert found["recall_at_5pct"] == pytest.approx(0.05)
    assert (found["average_precision"] or 0) < 0.2


@given(weights=st.lists(st.integers(0, 3), min_size=8, max_size=8).filter(lambda w: any(w[:3]) and any(w[3:])))
def test_weights_count_like_copies(weights: list[int]) -> None:
    """A thing of weight three measures as three of it, which is what a bootstrap does."""
    scores, labels = np.array([5.0, 3.0, 1.0, 4.0, 3.0, 2.0, 0.0, 0.0]), np.array([1, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    alarmed = scores > 2.5
    weighted = Ranking(Sample(scores, labels, alarmed)).measure(np.array(weights, dtype=float))
    copied = Ranking(Sample(*(np.repeat(part, weights) for part in (scores, labels, alarmed)))).measure()
    for name, value in copied.items():
        if name != "average_precision":  # copies are ties in random order: near, not equal
            assert weighted[name] == pytest.approx(value), name


def test_measures_that_a_sample_does_not_define_are_none() -> None:
    """Without attacks there is no recall, and none is not zero."""
    found = Ranking(Sample(np.array([1.0, 2.0]), np.array([False, False]), np.array([False, True]))).measure()
    assert found["roc_auc"] is None
    assert found["average_precision"] is None
    assert found["live_recall"] is None
    assert found["benign_alarm_rate"] == 0.5


def test_alarm_rates_tell_harmless_from_bad() -> None:
    """Two of four harmless alarmed, one of two attacks found, half of all."""
    alarmed = np.array([True, True, False, False, True, False])
    found = Ranking(Sample(np.arange(6.0), np.array([0, 0, 0, 0, 1, 1], dtype=bool), alarmed)).measure()
    assert (found["benign_alarm_rate"], found["live_recall"], found["alarm_rate"]) == (0.5, 0.5, 0.5)


def test_what_was_not_scored_counts_as_the_least_strange() -> None:
    """NaN takes the smallest score; nothing scored at all is zero."""
    assert filled(np.array([2.0, np.nan, 1.0])).tolist() == [2.0, 1.0, 1.0]
    assert filled(np.array([np.nan])).tolist() == [0.0]


def test_intervals_hold_the_estimate_and_repeat_with_the_seed() -> None:
    """The same seed gives the same interval; it is neither empty nor the whole range."""
    chance = np.random.default_rng(1)
    labels = np.arange(600) < 60
    sample = Sample(chance.normal(size=600) + labels, labels)
    one, two = summary(sample, Resampling(100, 3)), summary(sample, Resampling(100, 3))
    assert one == two
    low, high = one["intervals"]["roc_auc"]
    assert low < one["roc_auc"] < high
    assert 0.03 < high - low < 0.2
    assert (one["n"], one["positives"]) == (600, 60)


def test_no_draws_give_no_intervals() -> None:
    """The harmless twin: quick looks need none."""
    assert summary(_sample([1, 2], [0, 1]), Resampling(0))["intervals"] == {}


def test_events_of_a_session_are_drawn_together() -> None:
    """A session copied a hundred times over in events is still one session: the interval stays wide."""
    chance = np.random.default_rng(2)
    units = np.repeat(np.arange(30), 100)
    labels = units < 5
    scores = np.repeat(chance.normal(size=30) + 1.5 * (np.arange(30) < 5), 100)
    apart = summary(Sample(scores, labels), Resampling(80))["intervals"]["roc_auc"]
    together = summary(Sample(scores, labels, None, units), Resampling(80))["intervals"]["roc_auc"]
    assert together[1] - together[0] > 3 * (apart[1] - apart[0])


def _alarmed(**more: list[int]) -> Sample:
    """Return four harmless and four bad things, of which the first two harmless and three bad ones alarmed."""
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    parts = {name: np.array(values, dtype=bool) for name, values in more.items()}
    scores = np.array([5.0, 1.0, 0.5, 0.0, 6.0, 5.0, 2.0, 0.2])
    return Sample(scores, labels, np.array([1, 1, 0, 0, 1, 1, 1, 0], dtype=bool), **parts)


def test_alarms_are_shares_of_closed_and_of_judged_sessions() -> None:
    """Two of four harmless ones; of the three that were judged two; one of these opened an incident, one joined."""
    sample = _alarmed(opened=[1, 0, 0, 0, 1, 0, 0, 0], judged=[1, 1, 1, 0, 1, 1, 1, 1])
    found = Ranking(sample).measure()
    assert (found["benign_alarm_rate"], found["benign_incident_rate"], found["benign_join_rate"]) == (0.5, 0.25, 0.25)
    assert found["benign_alarm_rate_judged"] == pytest.approx(2 / 3)
    assert found["benign_incident_rate_judged"] == pytest.approx(1 / 3)
    assert (found["live_recall"], found["alarm_rate"], found["incident_rate"]) == (0.75, 5 / 8, 2 / 8)


def test_without_being_asked_every_alarm_is_an_incident_and_all_is_judged() -> None:
    """As it was before sessions could join."""
    found = Ranking(_alarmed()).measure()
    assert found["benign_incident_rate"] == found["benign_alarm_rate"] == found["benign_alarm_rate_judged"] == 0.5
    assert found["benign_join_rate"] == 0.0


def test_the_ranking_is_held_against_alarms_at_their_own_cost() -> None:
    """Two harmless alarmed: the line stands above the third harmless one, at .5, and finds 6, 5 and 2."""
    assert Ranking(_alarmed()).measure()["ranking_recall_at_same_rate"] == 0.75


def test_a_tie_that_the_line_would_cut_is_taken_in_part() -> None:
    """One of four harmless ones alarmed; four bad and two harmless share a score: half of the tie is above the line."""
    scores = np.array([3.0, 3.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0])
    alarmed = np.array([0, 0, 0, 1, 0, 0, 0, 0], dtype=bool)
    sample = Sample(scores, np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=bool), alarmed)
    assert Ranking(sample).measure()["ranking_recall_at_same_rate"] == 0.5


def test_alarms_that_cost_nothing_are_held_against_what_lies_above_everything_harmless() -> None:
    """The 6 alone."""
    sample = _alarmed()._replace(alarmed=np.zeros(8, dtype=bool))
    assert Ranking(sample).measure()["ranking_recall_at_same_rate"] == 0.25


@given(rows=coarse, cut=st.integers(0, 7))
def test_one_line_through_the_scores_finds_what_the_ranking_allows(rows: list[tuple[int, bool]], cut: int) -> None:
    """A decision that is a threshold, and cuts no tie, is exactly as good as the ranking at its own cost."""
    scores, labels = np.array([s for s, _ in rows], dtype=float), np.array([y for _, y in rows])
    found = Ranking(Sample(scores, labels, scores >= cut)).measure()
    at_same_rate, recall = found["ranking_recall_at_same_rate"], found["live_recall"]
    assert at_same_rate is not None
    assert recall is not None
    above = scores[(scores < cut) & ~labels].max(initial=-1.0)
    # bad ones between the line and the next harmless one cost nothing more
    assert at_same_rate == pytest.approx((scores[labels] > above).mean())
    assert at_same_rate >= recall - 1e-12


@given(rows=coarse, weights=st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_weights_count_a_thing_as_often_as_if_it_stood_there_so_often(
    rows: list[tuple[int, bool]], weights: list[int]
) -> None:
    """Bootstrap intervals rest on that, of the measures of alarms too."""
    scores, labels = np.array([s for s, _ in rows], dtype=float), np.array([y for _, y in rows])
    times = np.array(weights[: len(rows)])
    alarmed, opened, judged = scores >= 4, scores >= 5, scores > 0
    weighted = Ranking(Sample(scores, labels, alarmed, None, opened, judged)).measure(times.astype(float))
    many, of, rang, open_, known = (np.repeat(part, times) for part in (scores, labels, alarmed, opened, judged))
    repeated = Ranking(Sample(many, of.astype(bool), rang, None, open_, known)).measure()
    for name, value in repeated.items():
        if name != "average_precision":  # its order of ties is drawn
            assert weighted[name] == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(("part", "whole", "want"), [(0, 100, (0.0, 0.0370)), (5, 100, (0.0215, 0.1118)),
                                                    (100, 100, (0.9630, 1.0))])  # fmt: skip
def test_wilson_intervals_are_those_of_the_book(part: int, whole: int, want: tuple[float, float]) -> None:
    """And none at all of nothing."""
    assert wilson(part, whole) == pytest.approx(want, abs=5e-5)
    assert wilson(0, 0) is None


@given(rows=coarse, share=st.floats(0.0, 1.0))
def test_a_recall_at_any_share_follows_the_definition(rows: list[tuple[int, bool]], share: float) -> None:
    """A curve of a picture and a figure of a table are one and the same."""
    sample = _sample([float(score) for score, _ in rows], [int(label) for _, label in rows])
    (found,) = Ranking(sample).recalls([share])
    assert found == pytest.approx(_recall_by_definition(sample.scores, sample.labels, share))


@given(whole=st.integers(1, 30), share=st.floats(0.001, 0.999), part=st.integers(0, 31))
def test_a_chance_is_the_sum_of_its_ways(whole: int, share: float, part: int) -> None:
    """By the definition, way by way; more than there are never come."""
    ways = (math.comb(whole, k) * share**k * (1.0 - share) ** (whole - k) for k in range(part, whole + 1))
    assert chance_of(part, whole, share) == pytest.approx(sum(ways), abs=1e-12)


@pytest.mark.parametrize(("share", "chance"), [(0.0, 0.0), (1.0, 1.0)])
def test_what_never_or_always_happens_has_no_chance(share: float, chance: float) -> None:
    """A promise of none: one alarm is already impossible."""
    assert chance_of(1, 5, share) == chance
    assert chance_of(0, 5, share) == 1.0
