"""Promised, spent and found, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detector.offline.evaluate import Question, judge_sessions
from detector.offline.labels import SessionLabel
from detector.offline.metrics import Resampling, wilson
from detector.offline.scored import Scored
from detector.offline.spending import Spending, spending_of


def _report(sessions: list[tuple[str, str, float, bool, bool]], promised: float = 0.1) -> dict[str, Any]:
    """Return the report of sessions: agent, type, score, is attack, is alarmed."""
    names = [f"s{number}" for number in range(len(sessions))]
    labels = {
        name: SessionLabel(agent, kind, is_live=True, is_attack=bad, attack_type="")
        for name, (agent, kind, _, bad, _) in zip(names, sessions, strict=True)
    }
    scored = Scored(
        names, names, [one[0] for one in sessions], [0.0] * len(names), np.array([one[2] for one in sessions]),
        unheard=frozenset(name for name, one in zip(names, sessions, strict=True) if one[4]),
    )  # fmt: skip
    return judge_sessions(scored, labels, Question(promised, Resampling(20)))


QUIET = [("a", "clerk", 1.0 + number / 100, False, False) for number in range(40)]


def _rows(*more: tuple[str, str, float, bool, bool]) -> dict[tuple[str, str], Spending]:
    return {(one.level, one.part): one for one in spending_of(_report([*QUIET, *more]))}


def test_each_part_has_what_it_promised_spent_and_found() -> None:
    """One false alarm of two coders, one of two attacks found; the clerks spent nothing and have no attack."""
    rows = _rows(
        ("b", "coder", 5.0, False, True), ("b", "coder", 1.0, False, False),
        ("b", "coder", 6.0, True, True), ("b", "coder", 0.5, True, False),
    )  # fmt: skip
    whole, coders, clerks = rows["all", "all"], rows["peer group", "coder"], rows["peer group", "clerk"]
    assert (whole.harmless, whole.attacks, whole.promised, whole.spent, whole.found) == (42, 2, 0.1, 1 / 42, 0.5)
    assert (whole.spent_low, whole.spent_high) == pytest.approx(wilson(1, 42))
    assert (whole.found_low, whole.found_high) == pytest.approx(wilson(1, 2))
    assert (coders.spent, coders.found, coders.allowed) == (0.5, 0.5, 0.5)
    assert (clerks.spent, clerks.found, clerks.found_low, clerks.allowed, clerks.allowed_low) == (
        0,
        None,
        None,
        None,
        None,
    )
    assert clerks.spent_high is not None
    assert clerks.spent_high > 0.0, "none of forty is not none for certain"


def test_what_is_allowed_is_at_the_same_price() -> None:
    """At one false alarm the ranking would have found both attacks, and the detector found one."""
    rows = _rows(("b", "coder", 5.0, False, True), ("b", "coder", 4.9, True, True), ("b", "coder", 4.8, True, False))
    assert (rows["all", "all"].found, rows["all", "all"].allowed) == (0.5, 1.0)


def test_the_worst_agent_is_the_one_that_chance_explains_least() -> None:
    """Eight of twenty are worse than one of two, though the rate is lower; any of three agents could be."""
    small = [("b", "clerk", 1.0, False, bool(number)) for number in range(2)]
    large = [("c", "clerk", 1.0, False, number < 8) for number in range(20)]
    (worst,) = [one for one in spending_of(_report([*QUIET, *small, *large])) if one.level == "worst agent"]
    assert (worst.part, worst.spent) == ("c", 0.4)
    assert worst.by_chance == pytest.approx(1.0 - (1.0 - 0.00041563) ** 3, rel=1e-3)
    assert _report([*QUIET, *small, *large])["by_agent"]["b"]["benign_alarm_rate"] == 0.5


def test_where_nobody_alarmed_there_is_no_worst_agent() -> None:
    """None of them has anything to answer for; an agent of attacks alone has not either."""
    assert {level for level, _ in _rows()} == {"all", "peer group"}
    assert ("worst agent", "z") not in _rows(("z", "clerk", 9.0, True, True))
