"""What constraints mean for a call: tools by name and pattern, calls by rate."""

from __future__ import annotations

import pytest

from detector.schema.command import Constraints, Tier
from detector.schema.constraints import bars, rate_of
from tests.edge.states import state


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
