"""A rule that speaks more often than it promised: told once, folded for the day, and nobody else hidden."""

from __future__ import annotations

from typing import Any

from detector.checks.determinism import faults_of_cuts, faults_of_resuming
from detector.pipeline import Pipeline
from detector.rules.pace import DAY_S, LEAST_A_DAY, RulePace, Telling
from detector.schema.alert import Alert
from tests.rules.told import found_in
from tests.streams import Script, feed, makers, quick, records_of

HOOK: dict[str, Any] = {
    "name": "hook", "kind": "policy", "outcome": "error", "attributes": {"hook_name": "PreToolUse:Bash"},
}  # fmt: skip
PROFILE = quick(rules={"enabled": ("hook_failed",)}, budget={"hourly_incidents": 1_000, "newcomer_incidents": 1_000})


def failures(script: Script, agents: int, first: int = 0) -> list[bytes]:
    """Return a failed hook of as many agents."""
    return [
        script.event(**{**HOOK, "agent_id": f"a-{first + n}", "session_id": f"s-{first + n}"}) for n in range(agents)
    ]


def opened(alerts: list[Alert]) -> list[Alert]:
    """Return the alerts that open an incident."""
    return [one for one in alerts if one.activity == "create"]


def test_a_rule_tells_what_it_may_says_that_it_folds_and_counts_the_rest() -> None:
    """The last finding says so; a new day begins anew."""
    script, pipeline = Script(), Pipeline(PROFILE)
    outcome = feed(pipeline, failures(script, 3 * LEAST_A_DAY))
    told = opened(outcome.alerts)
    assert len(told) == LEAST_A_DAY + 1
    says = "told 20 findings today, all it may at one in 1,000 sessions: what follows is folded"
    assert [says in one.title for one in told] == [False] * LEAST_A_DAY + [True]
    assert says in told[-1].contributions[0].observed
    assert outcome.counts["rule_hits_over_promise"] == 2 * LEAST_A_DAY - 1
    assert pipeline.gauges()["rules_folding"] == 1.0
    script.now += DAY_S
    assert len(opened(found_in(pipeline, *failures(script, 3, first=1_000)))) == 3
    assert pipeline.gauges()["rules_folding"] == 0.0


def test_a_rule_within_its_promise_says_nothing_of_it() -> None:
    """The twin."""
    pipeline = Pipeline(PROFILE)
    told = opened(found_in(pipeline, *failures(Script(), LEAST_A_DAY)))
    assert len(told) == LEAST_A_DAY
    assert not any("folded" in one.title for one in told)
    assert pipeline.gauges()["rules_folding"] == 0.0


def test_made_up_agents_spend_nothing_of_an_established_ones() -> None:
    """Who wants a rule silent cannot buy that with newcomers."""
    pace = RulePace()
    pace.turn(0.0)
    told = [pace.take("r", 1_000, established=False) for _ in range(100)]
    assert told == [Telling.TOLD] * LEAST_A_DAY + [Telling.LAST] + [Telling.FOLDED] * (99 - LEAST_A_DAY)
    assert pace.take("r", 1_000, established=True) is Telling.TOLD
    assert pace.take("other", 1_000, established=False) is Telling.TOLD


def test_a_large_fleet_may_be_told_more_by_what_closed_the_day_before_and_a_gap_forgets_it() -> None:
    """One in a thousand of 50,000 sessions is 50."""
    pace = RulePace()
    pace.turn(0.0)
    pace.sessions = 50_000
    pace.turn(DAY_S)
    assert (pace.most(1_000), pace.most(10_000)) == (50, LEAST_A_DAY)
    pace.turn(3.0 * DAY_S)
    assert pace.most(1_000) == LEAST_A_DAY


def test_a_clock_that_fell_back_begins_a_day_as_well() -> None:
    """A first event of 2099 must not leave a rule with one day's findings until then."""
    pace = RulePace()
    pace.turn(4.1e9)
    told = [pace.take("hook_failed", 1_000, established=True) for _ in range(LEAST_A_DAY + 2)]
    assert told[-1] is Telling.FOLDED
    pace.turn(1.8e9)
    assert pace.take("hook_failed", 1_000, established=True) is Telling.TOLD


def test_what_nobody_heard_is_given_back() -> None:
    """A finding that an incident had named already, or a storm took, is no finding told."""
    pace = RulePace()
    pace.turn(0.0)
    for _ in range(100):
        assert pace.take("r", 1_000, established=True) is Telling.TOLD
        pace.give_back("r", established=True)


def test_the_pace_is_the_same_however_events_are_cut_and_goes_on_after_a_restore() -> None:
    """Over days, with sessions that close between."""
    script = Script()
    values: list[bytes] = []
    for day in range(3):
        values += failures(script, LEAST_A_DAY + 5, first=100 * day)
        for n in range(40):
            values += script.session(f"d-{day}-{n}", [{"name": "read"}], agent_id=f"b-{n}")
        values += failures(script, 10, first=100 * day + 50)
        script.now += DAY_S - 200.0
    make, restore = makers(PROFILE)
    assert faults_of_cuts(make, records_of(values), [[10, 30, 200], range(0, len(values), 7)]) == []
    assert faults_of_resuming(make, restore, records_of(values), [23, len(values) // 2]) == []
