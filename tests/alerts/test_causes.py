"""Incidents by cause: what another cause changes, what is folded, and a person's verdict on them, open or closed."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alerts.evidence import MOST_EVIDENCE
from detector.alerts.explain import Known
from detector.alerts.findings import Policy
from detector.alerts.incidents import MOST_CAUSES, MOST_CLOSED, Incidents
from detector.schema.alert import Alert, Severity, VerdictNote
from detector.schema.finding import Finding
from tests.alerts.leading import ROOMY, finding, lead

POLICY = Policy("default/v1", 0.01, 0.002, ())
KNOWN = Known(own_sessions=5, peer_sessions=50, agents=3, events_before=2, is_established=True)
NOTE = VerdictNote(verdict="confirm", by="kim", reason="it was one", at=1_772_442_000.0)
ENDED = {"events": 9, "events_over": 3, "seen": 1_772_449_000.0}


def taken(incidents: Incidents, *found: Finding, session: int | None = 1) -> list[Alert | None]:
    """Return what each finding led to."""
    return [incidents.take(session, lead(one, KNOWN)) for one in found]


def test_another_cause_updates_the_incident_and_the_worst_of_both_stays() -> None:
    """Identity and evidence grow, reasons are the newer ones, severity never falls."""
    first, second = taken(Incidents(POLICY, ROOMY), finding("a", 1, severity="high"), finding("b", 2, severity="low"))
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
    incidents = Incidents(POLICY, ROOMY)
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
    incidents = Incidents(POLICY, ROOMY)
    taken(incidents, finding("a", severity="high"))
    closed = incidents.close(1, 9.0, ENDED)
    assert closed is not None
    assert (closed.score, closed.severity, closed.risk, closed.events) == (None, "high", 75, 9)


def test_causes_and_evidence_are_bounded_and_what_comes_after_is_told_ever_more_rarely() -> None:
    """A flood of causes is one incident of so many, and of the rest a record at the 1st, 2nd, 4th, 8th ..."""
    incidents = Incidents(POLICY, ROOMY)
    alerts = taken(incidents, *(finding(f"c-{n}", n) for n in range(MOST_CAUSES + 100)))
    assert [n - MOST_CAUSES + 1 for n, one in enumerate(alerts) if one and n >= MOST_CAUSES] == [1, 2, 4, 8, 16, 32, 64]
    assert incidents.folded == 100 - 7
    held = incidents.open[1]
    assert (len(held.causes), len(held.evidence), held.folded) == (MOST_CAUSES, MOST_EVIDENCE, 100)
    assert held.counter == MOST_CAUSES + 7


def test_a_cause_beyond_the_most_that_are_listed_takes_the_last_ones_place() -> None:
    """So that the response stage hears of a further cause: a release of sixteen does not cover a seventeenth."""
    incidents = Incidents(POLICY, ROOMY)
    *_, alert = taken(incidents, *(finding(f"c-{n}", n) for n in range(MOST_CAUSES + 1)))
    assert alert is not None
    assert alert.causes == (*(f"c-{n}" for n in range(MOST_CAUSES - 1)), f"c-{MOST_CAUSES}")


def test_a_worse_cause_is_told_at_once_however_many_came_before() -> None:
    """An isolation must not wait for a doubling."""
    incidents = Incidents(POLICY, ROOMY)
    taken(incidents, *(finding(f"c-{n}", n) for n in range(MOST_CAUSES + 2)))
    mild, severe = taken(incidents, finding("mild", 50), finding("severe", 51, severity="critical"))
    assert mild is None
    assert severe is not None
    assert (severe.severity, severe.causes[-1], severe.evidence[-1].event_id) == ("critical", "severe", "e-51")


def test_a_repeated_cause_makes_no_record_and_its_stronger_act_is_the_evidence() -> None:
    """It is told with the next record, here the close."""
    incidents = Incidents(POLICY, ROOMY)
    _, weaker, stronger = taken(
        incidents, finding("a", 1, rarity=2.5), finding("a", 2, rarity=2.1), finding("a", 3, rarity=3.5)
    )
    assert (weaker, stronger, incidents.folded) == (None, None, 2)
    closed = incidents.close(1, 3.5, ENDED)
    assert closed is not None
    assert (closed.counter, [one.event_id for one in closed.evidence]) == (2, ["e-3"])


def test_the_same_act_at_the_stricter_level_is_a_further_cause_and_not_the_other_way_round() -> None:
    """Who is quarantined for an act is not alerted for it."""
    strict, mild = "behaviour.session/quarantine/pay", "behaviour.session/alert/pay"
    assert [bool(one) for one in taken(Incidents(POLICY, ROOMY), finding(mild), finding(strict))] == [True, True]
    assert [bool(one) for one in taken(Incidents(POLICY, ROOMY), finding(strict), finding(mild))] == [True, False]


def test_an_act_near_the_level_is_named_once_as_evidence_and_is_no_cause() -> None:
    """One more record; reasons, severity and causes stay, so that it asks for no response."""
    incidents = Incidents(POLICY, ROOMY)
    (first,) = taken(incidents, finding("a", 1, rarity=3.0, severity="high"))
    assert first is not None
    named = incidents.witness(1, lead(finding("b", 2, rarity=1.5)))
    assert named is not None
    assert [one.event_id for one in named.evidence] == ["e-1", "e-2"]
    assert named.last_seen > first.last_seen
    same = {"counter", "activity", "time", "last_seen", "evidence"}
    assert named.model_dump(exclude=same) == first.model_dump(exclude=same)
    assert incidents.witness(1, lead(finding("b", 3, rarity=1.4))) is None
    assert incidents.witness(1, lead(finding("a", 4, rarity=1.4))) is None
    assert incidents.witness(2, lead(finding("b", 5, rarity=1.4))) is None


def test_acts_near_the_level_make_a_record_only_while_there_is_room() -> None:
    """A long benign session is no stream of records; a stronger one is kept all the same, for the next record."""
    incidents = Incidents(POLICY, ROOMY)
    taken(incidents, finding("a", 0, rarity=3.0))
    told = [incidents.witness(1, lead(finding(f"b-{n}", n, rarity=1.0 + n / 100))) for n in range(1, 50)]
    assert sum(one is not None for one in told) == MOST_EVIDENCE - 1
    held = incidents.open[1]
    assert (held.counter, held.causes) == (MOST_EVIDENCE, ("a",))
    assert [one.event_id for one in held.evidence] == ["e-0", *(f"e-{n}" for n in range(43, 50))]


CAUSES = st.lists(
    st.tuples(st.integers(0, 30), st.floats(2.0, 9.0), st.sampled_from(get_args(Severity))), min_size=1, max_size=80
)


@given(found=CAUSES)
def test_every_cause_of_a_session_is_named_up_to_the_most_and_the_strongest_acts_are_kept(
    found: list[tuple[int, float, Severity]],
) -> None:
    """Each of the first sixteen has a record with its act; the evidence at the end lacks nothing stronger."""
    incidents = Incidents(POLICY, ROOMY)
    alerts = taken(incidents, *(finding(f"c-{c}", n, rarity=r, severity=s) for n, (c, r, s) in enumerate(found)))
    firsts = list(dict.fromkeys(c for c, _, _ in found))
    for cause in firsts[:MOST_CAUSES]:
        n = next(n for n, one in enumerate(found) if one[0] == cause)
        alert = alerts[n]
        assert alert is not None
        assert f"c-{cause}" in alert.causes
        assert f"e-{n}" in [one.event_id for one in alert.evidence]
    best: dict[str, float] = {}
    for cause, strength, _ in found:
        best[f"c-{cause}"] = max(best.get(f"c-{cause}", 0.0), strength)
    held = {one.cause: one.strength for one in incidents.open[1].evidence}
    assert len(held) == len(incidents.open[1].evidence) == min(len(best), MOST_EVIDENCE)
    last = f"c-{found[-1][0]}"
    kept = sorted((strength for cause, strength in held.items() if cause != last), reverse=True)
    rest = sorted((strength for cause, strength in best.items() if cause != last), reverse=True)
    assert kept[: MOST_EVIDENCE - 2] == rest[: len(kept)][: MOST_EVIDENCE - 2]


@given(found=CAUSES)
def test_nothing_lowers_the_severity_risk_or_score_of_an_incident(found: list[tuple[int, float, Severity]]) -> None:
    """Whatever is folded; and counters of records are gapless."""
    incidents, before = Incidents(POLICY, ROOMY), None
    order = get_args(Severity)
    for n, (cause, rarity, severity) in enumerate(found):
        alert = incidents.take(1, lead(finding(f"c-{cause}", n, rarity=rarity, severity=severity)))
        held = incidents.open[1]
        if before is not None:
            assert order.index(held.severity) >= order.index(before.severity)
            assert held.risk >= before.risk
            assert (held.score or 0.0) >= (before.score or 0.0)
            assert held.counter == before.counter + (alert is not None)
        before = held


def test_a_finding_outside_of_any_session_is_an_incident_of_its_own() -> None:
    """Nothing is left open, and a verdict reaches it."""
    incidents = Incidents(POLICY, ROOMY)
    (alert,) = taken(incidents, finding("a"), session=None)
    assert alert is not None
    assert incidents.open == {}
    assert incidents.judge(alert.finding_uid, "a-1", NOTE) is not None


def test_a_verdict_is_shown_on_an_open_incident_and_stays_through_update_and_close() -> None:
    """One more record each, nothing else changed."""
    incidents = Incidents(POLICY, ROOMY)
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
    incidents = Incidents(POLICY, ROOMY)
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
    incidents = Incidents(POLICY, ROOMY)
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
    incidents = Incidents(POLICY, ROOMY)
    (alert,) = taken(incidents, finding("a"))
    assert alert is not None
    assert incidents.judge(alert.finding_uid, "a-2", NOTE) is None
    incidents.close(1, 0.0, ENDED)
    assert incidents.judge(alert.finding_uid, "a-2", NOTE) is None
    assert incidents.judge("unknown", "a-1", NOTE) is None


def test_the_first_finding_counts_the_events_before_it_and_tells_the_level_it_passed() -> None:
    """Itself included; the level as a rarity, rounded as scores are."""
    (first,) = taken(Incidents(Policy("toy/v1", 0.03, 0.002, ()), ROOMY), finding("a", rarity=3.0))
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
    found = taken(Incidents(POLICY, ROOMY), finding("a", severity=first), finding("b", 2, severity=then))
    assert found[1] is not None
    assert found[1].severity == stays
