"""What people tell the detector: verdicts on alerts, cases that a SIEM closes, exceptions, releases."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError, model_validator

from detector.schema.closing import IncidentFinding, is_closing
from detector.schema.suppression import Suppression, SuppressionEnd

VerdictKind = Literal["confirm", "dismiss", "safe", "disable", "undo", "confirm_safe"]
"""`confirm`: it was an attack. `dismiss`: it happened and is harmless. `safe`: it is normal, and may be learned.
`disable`: this kind is not to be told until a time. `undo`: the last verdict on the finding is taken back.
`confirm_safe` is how records from before version 0.2 say `safe`."""

Scope = Literal["agent", "group", "everyone"]
"""For whom a kind is disabled: this agent, all of its peer group, or the whole partition."""

Text = Annotated[str, Field(min_length=1, max_length=1_024)]


class _Act(BaseModel):
    """A human act: who, why, when; frozen. Unknown fields are left out: a newer desk may say more than we know of."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    agent_id: Text
    tenant: Text = "default"
    by: Text
    reason: Text
    at: float
    id: Text


class Release(_Act):
    """A named human lifts an agent's quarantine; `at` is seconds since the epoch.

    With `revision` the release holds only for the policy state that was looked at: if a later one stands, it is
    refused and the human looks again.
    """

    kind: Literal["release"] = "release"
    revision: Annotated[int, Field(ge=1)] | None = None


class Verdict(_Act):
    """A named human judges a finding.

    `until` (seconds since the epoch) and `scope` are of `disable` alone, which must have the first.
    """

    kind: Literal["verdict"] = "verdict"
    finding_uid: Text
    verdict: VerdictKind
    until: float | None = None
    scope: Scope = "agent"

    @model_validator(mode="after")
    def _ends(self) -> Verdict:
        if (self.verdict == "disable") != (self.until is not None):
            raise ValueError(f"until of a verdict must be there for disable and for nothing else, got {self.until}")
        return self


def kind_of(record: Any) -> str | None:  # noqa: ANN401 - any JSON, or one of the models
    """Return which kind of feedback a record says it is; None for none."""
    if is_closing(record):
        return "closing"
    kind = record.get("kind") if isinstance(record, dict) else getattr(record, "kind", None)
    return kind if isinstance(kind, str) else None


FeedbackKinds = (
    Annotated[Release, Tag("release")]
    | Annotated[Verdict, Tag("verdict")]
    | Annotated[IncidentFinding, Tag("closing")]
    | Annotated[Suppression, Tag("suppression")]
    | Annotated[SuppressionEnd, Tag("suppression_end")]
)
Feedback = Release | Verdict | IncidentFinding | Suppression | SuppressionEnd
feedback_adapter: TypeAdapter[Feedback] = TypeAdapter(Annotated[FeedbackKinds, Discriminator(kind_of)])
"""Reads a record of `agent.feedback`: ``feedback_adapter.validate_json(value)``."""


def fault_of(error: ValidationError) -> str:
    """Return what is wrong with a record of feedback and where, without a value of it."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"][1:])
    fault = first["msg"].removeprefix("Value error, ")
    return f"{place}: {fault}" if place else fault


def feedback_id(agent_id: str, by: str, reason: str, at: float) -> str:
    """Return the id of a human act, 32 hexadecimal digits: sent twice, it is done once."""
    return hashlib.sha256("\x1f".join((agent_id, by, reason, repr(at))).encode()).hexdigest()[:32]
