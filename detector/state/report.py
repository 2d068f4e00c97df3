"""From the kernels' rows to findings, incidents, counts and scores in input order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from detector.alerts.findings import (
    LEARNING,
    OF_RULES,
    Spot,
    cause_of,
    found_by_score,
    least,
    severity_of,
)
from detector.alerts.leads import Lead
from detector.alerts.raised import raised
from detector.intake.columns import AGENT, BATCH, SESSION, Columns
from detector.intake.names import targets_of
from detector.intake.receipts import hold_to_receipt
from detector.intake.text import place_of
from detector.memory.layout import NOW
from detector.rules import ENTRIES
from detector.schema.alert import Alert
from detector.schema.decode import Decoded, Refusal
from detector.schema.event import Event
from detector.schema.finding import Finding
from detector.schema.record import Record
from detector.schema.tiding import PlacedTiding, Tiding
from detector.state.absence import tell_absent
from detector.state.counts import count_batch
from detector.state.cut import with_standing
from detector.state.hidden import of_rule, said_of
from detector.state.known import known_at
from detector.state.paced import ClosedSessions, hits_of, within_promise
from detector.state.partition import Partition
from detector.state.seen import seen_at
from detector.state.texts import keep_texts
from detector.state.tidings import tidings_of
from detector.steps.decisions import NEAR, Ended, Passed


@dataclass(slots=True)
class Outcome:
    """What came of a batch.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_lines,)
        Evidence of each line in input order, high is strange: 0 for events that are only context, NaN where
        it was repeated, or refused and nobody's act. A refused line that was scored has its score.
    alerts : list of Alert
        In the order of the events that caused them.
    refusals : list of (int, Refusal)
        Index of the record, and why.
    counts : Counter of str
        What else happened, for the worker to count. Of lines: ``lines`` = ``events_scored`` + ``events_context`` +
        ``events_repeated`` + ``refused_unscored``; ``refused_scored`` of them are among the events.
    unheard : list of str
        Sessions, or agents without one, whose incident the ceilings folded into a storm.
    tidings : list of PlacedTiding
        For the stage where a tenant is whole, each with the number of alerts before it.
    classes : dict of str to str
        Of sessions, or agents without one, the risk class of the last event, empty for none; nothing without classes.
    """

    scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    alerts: list[Alert] = field(default_factory=list)
    refusals: list[tuple[int, Refusal]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    unheard: list[str] = field(default_factory=list)
    tidings: list[PlacedTiding] = field(default_factory=list)
    classes: dict[str, str] = field(default_factory=dict)

    def say(self, alert: Alert | None) -> None:
        """Take an alert in as it is to be told, and count it; None is nothing."""
        if alert is not None:
            self.alerts.append(alert)
            self.counts[f"alerts_{alert.activity}"] += 1

    def tell(self, tiding: Tiding) -> None:
        """Take a tiding in, behind the alerts so far, and count it."""
        self.tidings.append(PlacedTiding(len(self.alerts), tiding))
        self.counts["tidings"] += 1


_receipt_of: Callable[[Record], int | None] = attrgetter("receipt_ms")


class Batch(NamedTuple):
    """The events of a micro-batch and where they came from; `start`: the first one's place among the decoded."""

    records: Sequence[Record]
    decoded: Decoded
    start: int
    events: Sequence[Event]

    def held_to_receipt(self, columns: Columns, outcome: Outcome) -> Batch:
        """Return the batch with no event later than the broker's time of its record; counts those that were."""
        sources = self.decoded.source[self.start : self.start + len(self.events)]
        receipts = list(map(_receipt_of, map(self.records.__getitem__, sources)))
        held, ahead = hold_to_receipt(self.events, receipts, columns)
        outcome.counts["events_ahead"] += ahead
        return self._replace(events=held)

    def place(self, i: int) -> tuple[str, int, int, int]:
        """Return where an event stands: topic, partition, offset, line of its record."""
        _, record, line = self.spot(i)
        return record.topic, record.partition, record.offset, line

    def spot(self, i: int) -> Spot:
        """Return an event and where it stands in the input."""
        place = self.start + i
        return Spot(self.events[i], self.records[self.decoded.source[place]], self.decoded.line[place])


NO_EVENTS = Batch((), Decoded([], [], [], [], Counter()), 0, ())


def batches_of(records: Sequence[Record], decoded: Decoded) -> Iterator[Batch]:
    """Yield the events in micro-batches, in order."""
    for start in range(0, len(decoded.events), BATCH):
        yield Batch(records, decoded, start, decoded.events[start : start + BATCH])


Placed = tuple[int, int, int, int | Lead | Passed | Ended | Tiding | Callable[[], Alert]]
"""A step and its place: the event, then a new hour before closes, rules, scores and tidings, then its number."""


def settle_lines(decoded: Decoded, found: Sequence[np.ndarray], outcome: Outcome) -> None:
    """Give an outcome one score a line in input order, and count lines: NaN for one of which no event was made."""
    scores = np.concatenate(found) if found else np.empty(0)
    unscored = [(index, refusal.line or 0) for index, refusal in decoded.refusals if not refusal.is_scored]
    if unscored:
        places = list(zip(decoded.source, decoded.line, strict=True)) + unscored
        order = sorted(range(len(places)), key=places.__getitem__)
        scores = np.concatenate([scores, np.full(len(unscored), np.nan)])[order]
    outcome.scores = scores
    outcome.counts["lines"] += len(scores)
    outcome.counts["refused_scored"] += len(decoded.refusals) - len(unscored)
    outcome.counts["refused_unscored"] += len(unscored)
    outcome.counts["unknown_fields"] += decoded.unknown.total()


def report(state: Partition, batch: Batch, passed: Sequence[Passed | Ended], outcome: Outcome) -> None:
    """Add a batch's alerts and counts to an outcome, in input order; changes the incidents.

    A close comes before the event it makes way for, a rule before the score of the same event; an hour begins before
    the event that enters it, and with it a storm that is over closes.
    """
    keep_texts(state, batch.events)
    incidents, clock = state.incidents, state.work.clock
    folded = incidents.folded
    # who is missed is told as the hour begins, after it began
    hits = enumerate(hits_of(state, batch))
    found: list[Placed] = [(i, -1 if it.is_absent else 1, k + 1, it) for k, (i, it) in hits]
    found += [(step.event, 2, 0, step) for step in passed if isinstance(step, Passed)]
    found += _ends(state, passed, found)
    found += [(i, -1, 0, hour) for i, hour in incidents.ceilings.turns(clock)]
    found += said_of(state, batch)
    found += [(i, 3, k, tiding) for k, (i, tiding) in enumerate(tidings_of(state, batch))]
    closed = ClosedSessions(state)
    for place, _, _, step in sorted(found, key=lambda placed: placed[:3]):
        closed.up_to(place)
        if isinstance(step, Tiding):
            outcome.tell(step)
        elif callable(step):
            outcome.say(with_standing(state, step()))
        elif isinstance(step, int):
            outcome.say(incidents.move_to(step))
        else:
            told = _close(state, step) if isinstance(step, Ended) else _tell(state, batch, place, step)
            outcome.say(with_standing(state, told))
    closed.up_to(len(clock))
    if not len(clock):
        outcome.say(incidents.end_storm(_last(state)))
    outcome.counts["findings_folded"] += incidents.folded - folded
    outcome.unheard, incidents.unheard = outcome.unheard + incidents.unheard, []
    count_batch(state, len(batch.events), outcome.counts)
    state.texts.prune(state.memory.usual)


def _last(state: Partition) -> float:
    """Return the event time at which a replay ends."""
    return float(state.memory.clock[NOW])


def _ends(state: Partition, passed: Sequence[Passed | Ended], findings: Sequence[Placed]) -> list[Placed]:
    """Return the closes of sessions that have an incident, or may get one in this batch, with their places."""
    work = state.work
    rows = int(work.closes.count[0])
    watched = {*state.incidents.open, *(int(work.columns.ident[i, SESSION]) for i, *_ in findings)}
    if not rows or not watched:
        return []
    over = {step.row: step.over for step in passed if isinstance(step, Ended)}
    return [
        (int(work.closes.at[row]), 0, row, Ended(row, name, over.get(row, 0)))
        for row, name in enumerate(work.closes.name[:rows].tolist())
        if name in watched
    ]


def _by_score(state: Partition, batch: Batch, passed: Passed) -> Lead:
    """Return what the score of an event says, as a lead: reasons are looked up if they are asked for."""
    i, policy = passed.event, state.incidents.policy
    event, rarity = batch.events[i], float(state.work.judgements.rarity[i])
    targets = targets_of(event)
    cause = cause_of(event.name, place_of(targets[0]) if targets else None, passed.level)
    spot = batch.spot(i)

    def find() -> Finding:
        return found_by_score(spot, seen_at(state, event, i), policy, (cause, rarity), passed.over)

    known = known_at(state, i)._replace(is_learning=passed.is_learning, threshold=passed.alerts_from)
    severity = raised(severity_of(rarity, policy), known.risk)
    severity = least(severity, LEARNING) if passed.is_learning else severity
    return Lead(cause, rarity, severity, spot, known, passed.over, find)


def _tell(state: Partition, batch: Batch, i: int, step: Lead | Passed) -> Alert | None:
    """Return the alert a step leads to.

    Here, in input order, and not where rules look: what a full hour folds into a storm is told when there is room.
    """
    if isinstance(step, Lead) and step.is_absent:
        return tell_absent(state, step, float(state.work.clock[i]))
    if isinstance(step, Lead) and step.cause.startswith(OF_RULES):
        return _tell_rule(state, batch, i, step)
    return _take(state, batch, i, step)


def _tell_rule(state: Partition, batch: Batch, i: int, lead: Lead) -> Alert | None:
    """Return the alert of a rule; None for what it told of the agent lately, a person keeps quiet, or it folds."""
    work, at = state.work, float(state.work.clock[i])
    session, agent = (int(work.columns.ident[i, column]) for column in (SESSION, AGENT))
    rule, _, cause = lead.cause.removeprefix(OF_RULES).partition("/")
    is_of_session, owner = ENTRIES[rule].once == "session", (int(work.context.agent[i]), agent)
    # asked first, as where rules look: what was told before the batch is dropped there
    if not is_of_session and state.rule_memory.is_told(rule, owner, cause, at):
        return None
    if state.rule_answers.is_quiet(lead.cause, session, (agent, int(work.context.peers[i])), at):
        return None
    if (hidden := of_rule(state, batch, i, lead, rule)).is_hidden:
        return hidden.told
    if not is_of_session and not state.rule_memory.is_news(rule, owner, cause, at):
        return None
    if (told := within_promise(state, rule, lead)) is None:
        if not is_of_session:
            state.rule_memory.unsay(rule, owner, cause)
        return None
    unheard = len(state.incidents.unheard)
    alert = _take(state, batch, i, told)
    is_unheard = len(state.incidents.unheard) > unheard
    if is_unheard and not is_of_session:
        state.rule_memory.unsay(rule, owner, cause)
    if alert is None or is_unheard:
        state.rule_pace.give_back(rule, established=lead.known.is_established)
    return alert


def _take(state: Partition, batch: Batch, i: int, step: Lead | Passed) -> Alert | None:
    """Return the alert a step leads to; an event outside of any open session is an incident of its own.

    The agent whose act is told leaves after others for a while.
    """
    work = state.work
    session = int(work.columns.ident[i, SESSION]) if work.context.slot[i] >= 0 else None
    lead = step if isinstance(step, Lead) else _by_score(state, batch, step)
    if isinstance(step, Passed) and step.level == NEAR:
        alert = state.incidents.witness(step.session, lead)
    else:
        alert = state.incidents.take(session, lead)
    if alert is not None and alert.activity == "create" and session is not None and isinstance(step, Passed):
        alert = _place(state, session, alert, step)
    if alert is not None:
        state.hold(i, len(batch.events))
    return alert


def _place(state: Partition, session: int, alert: Alert, passed: Passed) -> Alert:
    """Return a new finding by score with the incident it belongs to; the storm's own is nobody's session."""
    if session not in state.incidents.open or state.incidents.open[session].finding_uid != alert.finding_uid:
        return alert
    cases = state.threshold.cases
    incident = cases.name(passed.case, alert.finding_uid, alert.time)
    return state.incidents.place(session, incident, passed.basis, cases.earlier(passed.case))


def _close(state: Partition, ended: Ended) -> Alert | None:
    """Return the last alert of a session that closed, None if it never alerted."""
    work, row = state.work, ended.row
    facts = {"events": work.closes.events[row], "events_over": ended.over, "seen": work.closes.seen[row]}
    return state.incidents.close(ended.session, float(work.judgements.closed_rarity[row]), facts)
