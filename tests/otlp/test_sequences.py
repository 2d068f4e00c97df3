"""Which numbers of a session never came, by who reads all records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.otlp.sequences import FEW, GRACE_S, MAX_FOLLOWED, FollowedBy, Sequences

ONE = ("claude-code", "a", "s-1")


def seen(sequences: Sequences, numbers: list[int], start_s: float = 0.0, session: FollowedBy = ONE) -> int:
    """Return what was told after each of some numbers, a second apart, in all."""
    told = 0
    for at, number in enumerate(numbers):
        sequences.see(session, number, lambda at=at: start_s + at)  # type: ignore[misc]
        told += sequences.tell(session)
    return told


def test_numbers_that_never_came_are_told_once_their_session_went_on_for_a_minute() -> None:
    """And once."""
    sequences = Sequences()
    assert seen(sequences, [0, 1, 5, 6]) == 0
    assert seen(sequences, [7, 8, 9], start_s=GRACE_S + 2.0) == 3
    assert sequences.counts["lost"] == 3


def test_late_numbers_and_a_session_seen_from_its_middle_are_not_missing() -> None:
    """Batches overtake each other; a bridge that begins knows nothing of before."""
    sequences = Sequences()
    assert seen(sequences, [40, 41, 44, 42, 43, 45]) == 0
    assert seen(sequences, [46], start_s=1_000.0) == 0


@given(st.permutations(range(12)))
def test_no_order_of_numbers_that_all_came_within_the_minute_is_a_gap(numbers: list[int]) -> None:
    """From the first one seen on, whichever it is."""
    sequences = Sequences()
    assert seen(sequences, numbers) == 0
    assert seen(sequences, [12], start_s=1_000.0) == 0


def test_who_loses_in_every_session_is_the_way_here_and_nobody_is_blamed() -> None:
    """A topic without keys and two bridges: each sees half of every session; it is counted."""
    sequences, told = Sequences(), 0
    for number in range(100):
        session = ("claude-code", "a", f"s-{number}")
        told += seen(sequences, [0, 2, 4], session=session) + seen(sequences, [6, 8], 1_000.0, session)
    assert told <= 3 * FEW
    assert sequences.counts["withheld"] >= 90 * 2


def test_sessions_that_are_followed_are_bounded_and_forgotten_ones_counted() -> None:
    """The ones seen last stay."""
    sequences = Sequences()
    for number in range(MAX_FOLLOWED + 10):
        sequences.see(("claude-code", "a", f"s-{number}"), 0, lambda: 0.0)
    assert sequences.counts["forgotten"] == 10


def test_who_knows_the_session_of_another_agent_makes_and_hides_nothing_of_its() -> None:
    """Numbers are followed by agent: a jump under the same session is the liar's own."""
    sequences = Sequences()
    assert seen(sequences, [0, 1]) == 0
    assert seen(sequences, [0, 10**9], session=("claude-code", "liar", "s-1")) == 0
    assert seen(sequences, [2, 3], start_s=1_000.0) == 0
