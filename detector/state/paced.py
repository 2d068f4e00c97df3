"""Findings by rule against what the rule promised: those beyond are folded, and the last one told says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.alerts.findings import Spot
from detector.alerts.leads import Lead
from detector.rules import ENTRIES
from detector.rules.pace import Told
from detector.schema.finding import Finding
from detector.state.known import known_at
from detector.state.partition import Partition


class ClosedSessions:
    """Counts the closes of a batch into the pace of rules, as far as the input has come.

    Parameters
    ----------
    state : Partition
        Behind the batch.
    """

    def __init__(self, state: Partition) -> None:
        self._state = state
        rows = int(state.work.closes.count[0]) if len(state.work.clock) else 0
        self._at: Sequence[int] = np.sort(state.work.closes.at[:rows]).tolist()
        self._counted = 0

    def up_to(self, event: int) -> None:
        """Count what closed before an event, this one included, and begin its day."""
        pace, clock = self._state.rule_pace, self._state.work.clock
        while self._counted < len(self._at) and self._at[self._counted] <= event:
            pace.turn(float(clock[self._at[self._counted]]))
            pace.sessions += 1
            self._counted += 1
        if event < len(clock):
            pace.turn(float(clock[event]))


def lead_of_rule(state: Partition, spot: Spot, i: int, found: Finding) -> Lead:
    """Return what a rule found as a lead."""
    return Lead(found.cause, found.evidence.strength, found.severity, spot, known_at(state, i), 0, lambda: found)


def within_promise(state: Partition, rule: str, lead: Lead) -> Lead | None:
    """Return what may be told of a finding by rule: it, it as the one that says that the rule folds, or nothing."""
    promise = ENTRIES[rule].promise
    told = state.rule_pace.take(rule, promise, established=lead.known.is_established)
    if told is Told.FOLDED:
        state.rule_memory.counts["rule_hits_over_promise"] += 1
        return None
    if told is Told.TOLD:
        return lead
    most = state.rule_pace.most(promise)
    return lead._replace(find=lambda: _last(lead.find(), rule, most, promise))


def _last(found: Finding, rule: str, most: int, promise: int) -> Finding:
    """Return a finding that says that its rule told all it may today, and what comes is folded."""
    says = f"rule {rule} told {most} findings today, all it may at one in {promise:,} sessions: what follows is folded"
    why = tuple(one.model_copy(update={"observed": f"{one.observed}; {says}"}) for one in found.contributions)
    return found._replace(title=f"{found.title} ({says})", contributions=why)
