"""A recorded stream as attackers change it: who sent which event when, and which attacks are watched.

Of `agentdyn-dev` with origins every fourth labelled attack stays in, so that the wave of attacks does not hide
itself; everything else of the live part is harmless. A drill changes what the attackers send, never what the
detector is told about it: labels only decide what is counted.
"""

from __future__ import annotations

import copy
import csv
import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from detector.offline.core import Core
from detector.schema.record import Record
from detector.state.report import Outcome

EVERY = 4
"""Of so many labelled attacks one is watched."""
TAKEN_AT_ONCE = 512

Body = dict[str, Any]


class Sent(NamedTuple):
    """One record: when the broker got it (epoch seconds), the event it says it is, whose key it bears, bytes if odd."""

    at: float
    body: Body
    key: str
    raw: bytes | None = None


@dataclass(slots=True)
class Attack:
    """One attack that is watched: its session, its agent, and the event ids of the harmful acts."""

    session: str
    agent: str
    harmful: set[str]
    sessions: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sessions.add(self.session)


class Stream(NamedTuple):
    """Records in the order of their arrival, the attacks in them, when trust in history ends, the detector's secret."""

    sent: list[Sent]
    attacks: list[Attack]
    live: float
    secret: str | None = None


@dataclass(slots=True)
class Met:
    """What a run came to.

    Parameters
    ----------
    alerted, named : int
        Attacks of which a session alerted; of these, where the evidence holds a harmful act.
    attacks : int
        All that were watched.
    benign, closed : int
        Harmless live sessions of the recorded stream that alerted, and all of them.
    incidents : int
        Incidents opened, whoever's.
    counts : dict
        Of the pipeline, summed.
    """

    alerted: int
    named: int
    attacks: int
    benign: int
    closed: int
    incidents: int
    counts: dict[str, int]


def seconds(ts: str) -> float:
    """Return an RFC 3339 time as epoch seconds."""
    return datetime.fromisoformat(ts).timestamp()


def written(at: float) -> str:
    """Return epoch seconds as an RFC 3339 time."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))


@cache
def _recorded(folder: Path, name: str) -> tuple[list[Sent], list[Attack], float]:
    with gzip.open(folder / "events" / f"{name}-dev-origin.jsonl.gz") as file:
        origins = {one["event_id"]: one["arg_origin"] for one in map(json.loads, file)}
    labels = {row["event_id"]: row["session_id"] for row in _rows(folder / "labels" / f"{name}-dev.csv.gz")
              if row["label"] == "1"}  # fmt: skip
    sessions = {row["session_id"]: row for row in _rows(folder / "labels" / f"{name}-dev-sessions.csv.gz")}
    hostile = [one for one, row in sessions.items() if row["label"] == "1"]
    labelled = [one for one in hostile if one in set(labels.values())][::EVERY]
    away = set(hostile) - set(labelled)
    with gzip.open(folder / "events" / f"{name}-dev.jsonl.gz") as file:
        bodies = [body for body in map(json.loads, file) if body["session_id"] not in away]
    for body in bodies:
        if body["event_id"] in origins:
            body["arg_origin"] = origins[body["event_id"]]
    attacks = [
        Attack(one, sessions[one]["agent_id"], {event for event, session in labels.items() if session == one})
        for one in labelled
    ]
    meta = json.loads((folder / "labels" / f"{name}-dev.meta.json").read_text())
    sent = [Sent(seconds(body["ts"]), body, body["agent_id"]) for body in bodies]
    return sent, attacks, seconds(meta["live_start"])


def recorded(folder: Path, name: str = "agentdyn") -> Stream:
    """Return a fresh copy of the stream: a drill may change what it likes."""
    sent, attacks, live = _recorded(folder, name)
    return Stream([one._replace(body=copy.deepcopy(one.body)) for one in sent], copy.deepcopy(attacks), live)


def changed(stream: Stream, change: Callable[[Attack, Sent], Iterable[Sent]]) -> Stream:
    """Return the stream with every harmful act replaced by what `change` makes of it."""
    by_event = {event: attack for attack in stream.attacks for event in attack.harmful}
    sent: list[Sent] = []
    for one in stream.sent:
        attack = by_event.get(one.body["event_id"])
        sent += [one] if attack is None else change(attack, one)
    return stream._replace(sent=sorted(sent, key=lambda each: each.at))


def added(stream: Stream, more: Iterable[Sent]) -> Stream:
    """Return the stream with more records in it, in the order of their arrival."""
    return stream._replace(sent=sorted([*stream.sent, *more], key=lambda each: each.at))


def records_of(sent: Sequence[Sent]) -> list[Record]:
    """Return the records as a broker keeps them that dates them itself, as `detector topics` asks it to."""
    return [
        Record(
            one.raw if one.raw is not None else json.dumps(one.body, separators=(",", ":")).encode(),
            one.key.encode(), "agent.events", 0, offset, round(one.at * 1_000.0), round(one.at * 1_000.0),
        )
        for offset, one in enumerate(sent)
    ]  # fmt: skip


def run(stream: Stream, core: Core | None = None) -> tuple[Met, Core]:
    """Run the detector over a stream; return what it came to, and the detector."""
    core = Core(trusted_until=stream.live, secret=stream.secret) if core is None else core
    records, counts = records_of(stream.sent), dict[str, int]()

    def count(outcome: Outcome) -> None:
        for name, number in outcome.counts.items():
            counts[name] = counts.get(name, 0) + number

    for first in range(0, len(records), TAKEN_AT_ONCE):
        core.process_records(records[first : first + TAKEN_AT_ONCE])
        count(core.outcomes)
    count(core.finish())
    return _met(stream, core, counts), core


def _met(stream: Stream, core: Core, counts: dict[str, int]) -> Met:
    said: dict[tuple[str, str | None], set[int]] = {}
    for alert in core.alerts:
        offsets = {evidence.offset for evidence in alert.evidence}
        said.setdefault((alert.agent_id, alert.session_id), set()).update(offsets)
    harmful = {
        attack.session: {
            k for k, one in enumerate(stream.sent) if one.body.get("drill", one.body.get("event_id")) in attack.harmful
        }
        for attack in stream.attacks
    }
    alerted = named = 0
    watched: set[str] = set()
    for attack in stream.attacks:
        watched |= attack.sessions
        offsets = set().union(*(found for (_, session), found in said.items() if session in attack.sessions), set())
        alerted += bool(offsets)
        named += bool(offsets & harmful[attack.session])
    ours = {one.body["session_id"] for one in _ours(stream)} - watched
    benign = {session for _, session in said if session in ours}
    return Met(alerted, named, len(stream.attacks), len(benign), len(ours), len(said), counts)


def _act_of(body: Body) -> str | None:
    """Return the id of the recorded act that an event is, whatever id a drill has given it."""
    act: str | None = body.get("drill", body.get("event_id"))
    return act


def _ours(stream: Stream) -> Iterable[Sent]:
    """Return the live records of the recorded, harmless sessions: what a drill adds is named ``drill-...``."""
    return (
        one
        for one in stream.sent
        if one.at >= stream.live and not str(one.body.get("session_id", "drill-")).startswith("drill-")
    )
