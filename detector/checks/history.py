"""Made-up quiet days that a profile's cases begin with, grown from a short description."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field

Body = dict[str, Any]
"""An event as plain JSON values."""

STEP_S: Final = (2.0, 25.0)
"""Least and most seconds between two events of a session."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Pool(_Part):
    """Values that recur: `form` with its braces filled by a number below `size`, small numbers more often."""

    form: str
    size: Annotated[int, Field(ge=1)]


class HistoryStep(_Part):
    """One event of a session: with some chance, a number of times."""

    event: Body
    chance: Annotated[float, Field(gt=0, le=1)] = 1.0
    times: tuple[int, int] = (1, 1)


class HistoryRole(_Part):
    """Agents of one type and what a session of theirs is made of."""

    agents: tuple[str, ...]
    steps: tuple[HistoryStep, ...]


class HistoryFleet(_Part):
    """A description of quiet days: the same description gives the same bytes.

    Parameters
    ----------
    start : datetime
        When the first session begins; sessions follow `every_s` seconds apart, agents in turn.
    seed : int
        Seed of everything that varies.
    sessions : int
        How many.
    pools, roles : mapping
        By name; a role's name is its agents' type.
    """

    about: str
    start: datetime
    seed: int
    sessions: Annotated[int, Field(ge=1, le=100_000)]
    every_s: Annotated[float, Field(gt=0)]
    pools: Mapping[str, Pool]
    roles: Mapping[str, HistoryRole]

    @property
    def end(self) -> float:
        """Time after the last session, in seconds since the epoch."""
        return self.start.timestamp() + self.sessions * self.every_s


def read_fleet(path: Path) -> HistoryFleet:
    """Return the description in a JSON file."""
    return HistoryFleet.model_validate_json(path.read_bytes())


def history(fleet: HistoryFleet) -> list[bytes]:
    """Return the events of a fleet's quiet days as JSON, sorted by time."""
    chance = random.Random(fleet.seed)  # noqa: S311 - made-up days, not secrets
    agents = [(name, role) for role in fleet.roles for name in fleet.roles[role].agents]
    events: list[tuple[float, int, Body]] = []
    for number in range(fleet.sessions):
        # agents take turns in a fresh order each round, so that roles mix as they do in a fleet
        if number % len(agents) == 0:
            chance.shuffle(agents)
        agent, role = agents[number % len(agents)]
        begin = fleet.start.timestamp() + number * fleet.every_s
        for at, body in _session(fleet, fleet.roles[role], chance, begin):
            events.append(
                (at, len(events), {**body, "agent_id": agent, "agent_type": role, "session_id": f"h{number}"})
            )
    events.sort(key=lambda one: one[:2])
    return [encode({**body, "event_id": f"h{n}", "ts": rfc3339(at)}) for n, (at, _, body) in enumerate(events)]


def _session(
    fleet: HistoryFleet, role: HistoryRole, chance: random.Random, begin: float
) -> Iterator[tuple[float, Body]]:
    """Yield time and body of a session's events."""
    at = begin
    for step in role.steps:
        if chance.random() >= step.chance:
            continue
        for _ in range(chance.randint(*step.times)):
            yield at, {name: _value(value, fleet, chance) for name, value in step.event.items()}
            at += chance.uniform(*STEP_S)


def _value(value: Any, fleet: HistoryFleet, chance: random.Random) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value with its draws drawn."""
    if not isinstance(value, dict):
        return value
    if "between" in value:
        low, high = value["between"]
        return round(low * (high / low) ** chance.random())
    if "pick" in value:
        pool = fleet.pools[value["pick"]]
        if chance.random() < value.get("fresh", 0.0):
            return pool.form.replace("{}", f"{chance.randrange(10**6, 10**7)}")
        return pool.form.replace("{}", str(1 + int(pool.size * chance.random() ** 2)))
    return {name: _value(inner, fleet, chance) for name, inner in value.items()}


def rfc3339(at: float) -> str:
    """Return a time in seconds since the epoch as RFC 3339 text with milliseconds."""
    return datetime.fromtimestamp(round(at, 3), tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(body: Body) -> bytes:
    """Return an event as JSON bytes."""
    return msgspec.json.encode(body)


def parse(text: str) -> Body:
    """Return the JSON object in a line."""
    body = json.loads(text)
    if not isinstance(body, dict):
        raise TypeError("line of case must be a JSON object, got another value")
    return body
