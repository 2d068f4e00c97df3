"""The reference: a cause counts once, an agent so much, newcomers together so much, trusted history makes way."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detector.memory.layout import ENTERED, FUSED, ODD, SCORED
from detector.sketches.rolling import allocate_rolling
from detector.steps.causes import NO_CAUSE
from detector.steps.reference import (
    BEFORE,
    CAUSES,
    DAY_S,
    FAR_SHARES,
    FIRST_FAR,
    KNOWN_FLEET,
    KNOWN_SESSIONS,
    LOUD,
    LOUD_FLEET,
    MOST_FAR_SHARES,
    NEWCOMERS,
    OF_ALL,
    OF_NEWCOMERS,
    TODAY,
    TRUSTED,
    TURN_ENTRIES,
    Reference,
    allocate_reference,
    enter_reference,
)

LEAST, ALERTS = 20, 0.01


class Closing:
    """A reference that sessions are closed into."""

    def __init__(self, size: int = 200) -> None:
        self.rolling = allocate_rolling(3, size)
        self.reference: Reference = allocate_reference()
        self.agents: dict[int, np.ndarray] = {}
        self.closed, self.day = 0, 20_000

    def close(self, score: float, cause: int = 0, agent: int = 1, *, odd: bool = False, trusted: bool = False) -> bool:
        """Close a session; return whether it entered."""
        sums = self.agents.setdefault(agent, np.zeros(8))
        self.closed += 1
        sums[SCORED] += 1.0
        before = self.rolling.used[FUSED, 1]
        session = (score, np.uint64(cause), self.day * DAY_S)
        enter_reference(self.rolling, self.reference, session, sums, (np.uint64(agent), odd, trusted), LEAST, ALERTS)
        return bool(self.rolling.used[FUSED, 1] > before)

    def fill(self, number: int, agents: int = 1, **about: Any) -> None:
        """Close so many ordinary sessions, each of a cause of its own, of known agents in turn."""
        for k in range(number):
            self.close(1.0 + k % 7 / 10.0, cause=1_000 + self.closed, agent=1 + k % agents, **about)

    @property
    def held(self) -> list[float]:
        """What the window holds, ascending."""
        return self.rolling.ordered[FUSED, : self.rolling.used[FUSED, 0]].tolist()


def test_a_cause_that_alerted_counts_once_and_again_when_it_has_left_the_window() -> None:
    """A wave of one kind does not raise the level above itself; what stays usual comes back."""
    closing = Closing(100)
    closing.fill(100)
    assert [closing.close(9.0, cause=7, odd=k < 5) for k in range(30)] == [True] + [False] * 29
    assert closing.close(9.0, cause=8, odd=True)
    closing.fill(97)
    assert not closing.close(9.0, cause=7, odd=True)
    closing.fill(1)
    assert closing.close(9.0, cause=7, odd=True)


def test_what_never_alerted_what_is_dull_and_what_has_no_cause_counts_each_time() -> None:
    """A fleet of one tool with one target is held against all of its sessions, and numbers against all numbers."""
    closing = Closing()
    closing.fill(100)
    assert all(closing.close(9.0, cause=6) for _ in range(9))
    assert closing.close(9.0, cause=7, odd=True)
    assert all(closing.close(1.0, cause=7) for _ in range(30))
    assert all(closing.close(9.0, cause=int(NO_CAUSE), odd=True) for _ in range(5))


def test_an_agent_that_keeps_alerting_counts_once_whatever_it_does() -> None:
    """Causes of its own do not help it; another agent's count as before, and in time it is heard again."""
    closing = Closing(2_000)
    closing.fill(400, agents=8)
    found = [closing.close(9.0, cause=100 + k, agent=3, odd=True) for k in range(12)]
    assert found == [True] * int(LOUD) + [False] * int(12 - LOUD)
    assert closing.close(9.0, cause=500, agent=4, odd=True)
    closing.fill(3 * TURN_ENTRIES, agents=2)
    closing.close(1.0, agent=3)
    assert closing.agents[3][ODD] < LOUD
    assert closing.close(9.0, cause=600, agent=3)


def test_in_a_fleet_of_one_more_alerts_make_an_agent_loud() -> None:
    """Whatever alerts there is its."""
    closing = Closing(2_000)
    closing.fill(400)
    most = int(LOUD * LOUD_FLEET)
    assert [closing.close(9.0, cause=100 + k, odd=True) for k in range(most)] == [True] * most
    assert not closing.close(9.0, cause=200, odd=True)


def test_one_agent_holds_a_few_times_its_share_and_no_more() -> None:
    """Thousands of dull sessions of one agent leave the level where the others put it."""
    closing = Closing(2_000)
    closing.fill(1_000, agents=20)
    before = closing.agents[1][ENTERED]
    for _ in range(3_000):
        closing.close(0.1, agent=1)
    held = closing.held
    assert before < closing.agents[1][ENTERED] <= 0.21 * closing.reference.entries[0, OF_ALL]
    assert sum(score == 0.1 for score in held) < 0.4 * len(held)


def test_newcomers_hold_together_a_small_part_of_all_and_of_the_strangest() -> None:
    """Whoever invents an agent a session neither raises nor lowers the level."""
    closing = Closing(2_000)
    closing.fill(1_000, agents=KNOWN_FLEET)
    for k in range(2_000):
        closing.close(9.0 if k % 2 else 0.1, cause=10**6 + k, agent=10**4 + k)
    held = closing.held
    assert sum(score == 9.0 for score in held) <= 0.011 * len(held)
    assert sum(score == 0.1 for score in held) <= 2 * NEWCOMERS * len(held)
    assert closing.close(1.0, agent=3)


def test_in_a_young_fleet_newcomers_are_all_there_is() -> None:
    """Nobody is turned away where nobody is known."""
    closing = Closing()
    assert all(closing.close(float(k % 9), cause=k, agent=k) for k in range(200))


def test_a_newcomer_is_known_after_some_sessions() -> None:
    """Whether they entered or not."""
    closing = Closing(2_000)
    closing.fill(1_000, agents=KNOWN_FLEET)
    for k in range(400):
        closing.close(1.0, agent=10**4 + k)
    found = [closing.close(1.0, agent=77) for _ in range(int(KNOWN_SESSIONS) + 3)]
    assert found == [False] * int(KNOWN_SESSIONS) + [True] * 3


def test_agents_that_are_gone_leave_the_reference_to_those_that_stay() -> None:
    """A thousand known agents, honest or invented, that come no more do not freeze it: the level goes on following."""
    closing = Closing(2_000)
    closing.fill(12_000, agents=1_000)
    assert max(closing.reference.count[TODAY], closing.reference.count[BEFORE]) == 1_000
    closing.day += 1
    closing.fill(200, agents=15)
    closing.day += 1
    before = closing.rolling.used[FUSED, 1]
    closing.fill(2_000, agents=15)
    assert closing.rolling.used[FUSED, 1] - before > 1_900


def test_newcomers_are_all_there_is_again_once_the_known_are_gone() -> None:
    """A fleet whose agents live for a session follows a fleet of old ones."""
    closing = Closing(2_000)
    closing.fill(1_000, agents=KNOWN_FLEET)
    for day in range(3):
        closing.day += 1
        entered = [closing.close(1.0, agent=10**5 * (day + 1) + k) for k in range(300)]
    assert all(entered)


def test_a_session_that_ended_yesterday_counts_today() -> None:
    """A session that ended before another one that closed first counts in the present day."""
    closing = Closing()
    closing.fill(60, agents=4)
    closing.day -= 1
    closing.fill(60, agents=4)
    assert (closing.reference.count[TODAY], closing.reference.count[BEFORE]) == (4, 0)


def test_a_day_in_2099_that_falls_back_is_over() -> None:
    """Who was counted in it is counted anew: else all who ever come would share that one day."""
    closing = Closing()
    closing.day = 47_000
    closing.fill(60, agents=4)
    closing.day = 20_000
    closing.fill(60, agents=4)
    closing.day = 20_001
    closing.fill(60, agents=3)
    assert (closing.reference.count[TODAY], closing.reference.count[BEFORE]) == (3, 4)


def test_sessions_of_trusted_history_make_way_one_by_one_as_live_ones_come() -> None:
    """Before the window is full, down to the least that a level needs."""
    closing = Closing()
    closing.fill(60, trusted=True)
    assert closing.reference.count[TRUSTED] == 60
    for k in range(60):
        assert closing.close(5.0 + k / 100, cause=k + 1) or k
        assert len(closing.held) == 60
    assert min(closing.held) < 5.0 or closing.reference.count[TRUSTED] == 0
    closing.fill(70)
    assert closing.reference.count[TRUSTED] == 0
    assert len(closing.held) > 60


@given(
    sessions=st.lists(
        st.tuples(st.floats(0.0, 50.0), st.integers(0, 5), st.integers(1, 30), st.booleans(), st.booleans()),
        max_size=300,
    )
)
def test_whatever_closes_the_window_is_in_order_and_every_count_stays_in_bounds(
    sessions: list[tuple[float, int, int, bool, bool]],
) -> None:
    """Any scores, causes, agents, alerts and trust, in any order."""
    closing = Closing(50)
    for score, cause, agent, odd, trusted in sessions:
        closing.close(score, cause, agent, odd=odd, trusted=trusted)
    held, reference = closing.held, closing.reference
    assert held == sorted(held)
    ring, (used, ever) = closing.rolling.ring[FUSED], closing.rolling.used[FUSED].tolist()
    assert sorted(ring[(ever - 1 - k) % 50] for k in range(used)) == held
    assert 0 <= reference.count[TRUSTED] <= used
    assert (reference.entries[:, OF_NEWCOMERS] <= reference.entries[:, OF_ALL]).all()
    assert (reference.entered <= ever).all()


def test_more_causes_than_are_remembered_only_forget_the_oldest() -> None:
    """The ring goes round."""
    closing = Closing(4_000)
    closing.fill(3_000, agents=2)
    found = [closing.close(9.0 + k, cause=10**6 + k, agent=100 + k, odd=True) for k in range(CAUSES + 5)]
    assert all(found)
    assert (closing.reference.entered > 0).all()
    assert closing.close(9.0 + CAUSES, cause=10**6, agent=5_000, odd=True)
    assert not closing.close(9.0 + CAUSES, cause=10**6 + 9, agent=5_001, odd=True)


def test_one_agent_holds_a_little_of_the_far_end_and_the_rest_of_its_is_held_where_that_begins() -> None:
    """Decoys of one agent, each a cause of its own, raise the level by what a few would; no session is missing."""
    closing = Closing(2_000)
    closing.fill(1_900, agents=20)
    for k in range(100):
        closing.close(9.0 + k % 20 / 10.0, cause=5_000 + k, agent=k % 20 + 1)
    edge = closing.held[-int(FAR_SHARES * ALERTS * 2_000) - 1]
    entered = [closing.close(20.0 + k, cause=10_000 + k, agent=1) for k in range(60)]
    assert all(entered)
    far = [score for score in closing.held if score >= 20.0]
    assert 1 <= len(far) <= MOST_FAR_SHARES / 20 * FAR_SHARES * ALERTS * 2_000 + FIRST_FAR
    assert closing.held[-int(FAR_SHARES * ALERTS * 2_000) - 1] < edge + 2.0
    assert closing.close(30.0, cause=20_000, agent=2)
    assert 30.0 in closing.held
