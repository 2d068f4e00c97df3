"""What constraints mean for a call: tools by name and pattern, calls by rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.edge.verdict import CallWindow, bars, is_allowed, rate_of
from detector.schema.command import Constraints, Tier
from tests.edge.states import SUBJECT, state, view_of


@pytest.mark.parametrize(
    ("deny", "allow", "tools", "barred"),
    [
        (("*",), (), ("Bash",), True),
        (("Bash",), (), ("Bash",), True),
        (("bash",), (), ("Bash",), True),
        (("Bash",), (), ("BashOutput",), False),
        (("exec_command",), (), ("Bash", "exec_command"), True),
        (("mcp__crm__*",), (), ("mcp_crm_lookup", "mcp__crm__lookup"), True),
        (("mcp__crm__*",), (), ("mcp__mail__send",), False),
        (("*",), ("health",), ("health",), False),
        (("*",), ("health",), ("Health",), True),
        (("*", "health"), ("health",), ("health",), True),
        (("Bash",), (), (), True),
        ((), (), (), False),
        (("[",), (), ("Bash",), False),
    ],
)
def test_tools_are_barred_by_name_or_pattern(
    deny: tuple[str, ...], allow: tuple[str, ...], tools: tuple[str, ...], barred: bool
) -> None:
    """A name that is allowed excuses from patterns only; a call of no known tool is whatever is barred."""
    rules = Constraints(deny_tools=deny, allow_tools=allow)
    assert bars(state(tier="limit", constraints=rules), "limit", tools) == barred


def test_an_isolation_that_names_no_tool_bars_all() -> None:
    """The tier says what it is; an empty list is no way out."""
    assert bars(state(constraints=Constraints()), "isolate", ("Read",))
    assert not bars(state(constraints=Constraints(deny_tools=("Bash",))), "isolate", ("Read",))


def test_where_egress_is_denied_a_hook_denies_what_it_cannot_see() -> None:
    """It does not know where a tool connects to; what is allowed by name may go on."""
    rules = Constraints(deny_egress=True, allow_tools=("Read",))
    limit = state(tier="limit", constraints=rules)
    assert bars(limit, "limit", ("Bash",))
    assert not bars(limit, "limit", ("Read",))


def test_after_stepping_down_the_limit_of_the_ladder_holds() -> None:
    """The isolation's own list and its rate of zero are over."""
    assert not bars(state(), "limit", ("Bash",))
    assert (rate_of(state(), "isolate"), rate_of(state(), "limit")) == (0.0, 10.0)


@pytest.mark.parametrize(
    ("rules", "tier", "rate"),
    [
        (Constraints(rate_per_min=3.0), "limit", 3.0),
        (Constraints(), "limit", 10.0),
        (Constraints(deny_tools=("Bash",)), "limit", None),
    ],
)
def test_a_limit_that_says_nothing_is_ten_a_minute(rules: Constraints, tier: Tier, rate: float | None) -> None:
    """One that bars tools and names no rate limits these tools only."""
    assert rate_of(state(tier=tier, constraints=rules), tier) == rate


def test_a_tool_allowed_by_name_passes_an_isolation() -> None:
    """Its rate of zero is meant for what is barred."""
    rules = Constraints(deny_tools=("*",), allow_tools=("health",), rate_per_min=0.0)
    assert is_allowed(state(constraints=rules), ("health",))
    view, _, _ = view_of(state(constraints=rules))
    assert not view.decide([SUBJECT], ("health",)).is_denied
    assert view.decide([SUBJECT], ("Bash",)).is_denied


@given(st.floats(0.01, 5_000.0), st.lists(st.floats(0.0, 30.0), max_size=200))
def test_no_window_holds_more_calls_than_its_rate(rate: float, gaps: list[float]) -> None:
    """In any span of n calls at the rate, no more than n are let through; and never more than 1,000 are remembered."""
    window, now, let = CallWindow(), 0.0, []
    for gap in gaps:
        now += gap
        if window.admits(rate, now):
            let.append(now)
    most = max(1, min(int(rate), 1_000))
    assert all(late - early >= 60.0 * most / rate for early, late in zip(let, let[most:], strict=False))
    assert len(window._times) <= most


def test_ten_a_minute_are_ten_in_any_minute() -> None:
    """The eleventh waits until the first is a minute old."""
    window = CallWindow()
    assert [window.admits(10.0, float(second)) for second in range(11)] == [True] * 10 + [False]
    assert not window.admits(10.0, 59.9)
    assert window.admits(10.0, 60.0)
    assert not window.admits(10.0, 60.5)


def test_half_a_call_a_minute_is_one_in_two() -> None:
    """A rate below one is kept, not rounded; zero is none."""
    window = CallWindow()
    assert [window.admits(0.5, at) for at in (0.0, 60.0, 119.0, 120.0)] == [True, False, False, True]
    assert not CallWindow().admits(0.0, 0.0)
