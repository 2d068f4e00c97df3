"""Agents that do not get on, and those that only work hard."""

from __future__ import annotations

from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules.loops import CEILING, FLOOR, HOUR_S, LEAST_FAILED, LEAST_HOURS, MOST_CALLS, TIMES_USUAL
from tests.rules.told import causes, found_in, of_one
from tests.streams import Script, feed, quick

STUCK, BURN = {"enabled": ("no_progress",)}, {"enabled": ("token_burn",)}
FAILED: dict[str, Any] = {
    "name": "deploy",
    "target": "prod",
    "outcome": "error",
    "attributes": {"tag": "v1", "exit_code": 1},
}


def test_one_call_that_fails_twenty_times_in_a_session_alerts_once() -> None:
    """How it failed is no argument: an exit code may differ."""
    bodies = [{**FAILED, "attributes": {"tag": "v1", "exit_code": n}} for n in range(2 * LEAST_FAILED)]
    (alert,) = of_one(*bodies, **STUCK)
    assert alert.causes == ("rule.no_progress/deploy",)
    assert alert.contributions[0].observed == "the same call of deploy failed 20 times in one session"


@pytest.mark.parametrize(
    "bodies",
    [
        [FAILED] * (LEAST_FAILED - 1), [{**FAILED, "outcome": "ok"}] * 50,
        [{**FAILED, "attributes": {"tag": f"v{n}"}} for n in range(50)],
        [{**FAILED, "target": f"t{n}"} for n in range(50)],
        [{**FAILED, "session_id": f"s-{n % 4}"} for n in range(50)],
    ],
)  # fmt: skip
def test_other_arguments_other_sessions_and_calls_that_work_are_silent(bodies: list[dict[str, Any]]) -> None:
    """The twins: trying something else is progress."""
    assert of_one(*bodies, **STUCK) == []


def test_who_fails_at_thousands_of_calls_is_followed_in_the_last_ones() -> None:
    """A loop among them is still seen."""
    script, pipeline = Script(), Pipeline(quick(rules=STUCK))
    feed(pipeline, [script.event(**{**FAILED, "target": f"t{n}"}) for n in range(500)])
    ((_, facts),) = pipeline.state.rule_memory.shards(full=True).items()
    assert len(facts["no_progress"][0][3]) == MOST_CALLS
    assert causes(found_in(pipeline, *(script.event(**FAILED) for _ in range(LEAST_FAILED))))


def hours(script: Script, amounts: list[float], field: str = "tokens_in", **more: Any) -> list[bytes]:
    """Return a model call an hour that burns so much."""
    values = []
    for number, amount in enumerate(amounts):
        script.now += HOUR_S
        body = {"kind": "llm_call", "session_id": f"s-{number}", field: amount, **more}
        values.append(script.event("chat", **body))
    return values


def test_an_hour_of_eight_times_the_usual_and_beyond_the_floor_alerts() -> None:
    """It says what is usual."""
    script, pipeline = Script(), Pipeline(quick(rules=BURN))
    assert found_in(pipeline, *hours(script, [FLOOR["tokens"] / 4] * LEAST_HOURS)) == []
    script.now += HOUR_S
    (alert,) = found_in(pipeline, script.event("chat", kind="llm_call", tokens_out=TIMES_USUAL * FLOOR["tokens"] / 4))
    assert alert.causes == ("rule.token_burn/tokens",)
    assert alert.contributions[0].observed == "4,000,000 tokens within an hour; 500,000 in its middle hour"


@pytest.mark.parametrize(
    ("usual", "hour"),
    [(500_000.0, 3_900_000.0), (1_000.0, FLOOR["tokens"] - 1.0), (6_000_000.0, 45_000_000.0)],
)
def test_a_busy_agent_and_many_times_a_little_are_silent(usual: float, hour: float) -> None:
    """The twins."""
    script, pipeline = Script(), Pipeline(quick(rules=BURN))
    assert found_in(pipeline, *hours(script, [usual] * LEAST_HOURS), *hours(script, [hour])) == []


def test_a_newcomer_is_held_against_the_ceiling_alone_and_cost_counts_beside_tokens() -> None:
    """Both are summed over the calls of an hour."""
    script, pipeline = Script(), Pipeline(quick(rules=BURN))
    part = {"kind": "llm_call", "tokens_in": CEILING["tokens"] / 10, "cost_usd": CEILING["cost"] / 8}
    assert found_in(pipeline, *(script.event("chat", **part) for _ in range(7))) == []
    assert causes(found_in(pipeline, script.event("chat", **part))) == ["rule.token_burn/cost"]
    last = [script.event("chat", **part) for _ in range(2)]
    assert "rule.token_burn/tokens" in causes(found_in(pipeline, *last))


def test_a_usual_that_grows_slowly_is_followed_up_to_the_ceiling_and_not_beyond() -> None:
    """Who ramps up over days moves what is usual; the ceiling does not move."""
    script, pipeline = Script(), Pipeline(quick(rules=BURN))
    ramp = [1e5 * 1.1**n for n in range(67)]
    (alert,) = [one for one in found_in(pipeline, *hours(script, ramp)) if one.activity == "create"]
    assert alert.contributions[0].observed.startswith(f"{1e5 * 1.1**66:,.0f} tokens")
    assert 1e5 * 1.1**65 < CEILING["tokens"] < 1e5 * 1.1**66
