"""Who is contained, and who is held: read from the policy topic and its log as an enforcement point would."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from pydantic import ValidationError

from detector.response.breaker import end_of
from detector.response.waiting import covers, strength_of
from detector.schema.command import PolicyLogEntry, PolicyState
from detector.schema.reading import read
from detector.views.reading import StoredRecord
from detector.views.shown import count_of, moment, shown

MOST_SUBJECTS = 20_000
"""Agents whose state is followed; what is beyond is counted."""
MOST_LINES = 20
"""Agents shown of each kind."""


class Contained(NamedTuple):
    """A state that holds now, and the tier it has by now."""

    state: PolicyState
    tier: str

    @property
    def ends_at(self) -> float | None:
        """When it ends by itself, the stepping down included; None if a person must end it."""
        end = end_of(self.state)
        return None if end is None or math.isinf(end) else end


class StandingPolicy(NamedTuple):
    """What stands now.

    Attributes
    ----------
    contained : dict
        By subject, those whose tier constrains, in shadow mode too.
    counts : Counter
        no_state (records that are none of ours), left_out (subjects past the cap).
    """

    contained: dict[str, Contained]
    counts: Counter[str]


def policy_of(records: Iterable[StoredRecord], now: float) -> StandingPolicy:
    """Return what the records of `agent.policy` say at `now` (epoch seconds): the highest revision of each subject."""
    newest: dict[str, PolicyState] = {}
    counts: Counter[str] = Counter()
    for record in records:
        if not record.value:
            continue  # a tombstone
        try:
            state, _ = read(PolicyState, record.value)
        except ValidationError:
            counts["no_state"] += 1
            continue
        known = newest.get(state.subject)
        if known is None and len(newest) >= MOST_SUBJECTS:
            counts["left_out"] += 1
        elif known is None or known.revision < state.revision:
            newest[state.subject] = state
    standing = {subject: Contained(one, one.tier_at(now)) for subject, one in newest.items()}
    return StandingPolicy({subject: one for subject, one in standing.items() if one.tier != "observe"}, counts)


def held_of(records: Iterable[StoredRecord], now: float) -> list[PolicyLogEntry]:
    """Return the entries of commands that wait at `now`, the strongest first, as the log tells them."""
    waiting: dict[str, tuple[PolicyLogEntry, PolicyState]] = {}
    for record in records:
        try:
            entry = PolicyLogEntry.read(record.value)
        except ValidationError:
            continue  # not ours
        subject, command, known = entry.subject, entry.command, waiting.get(entry.subject)
        if entry.decision == "released":
            waiting.pop(subject, None)
        elif command is None:
            continue
        elif entry.decision in {"held", "yielded"}:
            if known is not None or len(waiting) < MOST_SUBJECTS:
                waiting[subject] = entry, command
        elif entry.decision in {"issued", "shadowed"} and known and covers(command, known[1], command.begins_at):
            del waiting[subject]
    runs = [pair for pair in waiting.values() if (end_of(pair[1]) or 0.0) > now]
    return [entry for entry, _ in sorted(runs, key=lambda pair: strength_of(pair[1]))]


def agent_in(subject: str) -> str:
    """Return the agent of a subject."""
    return subject.partition("/agent/")[2]


def tenant_in(subject: str) -> str:
    """Return the tenant of a subject."""
    return unquote(subject.partition("/agent/")[0])


def containment_line(one: Contained) -> str:
    """Return what holds of an agent, in a line."""
    state = one.state
    mode = "enforced" if state.mode == "enforce" else "shadow: constrains nobody"
    then = {"step_down": ", then limit", "hold_and_page": ", held past it", "release": ""}[state.on_expiry]
    until = moment(state.expires_at if one.tier == state.tier else one.ends_at)
    return (
        f"{one.tier} ({mode}) since {moment(state.begins_at)} until {until}"
        f"{then if one.tier == state.tier == 'isolate' else ''}"
    )


def contained_lines(policy: StandingPolicy) -> Iterator[str]:
    """Yield who is contained, isolated ones first, with the cause, as `detector status` shows them."""
    ordered = sorted(policy.contained.values(), key=lambda one: (one.tier != "isolate", -one.state.reason.score))
    tiers = Counter(f"{one.tier} {one.state.mode}" for one in ordered)
    told = ", ".join(f"{number} {name}" for name, number in sorted(tiers.items()))
    yield f"contained  {count_of(len(ordered), 'agent')}{': ' if told else ''}{told}"
    for one in ordered[:MOST_LINES]:
        state = one.state
        yield f"  {shown(agent_in(state.subject))} (tenant {shown(tenant_in(state.subject))})  {containment_line(one)}"
        why = ", ".join(map(shown, state.reason.detections)) or "no detection named"
        by = "" if state.issuer.kind == "detector" else f", by {shown(state.issuer.id)}"
        yield f"    cause  finding {shown(state.reason.finding_uid)}: {why}, risk {state.reason.risk}{by}"
    if len(ordered) > MOST_LINES:
        yield f"  and {count_of(len(ordered) - MOST_LINES, 'agent')} more: --json names them all"
    if left := policy.counts["left_out"]:
        yield f"  {count_of(left, 'record')} left out: more than {MOST_SUBJECTS:,} agents on the topic"


def held_lines(held: list[PolicyLogEntry]) -> Iterator[str]:
    """Yield who waits for a containment that the breaker held, as `detector status` shows them."""
    yield f"held       {count_of(len(held), 'agent')} that would be contained if there were room"
    for entry in held[:MOST_LINES]:
        command = entry.command
        tier = "" if command is None else f"{command.tier} until {moment(command.expires_at)}, "
        agent = f"{shown(agent_in(entry.subject))} (tenant {shown(tenant_in(entry.subject))})"
        yield f"  {agent}  {tier}{entry.decision} {moment(entry.time)}: {shown(entry.detail, 120)}"
    if len(held) > MOST_LINES:
        yield f"  and {count_of(len(held) - MOST_LINES, 'agent')} more: --json names them all"


def contained_body(one: Contained) -> dict[str, Any]:
    """Return one containment as plain JSON values."""
    state = one.state
    return {
        "agent": agent_in(state.subject),
        "tenant": tenant_in(state.subject),
        "tier": one.tier,
        "mode": state.mode,
        "since": state.begins_at,
        "until": one.ends_at,
        "revision": state.revision,
        "finding": state.reason.finding_uid,
        "detections": list(state.reason.detections),
        "by": state.issuer.id,
    }


def held_body(entry: PolicyLogEntry) -> dict[str, Any]:
    """Return one command that waits as plain JSON values."""
    return {
        "agent": agent_in(entry.subject),
        "tenant": tenant_in(entry.subject),
        "decision": entry.decision,
        "time": entry.time,
        "why": entry.detail,
        "tier": None if entry.command is None else entry.command.tier,
        "until": None if entry.command is None else entry.command.expires_at,
        "finding": None if entry.command is None else entry.command.reason.finding_uid,
    }
