"""What enforcement points are told: the whole desired state of a subject, and the log of every decision."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from detector.schema.reading import read
from detector.schema.zone_cut import ZoneCut

POLICY_SCHEMA: Final = "agent.policy/1"
LOG_SCHEMA: Final = "agent.policy.log/1"
GENESIS: Final = "0" * 64

Tier = Literal["observe", "limit", "isolate"]
Mode = Literal["enforce", "shadow"]
Decided = Literal["issued", "shadowed", "skipped", "held", "yielded", "judged", "released", "stepped_down", "refused"]
MOST_CAUSES: Final = 64
"""Causes of a finding that a state or an answer remembers; an incident holds 16."""

_SEPARATOR = "\x1f"


class _CommandPart(BaseModel):
    """Frozen, finite, nothing unknown: what every part of a command has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class Constraints(_CommandPart):
    """What the subject may do while the state holds."""

    deny_tools: tuple[str, ...] = ()
    allow_tools: tuple[str, ...] = ()
    deny_egress: bool = False
    allow_peers: tuple[str, ...] = ()
    rate_per_min: float | None = Field(default=None, ge=0)
    revoke_credentials: bool = False


class Reason(_CommandPart):
    """What the state answers to.

    `causes` are the causes that the finding had, each as :func:`cause_key`; None in states from before the field.
    """

    finding_uid: str
    detections: tuple[str, ...] = ()
    risk: int = Field(default=0, ge=0, le=100, description="For people, 0 to 100.")
    score: float = Field(default=0.0, description="Rarity of the session, -log10 of a share: 2 is 1 in 100.")
    causes: tuple[str, ...] | None = None


class Issuer(_CommandPart):
    """Who decided: the detector under a profile version, or a named human."""

    kind: Literal["detector", "human"]
    id: str = Field(min_length=1)
    policy_version: str


class Breaker(_CommandPart):
    """The blast-radius breaker's figures at the decision, as shares of the fleet.

    `fleet_share` counts the contained of the subject's own kind: established agents, or newcomers.
    """

    fleet_share: float = Field(ge=0)
    limit_share: float = Field(ge=0, le=1)
    held: bool = False
    fleet: int = Field(default=0, ge=0)


class Answer(_CommandPart):
    """The last human act on a subject; later states carry it on, so that an old alert or act is known when it returns.

    `finding_uid`, `tier`, `cause_at` (event time) and `causes` say what was lifted; None in `causes`: whatever the
    finding names. `taken_at` is when the act was taken up, by the clock of its record: what was heard before that, the
    person could know.
    """

    release_id: str = Field(min_length=1)
    by: str
    reason: str
    at: float
    finding_uid: str
    tier: Tier
    cause_at: float
    causes: tuple[str, ...] | None = None
    taken_at: float | None = None


class PolicyState(_CommandPart):
    """Whole desired state of one subject; replaces every earlier one with a smaller revision.

    Apply only if `revision` is greater than the last one applied. Times are seconds since the epoch, UTC, compared
    with the enforcement point's own clock. A state in shadow mode constrains nothing. `contained_since` is the event
    time the subject's (last) containment began; `steps_down_until` ends the limit that follows an isolation.

    `established` says in which of the breaker's two shares the (last) containment counts, `strongest` which tier it
    reached. `confirmed_by` names who confirmed the finding behind it: such a state yields to nobody. `yielded_to`
    names the stronger finding that took this subject's place, in a state that released it for that. `cut` names the
    edges of the agent's declared zone that an isolation is to cut; it denies nothing by itself, and is left out of the
    record where it says nothing.
    """

    schema_: Literal["agent.policy/1"] = Field(default=POLICY_SCHEMA, alias="schema")
    command_id: str = Field(min_length=1)
    revision: int = Field(ge=1)
    subject: str = Field(pattern=r"^[^/]+/agent/[\s\S]+$")
    state: Literal["quarantined", "released"]
    tier: Tier
    mode: Mode
    constraints: Constraints
    effective_at: float
    expires_at: float | None
    on_expiry: Literal["step_down", "hold_and_page", "release"]
    reason: Reason
    issuer: Issuer
    supersedes: int | None = None
    breaker: Breaker
    ack_deadline_s: float = Field(gt=0)
    contained_since: float | None = None
    steps_down_until: float | None = None
    answer: Answer | None = None
    established: bool = True
    strongest: Tier | None = None
    confirmed_by: str | None = None
    yielded_to: str | None = None
    cut: ZoneCut | None = Field(default=None, exclude_if=lambda cut: cut is None)

    @property
    def begins_at(self) -> float:
        """Time from which the state constrains: when the containment began that it goes on with, else its own."""
        return self.effective_at if self.contained_since is None else self.contained_since

    def tier_at(self, now: float) -> Tier:
        """Return the tier that holds at `now` (epoch seconds), expiry told; the mode is the reader's to judge.

        Before :attr:`begins_at` that is `observe`; a state that goes on with a containment holds from its begin on. An
        isolation that ends steps down to `limit` until `steps_down_until` (None: until a later revision says
        otherwise); `hold_and_page` keeps the tier; `release` ends in `observe`.
        """
        if self.state == "released" or now < self.begins_at:
            return "observe"
        if self.expires_at is None or now < self.expires_at or self.on_expiry == "hold_and_page":
            return self.tier
        stepping = self.on_expiry == "step_down" and (self.steps_down_until is None or now < self.steps_down_until)
        return "limit" if stepping else "observe"


class PolicyLogEntry(_CommandPart):
    """One decision with its cause; `hash` covers the entry and `previous`, so that a tenant's log is a chain."""

    schema_: Literal["agent.policy.log/1"] = Field(default=LOG_SCHEMA, alias="schema")
    tenant: str
    sequence: int = Field(ge=1)
    time: float
    subject: str
    decision: Decided
    cause: str
    detail: str = ""
    command: PolicyState | None = None
    previous: str = Field(default=GENESIS, pattern=r"^[0-9a-f]{64}$")
    hash: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    _body: bytes = b""

    def digest(self) -> str:
        """Return what `hash` must be: sha256 over the entry without its hash, as 64 hexadecimal digits.

        Of an entry read with :meth:`read` it covers fields that this version does not know.
        """
        body = self._body or self.model_copy(update={"hash": ""}).model_dump_json(by_alias=True).encode()
        return hashlib.sha256(body).hexdigest()

    @classmethod
    def read(cls, raw: bytes) -> PolicyLogEntry:
        """Return an entry as it stands on the log; fields of a newer minor version are kept for the digest only."""
        entry, unknown = read(cls, raw)
        if unknown:
            # written by us: compact, in the order of the fields, so that blanking the hash gives what was digested
            blank = raw.replace(f'"hash":"{entry.hash}"'.encode(), b'"hash":""')
            entry._body = blank  # noqa: SLF001 - its own, in a classmethod
        return entry

    def sealed(self) -> PolicyLogEntry:
        """Return the entry with its hash filled in."""
        return self.model_copy(update={"hash": self.digest()})


def command_id(subject: str, tier: str, finding_uid: str) -> str:
    """Return the command's id, 32 hexadecimal digits: a replayed cause gives the same command.

    Parameters
    ----------
    subject : str
        ``tenant/agent/<agent_id>``.
    tier : str
        Tier that is asked for.
    finding_uid : str
        Cause: id of the finding, or of the human act.
    """
    return hashlib.sha256(_SEPARATOR.join((subject, tier, finding_uid)).encode()).hexdigest()[:32]


def cause_key(cause: str) -> str:
    """Return a cause as states and answers remember it: 32 hexadecimal digits, however long its name is."""
    return hashlib.sha256(cause.encode()).hexdigest()[:32]


def subject_of(tenant: str, agent_id: str) -> str:
    """Return the subject of an agent, ``tenant/agent/<agent_id>``.

    A slash in the tenant becomes ``%2F``; an empty tenant is ``default``.
    """
    tenant = tenant or "default"
    return f"{tenant.replace('%', '%25').replace('/', '%2F')}/agent/{agent_id}"
