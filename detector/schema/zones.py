"""Which zones a tenant's agents stand in, and which crossings between them are allowed: one record, whole, a tenant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from detector.schema.event import Kind
from detector.schema.registry import AgentText, Criticality, Declared, Pattern, Seconds

ZONES_SCHEMA: Final = "agent.zones/1"
MOST_ZONES: Final = 64
"""Zones of a tenant: a map that somebody reads has no more."""
MOST_CROSSINGS: Final = 512
MOST_MEMBERS: Final = 256
ANY: Final = "*"
"""Stands for every declared zone at an end of a crossing."""
KEY_BEGIN: Final = b"\xffzones/"
"""Begins the key of a tenant's zones. No agent's can: ids are UTF-8, where this byte does not occur."""

ZONE_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
ZoneName = Annotated[str, Field(min_length=1, max_length=63, pattern=f"^{ZONE_NAME.pattern}$")]
"""What zones are called: such a text is a label of Kubernetes too, and nothing in it needs to be escaped anywhere."""
Namespace = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]


class _ZonePart(BaseModel):
    """Frozen, finite, nothing unknown: a misspelt limit must not be a limit left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class Zone(_ZonePart):
    """One zone: what it is for, how bad it is if somebody gets in who should not, and who stands in it.

    `members` are ids of agents or patterns of them; of two zones that match an agent the first counts, and the zone of
    an agent's own active entry before both. `namespaces` are Kubernetes' own, for rendering; none: the zone's name.
    """

    name: ZoneName
    purpose: AgentText | None = None
    criticality: Criticality = "medium"
    members: Annotated[tuple[Pattern, ...], Field(max_length=MOST_MEMBERS)] = ()
    namespaces: Annotated[tuple[Namespace, ...], Field(max_length=64)] = ()


class Crossing(_ZonePart):
    """An allowed crossing: agents of one zone may act on those of another; ``*`` is every zone.

    `tools` (names or patterns) and `kinds` (of events) say by what; None: by anything.
    """

    from_: Annotated[ZoneName | Literal["*"], Field(alias="from")]
    to: ZoneName | Literal["*"]
    tools: Declared = None
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1, max_length=9)] | None = None


class ZoneDeclaration(_ZonePart):
    """All zones of one tenant; each record is the whole of it and replaces the one before.

    It goes to every partition of `agent.registry`, under the key :func:`zones_key` gives. A crossing that is not listed
    is not allowed; within a zone everything is.

    Parameters
    ----------
    tenant : str
        Whose agents it is about.
    revision : int
        One more than that of the declaration it was made from.
    at, by, reason : float, str, str
        When it was changed, seconds since the epoch, by whom, and why.
    """

    schema_: Annotated[Literal["agent.zones/1"], Field(alias="schema")] = ZONES_SCHEMA
    tenant: AgentText = "default"
    revision: Annotated[int, Field(ge=1, lt=2**53)]
    at: Seconds
    by: AgentText
    reason: AgentText
    zones: Annotated[tuple[Zone, ...], Field(max_length=MOST_ZONES)] = ()
    crossings: Annotated[tuple[Crossing, ...], Field(max_length=MOST_CROSSINGS)] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = [zone.name for zone in self.zones]
        if len(names) != len(set(names)):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"zones must have different names, got {twice[0]!r} twice")
        for crossing in self.crossings:
            for end in (crossing.from_, crossing.to):
                if end != ANY and end not in names:
                    raise ValueError(f"crossings must be between declared zones, got {end!r}, which is none of them")
        return self


def zones_key(tenant: str) -> bytes:
    r"""Return the key that a tenant's zones have in every partition.

    >>> zones_key("default")
    b'\xffzones/default'
    """
    return KEY_BEGIN + tenant.encode()


def tenant_of_key(key: bytes | None) -> str | None:
    r"""Return whose zones a key stands for; None if it is an agent's, or none.

    >>> tenant_of_key(b"\xffzones/default"), tenant_of_key(b"zones/default")
    ('default', None)
    """
    if key is None or not key.startswith(KEY_BEGIN):
        return None
    try:
        return key[len(KEY_BEGIN) :].decode() or None
    except UnicodeDecodeError:
        return None


def key_of_body(body: Mapping[str, Any]) -> bytes:
    """Return the key of a record of `agent.registry`, as plain values: a tenant's zones, or an agent's entry."""
    if body.get("schema") == ZONES_SCHEMA:
        return zones_key(str(body.get("tenant", "default")))
    return str(body["agent_id"]).encode()
