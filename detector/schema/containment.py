"""What the partition of an agent is told of a command on it, so that it knows an escape when it sees one."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter

from detector.schema.command import PolicyState
from detector.schema.feedback import Feedback, FeedbackKinds, Text, kind_of


class Containment(BaseModel):
    """A command as the response stage wrote it, on its way to the partition that scores the agent.

    It goes through `agent.feedback`, beside what people say, because there it gets a place in the agent's events that
    restarts and replays keep. Unknown fields are left out: a newer worker may say more.

    Parameters
    ----------
    agent_id, tenant : str
        Whose events the command is about.
    state : PolicyState
        What holds from now on, or that nothing does; without the causes, which nobody needs here.
    told_at : float
        When it was written, by the writing worker's wall clock, epoch seconds: before that it bound nobody.
    acknowledged_at : float or None
        When the first enforcement point said that the command holds there, by the point's clock.
    acknowledged_by : str
        Its name.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    kind: Literal["containment"] = "containment"
    agent_id: Text
    tenant: Text = "default"
    state: PolicyState
    told_at: float
    acknowledged_at: float | None = None
    acknowledged_by: Annotated[str, Field(max_length=256)] = ""


_Any = Annotated[FeedbackKinds | Annotated[Containment, Tag("containment")], Discriminator(kind_of)]
control_adapter: TypeAdapter[Feedback | Containment] = TypeAdapter(_Any)
"""Reads any record of `agent.feedback`: acts of people and what the response stage tells the partitions."""


def owner_of(subject: str) -> tuple[str, str]:
    """Return tenant and agent of a subject.

    Examples
    --------
    >>> owner_of("a%2Fb/agent/x/agent/y")
    ('a/b', 'x/agent/y')
    """
    tenant, _, agent = subject.partition("/agent/")
    return unquote(tenant), agent


def containment_of(state: PolicyState, told_at: float, acknowledged: tuple[float, str] | None = None) -> Containment:
    """Return what is told of a state; `acknowledged`: when, and by whom first."""
    tenant, agent = owner_of(state.subject)
    lean = state.model_copy(
        update={"answer": None, "cut": None, "reason": state.reason.model_copy(update={"causes": None})}
    )
    at, by = acknowledged or (None, "")
    return Containment(
        agent_id=agent, tenant=tenant, state=lean, told_at=told_at, acknowledged_at=at, acknowledged_by=by[:256]
    )
