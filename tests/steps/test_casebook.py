"""What verdicts do to causes: confirmed ones keep their level, dismissed ones stay quiet, and all of it is bounded."""

from __future__ import annotations

import pytest

from detector.steps.casebook import (
    FIRST_SHOWN,
    INCIDENT_S,
    MOST_CASES,
    MOST_CAUSES_KNOWN,
    MOST_DISABLED,
    MOST_INDICATORS,
    Casebook,
)
from detector.steps.cases import AlertedSession, NewPart, Ruling
from detector.steps.reference import TAKEN_IN

AGENT, GROUP, CAUSE = 5, 6, 99
DAY_S = 86_400.0


def opened(book: Casebook, session: int, cause: int = CAUSE, score: float = 4.0, agent: int = AGENT) -> AlertedSession:
    """Return the case of a session that alerted just now."""
    return book.begin((session, agent, GROUP), cause, "score", score)


def named(book: Casebook, session: int, at: float, cause: int = CAUSE) -> tuple[str, int]:
    """Return the incident of a new session."""
    return book.name(opened(book, session, cause).number, f"f{session}", at)


def test_sessions_of_one_cause_within_a_week_of_each_other_are_one_incident() -> None:
    """The week runs from the last one; another cause, and an act with none, are incidents of their own."""
    book = Casebook()
    assert named(book, 1, 0.0) == ("f1", 1)
    assert named(book, 2, INCIDENT_S) == ("f1", 2)
    assert named(book, 3, 2 * INCIDENT_S) == ("f1", 3)
    assert named(book, 4, 0.0, cause=98) == ("f4", 1)
    assert named(book, 5, 0.0, cause=0) == ("f5", 1)
    assert named(book, 6, 3 * INCIDENT_S + 1.0) == ("f6", 1)
    assert named(book, 7, 3 * INCIDENT_S + 2.0) == ("f6", 2)


def test_an_incident_names_the_findings_before_the_newest_first() -> None:
    """Neither those of an incident before, nor of another cause, nor a session that had no finding."""
    book = Casebook()
    named(book, 1, 0.0)
    named(book, 2, 1.0)
    named(book, 3, 3 * INCIDENT_S)
    assert book.earlier(book.opened) == []
    named(book, 4, 3 * INCIDENT_S, cause=98)
    opened(book, 5)
    named(book, 6, 3 * INCIDENT_S + 1.0)
    named(book, 7, 3 * INCIDENT_S + 2.0)
    assert book.earlier(book.opened) == ["f6", "f3"]
    named(book, 8, 0.0, cause=0)
    assert book.earlier(book.opened) == []
    assert book.earlier(10_000) == []


def test_a_time_far_from_the_incidents_begins_another_one() -> None:
    """An event dated back to long ago does not join, and what follows it there does."""
    book = Casebook()
    assert named(book, 1, 10 * INCIDENT_S) == ("f1", 1)
    assert named(book, 2, 0.0) == ("f2", 1)


def test_a_dismissed_cause_is_quiet_up_to_its_strength_and_shown_again_at_each_doubling() -> None:
    """The 4th, 8th, 16th session alerts: a wrong dismissal hides no wave; a stronger act alerts at once."""
    book = Casebook()
    book.take(opened(book, 1), Ruling("dismiss"), [])
    assert not book.is_quiet(CAUSE, 4.1, 2)
    shown = [k for k in range(1, 20) if not book.is_quiet(CAUSE, 4.0, 100 + k)]
    assert shown == [FIRST_SHOWN, 8, 16]
    assert book.quieted == 19
    assert not book.is_quiet(98, 1.0, 2)


def test_a_session_is_counted_once_however_often_it_acts() -> None:
    """Acts of one quiet session are no wave."""
    book = Casebook()
    book.take(opened(book, 1), Ruling("dismiss"), [])
    assert all(book.is_quiet(CAUSE, 4.0, 2) for _ in range(50))
    assert book.quieted == 1


def test_a_confirmed_cause_keeps_the_least_level_it_was_confirmed_at() -> None:
    """Two confirmations: the lower one holds; a dismissal ends it."""
    book = Casebook()
    book.take(opened(book, 1, score=5.0), Ruling("confirm"), [])
    assert (book.is_confirmed(CAUSE, 4.9), book.is_confirmed(CAUSE, 5.0), book.least_confirmed()) == (False, True, 5.0)
    book.take(opened(book, 2, score=4.0), Ruling("confirm"), [])
    assert book.is_confirmed(CAUSE, 4.0)
    book.take(opened(book, 3, score=4.5), Ruling("dismiss"), [])
    assert not book.is_confirmed(CAUSE, 9.0)


@pytest.mark.parametrize("said", ["dismiss", "safe", "confirm", "disable"])
def test_undo_leaves_what_was_known_before_the_verdict(said: str) -> None:
    """Whatever was said: cause, indicators and what is disabled are as they were."""
    book, untouched = Casebook(), Casebook()
    for one in (book, untouched):
        one.name(opened(one, 1, score=5.0).number, "f1", 0.0)
        one.take(one.open[1], Ruling("confirm"), [11])
        one.name(opened(one, 2, score=4.0).number, "f2", 1.0)
    answer = Ruling(said, until=DAY_S, scope="group")  # type: ignore[arg-type]
    book.take(book.open[2], answer, [12])
    assert book.facts() != untouched.facts()
    book.take(book.open[2], Ruling("undo"), [12])
    assert book.facts() == untouched.facts()


def test_undo_after_a_restart_brings_a_confirmed_cause_back_as_without_one() -> None:
    """Nothing that is looked up first may have been forgotten meanwhile."""
    book = Casebook()
    book.take(opened(book, 1, score=5.0), Ruling("confirm"), [])
    book.take(opened(book, 2, score=6.0), Ruling("dismiss"), [])
    again = Casebook()
    again.restore(book.facts())
    for one in (book, again):
        one.take(one.open[2], Ruling("undo"), [])
        assert one.is_confirmed(CAUSE, 5.0)
        assert one.least_confirmed() <= 5.0


def test_undo_takes_its_own_indicators_and_no_others() -> None:
    """A value that two confirmed acts share stays that of the later one; disabling a kind is no word on its values."""
    book = Casebook()
    for session in (1, 2, 3):
        book.name(opened(book, session, cause=session).number, f"f{session}", 0.0)
    book.take(book.open[1], Ruling("confirm"), [7, 8])
    book.take(book.open[2], Ruling("confirm"), [8])
    book.take(book.open[3], Ruling("disable", until=9.0), [7])
    assert book.indicators == {7: "f1", 8: "f2"}
    book.take(book.open[1], Ruling("undo"), [7, 8])
    assert book.indicators == {8: "f2"}


def test_a_changed_mind_counts_as_the_second_verdict_alone() -> None:
    """Dismissed, then confirmed, then taken back: nothing is left of either."""
    book, untouched = Casebook(), Casebook()
    for one in (book, untouched):
        one.cause(CAUSE)
        opened(one, 1)
    for answer in (Ruling("dismiss"), Ruling("confirm"), Ruling("undo")):
        book.take(book.open[1], answer, [])
    assert book.facts() == untouched.facts()


@pytest.mark.parametrize(
    ("scope", "quiet"),
    [("agent", [True, False, False]), ("group", [True, True, False]), ("everyone", [True, True, True])],
)
def test_a_disabled_cause_is_not_told_of_whom_it_is_disabled_for(scope: str, quiet: list[bool]) -> None:
    """The agent, its peer group, or everyone; of another cause and after its time it is told again, aloud."""
    book = Casebook()
    book.take(opened(book, 1), Ruling("disable", until=DAY_S, scope=scope), [])  # type: ignore[arg-type]
    whose = [(10, AGENT, GROUP), (11, 50, GROUP), (12, 51, 60)]
    assert [book.is_disabled(CAUSE, names, DAY_S - 1.0) for names in whose] == quiet
    assert not book.is_disabled(98, whose[0], 0.0)
    assert (book.quieted, sum(held[1] for held in book.disabled.values())) == (sum(quiet), sum(quiet))
    assert not book.is_disabled(CAUSE, whose[0], DAY_S)
    assert (book.expired, book.disabled) == (1, {})


def test_memory_is_bounded_and_what_people_said_leaves_last() -> None:
    """Whoever alerts with a thousand causes pushes no verdict out."""
    book = Casebook()
    book.take(opened(book, 1), Ruling("confirm"), list(range(1, MOST_INDICATORS + 9)))
    for k in range(2, MOST_CASES + MOST_CAUSES_KNOWN + 9):
        named(book, k, 0.0, cause=1_000 + k)
        book.end(k, TAKEN_IN, 4.0)
    named(book, 1, 0.0)
    for k in range(MOST_DISABLED + 3):
        book.take(AlertedSession(k, k, AGENT, GROUP, {9_000 + k: 4.0}, "score", 1, 1), Ruling("disable", until=1.0), [])
    sizes = [len(book.cases) - len(book.open), len(book.causes), len(book.indicators), len(book.disabled)]
    assert sizes == [MOST_CASES, MOST_CAUSES_KNOWN, MOST_INDICATORS, MOST_DISABLED]
    assert book.is_confirmed(CAUSE, 4.0)


def test_facts_bring_a_casebook_back() -> None:
    """With parts, answers, what is disabled and the order in which things leave."""
    book = Casebook()
    case = opened(book, 1)
    case.parts.append(NewPart(1, 2, 3, 4))
    book.name(case.number, "f1", 5.0)
    book.end(1, TAKEN_IN, 4.5)
    book.take(case, Ruling("confirm"), [7])
    book.take(opened(book, 2, cause=98), Ruling("disable", until=9.0), [])
    again = Casebook()
    again.restore(book.facts())
    assert again.facts() == book.facts()
    assert again.find("f1") == case
    assert list(again.causes) == list(book.causes)


def test_what_is_disabled_for_the_peers_of_a_stranger_is_disabled_for_it_alone() -> None:
    """Strangers are no group: nobody else is covered, and whoever covers it is named as the agent."""
    book = Casebook()
    case = opened(book, 1)
    case.group = 0
    book.take(case, Ruling("disable", until=9.0, scope="group"), [])
    assert book.is_disabled(CAUSE, (5, case.agent, 0), 1.0)
    assert not book.is_disabled(CAUSE, (6, case.agent + 1, 0), 1.0)
