"""Several seeds as one report: means, ranges, and what cannot be averaged."""

from __future__ import annotations

from detector.offline.analyst import Analyst
from detector.offline.seeds import Asked, mean_of, ranges_of
from detector.profile.load import load_profile


def test_numbers_become_means_and_ranges_wherever_they_stand() -> None:
    """Counts, rates, parts of parts."""
    reports = [{"a": {"b": 1, "c": 0.25}, "name": "x"}, {"a": {"b": 4, "c": 0.75}, "name": "x"}]
    assert mean_of(reports) == {"a": {"b": 2.5, "c": 0.5}, "name": "x"}
    assert ranges_of(reports) == {"a": {"b": (1, 4), "c": (0.25, 0.75)}}


def test_what_one_seed_does_not_have_is_the_others() -> None:
    """A kind of attack that was thinned away, a recall without attacks: no zero is made up."""
    reports = [{"kinds": {"theft": {"n": 3}}, "recall": None}, {"kinds": {}, "recall": 0.5}, {"recall": None}]
    assert mean_of(reports) == {"kinds": {"theft": {"n": 3.0}}, "recall": 0.5}
    assert ranges_of(reports)["recall"] == (0.5, 0.5)
    assert mean_of([None, None]) is None
    assert ranges_of([{"x": None}]) == {}


def test_intervals_are_averaged_end_by_end_and_have_no_range() -> None:
    """They are those of one run each."""
    reports = [{"intervals": {"r": (0.0, 0.2)}, "r": 0.1}, {"intervals": {"r": (0.2, 0.4)}, "r": 0.3}]
    assert mean_of(reports)["intervals"] == {"r": [0.1, 0.30000000000000004]}
    assert ranges_of(reports) == {"r": (0.1, 0.3)}


def test_truth_is_no_number() -> None:
    """True and False stay what they are."""
    assert mean_of([{"ok": True}, {"ok": True}]) == {"ok": True}
    assert ranges_of([{"ok": True}]) == {}


def test_every_seed_moves_on() -> None:
    """Detector, draws and analyst; the question keeps what the profile promises."""
    asked = Asked(load_profile(), None, 3, Analyst(delay=7, seed=5), 0.3, 10).later(2)
    assert asked.analyst is not None
    assert (asked.seed, asked.analyst.seed, asked.analyst.delay) == (5, 7, 7)
    question = asked.question()
    assert (question.resampling.seed, question.resampling.draws) == (5, 10)
    assert (question.attack_share, question.promised) == (0.3, load_profile().budget.alerts)
    assert question.analyst == asked.analyst
    assert Asked(load_profile()).later(1).analyst is None
