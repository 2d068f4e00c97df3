"""Promises: each class has its own share and account, and a session counts where it alerted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from detector.steps.account import START, STEP
from detector.steps.cases import Ruling
from detector.steps.decisions import ALERT, QUARANTINE, Ended, Passed
from detector.steps.promises import BudgetSettings, ClassShares, Promise
from detector.steps.threshold import BudgetThreshold
from tests.steps.test_threshold import work

CLASSES = (ClassShares("crown", 0.05, 0.01), ClassShares("lab", 0.002, 0.002))
SETTINGS = BudgetSettings(alerts=0.01, quarantine=0.001, floor=2.0, trusted_until=100.0, classes=CLASSES)


def _decided(
    threshold: BudgetThreshold, events: Sequence[tuple[int, float, int]], closes: Sequence[tuple[int, int]] = (),
    **fields: Any,
) -> list[Any]:  # fmt: skip
    """Return what comes of events (session, rarity, class) and closes (before which event, session)."""
    n, room = work([(session, rarity) for session, rarity, _ in events], closes, **fields)
    room.classes[:n] = [kind for *_, kind in events]
    room.context.slot[:n] = 1
    found = threshold.decide(n, room)
    return [one._replace(case=0, alerts_from=None) if isinstance(one, Passed) else one for one in found]


def _counts(threshold: BudgetThreshold) -> list[tuple[int, int]]:
    return [(one.closed, one.alerted) for one in threshold.promises.held]


def _promise(threshold: BudgetThreshold, name: str) -> Promise:
    return threshold.promises.of_name(name)


@pytest.mark.parametrize(
    ("rarity", "expected"),
    [(1.2, []), (1.31, [1]), (2.01, [0, 1]), (2.7, [0, 1, 2])],
)
def test_an_event_alerts_by_the_share_of_its_class(rarity: float, expected: list[int]) -> None:
    """One in twenty of the crown, one in a hundred of all, one in five hundred of the lab."""
    found = _decided(BudgetThreshold(SETTINGS), [(7, rarity, 0), (8, rarity, 1), (9, rarity, 2)])
    assert [one.event for one in found] == expected


def test_a_class_has_its_own_quarantine_share() -> None:
    """One in a hundred of the crown; of the lab whatever alerts."""
    found = _decided(BudgetThreshold(SETTINGS), [(7, 2.2, 0), (8, 2.2, 1), (9, 2.8, 2)])
    assert [one.level for one in found] == [ALERT, QUARANTINE, QUARANTINE]


def test_a_session_counts_in_the_class_it_alerted_in_whatever_came_last() -> None:
    """One that never alerted counts where its last event was, and one of before in the batch it closes in."""
    threshold = BudgetThreshold(SETTINGS)
    _decided(threshold, [(7, 1.5, 1), (7, 0.1, 0), (8, 0.1, 1), (9, 0.1, 0), (10, 0.1, 2)])
    ended = _decided(threshold, [(9, 0.1, 0)], closes=[(0, 7), (0, 8), (1, 9), (1, 10)])
    assert ended == [Ended(0, 7, 1)]
    assert _counts(threshold) == [(1, 0), (2, 1), (1, 0)]
    assert threshold.promises.open == {}


def test_a_class_without_enough_references_is_learning_and_others_are_not() -> None:
    """Of 200 references one in a hundred can be told, one in five hundred cannot."""
    found = _decided(BudgetThreshold(SETTINGS), [(7, 3.0, 0), (9, 3.0, 2)], references=200)
    assert [one.is_learning for one in found] == [False, True]


def test_a_verdict_moves_the_account_of_its_class_alone() -> None:
    """A false alarm of the crown narrows the crown's share; its twin of nobody's class the profile's."""
    threshold = BudgetThreshold(SETTINGS)
    _decided(threshold, [(7, 2.5, 0), (8, 2.5, 1)], tool=[1, 2])
    (mine,) = [case for case in threshold.cases.cases.values() if case.risk_class == "crown"]
    threshold.answer(mine, Ruling("dismiss"))
    crown, rest = _promise(threshold, "crown").account, threshold.account
    assert [crown.balance, rest.balance] == pytest.approx([START - STEP, 0.0])
    (other,) = [case for case in threshold.cases.cases.values() if not case.risk_class]
    threshold.answer(other, Ruling("confirm"))
    assert rest.balance == pytest.approx(START)
    assert threshold.false_share == pytest.approx((crown.false + rest.false) / (crown.answered + rest.answered))


def test_who_only_claims_a_class_is_held_to_its_share_and_moves_the_profiles_account() -> None:
    """Decoys under the crown's name do not narrow the crown; they count where they would without classes."""
    threshold = BudgetThreshold(SETTINGS)
    (found,) = _decided(threshold, [(7, 1.4, 1 + len(CLASSES))])
    (case,) = threshold.cases.cases.values()
    threshold.answer(case, Ruling("dismiss"))
    assert (found.event, case.risk_class) == (0, "")
    assert threshold.account.balance == pytest.approx(START - STEP)
    assert _promise(threshold, "crown").account.balance == 0.0
    _decided(threshold, [], closes=[(0, 7)])
    assert _counts(threshold) == [(1, 1), (0, 0), (0, 0)]


def test_quiet_sessions_earn_for_their_class() -> None:
    """Twenty quiet sessions of the crown give back what one of its false alarms took."""
    threshold = BudgetThreshold(SETTINGS)
    _decided(threshold, [(8, 2.5, 1)])
    (case,) = threshold.cases.cases.values()
    threshold.answer(case, Ruling("dismiss"))
    for session in range(20, 28):
        _decided(threshold, [(session, 0.1, 1)])
        _decided(threshold, [], closes=[(0, session)])
    assert _promise(threshold, "crown").account.balance == pytest.approx(START - STEP + 8 * STEP * 0.05)
    assert threshold.account.balance == 0.0


def test_promises_come_back_from_facts_by_name() -> None:
    """Another order of classes, or one that is gone, mixes nobody's account up."""
    threshold = BudgetThreshold(SETTINGS)
    _decided(threshold, [(7, 2.5, 1), (8, 0.1, 2), (9, 0.1, 1)], closes=[(3, 7)])
    facts = threshold.facts()
    again = BudgetThreshold(SETTINGS)
    again.restore(facts)
    assert again.facts() == facts
    turned = BudgetThreshold(SETTINGS._replace(classes=CLASSES[:1]))
    turned.restore(facts)
    assert _counts(turned) == [(0, 0), (1, 1)]
    assert turned.promises.open == {9: 1}


def test_without_classes_facts_and_gauges_say_nothing_of_them() -> None:
    """What was written before there were any is what is written."""
    threshold = BudgetThreshold(SETTINGS._replace(classes=()))
    assert list(threshold.facts()) == ["name", "closed", "alerted", "account", "began", "is_learning"]
    assert threshold.gauges()["promised"] == 0.01
