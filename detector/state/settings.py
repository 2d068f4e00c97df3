"""A profile as the kernels read it: plain numbers, in the order of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from detector.intake.columns import Ignored, ignored_names
from detector.memory.layout import Sizes
from detector.profile.model import Profile
from detector.steps.combine import Weights, voice_weights
from detector.steps.judge import Budget
from detector.steps.workspace import Rules

GATE_CONTEXT = 0.3
"""What transition and co-occurrence count for in the gate's score (study, section *The formula*)."""
OPEN_SESSIONS = 1 << 16
OPEN_CHUNKS = 1 << 18
"""Caps of the shared pool: 65,536 sessions, 256 MiB of observations; beyond, the least active session closes."""


class Settings(NamedTuple):
    """Everything of a profile that the kernels need."""

    sizes: Sizes
    rules: Rules
    weights: Weights
    budget: Budget
    ignored: Ignored


def settings_of(profile: Profile, trusted_until: float | None) -> Settings:
    """Return the settings of a profile; before `trusted_until` (epoch seconds) the gate is off."""
    memory, sessions, learning, risk = profile.memory, profile.sessions, profile.learning, profile.risk
    plain, origin = voice_weights(profile.weights.model_dump())
    return Settings(
        sizes=Sizes(
            agent_keys=memory.agent_keys,
            agent_numbers=memory.agent_numbers,
            agent_tools=memory.agent_tools,
            recent_ids=memory.recent_ids,
            group_keys=memory.group_keys,
            group_contexts=memory.group_contexts,
            group_numbers=memory.group_numbers,
            groups=memory.groups,
            forest_window=profile.forest.window,
        ),
        rules=Rules(
            idle_s=sessions.idle_s,
            age_s=sessions.age_s,
            step_s=profile.time.step_s,
            probation_s=learning.probation_s,
            trusted_until=float("-inf") if trusted_until is None else trusted_until,
            gate_p=learning.gate_p,
            histogram_p=learning.histogram_p,
            warm_sessions=learning.warm_sessions,
            agent_prior=float(learning.agent_prior),
            not_ok=risk.not_ok,
            other_origin=risk.other_origin,
            echo=risk.echo,
            gate_context=GATE_CONTEXT,
            open_per_agent=sessions.open_per_agent,
            observations=sessions.observations,
            open_sessions=OPEN_SESSIONS,
            chunks=OPEN_CHUNKS,
        ),
        weights=Weights(
            plain=plain,
            origin=origin,
            forest=profile.weights.forest,
            half_space=profile.weights.half_space,
            not_ok=risk.not_ok,
            read=risk.read,
            no_tool_origin=risk.no_tool_origin,
        ),
        budget=_budget(profile, plain.tolist()),
        ignored=ignored_names(profile.features.ignored_attributes),
    )


def _budget(profile: Profile, plain: Sequence[float]) -> Budget:
    """Return the budget's settings; a share of zero is kept by a level nothing reaches."""
    budget, correction = profile.budget, profile.agent_correction
    return Budget(
        alerts=max(budget.alerts, 1e-300),
        quarantine=max(budget.quarantine, 1e-300),
        tail=budget.tail,
        origin_share=budget.origin_share,
        least=budget.least,
        warm_sessions=profile.learning.warm_sessions,
        exponent=correction.exponent,
        low=correction.low,
        high=correction.high,
        prior_sessions=float(correction.prior_sessions),
        cap=correction.cap,
        floor=2.0 * math.log10(2.0) * (sum(plain) + profile.weights.forest + profile.weights.half_space),
    )
