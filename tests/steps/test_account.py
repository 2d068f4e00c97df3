"""The account of false alarms: integral control within bounds, and nobody burns it alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.profile.section import MOST_SHARE
from detector.steps.account import (
    ANSWER_CLOSES,
    LAPSE,
    LIMIT,
    LOUD_CHARGES,
    MOST_CHARGED,
    START,
    STEP,
    Account,
)

SHARE = 0.01


def begun() -> Account:
    """Return an account with one answer, a confirmation."""
    account = Account()
    account.answer(is_false=False)
    return account


def test_without_answers_nothing_is_charged_and_nothing_earned() -> None:
    """Nobody answers: the promised share is the share."""
    account = Account()
    for _ in range(500):
        account.close(SHARE, is_quiet=True)
    assert account.charge(7, 1.0) == 0.0
    assert (account.balance, account.false_share) == (0.0, 1.0)
    assert account.level(SHARE) == pytest.approx(2.0)


def test_the_first_answer_begins_with_a_reserve_and_false_alarms_narrow_the_share() -> None:
    """A quiet session earns a promised alarm's part of what a false one costs."""
    account = begun()
    assert account.balance == START
    assert account.charge(7, 1.0) == 1.0
    assert account.balance == pytest.approx(START - STEP)
    assert account.level(SHARE) == pytest.approx(2.0 - (START - STEP) / math.log(10.0))
    for _ in range(100):
        account.close(SHARE, is_quiet=True)
    assert account.balance == pytest.approx(START)
    account.close(SHARE, is_quiet=False)
    assert account.balance == pytest.approx(START)


def test_what_is_given_back_makes_up_for_what_was_charged() -> None:
    """A late confirmation takes the charge of an unanswered alert back."""
    account = begun()
    taken = account.charge(7, 0.5)
    account.charge(7, -taken)
    assert account.balance == pytest.approx(START)


@pytest.mark.parametrize("is_false", [True, False])
def test_an_answer_that_is_taken_back_leaves_the_share_as_it_was(is_false: bool) -> None:
    """The last one exactly; and whatever is taken back, the share stays one."""
    account = Account()
    account.answer(is_false=is_false)
    account.take_back(is_false=is_false)
    assert account.false_share == 1.0
    for _ in range(5):
        account.take_back(is_false=not is_false)
        assert 0.0 <= account.false_share <= 1.0


def test_a_loud_agent_is_charged_no_further_and_others_are() -> None:
    """Decoys of one agent move the level by so much, and half of it is forgotten later."""
    account = begun()
    taken = [account.charge(7, 1.0) for _ in range(20)]
    assert sum(taken) == LOUD_CHARGES
    assert account.charge(8, 1.0) == 1.0
    for _ in range(500):
        account.close(SHARE, is_quiet=False)
    assert account.charge(7, 9.0) == pytest.approx(LOUD_CHARGES / 2)


def test_alerts_nobody_answers_are_overdue_in_their_order() -> None:
    """After so many closed sessions, once."""
    account = begun()
    account.wait(1)
    account.close(SHARE, is_quiet=True)
    account.wait(2)
    due = [account.close(SHARE, is_quiet=True) for _ in range(ANSWER_CLOSES + 5)]
    assert [number for found in due for number in found] == [1, 2]
    assert due[ANSWER_CLOSES - 2] == [1]


def test_an_account_without_an_answer_that_stands_is_as_it_was() -> None:
    """The only verdict is taken back, and with it what it did to everybody's level."""
    account = Account()
    account.answer(is_false=True)
    account.charge(7, 1.0)
    assert not account.lapse()
    account.take_back(is_false=True)
    assert account.lapse()
    account.close(SHARE, is_quiet=True)
    assert account.facts() == {**Account().facts(), "closes": 1}


def test_who_answered_once_and_never_again_narrows_the_level_no_longer() -> None:
    """Thirty alerts in a row; one answer between them, and they count anew."""
    account = begun()
    for _ in range(LAPSE - 1):
        account.miss()
        assert not account.lapse()
    account.answer(is_false=False)
    for _ in range(LAPSE):
        assert account.has_begun
        account.miss()
        account.lapse()
    assert not account.has_begun
    assert account.level(SHARE) == pytest.approx(2.0)


def test_no_event_of_a_batch_is_held_to_less_than_the_loosest_level_where_the_account_may_end() -> None:
    """A balance below 0 jumps back to 0 within the batch."""
    account = begun()
    for number in range(LAPSE):
        account.wait(number)
    account.charge(7, 3.0)
    assert account.loosest(SHARE, 0) <= Account().level(SHARE)


def test_who_was_charged_is_remembered_for_so_many_agents() -> None:
    """An inventor of agents does not fill memory."""
    account = begun()
    for agent in range(MOST_CHARGED + 20):
        account.charge(agent, 0.001)
    assert len(account.charged) == MOST_CHARGED
    assert 0 not in account.charged


@given(st.lists(st.one_of(st.booleans(), st.floats(-3.0, 3.0)), max_size=300))
def test_the_balance_stays_in_its_bounds_and_facts_bring_it_back(steps: list[bool | float]) -> None:
    """Whatever is charged and earned; and no share above the most is ever promised."""
    account = begun()
    for k, step in enumerate(steps):
        if isinstance(step, bool):
            account.answer(is_false=step)
            account.close(1.0, is_quiet=step)
            account.miss()
            account.lapse()
        else:
            account.charge(k % 3, step)
        assert -LIMIT <= account.balance <= LIMIT
        assert account.level(SHARE) >= -math.log10(MOST_SHARE)
        assert account.loosest(SHARE, 100) <= account.level(SHARE)
        assert 0.0 <= account.false_share <= 1.0
    again = Account()
    again.restore(account.facts())
    assert again.facts() == account.facts()
