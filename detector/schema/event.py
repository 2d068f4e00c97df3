"""The native agent event, schema version 1: the struct every event is decoded into."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

MAX_STRING = 1_024
MAX_EVENT_BYTES = 64 * 1_024
MAX_RECORD_BYTES = 1_024 * 1_024
MAX_DEPTH = 4
MAX_AMOUNT = 1e15
MAX_NUMBER = 1e30

REASONS: Final = (
    "not_json",
    "missing_field",
    "wrong_type",
    "bool_as_number",
    "non_finite",
    "out_of_range",
    "bad_time",
    "too_long",
    "too_deep",
    "too_large",
    "unknown_version",
    "key_mismatch",
    "time_out_of_tolerance",
    "empty",
)
"""Why an event or a record may be refused; `docs/schema/reasons.md` says what to do about each."""

BRIDGED: Final = "otlp.source"
"""Attribute of an event that was made of OpenTelemetry: the table that made it."""
NEVER_CAME: Final = "otlp.never_came"
"""Attribute of such an event: how many numbers of its session were given up since the one before."""

Kind = Literal["tool_call", "data_access", "llm_call", "message", "auth", "network", "policy", "lifecycle", "memory"]
Outcome = Literal["ok", "error", "denied"]
Origin = Literal["user", "tool", "none"]
Text = Annotated[str, Meta(max_length=MAX_STRING)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_STRING)]
# a petabyte, or thirty thousand years of milliseconds: beyond it a number is a fault of its writer, and its
# square would leave float32, which is what baselines are kept in
Amount = Annotated[float, Meta(ge=0, le=MAX_AMOUNT)]
Number = Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
Time = Annotated[datetime, Meta(tz=True)]
FIRST_SURE_YEAR, LAST_SURE_YEAR = 2, 9998
"""Within these years, both included, no offset leads out of what UTC can hold; outside, each time is tried."""
NOT_IN_UTC: Final = "within the years 1 to 9999 in UTC, got a time beyond"


def is_in_utc(time: datetime | None) -> bool:
    """Tell whether a time, its offset taken off, still lies between the years 1 and 9999; None does."""
    if time is None or FIRST_SURE_YEAR <= time.year <= LAST_SURE_YEAR:
        return True
    try:
        time.astimezone(UTC)
    except OverflowError:
        return False
    return True


class Credential(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The credential an action was taken with; `id` is a handle, never the secret."""

    id: Name
    issued_at: Time | None = None
    expires_at: Time | None = None

    def __post_init__(self) -> None:
        if not (is_in_utc(self.issued_at) and is_in_utc(self.expires_at)):
            raise ValueError(f"Expected {NOT_IN_UTC}")


class Grant(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The permission an action was taken under."""

    id: Name
    granted_at: Time | None = None
    expires_at: Time | None = None
    temporary: bool = False

    def __post_init__(self) -> None:
        if not (is_in_utc(self.granted_at) and is_in_utc(self.expires_at)):
            raise ValueError(f"Expected {NOT_IN_UTC}")


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One action of one agent.

    Every string has at most 1,024 characters, every amount is finite, not negative and at most 1e15. Times are
    RFC 3339 with an offset, and within the years 1 to 9999 in UTC. Of a name that stands twice in a JSON object the
    last one counts.
    """

    event_id: Name
    ts: Time  # the decoder sees that UTC can hold it: __post_init__ would cost more, at every event
    agent_id: Name
    kind: Kind
    name: Name
    v: Literal[1] = 1
    agent_type: Name = "default"
    agent_version: Text | None = None
    instance_id: Text | None = None
    spiffe_id: Text | None = None
    tenant: Text | None = None
    zone: Text | None = None
    session_id: Name | None = None
    trace_id: Text | None = None
    parent_agent_id: Text | None = None
    seq: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    target: Text | None = None
    outcome: Outcome = "ok"
    duration_ms: Amount | None = None
    tokens_in: Amount | None = None
    tokens_out: Amount | None = None
    bytes_in: Amount | None = None
    bytes_out: Amount | None = None
    cost_usd: Amount | None = None
    model: Text | None = None
    peer_agent_id: Text | None = None
    peer_zone: Text | None = None
    data_class: Text | None = None
    tool_hash: Text | None = None
    prompt_hash: Text | None = None
    credential: Credential | None = None
    grant: Grant | None = None
    on_behalf_of: Text | None = None
    attributes: dict[Text, Text | Number | bool | None] = {}
    arg_origin: dict[Text, Origin] = {}


class StrictCredential(Credential, frozen=True, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """A credential without unknown fields."""


class StrictGrant(Grant, frozen=True, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """A grant without unknown fields."""


class StrictEvent(Event, frozen=True, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """An event without unknown fields: what the hot path decodes, so that an unknown field is noticed for free."""

    credential: StrictCredential | None = None
    grant: StrictGrant | None = None
