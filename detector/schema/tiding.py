"""Tidings: first-time facts about an agent, sent to where a tenant is whole, so that those of several can be joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from detector.schema.alert import Alert, Evidence
from detector.schema.shown import cut

MOST_TIDING_BYTES: Final = 64 * 1_024
"""Bytes of a record that is read as a tiding; what is larger is none of ours."""

MOST_LETTERS: Final = 256
"""Letters of a name that stand in evidence; of a longer one a digest says which it was."""

Told = Literal["edge", "credential", "standing"]


class Tiding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What an agent did for the first time within a day, as its own event says.

    Parameters
    ----------
    kind : {"edge", "credential", "standing"}
        An agent called another; an agent used a credential; an agent is declared critical.
    tenant, agent_id, agent_type, zone, session_id
        Whose event it is.
    at : float
        When, epoch seconds: the event's time, no more than an hour before the partition's and not after it.
    clock : float
        The partition's time then: within the hour before it, `at` is what the event's writer likes. 0 in tidings from
        before the field.
    other : str
        Of an edge the other agent; of a credential a digest under the deployment's key.
    is_caller : bool
        Of an edge: whether the event is the caller's (``peer_agent_id``), or of who was called (``parent_agent_id``).
    is_new : bool
        Whether this was never seen before and is not declared; else it is told because a day is over.
    established : bool
        Whether the agent was seen on several days before, or its history is trusted.
    is_critical : bool
        Whether the registry calls the agent critical.
    on_behalf_of : str or None
        For whom, as the event says.
    partition_agents : int
        Established agents that the partition knows.
    event_id, topic, partition, offset, line, event_kind, name, target, outcome
        The event, and where it stands.
    """

    kind: Told
    tenant: str
    agent_id: str
    at: float
    event_id: str
    topic: str
    partition: int
    offset: int
    line: int
    event_kind: str
    name: str
    clock: float = 0.0
    other: str = ""
    agent_type: str = "default"
    zone: str | None = None
    session_id: str | None = None
    target: str | None = None
    outcome: str = "ok"
    on_behalf_of: str | None = None
    is_caller: bool = True
    is_new: bool = False
    established: bool = False
    is_critical: bool = False
    partition_agents: int = 0

    @property
    def by(self) -> float:
        """When it had happened at the latest, epoch seconds."""
        return max(self.at, self.clock)

    @property
    def source(self) -> str:
        """Who calls, of an edge."""
        return self.agent_id if self.is_caller else self.other

    @property
    def sink(self) -> str:
        """Who is called, of an edge."""
        return self.other if self.is_caller else self.agent_id

    def evidence(self, cause: str) -> Evidence:
        """Return the event as an alert carries it."""
        about = {"on_behalf_of": self.on_behalf_of} if self.on_behalf_of else {}
        if self.kind == "edge":
            about["peer_agent_id" if self.is_caller else "parent_agent_id"] = self.other
        shown = {name: cut(value, MOST_LETTERS) for name, value in about.items()}
        return Evidence(
            topic=self.topic, partition=self.partition, offset=self.offset, line=self.line, event_id=self.event_id,
            ts=self.at, kind=self.event_kind, name=self.name, target=self.target, outcome=self.outcome, cause=cause,
            about=shown,
        )  # fmt: skip


class PlacedTiding(NamedTuple):
    """A tiding, and how many alerts of the same batch were raised before it: the order of the two is the input's."""

    behind: int
    tiding: Tiding


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Tiding)


def encode_tiding(tiding: Tiding) -> bytes:
    """Return a tiding as it stands on the topic."""
    return _encoder.encode(tiding)


def decode_tiding(value: bytes) -> Tiding:
    """Return the tiding of a record; fields that a newer version wrote are left out.

    Raises
    ------
    ValueError
        It is none (msgspec's errors are).
    """
    if len(value) > MOST_TIDING_BYTES:
        raise ValueError(f"size of a tiding must be at most {MOST_TIDING_BYTES} bytes, got {len(value)}")
    return _decoder.decode(value)


def in_order(alerts: Sequence[Alert], tidings: Sequence[PlacedTiding]) -> Iterator[Alert | Tiding]:
    """Yield the alerts and tidings of a batch in the order of its input, however it was cut."""
    done = 0
    for behind, tiding in tidings:
        yield from alerts[done:behind]
        done = behind
        yield tiding
    yield from alerts[done:]
