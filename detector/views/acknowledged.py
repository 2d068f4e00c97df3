"""Which commands in force somebody has acknowledged: read from the policy topic and the acknowledgements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from detector.response.acknowledged import AckWatch, FirstAck, WatchedCommand
from detector.schema.acks import PolicyAck
from detector.schema.command import PolicyState
from detector.schema.reading import read
from detector.views.containment import MOST_LINES, agent_in, tenant_in
from detector.views.reading import StoredRecord
from detector.views.shown import count_of, moment, shown


class AckStanding(NamedTuple):
    """An enforced command in force, its first acknowledgement, if any, and whether none came by the deadline."""

    command: WatchedCommand
    ack: FirstAck | None
    is_overdue: bool


def watched(records: Iterable[StoredRecord]) -> AckWatch:
    """Return what the records of `agent.policy` ask an acknowledgement for."""
    watch = AckWatch()
    for record in records:
        try:
            watch.note(read(PolicyState, record.value)[0], record.at)
        except ValidationError:
            continue  # a tombstone, or not ours
    return watch


def since_of(watch: AckWatch, now: float) -> float:
    """Return from when on acknowledgements matter: none is older than the oldest command in force."""
    return min((one.state.begins_at for one in watch.in_force(now)), default=now)


def standing_of(watch: AckWatch, records: Iterable[StoredRecord], now: float) -> list[AckStanding]:
    """Return what the acknowledgements say of the commands in force at `now` (epoch seconds), overdue ones first."""
    for record in records:
        try:
            watch.hear(read(PolicyAck, record.value)[0])
        except ValidationError:
            continue  # not ours
    late = {one.state.subject for one in watch.overdue(now)}
    found = [
        AckStanding(one, watch.first_of(one.state.command_id), one.state.subject in late) for one in watch.in_force(now)
    ]
    return sorted(found, key=lambda one: (not one.is_overdue, one.command.begins_at))


def ack_lines(found: list[AckStanding]) -> Iterator[str]:
    """Yield who has acknowledged what, as `detector status` shows it: each command that is overdue by name."""
    late = [one.command for one in found if one.is_overdue]
    known = sum(one.ack is not None for one in found)
    yield f"acknowledged  {known:,} of {count_of(len(found), 'enforced command')} in force"
    for state, begins_at, due_at in late[:MOST_LINES]:
        agent = f"{shown(agent_in(state.subject))} (tenant {shown(tenant_in(state.subject))})"
        yield (
            f"  {agent}  {state.tier}: no enforcement point has acknowledged command {shown(state.command_id)} of "
            f"{moment(begins_at)}, due {moment(due_at)}"
        )
    if len(late) > MOST_LINES:
        yield f"  and {count_of(len(late) - MOST_LINES, 'command')} more: --json names them all"


def ack_body(one: AckStanding) -> dict[str, Any]:
    """Return what is known of one command as plain JSON values."""
    state = one.command.state
    return {
        "agent": agent_in(state.subject),
        "tenant": tenant_in(state.subject),
        "command": state.command_id,
        "tier": state.tier,
        "begins": one.command.begins_at,
        "due": one.command.due_at,
        "acknowledged": None if one.ack is None else one.ack.at,
        "by": None if one.ack is None else one.ack.point,
        "overdue": one.is_overdue,
    }
