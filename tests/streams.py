"""Streams and profiles that tests of the core share: small, seeded, in event-time order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from detector.channels.catalogue import NAMES as CHANNELS
from detector.pipeline import Pipeline
from detector.profile.load import load_profile
from detector.profile.model import Profile
from detector.schema.record import Record
from detector.simulate.fleet import DAY_S, MONDAY, Fleet
from detector.simulate.render import timestamp
from detector.simulate.scenario import plan_attacks
from detector.state.report import Outcome

QUICK: dict[str, dict[str, Any]] = {
    "learning": {"warm_sessions": 10},
    "budget": {"least": 12, "window": 100, "alerts": 0.1, "quarantine": 0.03, "tail": 0.1},
    "forest": {"trees": 5, "samples": 64, "window": 512, "refit_s": 28_800.0},
}
"""Sections of a profile that judges, and alerts, after a dozen sessions. Memory keeps its sizes: kernels are compiled
for them."""


def profile(**sections: Mapping[str, Any]) -> Profile:
    """Return the shipped profile with some fields of some sections changed."""
    table = load_profile().model_dump()
    for name, fields in sections.items():
        table[name] |= fields
    return Profile.model_validate(table)


def quick(**sections: Mapping[str, Any]) -> Profile:
    """Return a profile that alerts after a dozen sessions, changed further."""
    return profile(**{name: {**QUICK.get(name, {}), **sections.get(name, {})} for name in {**QUICK, **sections}})


@cache
def fleet_stream(agents: int = 10, days: float = 2.2, seed: int = 1) -> tuple[bytes, ...]:
    """Return the events of a small fleet with one attack of every kind in its second half."""
    fleet = Fleet(agents=agents, seed=seed, days=days, sessions_per_day=4.0)
    fleet = replace(fleet, injections=plan_attacks(fleet, 1, fleet.start + 0.5 * days * DAY_S))
    return tuple(event.value for event in fleet.stream())


def records_of(values: Sequence[bytes], start: int = 0) -> list[Record]:
    """Return values as records of one partition, one after the other."""
    return [Record(value, None, "events", 3, start + offset) for offset, value in enumerate(values)]


def makers(
    profile: Profile, trusted_until: float | None = None
) -> tuple[Callable[[], Pipeline], Callable[[Mapping[str, bytes]], Pipeline]]:
    """Return what makes a fresh pipeline of a profile, and one from shards: what the checks of determinism ask for."""

    def make() -> Pipeline:
        return Pipeline(profile, trusted_until=trusted_until)

    def restore(shards: Mapping[str, bytes]) -> Pipeline:
        return Pipeline.restore(profile, shards, trusted_until=trusted_until)

    return make, restore


def feed(pipeline: Pipeline, values: Sequence[bytes]) -> Outcome:
    """Return what came of values."""
    return pipeline.process(records_of(values))


class Script:
    """Writes events of one made-up agent, a second apart, with ids of their own."""

    def __init__(self, start: float = MONDAY) -> None:
        self.now = start
        self._count = 0

    def event(self, name: str = "read", **fields: Any) -> bytes:
        """Return one event, a second after the one before."""
        self.now += 1.0
        self._count += 1
        body = {
            "event_id": f"e-{self._count}", "ts": timestamp(round(self.now * 1000.0)), "agent_id": "a-1",
            "agent_type": "clerk", "session_id": "s-1", "kind": "tool_call", "name": name, **fields,
        }  # fmt: skip
        return json.dumps(body).encode()

    def session(self, session_id: str, events: Sequence[Mapping[str, Any]], **common: Any) -> list[bytes]:
        """Return the events of one session and its end."""
        body = [self.event(**{"session_id": session_id, **common, **fields}) for fields in events]
        return [*body, self.event("session_end", kind="lifecycle", session_id=session_id, **common)]


def quiet(script: Script, days: float) -> list[bytes]:
    """Return the beats of another agent through days of rest: an event moves the watermark by a day at most."""
    values = []
    for _ in range(int(days / 0.25)):
        script.now += 0.25 * DAY_S
        values.append(script.event("beat", kind="lifecycle", agent_id="clock", agent_type="clock", session_id="clock"))
    script.now += (days % 0.25) * DAY_S
    return values


def ordinary(script: Script, sessions: int, first: int = 0, agents: int = 3) -> list[bytes]:
    """Return sessions of a few clerks who do the same few things every time, ten minutes apart."""
    values: list[bytes] = []
    for number in range(first, first + sessions):
        chance = np.random.default_rng(number)
        file, other, user = (int(chance.integers(most)) for most in (6, 6, 4))
        query, lines = f"q{chance.integers(5)}", int(chance.integers(3, 6))
        size, took = float(1_000 + chance.integers(200)), float(chance.integers(90, 110))
        steps: list[dict[str, Any]] = [
            {"name": "search", "target": f"index-{chance.integers(3)}", "attributes": {"query": query}},
            {"name": "read", "kind": "data_access", "target": f"/docs/team/file-{file}", "bytes_out": size},
            {"name": "write", "target": f"/docs/team/file-{other}", "duration_ms": took},
            {"name": "send", "target": f"user{user}@corp.example", "attributes": {"lines": lines}},
        ]
        values += script.session(f"s-{number}", steps, agent_id=f"a-{number % agents}")
        script.now += 600.0
    return values


def trained(script: Script, **sections: Any) -> Pipeline:
    """Return a pipeline that trusts four days of ordinary sessions, up to the script's time."""
    values = [*ordinary(script, 40), *quiet(script, 1.5), *ordinary(script, 200, first=40)]
    pipeline = Pipeline(quick(**sections), trusted_until=script.now)
    feed(pipeline, values)
    return pipeline


def taught(script: Script, sessions: Sequence[Sequence[Mapping[str, Any]]]) -> Pipeline:
    """Return a pipeline that trusts some sessions of the clerks beside the ordinary ones, and two days of rest."""
    values = ordinary(script, 40)
    for number, steps in enumerate(sessions):
        values += script.session(f"taught-{number}", steps, agent_id=f"a-{number % 3}")
    values += [*quiet(script, 2.0), *ordinary(script, 100, first=40)]
    pipeline = Pipeline(quick(), trusted_until=script.now)
    feed(pipeline, values)
    return pipeline


class Look:
    """What the kernels saw of the last events given to a pipeline, one row an event."""

    def __init__(self, pipeline: Pipeline, values: Sequence[bytes]) -> None:
        self.outcome = feed(pipeline, values)
        work, n = pipeline.state.work, len(values)
        self.bits = {name: work.context.bits[:n, k].copy() for k, name in enumerate(CHANNELS)}
        self.logs = {name: work.context.logs[:n, k].copy() for k, name in enumerate(CHANNELS)}
        self.level = work.context.level[:n].copy()
        self.residual = work.context.measures[:n].copy()
        self.total = work.evidence.total[:n].copy()
        self.factor = work.evidence.factor[:n].copy()


def digest_free(alerts: Sequence[Any]) -> list[str]:
    """Return alerts as the JSON they are sent in."""
    return [alert.model_dump_json() for alert in alerts]
