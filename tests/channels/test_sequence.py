"""Sequence: what follows what, and what goes together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detector.channels.sequence import (
    LEAST_ASKED,
    OUTCOMES,
    after_one,
    after_two,
    aimed_key,
    aimless_key,
    always_aims,
    anywhere,
    cooccurrence_bits,
    outcome_bits,
    outcome_of,
    pair_bits,
    pair_key,
    session_tool_key,
    together_key,
    transition_bits,
)
from detector.memory.layout import SESSION, agent_dtype, group_dtype
from detector.memory.sessions import note_tool
from detector.sketches.hashing import hash_text
from detector.sketches.keys import add_count
from detector.state.settings import settings_of
from detector.steps.learn import _learn_symbol
from tests.streams import profile

SIZES = settings_of(profile(), None).sizes
A, B, C = (hash_text(name) for name in ("search", "read", "send"))
DAYS = [np.uint64(1), np.uint64(40)]


def owners() -> tuple[np.void, np.void]:
    """Return an agent and a group nothing is known of."""
    return np.zeros(1, agent_dtype(SIZES))[0], np.zeros(1, group_dtype(SIZES))[0]


def session_of(*tools: np.uint64) -> np.void:
    """Return a session in which tools were used."""
    session = np.zeros(1, SESSION)[0]
    for tool in tools:
        note_tool(session, tool)
    return session


def taught(times: int) -> tuple[np.void, np.void]:
    """Return an agent and a group that saw A, B, C follow each other so many times."""
    agent, group = owners()
    for step in range(times):
        day = DAYS[min(step, 1)]
        for before, previous, tool in ((0, 0, A), (0, A, B), (A, B, C)):
            for context in map(np.uint64, (anywhere(), after_one(np.uint64(previous)))):
                _learn_symbol(agent, context, tool, day)
                _learn_symbol(group, context, tool, day)
            two = np.uint64(after_two(np.uint64(before), np.uint64(previous)))
            _learn_symbol(group, two, tool, day)
    return agent, group


def bits(owner: tuple[np.void, np.void], before: int, previous: int, tool: int) -> float:
    """Return the surprise of a tool after two others."""
    return float(transition_bits(*owner, np.array([previous, before], np.uint64), tool))


def test_the_usual_order_is_no_surprise_and_the_reverse_is() -> None:
    """C follows A and B; after B and C nothing ever came."""
    owner = taught(60)
    assert bits(owner, A, B, C) < 0.2
    assert bits(owner, C, B, A) > bits(owner, A, B, C) + 2.0
    assert bits(owner, A, B, hash_text("wipe")) > 4.0


def test_nothing_is_a_surprise_to_those_who_know_nothing() -> None:
    """Zero bits on the first day."""
    assert bits(owners(), 0, 0, A) == 0.0


def test_the_own_habit_counts_where_peers_have_none() -> None:
    """The agent's contexts stand between those of its peers."""
    agent, group = taught(60)
    stranger, _ = owners()
    assert bits((agent, group), 0, B, A) >= 0.0
    assert bits((agent, group), 0, A, B) <= bits((stranger, group), 0, A, B) + 1e-9


def test_a_failure_of_a_tool_that_never_fails_is_a_surprise() -> None:
    """And one of a tool that fails half the time is not."""
    _, group = owners()
    for step in range(60):
        day = DAYS[min(step, 1)]
        _learn_symbol(group, np.uint64(outcome_of(A)), OUTCOMES[0], day)
        _learn_symbol(group, np.uint64(outcome_of(B)), OUTCOMES[step % 2], day)
    assert outcome_bits(group, A, 1) > 3.0
    assert outcome_bits(group, B, 1) < 1.5


def sessions(group: np.void, *many: tuple[int, ...], times: int = 50) -> None:
    """Teach a group sessions of tools."""
    for tools in many:
        for _ in range(times):
            group["totals"][0] += 1
            for at, tool in enumerate(tools):
                add_count(group["counts"], np.uint64(session_tool_key(tool)))
                for other in tools[at + 1 :]:
                    add_count(group["counts"], np.uint64(together_key(tool, other)))


def test_cooccurrence_is_the_mean_surprise_over_the_tools_before() -> None:
    """``-log2((both + 2 share) / (alone + 2))``, the share smoothed by a half."""
    _, group = owners()
    sessions(group, (A, B), (A, C))
    share = 50.5 / 101.0
    expected = -math.log2((50 + 2 * share) / 102.0)
    assert cooccurrence_bits(group, session_of(A), B) == pytest.approx(expected)
    both = -math.log2((0 + 2 * share) / 52.0)
    assert cooccurrence_bits(group, session_of(A, C), B) == pytest.approx((expected + both) / 2)
    assert cooccurrence_bits(group, session_of(), B) == pytest.approx(-math.log2(share))


def test_a_tool_used_before_in_the_session_is_no_surprise() -> None:
    """However rare it is."""
    _, group = owners()
    sessions(group, (A, B))
    assert cooccurrence_bits(group, session_of(A, C), C) == 0.0


def test_two_tools_go_together_in_either_order() -> None:
    """One key for both."""
    assert together_key(A, B) == together_key(B, A) != together_key(A, C)


def test_a_pair_is_as_surprising_as_it_is_rare() -> None:
    """``-log2((c + .1) / (n + .1 distinct + 1))``, with at least fifty distinct pairs."""
    _, group = owners()
    _, fleet = owners()
    target = hash_text("file")
    for _ in range(7):
        add_count(group["counts"], np.uint64(pair_key(A, target)))
    group["totals"][1], fleet["totals"][2] = 20, 80
    assert pair_bits(fleet, group, A, target) == pytest.approx(-math.log2(7.1 / (20 + 8 + 1)))
    fleet["totals"][2] = 3
    assert pair_bits(fleet, group, B, target) == pytest.approx(-math.log2(0.1 / (20 + 5 + 1)))


@pytest.mark.parametrize(
    ("used", "aimed", "aimless", "always"),
    [
        (LEAST_ASKED, LEAST_ASKED, 0, True),
        (LEAST_ASKED - 1, LEAST_ASKED - 1, 0, False),
        (LEAST_ASKED, LEAST_ASKED, 1, False),
        (LEAST_ASKED, 0, 0, False),
    ],
    ids=["always", "too few to say", "once without", "forgotten, or of a state from before"],
)
def test_a_tool_always_has_a_target_only_if_both_counts_say_so(
    used: int, aimed: int, aimless: int, always: bool
) -> None:
    """A count that is not there says nothing: neither of the two alone makes a call without a target odd."""
    _, group = owners()
    for key, times in ((session_tool_key(A), used), (aimed_key(A), aimed), (aimless_key(A), aimless)):
        for _ in range(times):
            add_count(group["counts"], np.uint64(key))
    assert bool(always_aims(group, A)) == always
