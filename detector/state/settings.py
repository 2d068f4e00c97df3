"""A profile as the kernels read it: plain numbers, in the order of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from detector.alerts.ceilings import CeilingSettings
from detector.channels.catalogue import MEASURES, NAMES
from detector.channels.context import KernelRules
from detector.intake.columns import Keyed, ignored_names, keyed_by
from detector.intake.fill import Reading
from detector.intake.pieces import pieces_of
from detector.memory.layout import Sizes
from detector.profile.model import Profile
from detector.response.ladder import kept_share
from detector.rules.words import PIECES
from detector.steps.combine import EvidenceWeights, voice_weights
from detector.steps.judge import JudgeSettings
from detector.steps.promises import BudgetSettings, ClassShares

GATE_CONTEXT = 0.3
"""What transition and co-occurrence count for in the gate's score (``docs/science.md``, *The gate*)."""
ORDINARY = math.log10(2.0)
"""-log10 p of a channel in which an event is exactly ordinary: p is one half."""
FLOOR_FACTOR = 2.0
"""How many times an ordinary event's evidence an alert needs (``docs/science.md``, *Threshold*)."""
OPEN_SESSIONS = 1 << 16
OPEN_CHUNKS = 1 << 18
"""Caps of the shared pool: 65,536 sessions, at most half as many as agents; 256 MiB of observations. Beyond, the least
active newcomer's session closes, the least active of all if none is a newcomer's."""


HELD_S = 604_800.0
"""How long an alert holds its agent at least: a week (``docs/science.md``, *Who is remembered*)."""


class Settings(NamedTuple):
    """Everything of a profile that the kernels need."""

    sizes: Sizes
    rules: KernelRules
    weights: EvidenceWeights
    judge: JudgeSettings
    threshold: BudgetSettings
    reading: Reading
    keyed: Keyed


def settings_of(profile: Profile, trusted_until: float | None, secret: str | None = None) -> Settings:
    """Return the settings of a profile; before `trusted_until` (epoch seconds) the gate is off.

    Texts are hashed under a key made of `secret`, without one under the public key.
    """
    memory, sessions, learning, risk = profile.memory, profile.sessions, profile.learning, profile.risk
    plain, origin = voice_weights(profile.weights.model_dump())
    threshold, keyed = _threshold(profile, trusted_until, plain.tolist()), keyed_by(secret)
    return Settings(
        sizes=Sizes(
            agents=memory.agents,
            agent_keys=memory.agent_keys,
            agent_numbers=memory.agent_numbers,
            agent_tools=memory.agent_tools,
            recent_ids=memory.recent_ids,
            group_keys=memory.group_keys,
            group_contexts=memory.group_contexts,
            group_numbers=memory.group_numbers,
            groups=memory.groups,
            forest_window=profile.forest.window,
            channels=len(NAMES),
            measures=len(MEASURES),
            held_s=max(HELD_S, *_terms(profile)),
        ),
        rules=KernelRules(
            idle_s=sessions.idle_s,
            age_s=sessions.age_s,
            step_s=profile.time.step_s,
            probation_s=learning.probation_s,
            trusted_until=_since(trusted_until),
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
            open_sessions=min(OPEN_SESSIONS, memory.agents // 2),
            chunks=OPEN_CHUNKS,
        ),
        weights=EvidenceWeights(
            plain=plain,
            origin=origin,
            forest=profile.weights.forest,
            half_space=profile.weights.half_space,
            not_ok=risk.not_ok,
            read=risk.read,
            no_tool_origin=risk.no_tool_origin,
        ),
        judge=_judge(profile, threshold),
        threshold=threshold,
        reading=Reading(ignored_names(profile.features.ignored_attributes), keyed, pieces_of(PIECES)),
        keyed=keyed,
    )


def _terms(profile: Profile) -> Iterator[float]:
    """Yield how long an agent is constrained in all, of the profile and of each risk class."""
    for ladder in (profile.levels.of(""), *profile.levels.classes.values()):
        terms = ladder.terms(profile.response)
        yield terms.limit_s + terms.isolate_s


def _since(trusted_until: float | None) -> float:
    """Return the event time from which sessions are judged; nothing is trusted without one."""
    return float("-inf") if trusted_until is None else trusted_until


def _judge(profile: Profile, threshold: BudgetSettings) -> JudgeSettings:
    budget, correction = profile.budget, profile.agent_correction
    return JudgeSettings(
        tail=budget.tail,
        origin_share=budget.origin_share,
        least=budget.least,
        warm_sessions=profile.learning.warm_sessions,
        exponent=correction.exponent,
        low=correction.low,
        high=correction.high,
        prior_sessions=float(correction.prior_sessions),
        cap=correction.cap,
        alerts=threshold.alerts,
        floor=threshold.floor,
        trusted_until=threshold.trusted_until,
    )


def ceilings_of(profile: Profile) -> CeilingSettings:
    """Return how many incidents an hour a profile allows."""
    budget = profile.budget
    return CeilingSettings(
        agent=budget.agent_incidents,
        established=budget.hourly_incidents,
        newcomers=budget.newcomer_incidents,
        reserve=budget.reserve_incidents,
    )


def _threshold(profile: Profile, trusted_until: float | None, plain: Sequence[float]) -> BudgetSettings:
    """Return the threshold's settings; a share of zero is kept by a level nothing reaches."""
    budget, weights = profile.budget, profile.weights
    return BudgetSettings(
        alerts=kept_share(budget.alerts),
        quarantine=kept_share(budget.quarantine),
        floor=FLOOR_FACTOR * ORDINARY * (sum(plain) + weights.forest + weights.half_space),
        trusted_until=_since(trusted_until),
        cold_s=budget.cold_s,
        classes=tuple(ClassShares(one.name, *map(kept_share, profile.shares_of(one))) for one in profile.classes),
    )
