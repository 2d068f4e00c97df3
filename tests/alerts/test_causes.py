"""Incidents by cause: what another cause changes, what is folded, and a person's verdict on them, open or closed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.alerts.explain import Known
from detector.alerts.findings import Policy
from detector.alerts.incidents import MOST_CAUSES, MOST_CLOSED, MOST_EVIDENCE, Incidents
from detector.schema.alert import Alert, Contribution, Evidence, Severity, VerdictNote
from detector.schema.event import Event
from detector.schema.finding import Finding

POLICY = Policy("default/v1", 0.01, 0.002, ())
KNOWN = Known(own_sessions=5, peer_sessions=50, agents=3, events_before=2)
NOTE = VerdictNote(verdict="confirm", by="kim", reason="it was one", at=1_772_442_000.0)
ENDED = {"events": 9, "events_over": 3, "seen": 1_772_449_000.0}


def finding(cause: str, number: int = 1, **fields: Any) -> Finding:
    """Return something found at one event of an agent."""
    raw = {
        "event_id": f"e-{number}", "ts": f"2026-03-02T09:00:{number % 60:02}Z", "agent_id": "a-1", "kind": "tool_call",
        "name": "pay", "session_id": "s-1",
    }  # fmt: skip
    event = msgspec.convert(raw, Event)
    seen = Evidence(
        topic="events", partition=3, offset=number, line=0, event_id=event.event_id, ts=event.ts.timestamp(),
        kind="tool_call", name="pay", target=None, outcome="ok",
    )  # fmt: skip
    why = Contribution(channel=cause, value=0.0, bits=0.0, observed=cause, expected="none", voice="rule", n=0)
    base = Finding(
        detection="rule.toy", cause=cause, event=event, evidence=seen, severity="medium", contributions=(why,),
        normal_if="normal if not", asi=("ASI03",), atlas=(), title=f"Toy {cause}",
    )  # fmt: skip
    return base._replace(**fields)


def taken(incidents: Incidents, *found: Finding, session: int | None = 1) -> list[Alert | None]:
    """Return what each finding led to."""
    return [incidents.take(session, one, KNOWN, 3) for one in found]


def test_another_cause_updates_the_incident_and_the_worst_of_both_stays() -> None:
    """Identity and evidence grow, reasons are the newer ones, severity never falls."""
    first, second = taken(Incidents(POLICY), finding("a", 1, severity="high"), finding("b", 2, severity="low"))
    assert first is not None
    assert second is not None
    assert (second.finding_uid, second.counter, second.activity) == (first.finding_uid, 2, "update")
    assert (second.causes, second.severity, second.risk) == (("a", "b"), "high", first.risk)
    assert [one.event_id for one in second.evidence] == ["e-1", "e-2"]
    assert (second.event_id, second.first_seen) == (first.event_id, first.first_seen)
    assert second.last_seen > first.last_seen
    assert second.title == "Toy b"


def test_a_finding_without_a_rarity_leaves_the_score_and_one_with_a_rarity_sets_it() -> None:
    """Not told is not zero."""
    incidents = Incidents(POLICY)
    none, scored, again = taken(incidents, finding("a"), finding("b", rarity=3.0, over=2), finding("c", 3))
    assert [one and one.score for one in (none, scored, again)] == [None, 3.0, 3.0]
    assert [one and one.threshold for one in (none, scored, again)] == [None, 2.0, 2.0]
    assert again is not None
    assert again.events_over == 2
    closed = incidents.close(1, 2.5, ENDED)
    assert closed is not None
    assert closed.score == 3.0


def test_an_incident_by_rule_alone_closes_without_a_score() -> None:
    """The session's rarity is no finding of its own."""
    incidents = Incidents(POLICY)
    taken(incidents, finding("a", severity="high"))
    closed = incidents.close(1, 9.0, ENDED)
    assert closed is not None
    assert (closed.score, closed.severity, closed.risk, closed.events) == (None, "high", 75, 9)


def test_causes_and_evidence_are_bounded_and_what_comes_after_is_folded() -> None:
    """A flood of causes is one incident of so many."""
    incidents = Incidents(POLICY)
    alerts = taken(incidents, *(finding(f"c-{n}", n) for n in range(MOST_CAUSES + 5)))
    assert sum(one is not None for one in alerts) == MOST_CAUSES
    assert incidents.folded == 5
    assert len(incidents.open[1].causes) == MOST_CAUSES
    assert len(incidents.open[1].evidence) == MOST_EVIDENCE


def test_a_finding_outside_of_any_session_is_an_incident_of_its_own() -> None:
    """Nothing is left open, and a verdict reaches it."""
    incidents = Incidents(POLICY)
    (alert,) = taken(incidents, finding("a"), session=None)
    assert alert is not None
    assert incidents.open == {}
    assert incidents.judge(alert.finding_uid, "a-1", NOTE) is not None


def test_a_verdict_is_shown_on_an_open_incident_and_stays_through_update_and_close() -> None:
    """One more record each, nothing else changed."""
    incidents = Incidents(POLICY)
    (first,) = taken(incidents, finding("a"))
    assert first is not None
    shown = incidents.judge(first.finding_uid, "a-1", NOTE)
    assert shown == first.model_copy(update={"counter": 2, "activity": "verdict", "verdict": NOTE})
    (update,) = taken(incidents, finding("b", 2))
    closed = incidents.close(1, 0.0, ENDED)
    assert update is not None
    assert closed is not None
    assert (update.counter, update.verdict, closed.counter, closed.verdict) == (3, NOTE, 4, NOTE)


def test_a_verdict_is_shown_on_a_closed_incident_and_the_later_one_stands() -> None:
    """A person may change their mind."""
    incidents = Incidents(POLICY)
    taken(incidents, finding("a"))
    closed = incidents.close(1, 0.0, ENDED)
    assert closed is not None
    later = NOTE.model_copy(update={"verdict": "dismiss"})
    assert incidents.judge(closed.finding_uid, "a-1", NOTE) is not None
    shown = incidents.judge(closed.finding_uid, "a-1", later)
    assert shown is not None
    assert (shown.counter, shown.verdict, shown.events) == (closed.counter + 2, later, 9)


def test_the_last_closed_incidents_are_remembered_and_the_oldest_leaves_first() -> None:
    """Bounded; a verdict on one that left reaches nothing."""
    incidents = Incidents(POLICY)
    uids = []
    for number in range(MOST_CLOSED + 1):
        taken(incidents, finding("a", number), session=number)
        closed = incidents.close(number, 0.0, ENDED)
        assert closed is not None
        uids.append(closed.finding_uid)
    assert len(incidents.recent) == MOST_CLOSED
    assert incidents.judge(uids[0], "a-1", NOTE) is None
    assert incidents.judge(uids[1], "a-1", NOTE) is not None


def test_a_verdict_under_another_agent_s_name_reaches_nothing() -> None:
    """The key of the record says whose finding may be judged."""
    incidents = Incidents(POLICY)
    (alert,) = taken(incidents, finding("a"))
    assert alert is not None
    assert incidents.judge(alert.finding_uid, "a-2", NOTE) is None
    incidents.close(1, 0.0, ENDED)
    assert incidents.judge(alert.finding_uid, "a-2", NOTE) is None
    assert incidents.judge("unknown", "a-1", NOTE) is None


def test_the_first_finding_counts_the_events_before_it_and_tells_the_level_it_passed() -> None:
    """Itself included; the level as a rarity, rounded as scores are."""
    (first,) = taken(Incidents(Policy("toy/v1", 0.03, 0.002, ())), finding("a", rarity=3.0))
    assert first is not None
    assert first.events == KNOWN.events_before + 1
    assert first.threshold == 1.522879


@pytest.mark.parametrize(
    ("first", "then", "stays"),
    [
        ("low", "medium", "medium"), ("medium", "high", "high"), ("high", "critical", "critical"),
        ("critical", "high", "critical"), ("high", "medium", "high"), ("medium", "low", "medium"),
    ],
)  # fmt: skip
def test_the_worst_severity_stays_whatever_comes_first(first: Severity, then: Severity, stays: Severity) -> None:
    """Each step of the scale is told apart from the next."""
    found = taken(Incidents(POLICY), finding("a", severity=first), finding("b", 2, severity=then))
    assert found[1] is not None
    assert found[1].severity == stays
