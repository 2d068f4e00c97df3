"""What an enforcement point says back: a command is in force, a call was denied under it, a call was let through."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from detector.schema.command import Tier

ACK_SCHEMA: Final = "agent.policy.acks/1"
MOST_NAME: Final = 256
"""Characters of a name that an agent's program wrote: a tool, a session, a call."""

AckStatus = Literal["applied", "denied", "allowed"]

_SEPARATOR = "\x1f"


class PolicyAck(BaseModel):
    """One fact about a command at one enforcement point.

    `applied`: the state is in force there. `denied`, `allowed`: so the point answered calls of the subject under it;
    `count` of them, alike, from `first_at` to `last_at`. Repeats have the same `ack_id`: drop them by it. What a call
    was called with is never here.

    Parameters
    ----------
    point : str
        Name of the enforcement point.
    tier : Tier
        What was in force at `first_at`, which may be less than the state's own tier once that has run out.
    why : {"", "tool", "rate"}
        What denied: the tool is barred, or there were too many calls.
    product, tool, session_id, call_id : str
        As the agent's hook named them, of the first call; cut to 256 characters.
    lost : int
        Acknowledgements this point could not write before this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    schema_: Literal["agent.policy.acks/1"] = Field(default=ACK_SCHEMA, alias="schema")
    ack_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    command_id: str = Field(min_length=1)
    revision: int = Field(ge=1)
    subject: str
    point: str = Field(min_length=1, max_length=MOST_NAME)
    status: AckStatus
    tier: Tier
    first_at: float
    last_at: float
    count: int = Field(default=1, ge=1)
    why: Literal["", "tool", "rate"] = ""
    product: str = Field(default="", max_length=MOST_NAME)
    tool: str = Field(default="", max_length=MOST_NAME)
    session_id: str = Field(default="", max_length=MOST_NAME)
    call_id: str = Field(default="", max_length=MOST_NAME)
    lost: int = Field(default=0, ge=0)


def ack_id(*parts: str) -> str:
    """Return the id of an acknowledgement, 32 hexadecimal digits, from what makes it the same fact."""
    return hashlib.sha256(_SEPARATOR.join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
