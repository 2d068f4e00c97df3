"""From the kernels' rows to alerts, counts and scores in input order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detector.alerts.explain import Seen
from detector.alerts.incidents import Passing, closed, created, raised
from detector.intake.columns import SESSION
from detector.schema.alert import Alert
from detector.schema.decode import Decoded
from detector.schema.event import Event
from detector.schema.record import Record
from detector.state.partition import Partition
from detector.steps.learn import EVERYTHING, HISTOGRAMS
from detector.steps.workspace import AT_CROWD, AT_SIZE, JUDGED, OTHER_ORIGIN, REPEATED


class Found(NamedTuple):
    """The events of a micro-batch and where they came from; `start`: the first one's place among the decoded."""

    records: Sequence[Record]
    decoded: Decoded
    start: int
    events: Sequence[Event]


def scores_of(decoded: Decoded, found: Sequence[np.ndarray]) -> np.ndarray:
    """Return one score a line in input order: NaN for a refused line, or a refused record as a whole."""
    scores = np.concatenate(found) if found else np.empty(0)
    if not decoded.refusals:
        return scores
    places = [(source, line) for source, line in zip(decoded.source, decoded.line, strict=True)]
    refused = [(index, refusal.line or 0) for index, refusal in decoded.refusals]
    order = sorted(range(len(places) + len(refused)), key=(places + refused).__getitem__)
    return np.concatenate([scores, np.full(len(refused), np.nan)])[order]


def follow_incidents(state: Partition, found: Found | None, alerts: list[Alert], counts: Counter[str]) -> None:
    """Add a batch's alerts and counts: incidents created, raised and closed, in the order of their events.

    Parameters
    ----------
    state : Partition
        Its incidents are changed.
    found : Found or None
        The events; None when only closes are left.
    alerts, counts : list of Alert, Counter
        Added to.
    """
    work = state.work
    events = len(found.events) if found else 0
    passed = np.flatnonzero(work.verdicts.passed[:events])
    closes = int(work.closes.count[0])
    closing = np.flatnonzero(work.verdicts.closed_level[:closes])
    steps = [(int(work.closes.at[row]), 0, int(row)) for row in closing] + [(int(i), 1, int(i)) for i in passed]
    for _, is_event, row in sorted(steps):
        alert = _passing(state, found, row) if is_event and found else _closing(state, row)
        if alert is not None:
            alerts.append(alert)
            counts[f"alerts_{alert.activity}"] += 1
    _count(state, events, closes, counts)
    state.note_touched(events)


def _count(state: Partition, events: int, closes: int, counts: Counter[str]) -> None:
    work = state.work
    states = np.bincount(work.context.state[:events], minlength=REPEATED + 1)
    lessons = np.bincount(work.closes.lesson[:closes], minlength=EVERYTHING + 1)
    reasons = work.closes.reason[:closes]
    counts["events"] += events
    counts["events_scored"] += int(states[JUDGED])
    counts["events_repeated"] += int(states[REPEATED])
    counts["sessions_closed"] += closes
    counts["sessions_capped"] += int((reasons == AT_CROWD).sum() + (reasons == AT_SIZE).sum())
    counts["sessions_learned"] += int(lessons[EVERYTHING])
    counts["sessions_withheld"] += int(lessons[:HISTOGRAMS].sum())
    counts["parts_cut"] += int(work.columns.cut[0])
    work.columns.cut[0] = 0


def _passing(state: Partition, found: Found, i: int) -> Alert | None:
    """Return the alert of an event that took its session past a level; None within the trusted history."""
    event = found.events[i]
    work, policy = state.work, state.policy
    now = max(event.ts.timestamp(), float(state.marks[i]))  # a clock set back must not pass for trusted history
    if state.trusted_until is not None and now < state.trusted_until:
        return None
    place = found.start + i
    passing = Passing(
        event=event,
        record=found.records[found.decoded.source[place]],
        line=found.decoded.line[place],
        seen=_seen(state, event, i),
        rarity=float(work.verdicts.rarity[i]),
        over=int(work.verdicts.over[i]),
    )
    name = int(work.columns.ident[i, SESSION])
    before = state.incidents.get(name)
    alert = created(passing, policy) if before is None else raised(before, passing, policy)
    state.incidents[name] = alert
    return alert


def _closing(state: Partition, row: int) -> Alert | None:
    """Return the last alert of a session that closed; None if it never alerted."""
    work = state.work
    alert = state.incidents.pop(int(work.closes.name[row]), None)
    if alert is None:
        return None
    return closed(
        alert,
        state.policy,
        rarity=float(work.verdicts.closed_rarity[row]),
        events=int(work.closes.events[row]),
        over=int(work.verdicts.closed_over[row]),
        seen=float(work.closes.seen[row]),
    )


def _seen(state: Partition, event: Event, i: int) -> Seen:
    """Return an event as the kernels saw it."""
    work, weights = state.work, state.settings.weights
    context, columns = work.context, work.columns
    parts, numbers = int(columns.parts_end[i]), int(columns.numbers_end[i])
    which = context.which[i]
    is_plain = bool(work.verdicts.plain_leads[i]) or not context.origin[i]
    is_discounted = not is_plain and context.origin[i] == OTHER_ORIGIN
    return Seen(
        event=event,
        bits=context.bits[i],
        logs=context.logs[i],
        weights=weights.plain if is_plain else weights.origin,
        factor=float(work.evidence.factor[i]) * (weights.no_tool_origin if is_discounted else 1.0),
        forest=float(work.evidence.forest[i]),
        half_space=float(work.evidence.half_space[i]),
        part=(int(which[0]) - parts, int(which[1]) - parts),
        level=(int(context.level[i, 0]), int(context.level[i, 1])),
        number=(int(which[2]) - numbers, int(which[3]) - numbers),
        measured=context.number[i],
        known=context.known[i],
    )
