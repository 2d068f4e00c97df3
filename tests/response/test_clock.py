"""No alert, and no release, counts from later than its record."""

from __future__ import annotations

from collections.abc import Callable

from detector.schema.alert import Alert
from tests.response.scenes import HOUR, release_of, restarted, stage_of, told

MakeAlert = Callable[..., Alert]
Y2099 = 4_070_908_800.0


def test_an_alert_of_2099_isolates_for_its_term_from_now(make_alert: MakeAlert) -> None:
    """Not for seventy-two years; the log says what its clock said."""
    decision = stage_of().on_alert(make_alert(score=3.0, time=Y2099), 1_000.0)
    command = decision.command
    assert command is not None
    assert (command.effective_at, command.expires_at) == (1_000.0, 1_000.0 + 4 * HOUR)
    assert [command.tier_at(at) for at in (1_000.0, 1_000.0 + 5 * HOUR)] == ["isolate", "observe"]
    assert decision.entry.detail.endswith("; dated 4070907800 s ahead of its record, taken as of then")
    assert decision.entry.time == 1_000.0


def test_a_clock_that_is_a_little_fast_is_not_spoken_of(make_alert: MakeAlert) -> None:
    """It gains nothing either: who dates itself a minute ahead is contained now."""
    decision = stage_of(skew_s=60.0).on_alert(make_alert(time=1_060.0), 1_000.0)
    assert decision.command is not None
    assert (decision.command.tier_at(1_000.0), decision.command.effective_at) == ("limit", 1_000.0)
    assert "ahead" not in decision.entry.detail
    told_of = stage_of(skew_s=59.0).on_alert(make_alert(time=1_060.0), 1_000.0).entry.detail
    assert told_of.endswith("; dated 60 s ahead of its record, taken as of then")


def test_without_a_record_the_alerts_own_time_is_all_there_is(make_alert: MakeAlert) -> None:
    """In replay: and before that time nobody is contained."""
    command = stage_of().on_alert(make_alert(score=3.0, time=Y2099)).command
    assert command is not None
    assert [command.tier_at(at) for at in (1_000.0, Y2099 - 1.0, Y2099)] == ["observe", "observe", "isolate"]


def test_a_late_alert_contains_from_its_record_on_and_no_longer(make_alert: MakeAlert) -> None:
    """The term counts from the cause, the place in the breaker from when anybody could be told."""
    command = stage_of().on_alert(make_alert(time=1_000.0), 2_000.0).command
    assert command is not None
    assert (command.effective_at, command.contained_since, command.expires_at) == (1_000.0, 2_000.0, 1_000.0 + HOUR)
    for receipt in (1_000.0 + HOUR, 90_000.0):
        over = stage_of().on_alert(make_alert(time=1_000.0), receipt).command
        assert over is not None
        assert (over.contained_since, over.tier_at(receipt)) == (1_000.0, "observe")


def test_a_state_of_2099_that_an_earlier_version_wrote_does_not_stand_in_the_way(make_alert: MakeAlert) -> None:
    """It binds nobody now, so a real alert is no "second" one; a record a little out of order still is."""
    old = stage_of().on_alert(make_alert(score=3.0, time=Y2099)).command
    assert old is not None
    real = restarted([old]).on_alert(make_alert(score=2.1, time=1_000.0, event_id="e-2"), 1_000.0).command
    assert real is not None
    assert (real.tier_at(1_000.0), real.revision) == ("limit", 2)
    fresh = stage_of().on_alert(make_alert(score=3.0, time=1_000.0), 1_000.5).command
    assert fresh is not None
    again = restarted([fresh]).on_alert(make_alert(score=2.1, time=1_000.0, event_id="e-2"), 1_000.2)
    assert (again.command, again.entry.detail) == (None, "isolate is in force: a detector does not lower it")


def test_fifteen_alerts_of_fifteen_years_contain_one(make_alert: MakeAlert) -> None:
    """Spread over the future they used to pass a cap of one each; enforcement points contained them all at once."""
    stage = stage_of(fleet_share=0.01)
    years = [make_alert(f"agent-{year}", 3.0, 1_000.0 + year * 31_536_000.0) for year in range(15)]
    said = [stage.on_alert(alert, 1_000.0).entry.decision for alert in years]
    assert said == ["issued"] + ["held"] * 14


def test_the_breakers_incident_is_of_now_too(make_alert: MakeAlert) -> None:
    """What the SOC gets is not dated 2099 either."""
    stage = stage_of(fleet_share=0.01)
    stage.on_alert(make_alert("a", 3.0, 1_000.0), 1_000.0)
    incident = stage.on_alert(make_alert("b", 3.0, Y2099), 1_000.0).incident
    assert incident is not None
    assert max(incident.time, incident.first_seen, incident.last_seen) == 1_000.0


def test_a_release_dated_ahead_counts_from_its_record_and_says_so(make_alert: MakeAlert) -> None:
    """One a little ahead is not spoken of."""
    for ahead, said in ((61.0, "kim: known job; dated 61 s ahead of its record, taken as of then"), (60.0, None)):
        stage = stage_of()
        stage.on_alert(make_alert(time=1_000.0), 1_000.0)
        decision = stage.on_release(release_of(2_000.0 + ahead), 2_000.0)
        assert told(decision) == [("agent-1", "released")]
        assert decision.entry.detail == (said or "kim: known job")
        assert decision.command is not None
        assert decision.command.answer is not None
        assert (decision.command.answer.at, decision.command.answer.taken_at) == (2_000.0, 2_000.0)
