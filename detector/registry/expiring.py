"""Grants that end: what is temporary in name should be so in fact."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from detector.registry.tables import NOBODY, rows
from detector.schema.registry import GrantEntry, RegistryEntry
from detector.views.shown import moment, shown

MOST_RENEWALS: Final = 3
"""Renewals of a temporary grant beyond which it is one in name only."""
_DAY_S: Final = 86_400.0
State = Literal["ended", "ends", "renewed"]


class GrantEnd(NamedTuple):
    """One grant that somebody should look at, and why."""

    entry: RegistryEntry
    grant: GrantEntry
    state: State


def ends_of(entries: Iterable[RegistryEntry], now: float, within_s: float) -> list[GrantEnd]:
    """Return the grants of agents that may act which ended, end within a time, or were renewed past two terms.

    The order is that of their ends: those that are long over first.
    """
    found = [
        GrantEnd(entry, grant, state)
        for entry in entries
        if entry.lifecycle != "retired"
        for grant in entry.grants
        if (state := _state(grant, now, within_s)) is not None
    ]
    return sorted(found, key=lambda one: (one.grant.expires_at or float("inf"), one.entry.agent_id, one.grant.id))


def _state(grant: GrantEntry, now: float, within_s: float) -> State | None:
    if grant.expires_at is not None and grant.expires_at <= now:
        return "ended"
    if grant.expires_at is not None and grant.expires_at <= now + within_s:
        return "ends"
    return "renewed" if grant.temporary and grant.renewals > MOST_RENEWALS else None


def ends_table(ends: Sequence[GrantEnd], now: float, *, is_json: bool) -> Iterator[str]:
    """Yield one line a grant."""
    if is_json:
        for one in ends:
            body = {"agent_id": one.entry.agent_id, "tenant": one.entry.tenant, "owner": one.entry.owner}
            yield json.dumps({**body, "state": one.state, "grant": one.grant.model_dump(mode="json")})
        return
    head = ("agent", "owner", "grant", "state", "ends", "in days", "approved by", "renewals")
    yield from rows(head, (_row(one, now) for one in ends))
    yield f"{len(ends)} grants"


def _row(one: GrantEnd, now: float) -> tuple[str, ...]:
    ends = one.grant.expires_at
    return (
        shown(one.entry.agent_id, 48),
        shown(one.entry.owner or NOBODY, 32),
        shown(one.grant.id, 32),
        one.state,
        moment(ends),
        "-" if ends is None else f"{(ends - now) / _DAY_S:.1f}",
        shown(one.grant.approver, 32),
        str(one.grant.renewals),
    )
