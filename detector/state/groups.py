"""What each peer group was promised and spent: of the groups that have earned a name among the gauges, all else apart.

For people who watch, since this worker took the partition: no part of the state, and nothing is decided by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from detector.intake.columns import GROUP
from detector.memory.eviction import is_established
from detector.steps.decisions import Ended, Passed
from detector.steps.threshold import BudgetThreshold

if TYPE_CHECKING:
    from detector.schema.event import Event
    from detector.state.partition import Partition

MOST_GROUPS: Final = 20
"""Groups that are named; once named a group stays, so that no more series ever come of one worker's partition."""
MOST_CANDIDATES: Final = 256
"""Groups without a name whose sessions are counted; those of more are among the others alone."""
EARNED: Final = 20
"""Closed sessions of established agents after which a group is named: invented types do not take the names."""
OTHER: Final = "other"
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.:-]")
_MOST_LETTERS: Final = 48


@dataclass(slots=True)
class GroupBudget:
    """Closed sessions of one group, what was promised of them (the sum of their shares), and how many had alerted."""

    sessions: int = 0
    promised: float = 0.0
    alerted: int = 0

    def add(self, share: float, *, is_alerted: bool) -> None:
        """Count one session."""
        self.sessions += 1
        self.promised += share
        self.alerted += is_alerted

    def gauges(self, name: str) -> dict[str, float]:
        """Return sessions, and the shares promised and spent of them."""
        return {
            f"group_sessions_{name}": float(self.sessions),
            f"group_promised_{name}": self.promised / self.sessions if self.sessions else 0.0,
            f"group_spent_{name}": self.alerted / self.sessions if self.sessions else 0.0,
        }


class GroupBudgets:
    """Budgets by peer group: the first that earn it by name, the rest together.

    Attributes
    ----------
    named : dict of str to GroupBudget
        By a name that every monitoring system takes: letters, digits and ``_.:-`` of the agent type.
    """

    def __init__(self) -> None:
        self.named: dict[str, GroupBudget] = {}
        self._other = GroupBudget()
        self._names: dict[int, str] = {}
        self._candidates: dict[int, int] = {}
        self._nameless: set[int] = set()

    def close(self, group: int, share: float, *, is_alerted: bool, is_known: bool) -> None:
        """Count a closed session; `is_known`: of an established agent, whose sessions earn its group a name."""
        name = self._names.get(group)
        if name is not None:
            self.named[name].add(share, is_alerted=is_alerted)
            return
        self._other.add(share, is_alerted=is_alerted)
        if not is_known or len(self._names) + len(self._nameless) >= MOST_GROUPS or group in self._nameless:
            return
        if group in self._candidates or len(self._candidates) < MOST_CANDIDATES:
            self._candidates[group] = self._candidates.get(group, 0) + 1
            if self._candidates[group] >= EARNED:
                del self._candidates[group]
                self._nameless.add(group)

    def name(self, events: Sequence[Event], groups: np.ndarray) -> None:
        """Name groups that have earned it after the type that one of their events says."""
        for group in sorted(self._nameless):
            places = np.flatnonzero(groups == np.uint64(group))
            if len(places):
                event = events[int(places[0])]
                self._nameless.discard(group)
                text = f"{event.tenant}:{event.agent_type}" if event.tenant else event.agent_type
                label = _UNFIT.sub("_", text)[:_MOST_LETTERS]
                # two types that look alike as names are one row: their sessions are counted together
                self._names[group] = label if label != OTHER else f"{label}_"
                self.named.setdefault(self._names[group], GroupBudget())

    def gauges(self) -> dict[str, float]:
        """Return promised, spent and sessions of each named group and of the others; nothing before one has a name."""
        if not self.named:
            return {}
        found = self._other.gauges(OTHER)
        for name, one in self.named.items():
            found |= one.gauges(name)
        return found


def count_groups(state: Partition, events: Sequence[Event], passed: Iterable[Passed | Ended]) -> None:
    """Count the sessions that closed in a batch by the peer group they belong to."""
    closes, memory, budgets = state.work.closes, state.memory, state.group_budgets
    alerted = {one.row for one in passed if isinstance(one, Ended)}
    for row in range(int(closes.count[0])):
        if closes.seen[row] < state.settings.threshold.trusted_until:
            continue
        agent = memory.agents[int(closes.agent[row])]
        # its row may be another's by now
        is_known = bool(agent["name"] == closes.owner[row] and is_established(agent))
        group = int(memory.groups["name"][int(closes.group[row])])
        budgets.close(group, _share(state, row), is_alerted=row in alerted, is_known=is_known)
    budgets.name(events, state.work.columns.ident[: len(events), GROUP])


def _share(state: Partition, row: int) -> float:
    """Return the share that is promised of a closed session: that of its risk class, else the profile's."""
    threshold = state.threshold
    if isinstance(threshold, BudgetThreshold):
        return threshold.promises.of_close(row).alerts
    return state.settings.threshold.alerts
