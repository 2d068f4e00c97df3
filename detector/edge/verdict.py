"""What a gate answers to one call, and the calls that a rate has counted."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from detector.schema.command import PolicyState, Tier
from detector.schema.constraints import MINUTE_S

MOST_COUNTED: Final = 1_000
"""Times of calls remembered of one subject; a higher rate is held over a shorter window."""

Why = Literal["free", "limited", "tool", "rate", "unread", "stale", "overfull", "unnamed", "unreadable"]


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The answer to one call.

    Attributes
    ----------
    is_denied : bool
        Whether the call must not happen.
    why : Why
        free: no command binds the agent. limited: it may, and was counted. tool, rate: the command denies it. unread,
        stale, overfull: nothing certain is known of what holds, and the setting says that this denies. unnamed,
        unreadable: a gateway did not say who calls, or what it asks cannot be read.
    subject : str
        Whom the command names; empty without one.
    tier : Tier
        What is in force.
    state : PolicyState or None
        The command.
    is_first : bool
        First denial under this revision, of a state that came while this view was read.
    """

    is_denied: bool
    why: Why
    subject: str = ""
    tier: Tier = "observe"
    state: PolicyState | None = None
    is_first: bool = False

    @property
    def says(self) -> str:
        """What the agent and its user are told; nothing in it was written by an agent."""
        if self.state is None:
            return {
                "unread": "Denied: the policy has not been read yet. Ask whoever runs the detector.",
                "stale": "Denied: the policy could not be read for a while. Ask whoever runs the detector.",
                "overfull": "Denied: more agents are contained than this machine can hold. Ask security.",
                "unnamed": "Denied: the gateway does not say which agent calls. Ask whoever runs the gateway.",
                "unreadable": "Denied: what the gateway asks cannot be read. Ask whoever runs the gateway.",
            }.get(self.why, "")
        what = {"tool": "this tool is barred", "rate": "too many calls"}.get(self.why, "")
        return (
            f"Denied by policy: {what} ({self.tier}, command {self.state.command_id}, "
            f"revision {self.state.revision}{_until(self.state, self.tier)}). Do not retry; ask security."
        )


def _until(state: PolicyState, tier: Tier) -> str:
    """Return when the tier ends, in words; empty if that is open."""
    end = state.expires_at if tier == state.tier else state.steps_down_until
    if end is None or state.on_expiry == "hold_and_page":
        return ""
    try:
        return f", until {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return ""


@dataclass(slots=True)
class CallWindow:
    """When the calls of one subject were let through, as far back as its rate asks; at most 1,000 times."""

    _times: deque[float] = field(default_factory=deque)

    def admits(self, rate_per_min: float, now: float) -> bool:
        """Return whether one more call fits the rate, and count it if so.

        Parameters
        ----------
        rate_per_min : float
            Calls a minute, 0 or more; a rate below one is held over more than a minute.
        now : float
            Seconds of a clock that only goes forward.
        """
        if rate_per_min <= 0.0:
            return False
        most = min(max(math.floor(min(rate_per_min, MOST_COUNTED)), 1), MOST_COUNTED)
        window_s = MINUTE_S * most / rate_per_min
        while self._times and now - self._times[0] >= window_s:
            self._times.popleft()
        if len(self._times) >= most:
            return False
        self._times.append(now)
        return True
