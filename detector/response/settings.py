"""The ``[response]`` section of a profile: how far the product may go on its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Mode = Literal["enforce", "shadow"]
Joined = Literal["lateral_path", "credential_shared", "cascade"]
"""Findings that several agents make together."""
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Seconds = Annotated[float, Field(gt=0.0, le=31_536_000.0, allow_inf_nan=False)]
Level = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class ResponseSettings(BaseModel):
    """How an alert becomes a command, and where automation ends.

    Parameters
    ----------
    mode : {"shadow", "enforce"}, default="shadow"
        In shadow mode every decision is taken and written down with ``mode="shadow"``;
        enforcement points must not act on it.
    limit_score, isolate_score : float or None, default=None
        Alert scores (-log10 of the share of recent sessions at least as strange) from which
        an agent is limited or isolated. None takes the level from the profile's budget:
        ``-log10(budget.alerts)`` and ``-log10(budget.quarantine)``.
    limit_s, isolate_s : float, default=3600 and 14400
        How long a command lasts, in seconds of event time after its cause.
    ack_deadline_s : float, default=5
        Seconds an enforcement point has to acknowledge, by its wall clock.
    fleet_share : float, default=0.05
        Breaker: largest share of the fleet in automatic containment at one time, of established agents.
    fleet_least : int, default=1
        Breaker: agents that may always be contained, however small the fleet is.
    rate_per_hour : int, default=20
        Breaker: agents newly contained in any hour. Isolations are held by isolations only, so that as many limits
        never hold one: at most twice as many agents in all.
    newcomer_most : int, default=5
        Breaker: newcomers in automatic containment at one time, if the share of the fleet is not less. They are
        counted apart from established agents, and not as a share, because whoever invents agents makes that share.
    newcomer_per_hour : int, default=10
        Breaker: newcomers newly contained in any hour, if `rate_per_hour` is not less.
    skew_s : float, default=60
        Seconds by which an alert or a release may be dated later than its record before the log says so; either
        way it counts from its record on.
    protected : tuple of str, default=()
        Agent ids that are never contained without a human.
    critical : tuple of str, default=()
        Agent ids towards which a chain of new calls is a finding, beside the protected ones and those that the
        registry calls critical.
    graph : tuple of str
        What is found where a tenant is whole, of ``lateral_path``, ``credential_shared`` and ``cascade``;
        without any, partitions tell nothing of who called whom.

    Examples
    --------
    >>> ResponseSettings().mode
    'shadow'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = "shadow"
    limit_score: Level | None = None
    isolate_score: Level | None = None
    limit_s: Seconds = 3_600.0
    isolate_s: Seconds = 14_400.0
    ack_deadline_s: Seconds = 5.0
    fleet_share: Share = 0.05
    fleet_least: Annotated[int, Field(ge=0)] = 1
    rate_per_hour: Annotated[int, Field(ge=0)] = 20
    newcomer_most: Annotated[int, Field(ge=0, le=10_000)] = 5
    newcomer_per_hour: Annotated[int, Field(ge=0, le=10_000)] = 10
    skew_s: Annotated[float, Field(ge=0.0, le=3_600.0, allow_inf_nan=False)] = 60.0
    protected: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()
    graph: tuple[Joined, ...] = ("lateral_path", "credential_shared", "cascade")
