"""Sessions against the budget: what is promised is spent, bounds hold, and each voice keeps its share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.memory.layout import FUSED, OLDEST, ORIGIN, PLAIN
from detector.pipeline import Pipeline
from detector.simulate.fleet import DAY_S, Fleet
from detector.sketches.rolling import note_value
from detector.state.settings import settings_of
from detector.steps.judge import SessionStanding, _exchange, allocate_standing, correction
from tests.streams import Look, Script, feed, ordinary, profile, quick, records_of, taught, trained

SETTINGS = settings_of(profile(), None).judge


def factor(sessions: float, own: float, mean: float = 2.0, total: float = 1_000.0) -> float:
    """Return the correction of an agent with so many past sessions of so much evidence each."""
    standing = allocate_standing(100)
    standing.totals[:3] = (total, mean * total, mean * total)
    return float(correction(SETTINGS, standing, np.array([sessions, own * sessions, own * sessions]), ORIGIN))


@given(sessions=st.floats(0, 1e6), own=st.floats(0, 1e6), mean=st.floats(1e-6, 100))
def test_the_correction_stays_within_its_bounds(sessions: float, own: float, mean: float) -> None:
    """A persistent attacker buys a quarter at most; a quiet agent is raised by fifteen in a hundred at most."""
    assert 0.75 <= factor(sessions, own, mean) <= 1.15


def test_an_agent_that_is_always_odd_is_lowered_and_a_quiet_one_raised() -> None:
    """The fleet's mean over the agent's own, its root, shrunk by a hundred sessions."""
    assert factor(10_000, 6.0) == 0.75
    assert factor(10_000, 0.1) == 1.15
    assert factor(100, 3.0) == pytest.approx((2.0 / 2.5) ** 0.5)
    assert factor(0, 0.0) == 1.0


def test_a_newcomer_is_hardly_corrected() -> None:
    """Two odd sessions are no habit."""
    assert 0.96 < factor(2, 6.0) < 1.0


def test_nobody_is_corrected_before_there_is_a_fleet_to_compare_with() -> None:
    """Too few sessions, or none with evidence."""
    assert factor(10, 6.0, total=SETTINGS.least // 2) == 1.0
    assert factor(10, 6.0, mean=0.0) == 1.0


def test_an_agent_that_raises_its_own_scores_for_days_still_alerts() -> None:
    """The clip keeps a persistent attacker from buying silence."""
    script = Script()
    pipeline = trained(script)
    alerts = []
    for day in range(12):
        feed(pipeline, ordinary(script, 12, first=500 + 12 * day))
        odd = [{"name": "exfiltrate", "target": f"https://{day}x{n}.evil.example"} for n in range(4)]
        alerts += feed(pipeline, script.session(f"odd-{day}", odd, agent_id="a-1")).alerts
    assert "odd-11" in {alert.session_id for alert in alerts}


def test_no_session_alerts_before_enough_have_closed() -> None:
    """There is no threshold yet: the gauge is infinite, the strangest session is silent."""
    pipeline = Pipeline(quick(learning={"warm_sessions": 20}, budget={"least": 30}))
    script = Script()
    outcome = feed(pipeline, ordinary(script, 45))
    odd = script.session("odd", [{"name": "wipe", "target": "https://x.evil.example"}], agent_id="a-1")
    assert not outcome.alerts
    assert not feed(pipeline, odd).alerts
    assert pipeline.gauges()["threshold"] == float("inf")


@pytest.mark.slow
def test_spent_comes_near_promised_on_a_fleet_without_attacks() -> None:
    """A hundredth of sessions was promised: neither silence nor a flood."""
    fleet = Fleet(agents=100, seed=6, days=14.0, sessions_per_day=4.0)
    events = list(fleet.stream())
    pipeline = Pipeline(profile(forest={"trees": 5}), trusted_until=fleet.start + 7 * DAY_S)
    outcome = pipeline.process(records_of([event.value for event in events]))
    live = len({event.session_id for event in events if event.ts_ms / 1000.0 >= fleet.start + 7 * DAY_S})
    created = sum(alert.activity == "create" for alert in outcome.alerts)
    assert 0.004 * live <= created <= 0.025 * live


def test_scores_of_the_two_voices_are_one_where_no_event_has_origins() -> None:
    """The plain voice is exchanged into the origin voice's measure only where they differ."""
    script = Script()
    pipeline = trained(script)
    feed(pipeline, ordinary(script, 30, first=300))
    rolling = pipeline.state.standing.rolling
    used = int(rolling.used[PLAIN, 0])
    assert np.array_equal(rolling.ordered[PLAIN, :used], rolling.ordered[ORIGIN, :used])


def told(script: Script, origin: str) -> float:
    """Return the score of a hostile value of some origin among sessions that tell origins."""
    pipeline = trained(script)
    for number in range(40):
        usual = [{"name": "send", "target": f"user{number % 4}@corp.example", "arg_origin": {"target": "user"}}]
        feed(pipeline, script.session(f"told-{number}", usual, agent_id=f"a-{number % 3}"))
    event: dict[str, Any] = {"name": "send", "target": "x@evil.example", "arg_origin": {"target": origin}}
    return float(Look(pipeline, [script.event(agent_id="a-1", session_id="live", **event)]).outcome.scores[0])


def test_a_hostile_value_that_did_not_come_from_tools_is_still_heard() -> None:
    """The second voice keeps a share of the budget: lower than from tool output, but far from silent."""
    tool, none = told(Script(), "tool"), told(Script(), "none")
    assert tool > none > 1.0


def test_the_window_of_sessions_is_bounded() -> None:
    """Ten times the sessions: the last hundred count."""
    script = Script()
    pipeline = trained(script)
    feed(pipeline, ordinary(script, 300, first=300))
    assert pipeline.state.standing.rolling.used[FUSED, 0] == 100
    assert pipeline.state.standing.rolling.ordered.shape == (3, 100)


def window_of(voice: Any, sessions: int) -> SessionStanding:
    """Return a standing in which the last sessions scored 1, 2, 3 ... in one voice and in the origin voice."""
    standing = allocate_standing(200)
    for score in range(1, sessions + 1):
        for series in {voice, int(ORIGIN)}:
            note_value(standing.rolling, series, float(score))
    return standing


def test_the_plain_voice_is_exchanged_within_its_share_of_the_budget() -> None:
    """With a tenth of the budget it must be nine times as rare for the same level; with a half they are equal."""
    rolling = window_of(PLAIN, 100).rolling
    few, even = (SETTINGS._replace(tail=0.0, origin_share=share, least=50) for share in (0.9, 0.5))
    assert _exchange(even, rolling, 100.0) == 100.0
    assert _exchange(even, rolling, 91.0) == pytest.approx(91.0, abs=1.0)
    # the rarest 1.5 of 101, nine times granted: the level that 13 of 100 reach
    assert _exchange(few, rolling, 100.0) == 88.0
    assert _exchange(few, rolling, 80.0) == 0.0


def test_nothing_is_exchanged_without_a_share_or_a_window() -> None:
    """All of the budget is the origin voice's, or too few sessions have closed."""
    assert _exchange(SETTINGS._replace(origin_share=1.0, least=50), window_of(PLAIN, 100).rolling, 100.0) == 0.0
    assert _exchange(SETTINGS._replace(least=50), window_of(PLAIN, 49).rolling, 49.0) == 0.0


def test_one_wild_session_weighs_on_its_agent_s_mean_up_to_the_cap_only() -> None:
    """Otherwise one storm would lower an agent's scores for a hundred sessions."""
    script = Script()
    pipeline = trained(script)
    feed(pipeline, [script.event(agent_id="a-1", session_id="wild")])
    state = pipeline.state
    slot = int(state.memory.ends[OLDEST])
    agent = int(state.memory.sessions["agent"][slot])
    cap = state.settings.judge.cap
    state.memory.sessions["best"][slot] = (50.0, 50.0, 50.0, cap + 30.0, cap - 0.5)
    sums, totals = state.memory.agents["sums"][agent].copy(), state.standing.totals.copy()
    pipeline.finish()
    gained = state.memory.agents["sums"][agent] - sums
    assert gained[:3].tolist() == pytest.approx([1.0, cap, cap - 0.5])
    assert (state.standing.totals - totals).tolist() == pytest.approx([1.0, cap, cap - 0.5, 1.0])


def test_a_session_in_which_nothing_was_done_is_no_session_to_be_held_against() -> None:
    """Beats only: it closes, and neither the window nor the means hear of it."""
    script = Script()
    beats = [{"name": "beat", "kind": "lifecycle"}] * 3
    pipeline = taught(script, [beats] * 9)
    standing = pipeline.state.standing
    before = (standing.rolling.used.tolist(), standing.totals[:3].tolist())
    feed(pipeline, script.session("beats", beats, agent_id="a-1"))
    assert (standing.rolling.used.tolist(), standing.totals[:3].tolist()) == before
