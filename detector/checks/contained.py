"""Commands of a case: what its partition is told of them, as the response stage would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from detector.schema.command import Breaker, Constraints, Issuer, PolicyState, Reason, command_id, subject_of
from detector.schema.containment import containment_of
from detector.schema.control import Control

TERM_S: Final = 14_400.0
FINDING: Final = "0" * 32
FORBIDDEN: Final = {
    "limit": Constraints(rate_per_min=10.0),
    "isolate": Constraints(deny_tools=("*",), deny_egress=True),
}

CaseTier = Literal["limit", "isolate"]


def told_of(agents: Mapping[str, CaseTier], at: float) -> list[Control]:
    """Return the controls that say that agents (of the default tenant) are contained from a time on."""
    return [
        Control(offset, containment_of(_state(agent, tier, at), at).model_dump_json(by_alias=True).encode())
        for offset, (agent, tier) in enumerate(sorted(agents.items()))
    ]


def _state(agent: str, tier: CaseTier, at: float) -> PolicyState:
    subject = subject_of("default", agent)
    return PolicyState(
        command_id=command_id(subject, tier, FINDING), revision=1, subject=subject, state="quarantined", tier=tier,
        mode="enforce", constraints=FORBIDDEN[tier], effective_at=at, expires_at=at + TERM_S, on_expiry="release",
        reason=Reason(finding_uid=FINDING), issuer=Issuer(kind="detector", id="case", policy_version="case"),
        breaker=Breaker(fleet_share=0.0, limit_share=1.0), ack_deadline_s=5.0,
    )  # fmt: skip
