"""What an agent is declared to be and to be allowed: an entry of the inventory, whole, as `agent.registry` has it."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

REGISTRY_SCHEMA: Final = "agent.registry/1"
MAX_ENTRY_BYTES: Final = 32 * 1_024
"""A longer entry is refused: what one agent may do must fit on a page that somebody reads."""
MOST_DECLARED: Final = 256
"""Names a list of an entry may hold."""
MAX_PATTERN: Final = 512
EXPRESSION: Final = "re:"
"""A declared name that begins so is an RE2 expression; it and a name with ``*`` must match from end to end."""

Lifecycle = Literal["proposed", "active", "suspended", "retired"]
Criticality = Literal["low", "medium", "high", "critical"]
AgentText = Annotated[str, Field(min_length=1, max_length=1_024)]
Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)]
Declared = Annotated[tuple[Pattern, ...], Field(max_length=MOST_DECLARED)] | None
"""Names, or patterns of names; None says nothing about them, an empty list allows none."""
Seconds = Annotated[float, Field(gt=-6.3e10, lt=2.5e11)]
"""Seconds since the epoch, within the years that an event may have."""

MAX_AGE_H: Final = {"low": 12.0, "medium": 12.0, "high": 8.0, "critical": 4.0}
"""Hours after which a credential is too old, by criticality, where the entry says nothing else."""


class _Declaration(BaseModel):
    """Frozen, finite, nothing unknown: a misspelt limit must not be a limit left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CredentialRule(_Declaration):
    """What an agent's credentials must be: `kind` for people, `max_age_h` hours; None: by criticality."""

    kind: AgentText | None = None
    max_age_h: Annotated[float, Field(gt=0, le=8_784)] | None = None


class GrantEntry(_Declaration):
    """One permission: what it is for, since when, until when, and who answers for it.

    `id` is what events name in ``grant.id``. Lists say what it allows beyond the entry's own while its term runs.
    """

    id: AgentText
    granted_at: Seconds
    expires_at: Seconds | None = None
    temporary: bool = False
    approver: AgentText
    renewals: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    tools: Declared = None
    targets: Declared = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.temporary and self.expires_at is None:
            raise ValueError(f"grant {self.id!r} is temporary: expires_at must say until when")
        if self.expires_at is not None and self.expires_at <= self.granted_at:
            raise ValueError(f"grant {self.id!r} must end after it begins, got {self.granted_at} to {self.expires_at}")
        return self


class Approved(_Declaration):
    """What may run under an agent's name; None says nothing. `tool_hashes` are definitions by tool."""

    versions: Declared = None
    models: Declared = None
    prompt_hashes: Declared = None
    tool_hashes: Annotated[dict[Pattern, tuple[Pattern, ...]], Field(max_length=MOST_DECLARED)] | None = None


class RegistryEntry(_Declaration):
    """Everything that is declared of one agent; each record is the whole of it and replaces the one before.

    Parameters
    ----------
    agent_id, tenant : str
        Whose; an entry for another tenant's agent never applies.
    revision : int
        One more than that of the entry it was made from: who edits an older one is told so.
    at, by, reason : float, str, str
        When it was changed, seconds since the epoch, by whom, and why.
    lifecycle : str
        `proposed` says what was seen and allows everything; `active` is held against; `suspended` and `retired` may
        not act.
    criticality : str
        How bad it is if this agent goes wrong: sets severities and the age of credentials.
    tools, targets, peers, delegates, data_classes : tuple of str or None
        What it may use, reach, speak to, be called by on another's behalf, and read. See :data:`Declared`.
    """

    schema_: Annotated[Literal["agent.registry/1"], Field(alias="schema")] = REGISTRY_SCHEMA
    agent_id: AgentText
    tenant: AgentText = "default"
    revision: Annotated[int, Field(ge=1, lt=2**53)]
    at: Seconds
    by: AgentText
    reason: AgentText
    lifecycle: Lifecycle = "proposed"
    owner: AgentText | None = None
    purpose: AgentText | None = None
    criticality: Criticality = "medium"
    agent_type: AgentText | None = None
    zone: AgentText | None = None
    profile: AgentText | None = None
    tools: Declared = None
    targets: Declared = None
    peers: Declared = None
    delegates: Declared = None
    data_classes: Declared = None
    approved: Approved = Approved()
    credential: CredentialRule = CredentialRule()
    grants: Annotated[tuple[GrantEntry, ...], Field(max_length=MOST_DECLARED)] = ()

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    @model_validator(mode="after")
    def _is_answered_for(self) -> Self:
        if self.lifecycle == "active" and self.owner is None:
            raise ValueError(f"{self.agent_id!r} is active: owner must say who answers for it")
        ids = [grant.id for grant in self.grants]
        if len(ids) != len(set(ids)):
            raise ValueError(f"grants of {self.agent_id!r} must have different ids, got {sorted(ids)}")
        return self

    @property
    def max_age_h(self) -> float:
        """Hours after which a credential of this agent is too old."""
        return self.credential.max_age_h or MAX_AGE_H[self.criticality]
