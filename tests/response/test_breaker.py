"""The breaker's figures."""

from __future__ import annotations

from detector.response.breaker import BreakerVerdict, Caps, KnownFleet, Ledger, caps_of, end_of, in_force, strongest_of
from detector.response.settings import ResponseSettings
from detector.schema.command import Answer, Breaker, Constraints, Issuer, PolicyState, Reason, Tier


def _state(since: float, until: float | None, **changes: object) -> PolicyState:
    values: dict[str, object] = {
        "command_id": "c",
        "revision": 1,
        "subject": "acme/agent/a",
        "state": "quarantined",
        "tier": "limit",
        "mode": "enforce",
        "constraints": Constraints(),
        "effective_at": since,
        "expires_at": until,
        "on_expiry": "release",
        "reason": Reason(finding_uid="f"),
        "issuer": Issuer(kind="detector", id="response", policy_version="default/v1"),
        "breaker": Breaker(fleet_share=0.0, limit_share=0.05),
        "ack_deadline_s": 5.0,
        "contained_since": since,
    }
    return PolicyState.model_validate({**values, **changes})


def _ledger(*states: PolicyState) -> Ledger:
    ledger = Ledger()
    for state in states:
        ledger.enter(state)
    return ledger


def _ask(
    settings: ResponseSettings,
    at: float,
    *states: PolicyState,
    fleet: int = 100,
    term_s: float = 10.0,
    tier: Tier | None = "limit",
) -> BreakerVerdict:
    caps = caps_of(settings, fleet, established=True)
    return _ledger(*states).ask(caps, fleet, (at, at + term_s), tier)


def test_the_share_of_the_fleet_is_capped() -> None:
    """Two of forty is five per cent: the third waits, the second does not."""
    settings = ResponseSettings(fleet_share=0.05)
    one, two = _state(0.0, 100.0), _state(1.0, 100.0)
    assert _ask(settings, 50.0, one, fleet=40).why is None
    held = _ask(settings, 50.0, one, two, fleet=40)
    assert held.why == "2 of 40 agents are contained, at most 2 may be without a human"
    assert (held.share, held.over) == (0.05, 1)


def test_a_small_fleet_may_always_contain_the_least_number() -> None:
    """Five per cent of ten agents is nobody, and one attacker must still be stopped."""
    settings = ResponseSettings(fleet_share=0.05, fleet_least=1)
    assert _ask(settings, 0.0, fleet=10).why is None
    assert _ask(settings, 0.0, _state(0.0, 100.0), fleet=10).why is not None


def test_a_product_that_rounds_down_loses_nobody() -> None:
    """0.07 * 100 is 7.000000000000001, 0.29 * 100 is 28.999999999999996: both mean what they say."""
    settings = ResponseSettings(fleet_share=0.29, rate_per_hour=99)
    states = [_state(float(index), 9e9) for index in range(28)]
    assert _ask(settings, 0.0, *states).why is None


def test_newcomers_have_places_of_their_own_and_no_more_than_the_share() -> None:
    """Their number is whatever somebody invents: a cap that does not grow with it, and none above a small fleet's."""
    settings = ResponseSettings(fleet_share=0.05, rate_per_hour=20, newcomer_most=5, newcomer_per_hour=10)
    assert caps_of(settings, 10_000, established=True) == Caps(500, 20, "agents")
    assert caps_of(settings, 10_000, established=False) == Caps(5, 10, "new agents")
    assert caps_of(settings, 10, established=False) == Caps(1, 10, "new agents")
    slow = settings.model_copy(update={"rate_per_hour": 2})
    assert caps_of(slow, 10_000, established=False).per_hour == 2


def test_an_ended_containment_makes_room() -> None:
    """The end itself is outside the term."""
    settings = ResponseSettings(fleet_share=0.01)
    assert _ask(settings, 99.9, _state(0.0, 100.0)).why is not None
    assert _ask(settings, 100.0, _state(0.0, 100.0)).why is None


def test_what_begins_after_the_term_does_not_count() -> None:
    """A partition that lags by days is not judged by what the others contained since."""
    settings, later = ResponseSettings(fleet_share=0.01), _state(10_000.0, 13_600.0)
    assert _ask(settings, 0.0, later, term_s=10_000.0).why is None
    assert _ask(settings, 0.0, later, term_s=10_000.1).why is not None


def test_a_containment_counts_from_its_begin_not_from_its_last_command() -> None:
    """A prolonged one was there before; one whose begin is not known counts from its command."""
    prolonged = _ledger(_state(5_000.0, 9_000.0, contained_since=1_000.0))
    assert (prolonged.contained(2_000.0, 3_000.0), prolonged.begun(1_000.0), prolonged.begun(5_000.0)) == (1, 1, 0)
    unknown = _ledger(_state(5_000.0, 9_000.0, contained_since=None))
    assert (unknown.contained(2_000.0, 3_000.0), unknown.contained(2_000.0, 5_001.0)) == (0, 1)
    assert unknown.begun(5_000.0) == 0


def test_a_fleet_nobody_has_spoken_of_has_no_share_contained() -> None:
    """Before the first figure a division would have nothing to divide by."""
    assert BreakerVerdict(None, 0, 0).share == 0.0
    assert BreakerVerdict(None, 2, 0).share == 2.0


def test_the_rate_is_capped_in_any_hour() -> None:
    """Also for an alert that comes late: the hour after it counts as well as the one before."""
    settings, other = ResponseSettings(fleet_share=1.0, rate_per_hour=1), _state(10_000.0, 10_001.0)
    held = _ask(settings, 13_599.0, other)
    assert held.why == "1 agents were contained within an hour, at most 1 may be without a human"
    assert held.over == 0
    assert _ask(settings, 6_401.0, other).why is not None
    assert _ask(settings, 13_600.0, other).why is None
    assert _ask(settings, 6_400.0, other).why is None


def test_an_isolation_is_held_by_isolations_only() -> None:
    """As many limits as the hour allows never hold the agent that must be stopped; isolations do, and hold all."""
    settings = ResponseSettings(fleet_share=1.0, rate_per_hour=1)
    limit = _state(10_000.0, 10_001.0)
    isolation = _state(10_000.0, 10_001.0, tier="isolate", on_expiry="step_down", steps_down_until=10_002.0)
    assert _ask(settings, 10_100.0, limit, tier="isolate").why is None
    held = _ask(settings, 10_100.0, isolation, tier="isolate")
    assert held.why == "1 agents to isolate were contained within an hour, at most 1 may be without a human"
    assert _ask(settings, 10_100.0, isolation, tier="limit").why is not None


def test_one_that_is_prolonged_counts_in_no_hour() -> None:
    """It was contained before: only the places are asked about."""
    settings = ResponseSettings(fleet_share=1.0, rate_per_hour=0)
    assert _ask(settings, 0.0, tier=None).why is None
    assert _ask(settings, 0.0).why is not None


def test_nobody_need_leave_where_that_would_not_help() -> None:
    """A place is of no use to one whom the hour's rate holds as well."""
    settings = ResponseSettings(fleet_share=0.01, rate_per_hour=1)
    isolation = _state(0.0, 100.0, tier="isolate", on_expiry="step_down", steps_down_until=200.0)
    assert _ask(settings, 50.0, isolation, tier="isolate").over == 0
    assert _ask(settings, 50.0, _state(0.0, 100.0), _state(0.0, 100.0), tier="isolate").over == 2


def test_a_released_agent_makes_room_but_stays_in_the_hour() -> None:
    """A release does not invite the next twenty; nor does one of an isolation the next isolations."""
    old = _state(0.0, 9_000.0, tier="isolate", on_expiry="step_down", steps_down_until=10_000.0)
    new = _state(0.0, None, state="released", tier="observe", revision=2, strongest="isolate")
    ledger = _ledger(old)
    assert ledger.among(1.0) == [old.subject]
    ledger.leave(old)
    ledger.enter(new)
    assert (ledger.contained(1.0, 2.0), ledger.among(1.0)) == (0, [])
    assert (ledger.begun(1.0), ledger.begun(1.0, "isolate")) == (1, 1)
    ledger.leave(new)
    assert ledger == Ledger()


def test_the_strongest_tier_of_a_containment_is_known_of_older_states_too() -> None:
    """States from before the field: what stands, or what the person lifted."""
    answer = Answer(release_id="r", by="kim", reason="r", at=1.0, finding_uid="f", tier="isolate", cause_at=0.0)
    assert strongest_of(_state(0.0, 1.0)) == "limit"
    assert strongest_of(_state(0.0, 1.0, strongest="isolate")) == "isolate"
    released = _state(0.0, None, state="released", tier="observe")
    assert strongest_of(released) == "observe"
    assert strongest_of(released.model_copy(update={"answer": answer})) == "isolate"


def test_what_begins_later_is_in_force_for_whoever_asks_earlier() -> None:
    """A late alert does not take an agent for free because its containment began after the alert's time."""
    state = _state(10.0, 20.0)
    assert [in_force(state, at) for at in (0.0, 10.0, 19.0, 20.0)] == ["limit", "limit", "limit", "observe"]


def test_the_fleet_is_the_sum_of_the_partitions_and_at_least_what_is_remembered() -> None:
    """After a restart the figure of the last command holds until the partitions have spoken."""
    fleet = KnownFleet(restored=300)
    fleet.hear(0, 100)
    assert fleet.size == 300
    fleet.hear(1, 250)
    assert fleet.size == 350


def test_a_state_ends_as_its_expiry_says() -> None:
    """Stepping down is still containment; holding has no end."""
    assert end_of(_state(0.0, 10.0)) == 10.0
    assert end_of(_state(0.0, 10.0, on_expiry="step_down", steps_down_until=20.0)) == 20.0
    assert end_of(_state(0.0, 10.0, on_expiry="step_down")) == float("inf")
    assert end_of(_state(0.0, 10.0, on_expiry="hold_and_page")) == float("inf")
    assert end_of(_state(0.0, None)) == float("inf")
    assert end_of(_state(0.0, None, state="released")) is None


def test_the_hour_around_an_alert_is_counted_on_both_sides() -> None:
    """Neither what began more than an hour before, nor more than an hour after."""
    states = [_state(at, at + 10.0) for at in (0.0, 7_000.0, 7_100.0, 7_200.0, 20_000.0)]
    assert _ledger(*states).begun(7_200.0) == 3
    assert _ledger(*states).begun(0.0) == 1


def test_who_is_contained_at_some_moment_of_a_term_is_counted_exactly() -> None:
    """Neither those whose term ended before it, nor those whose term begins after it."""
    states = [_state(at, at + 10.0) for at in (0.0, 5.0, 20.0, 25.0, 28.0, 40.0, 50.0, 60.0)]
    assert _ledger(*states).contained(22.0, 30.0) == 3
    assert _ledger(*states).contained(0.0, 100.0) == 8
    assert _ledger(*states).contained(12.0, 18.0) == 1
