"""What a gate answers to a call: by what its state says, and by the calls its rate has counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.edge.verdict import CallWindow
from detector.schema.command import Constraints
from detector.schema.constraints import is_allowed
from tests.edge.states import SUBJECT, state, view_of


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
