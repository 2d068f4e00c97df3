"""Promised and spent by peer group: a few names that were earned, the rest together, nothing decided by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detector.pipeline import Pipeline
from detector.schema.event import Event
from detector.state.groups import EARNED, MOST_CANDIDATES, MOST_GROUPS, GroupBudgets
from detector.steps.threshold import BudgetThreshold
from tests.registry.inventory import event
from tests.streams import Script, feed, ordinary, trained


def _named(budgets: GroupBudgets, group: int, **fields: Any) -> None:
    """Let a group earn a name, and be named after an event."""
    for _ in range(EARNED):
        budgets.close(group, 0.01, is_alerted=False, is_known=True)
    some: list[Event] = [event(**fields)]
    budgets.name(some, np.array([group], np.uint64))


def test_a_group_is_named_once_enough_of_its_established_agents_sessions_closed() -> None:
    """From then on it is counted apart; what closed before is among the others."""
    budgets = GroupBudgets()
    assert budgets.gauges() == {}
    _named(budgets, 7, agent_type="clerk")
    for number in range(4):
        budgets.close(7, 0.02, is_alerted=number == 0, is_known=False)
    found = budgets.gauges()
    assert (found["group_sessions_clerk"], found["group_promised_clerk"], found["group_spent_clerk"]) == (4, 0.02, 0.25)
    assert found["group_sessions_other"] == EARNED


def test_invented_groups_of_newcomers_get_no_name_and_are_bounded() -> None:
    """However many there are; those of established agents get the twenty names, and keep them."""
    budgets = GroupBudgets()
    for group in range(10 * MOST_CANDIDATES):
        for _ in range(EARNED):
            budgets.close(group, 0.01, is_alerted=True, is_known=False)
    assert budgets.gauges() == {}
    for group in range(3 * MOST_GROUPS):
        _named(budgets, group, agent_type=f"t-{group}")
    assert list(budgets.named) == [f"t-{group}" for group in range(MOST_GROUPS)]
    assert len(budgets.gauges()) == 3 * (MOST_GROUPS + 1)


def test_a_name_is_one_that_a_monitoring_system_takes() -> None:
    """Letters, digits and few marks, a length; the tenant before it; never that of the others."""
    budgets = GroupBudgets()
    types = ('a"} evil\n', "x" * 400, "c", "other")
    for group, agent_type in enumerate(types):
        _named(budgets, group, agent_type=agent_type, tenant="t" if agent_type == "c" else None)
    assert list(budgets.named) == ["a___evil_", "x" * 48, "t:c", "other_"]


def test_sessions_of_a_stream_are_counted_by_type() -> None:
    """The sums are those of all together, and a restored partition begins to count anew."""
    script = Script()
    pipeline = trained(script)
    for first in (240, 320):
        feed(pipeline, ordinary(script, 80, first=first))
    pipeline.finish()
    found = pipeline.gauges()
    sessions = [value for name, value in found.items() if name.startswith("group_sessions_")]
    assert len(sessions) == 2  # clerks and others
    assert isinstance(pipeline.state.threshold, BudgetThreshold)
    assert sum(sessions) == pipeline.state.threshold.promises.held[0].closed
    assert found["group_promised_other"] == pytest.approx(found["promised"])
    restored = Pipeline.restore(pipeline.state.profile, pipeline.snapshot(full=True))
    assert not any(name.startswith("group_") for name in restored.gauges())
