"""Where an agent is to be cut off: the edges of its declared zone, as alerts and commands name them."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

MOST_EDGES: Final = 16
"""Zones of one direction that are named; of a zone with more neighbours the rest are counted."""
ZoneText = Annotated[str, Field(max_length=1_024)]


class ZoneCut(BaseModel):
    """The edges between declared zones that an agent could use or be reached by; within its zone everything is allowed.

    `zone` is where it stands. It may act on those in `out_of`, and those in `into` may act on it, in the order of the
    declaration; `left` counts the zones of either direction that are not named. By which tools and kinds says
    `detector registry zones cut AGENT`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    zone: ZoneText
    out_of: Annotated[tuple[ZoneText, ...], Field(max_length=MOST_EDGES)] = ()
    into: Annotated[tuple[ZoneText, ...], Field(max_length=MOST_EDGES)] = ()
    left: Annotated[int, Field(ge=0)] = 0


def zone_cut_of(zone: str, out_of: list[str], into: list[str]) -> ZoneCut:
    """Return the edges of a zone, as many as are named."""
    left = max(0, len(out_of) - MOST_EDGES) + max(0, len(into) - MOST_EDGES)
    return ZoneCut(zone=zone, out_of=tuple(out_of[:MOST_EDGES]), into=tuple(into[:MOST_EDGES]), left=left)
