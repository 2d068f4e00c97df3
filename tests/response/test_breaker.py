"""The breaker's figures."""

from __future__ import annotations

from detector.response.breaker import BreakerVerdict, Ledger, end_of
from detector.response.settings import ResponseSettings
from detector.schema.command import Breaker, Constraints, Issuer, PolicyState, Reason


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


def _ledger(fleet: int, *states: PolicyState) -> Ledger:
    ledger = Ledger()
    ledger.hear(0, fleet)
    for state in states:
        ledger.replace(None, state)
    return ledger


def _ask(ledger: Ledger, settings: ResponseSettings, at: float) -> BreakerVerdict:
    return ledger.ask(settings, at, at + 10.0)


def test_the_share_of_the_fleet_is_capped() -> None:
    """Two of forty is five per cent: the third waits, the second does not."""
    settings = ResponseSettings(fleet_share=0.05)
    one, two = _state(0.0, 100.0), _state(1.0, 100.0)
    assert _ask(_ledger(40, one), settings, 50.0).why is None
    held = _ask(_ledger(40, one, two), settings, 50.0)
    assert held.why == "2 of 40 agents are contained, at most 2 may be without a human"
    assert held.share == 0.05


def test_a_small_fleet_may_always_contain_the_least_number() -> None:
    """Five per cent of ten agents is nobody, and one attacker must still be stopped."""
    settings = ResponseSettings(fleet_share=0.05, fleet_least=1)
    assert _ask(_ledger(10), settings, 0.0).why is None
    assert _ask(_ledger(10, _state(0.0, 100.0)), settings, 0.0).why is not None


def test_a_product_that_rounds_down_loses_nobody() -> None:
    """0.07 * 100 is 7.000000000000001, 0.29 * 100 is 28.999999999999996: both mean what they say."""
    settings = ResponseSettings(fleet_share=0.29)
    states = [_state(float(index), 9e9) for index in range(28)]
    assert _ask(_ledger(100, *states), settings.model_copy(update={"rate_per_hour": 99}), 0.0).why is None


def test_an_ended_containment_makes_room() -> None:
    """The end itself is outside the term."""
    settings = ResponseSettings(fleet_share=0.01)
    ledger = _ledger(100, _state(0.0, 100.0))
    assert _ask(ledger, settings, 99.9).why is not None
    assert _ask(ledger, settings, 100.0).why is None


def test_what_begins_after_the_term_does_not_count() -> None:
    """A partition that lags by days is not judged by what the others contained since."""
    settings = ResponseSettings(fleet_share=0.01)
    ledger = _ledger(100, _state(10_000.0, 13_600.0))
    assert ledger.ask(settings, 0.0, 10_000.0).why is None
    assert ledger.ask(settings, 0.0, 10_000.1).why is not None


def test_a_containment_counts_from_its_begin_not_from_its_last_command() -> None:
    """A prolonged one was there before; one whose begin is not known counts from its command."""
    prolonged = _ledger(100, _state(5_000.0, 9_000.0, contained_since=1_000.0))
    assert (prolonged.contained(2_000.0, 3_000.0), prolonged.begun(1_000.0), prolonged.begun(5_000.0)) == (1, 1, 0)
    unknown = _ledger(100, _state(5_000.0, 9_000.0, contained_since=None))
    assert (unknown.contained(2_000.0, 3_000.0), unknown.contained(2_000.0, 5_001.0)) == (0, 1)
    assert unknown.begun(5_000.0) == 0


def test_a_fleet_nobody_has_spoken_of_has_no_share_contained() -> None:
    """Before the first figure a division would have nothing to divide by."""
    assert BreakerVerdict(None, 0, 0).share == 0.0
    assert BreakerVerdict(None, 2, 0).share == 2.0


def test_the_rate_is_capped_in_any_hour() -> None:
    """Also for an alert that comes late: the hour after it counts as well as the one before."""
    settings = ResponseSettings(fleet_share=1.0, rate_per_hour=1)
    ledger = _ledger(100, _state(10_000.0, 10_001.0))
    assert _ask(ledger, settings, 13_599.0).why is not None
    assert _ask(ledger, settings, 6_401.0).why is not None
    assert _ask(ledger, settings, 13_600.0).why is None
    assert _ask(ledger, settings, 6_400.0).why is None


def test_a_released_agent_makes_room_but_stays_in_the_hour() -> None:
    """A release does not invite the next twenty."""
    old = _state(0.0, 9_000.0)
    new = _state(0.0, None, state="released", tier="observe", revision=2)
    ledger = _ledger(100, old)
    ledger.replace(old, new)
    assert ledger.contained(1.0, 2.0) == 0
    assert ledger.begun(1.0) == 1


def test_the_fleet_is_the_sum_of_the_partitions_and_at_least_what_is_remembered() -> None:
    """After a restart the figure of the last command holds until the partitions have spoken."""
    ledger = Ledger(known_fleet=300)
    ledger.hear(0, 100)
    assert ledger.fleet == 300
    ledger.hear(1, 250)
    assert ledger.fleet == 350


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
    assert _ledger(40, *states).begun(7_200.0) == 3
    assert _ledger(40, *states).begun(0.0) == 1


def test_who_is_contained_at_some_moment_of_a_term_is_counted_exactly() -> None:
    """Neither those whose term ended before it, nor those whose term begins after it."""
    states = [_state(at, at + 10.0) for at in (0.0, 5.0, 20.0, 25.0, 28.0, 40.0, 50.0, 60.0)]
    assert _ledger(40, *states).contained(22.0, 30.0) == 3
    assert _ledger(40, *states).contained(0.0, 100.0) == 8
    assert _ledger(40, *states).contained(12.0, 18.0) == 1
