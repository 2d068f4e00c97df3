"""Alarms become episodes, labelled events become windows."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from detector.offline.episodes import Point, Stretch, episodes, judge, seconds, windows


def test_windows_are_runs_of_labelled_events_of_one_agent() -> None:
    """A harmless event of the same agent ends a window; one of another agent does not."""
    points = [Point("a", 1, True), Point("b", 2, False), Point("a", 3, True), Point("a", 4, False), Point("a", 5, True)]
    assert windows(points) == [Stretch("a", 1, 3), Stretch("a", 5, 5)]


def test_alarms_closer_than_the_gap_are_one_episode() -> None:
    """Per agent; the gap counts from the last alarm of the episode."""
    alarms = [("a", 0.0), ("a", 50.0), ("a", 100.0), ("a", 160.0), ("b", 100.0)]
    assert episodes(alarms, 60.0) == [Stretch("a", 0.0, 100.0), Stretch("a", 160.0, 160.0), Stretch("b", 100.0, 100.0)]


def test_windows_hit_and_episodes_in_vain_are_counted() -> None:
    """One window met, one missed; one episode right, one false."""
    points = [Point("a", at, 10 <= at < 20) for at in range(30)] + [Point("b", at, at < 5) for at in range(30)]
    found = judge(points, [("a", 12.0), ("a", 13.0), ("b", 25.0)], 5.0)
    assert found["windows"] == {"n": 2, "hit": 1}
    assert found["episodes"] == {"gap_s": 5.0, "n": 2, "right": 1, "false": 1}


def test_no_alarms_make_no_episodes() -> None:
    """Silence hits nothing and costs nothing."""
    found = judge([Point("a", 1, True)], [], 5.0)
    assert found["windows"] == {"n": 1, "hit": 0}
    assert found["episodes"]["n"] == 0


def _is_in(at: float, episode: Stretch) -> bool:
    return episode.since <= at <= episode.until


@given(
    alarms=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 1e4)), max_size=30),
    gap_s=st.floats(0.1, 1e3),
)
def test_every_alarm_is_in_exactly_one_episode(alarms: list[tuple[str, float]], gap_s: float) -> None:
    """Episodes of an agent neither overlap nor leave an alarm out; what is closer than the gap is one, and no more."""
    found = episodes(alarms, gap_s)
    for one, other in pairwise(found):
        assert one.agent_id < other.agent_id or other.since - one.until >= gap_s
    for episode in found:
        times = sorted(at for agent_id, at in alarms if agent_id == episode.agent_id and _is_in(at, episode))
        assert (times[0], times[-1]) == (episode.since, episode.until)
        assert all(later - earlier < gap_s for earlier, later in pairwise(times))
    for agent_id, at in alarms:
        assert sum(one.agent_id == agent_id and one.since <= at <= one.until for one in found) == 1


def test_times_of_what_is_no_event_are_zero() -> None:
    """Refused lines have no time and no label; they must not break the line of time."""
    assert seconds("2026-03-02T00:00:00Z") == 1_772_409_600.0
    assert seconds(None) == seconds("soon") == 0.0
