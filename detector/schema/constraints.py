"""What a state means for one call: which tools it bars, how many calls it leaves. For gates, and who checks them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from detector.schema.command import PolicyState, Tier

LIMIT_PER_MIN: Final = 10.0
"""Calls a minute under a limit whose state names no rate; that of the ladder in docs/response.md."""
MINUTE_S: Final = 60.0


def bars(state: PolicyState, tier: Tier, tools: tuple[str, ...]) -> bool:
    """Return whether a state bars a tool at a tier.

    An isolation that names no tool bars all. One that has stepped down to a limit bars none: its list was for the
    isolation. A hook cannot see where a tool connects to, so `deny_egress` bars every tool that is not allowed by name.

    Parameters
    ----------
    state : PolicyState
        In force at the tier.
    tier : Tier
        Not `observe`.
    tools : tuple of str
        Names the tool goes by; empty: not known, and then whatever is barred bars it.
    """
    has_stepped_down = tier != state.tier
    rules = state.constraints
    denied = () if has_stepped_down else rules.deny_tools
    if tier == "isolate" and not denied:
        denied = ("*",)
    if rules.deny_egress and not has_stepped_down:
        denied = (*denied, "*")
    if not denied:
        return False
    names = [name.casefold() for name in tools]
    if not names:
        return True
    if any(pattern.casefold() in names for pattern in denied):
        return True
    is_barred = any(fnmatchcase(name, pattern.casefold()) for name in names for pattern in denied)
    return is_barred and not is_allowed(state, tools)


def is_allowed(state: PolicyState, tools: tuple[str, ...]) -> bool:
    """Return whether a state allows a tool by its name, which excuses it from patterns and from a rate of zero."""
    return any(name in state.constraints.allow_tools for name in tools)


def rate_of(state: PolicyState, tier: Tier) -> float | None:
    """Return the calls a minute that a state leaves at a tier, None: as many as it likes."""
    if tier == state.tier:
        rate = state.constraints.rate_per_min
        return LIMIT_PER_MIN if rate is None and _says_nothing(state) else rate
    return LIMIT_PER_MIN


def _says_nothing(state: PolicyState) -> bool:
    """Return whether the constraints of a state bar nothing at all: then the tier's own words hold."""
    rules = state.constraints
    return not rules.deny_tools and not rules.deny_egress
