"""Exceptions that somebody answers for: what is not told for a time, by tool, target, agent, peer group or channel."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_DAYS: Final = 90.0
"""Days that a suppression may stand before somebody has to say it again."""
DETECTION: Final = "sensor.suppressed"
"""What the records of a suppression's counts are found by."""
_DAY_S: Final = 86_400.0
PLACES: Final = ("tool", "target", "agent_id", "group", "channel")
"""What a scope can name."""

Named = Annotated[str, Field(min_length=1, max_length=256)]
Said = Annotated[str, Field(min_length=1, max_length=1_024)]


class _Exception(BaseModel):
    """A human act about an exception: frozen; unknown fields are left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    reason: Said
    at: float


class Suppression(_Exception):
    """What is not told from now on: acts that fit all of what the scope names.

    `tool` is the name of the act, `target` its whole target, `agent_id` who did it, `group` the peer group it is held
    against, `channel` what found it: a channel without which nothing would be left to tell, or a rule, which nothing
    but its name suppresses. One that names neither agent nor group is for everyone, and must say so. One that names an
    agent and something else may leave out `until` (event time, epoch seconds); every other ends within 90 days.
    `strong`: what is past the share for quarantine is not told either; of one that names an agent it never is.
    """

    kind: Literal["suppression"] = "suppression"
    owner: Said
    tenant: Said = "default"
    tool: Named | None = None
    target: Named | None = None
    agent_id: Said | None = None
    group: Said | None = None
    channel: Named | None = None
    everyone: bool = False
    strong: bool = False
    until: float | None = None

    @model_validator(mode="after")
    def _is_bounded(self) -> Suppression:
        if not self.scope:
            raise ValueError("scope of a suppression must name a tool, target, agent, group or channel, got none")
        is_for_all = self.agent_id is None and self.group is None
        if self.everyone != is_for_all:
            held = "is for everyone, and must say so" if is_for_all else "is not for everyone, and must not say so"
            raise ValueError(f"a suppression that names {', '.join(self.scope)} {held}")
        is_narrow = self.agent_id is not None and len(self.scope) > 1
        if self.until is None and not is_narrow:
            raise ValueError("until must be there, unless an agent is named with a tool, target, group or channel")
        if self.until is not None and not 0.0 < self.until - self.at <= MOST_DAYS * _DAY_S:
            days = (self.until - self.at) / _DAY_S
            raise ValueError(f"until must be within {MOST_DAYS:g} days after it is said, got {days:.1f} days")
        return self

    @property
    def scope(self) -> dict[str, str]:
        """What it names, by field."""
        named = ((place, getattr(self, place)) for place in PLACES)
        return {place: value for place, value in named if value is not None}


class SuppressionEnd(_Exception):
    """A named human ends a suppression: `id` is its id, `by` who says so."""

    kind: Literal["suppression_end"] = "suppression_end"
    by: Said
