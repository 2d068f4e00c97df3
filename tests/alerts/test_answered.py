"""What people said of findings by rules: quiet for whom, until when, shown again when, and all of it bounded."""

from __future__ import annotations

import pytest

from detector.alerts.answered import MOST_ANSWERS, RuleAnswers
from detector.steps.casebook import FIRST_SHOWN
from detector.steps.cases import Ruling

CAUSE, RULE = "rule.hook_failed/Bash", "rule.hook_failed"
ADA, PEERS = 5, 6


def said(verdict: str, *, until: float = 0.0, scope: str = "agent", group: int = PEERS) -> RuleAnswers:
    """Return the answers after one verdict on a finding of an agent."""
    answers, ruling = RuleAnswers(), Ruling(verdict, until, scope)  # type: ignore[arg-type]
    assert answers.take("f1", [CAUSE, "exfiltrate/x"], (ADA, group), ruling)
    return answers


@pytest.mark.parametrize("verdict", ["dismiss", "safe"])
def test_a_dismissed_cause_is_quiet_for_its_agent_and_shown_again_at_each_doubling(verdict: str) -> None:
    """Another cause of the rule, and another agent, are told; asked twice of one session it says the same."""
    answers = said(verdict)
    shown = [k for k in range(1, 20) if not answers.is_quiet(CAUSE, k, (ADA, PEERS), 1e9)]
    assert shown == [FIRST_SHOWN, 8, 16]
    assert answers.is_quiet(CAUSE, 19, (ADA, PEERS), 1e9)
    assert answers.hidden == 19 - len(shown)
    assert not answers.is_quiet(f"{RULE}/Edit", 99, (ADA, PEERS), 1e9)
    assert not answers.is_quiet(CAUSE, 99, (ADA + 1, PEERS), 1e9)


@pytest.mark.parametrize(
    ("scope", "covered"), [("agent", {(5, 6)}), ("group", {(5, 6), (7, 6)}), ("everyone", {(5, 6), (7, 6), (8, 9)})]
)
def test_a_disabled_rule_is_quiet_whatever_the_cause_for_whom_it_was_said_and_until_then(
    scope: str, covered: set[tuple[int, int]]
) -> None:
    """No session of it is shown again before its time is over; then it is told, and that is counted."""
    answers = said("disable", until=100.0, scope=scope)
    for owners in ((5, 6), (7, 6), (8, 9)):
        quiet = [answers.is_quiet(f"{RULE}/any", k, owners, 99.0) for k in range(8)]
        assert set(quiet) == {owners in covered}
    assert not answers.is_quiet(CAUSE, 50, (ADA, PEERS), 100.0)
    assert (answers.expired, answers.answers) == (1, {})


def test_what_is_disabled_for_the_group_of_a_stranger_is_disabled_for_it_alone() -> None:
    """Strangers are no group."""
    answers = said("disable", until=9.0, scope="group", group=0)
    assert answers.is_quiet(CAUSE, 1, (ADA, 0), 1.0)
    assert not answers.is_quiet(CAUSE, 1, (ADA + 1, 0), 1.0)


def test_a_confirmation_of_the_session_that_was_shown_again_ends_the_quiet() -> None:
    """It is another finding than the one that was dismissed."""
    answers = said("dismiss")
    assert answers.take("f4", [CAUSE], (ADA, PEERS), Ruling("confirm"))
    assert not answers.is_quiet(CAUSE, 1, (ADA, PEERS), 0.0)


def test_what_two_dismissals_keep_quiet_is_the_first_ones() -> None:
    """Undoing the second takes nothing away."""
    answers = said("dismiss")
    assert not answers.take("f2", [CAUSE], (ADA, PEERS), Ruling("dismiss"))
    assert not answers.take("f2", [CAUSE], (ADA, PEERS), Ruling("undo"))
    assert answers.is_quiet(CAUSE, 1, (ADA, PEERS), 0.0)


@pytest.mark.parametrize("scope", ["agent", "group", "everyone"])
def test_an_answer_is_undone_though_its_finding_is_remembered_no_more_and_by_its_agents_name_alone(scope: str) -> None:
    """Its causes are not known any more; another agent's name undoes nothing."""
    answers = said("disable", until=9.0, scope=scope)
    assert not answers.take("f1", [], (ADA + 1, PEERS), Ruling("undo"))
    assert answers.take("f1", [], (ADA, PEERS), Ruling("undo"))
    assert answers.answers == {}


@pytest.mark.parametrize("last", ["confirm", "undo"])
def test_a_confirmation_and_an_undo_leave_nothing_quiet_and_said_again_nothing_changes(last: str) -> None:
    """What another finding's verdict keeps quiet stays so."""
    answers = said("dismiss")
    other = [f"{RULE}/Edit"]
    assert answers.take("f2", other, (ADA, PEERS), Ruling("dismiss"))
    assert answers.is_quiet(CAUSE, 1, (ADA, PEERS), 0.0)
    assert not answers.take("f1", [CAUSE], (ADA, PEERS), Ruling("dismiss"))
    assert answers.answers[CAUSE, ADA].hidden == 1
    assert answers.take("f1", [CAUSE], (ADA, PEERS), Ruling(last))  # type: ignore[arg-type]
    assert not answers.is_quiet(CAUSE, 2, (ADA, PEERS), 0.0)
    assert answers.is_quiet(other[0], 2, (ADA, PEERS), 0.0)


def test_answers_are_bounded_the_oldest_leave_first_and_facts_bring_them_back() -> None:
    """A restart goes on with what was hidden."""
    answers = RuleAnswers()
    for number in range(MOST_ANSWERS + 3):
        answers.take(f"f{number}", [f"{RULE}/{number}"], (ADA, PEERS), Ruling("dismiss"))
    assert len(answers.answers) == MOST_ANSWERS
    assert not answers.is_quiet(f"{RULE}/2", 1, (ADA, PEERS), 0.0)
    assert answers.is_quiet(f"{RULE}/3", 1, (ADA, PEERS), 0.0)
    again = RuleAnswers()
    again.restore(answers.facts())
    assert again.facts() == answers.facts()
