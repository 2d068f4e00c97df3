"""Findings by rule, against what the rule promised: those beyond are folded, and the last one told says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from detector.alerts.findings import Spot, found_by_rule
from detector.alerts.leads import Lead
from detector.alerts.raised import raised
from detector.channels.context import REPEATED
from detector.intake.columns import AGENT
from detector.rules import ENTRIES, Acts, Hit, RuleEntry, find
from detector.rules.pace import Telling
from detector.schema.finding import Finding
from detector.state.absence import lead_of
from detector.state.known import known_at
from detector.state.partition import Partition
from detector.state.registered import declared_in, elsewhere_in

if TYPE_CHECKING:
    from detector.state.report import Batch


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


def hits_of(state: Partition, batch: Batch) -> Iterator[tuple[int, Lead]]:
    """Yield what the profile's rules find, with the event's place; repeated events and trusted history are passed over.

    Rules alert from the first event on: the budget of the scores is not theirs. Their memory is changed.
    """
    work, count = state.work, len(batch.events)
    if not state.rules or not count:
        return
    quiet_until = state.settings.rules.trusted_until
    may_alert = np.maximum(work.columns.ts[:count], work.clock[:count]) >= quiet_until
    may_alert &= work.context.state[:count] != REPEATED
    columns = work.columns
    who = (work.context.agent, columns.ident[:, AGENT], work.marks)
    declared = declared_in(state, batch.events)
    told = (declared, state.inventory, elsewhere_in(state, declared))
    acts = Acts(batch.events, work.clock, columns.receipt, *who, may_alert, batch.place, quiet_until, *told)
    for entry, hit in find(state.rules, acts, state.rule_memory):
        i = hit.event
        yield i, _lead(state, batch.spot(i), entry, hit) if hit.about is None else lead_of(state, i, entry, hit)


def _lead(state: Partition, spot: Spot, entry: RuleEntry, hit: Hit) -> Lead:
    """Return what a rule found as a lead."""
    found, known = found_by_rule(spot, entry, hit), known_at(state, hit.event)
    return Lead(found.cause, found.evidence.strength, raised(found.severity, known.risk), spot, known, 0, lambda: found)


def within_promise(state: Partition, rule: str, lead: Lead) -> Lead | None:
    """Return what may be told of a finding by rule: it, it as the one that says that the rule folds, or nothing."""
    promise = ENTRIES[rule].promise
    told = state.rule_pace.take(rule, promise, established=lead.known.is_established)
    if told is Telling.FOLDED:
        state.rule_memory.counts["rule_hits_over_promise"] += 1
        return None
    if told is Telling.TOLD:
        return lead
    most = state.rule_pace.most(promise)
    return lead._replace(find=lambda: _last(lead.find(), rule, most, promise))


def _last(found: Finding, rule: str, most: int, promise: int) -> Finding:
    """Return a finding that says that its rule told all it may today, and what comes is folded."""
    says = f"rule {rule} told {most} findings today, all it may at one in {promise:,} sessions: what follows is folded"
    why = tuple(one.model_copy(update={"observed": f"{one.observed}; {says}"}) for one in found.contributions)
    return found._replace(title=f"{found.title} ({says})", contributions=why)
