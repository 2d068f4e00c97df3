"""What notebooks begin with: a labelled stream, and its events and sessions as rows of a table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from detector.errors import SetupError
from detector.offline.labels import SessionLabel, read_meta, read_sessions, session_of
from detector.offline.metrics import Ranking, Sample
from detector.offline.scored import Scored
from detector.offline.sources import lines_of, read_origins, with_origins
from detector.simulate.fleet import DAY_S, MONDAY, Fleet
from detector.simulate.scenario import plan_attacks

DATA_VARIABLE = "DETECTOR_DATA"
REQUIRE_VARIABLE = "REQUIRE_DATA"

_HISTORY_DAYS = 6.0
_LIVE_DAYS = 4.0


class Stream(NamedTuple):
    """A labelled stream of events.

    Parameters
    ----------
    name : str
        What it is called.
    lines : list of bytes
        One event each, in the order they happened.
    sessions : dict of str to SessionLabel
        Labels by session id; for judging only.
    live_start : float
        Event time, epoch seconds, from which attacks may appear.
    """

    name: str
    lines: list[bytes]
    sessions: dict[str, SessionLabel]
    live_start: float


def open_stream(name: str = "agentdyn", *, has_origins: bool = True) -> Stream:
    """Return a recorded stream of ``DETECTOR_DATA``, or a simulated one where that is not set.

    Parameters
    ----------
    name : str, default="agentdyn"
        Stream of the data folder, without ``-dev``.
    has_origins : bool, default=True
        Whether the origins of arguments are joined to the events, where the stream has them.

    Raises
    ------
    SetupError
        ``REQUIRE_DATA=1`` is set and the recorded stream is not there, or a file of it is damaged.
    """
    folder = Path(os.environ.get(DATA_VARIABLE) or "")
    events = folder / "events" / f"{name}-dev.jsonl.gz"
    if not os.environ.get(DATA_VARIABLE) or not events.is_file():
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            raise SetupError(f"{DATA_VARIABLE} must name a folder with {events.name}, got {folder}; unset REQUIRE_DATA")
        return made_up_stream()
    lines: Iterable[bytes] = lines_of(events)
    origins = folder / "events" / f"{name}-dev-origin.jsonl.gz"
    if has_origins and origins.is_file():
        lines = with_origins(lines, read_origins(origins))
    meta = read_meta(folder / "labels" / f"{name}-dev.meta.json")
    sessions = read_sessions(folder / "labels" / f"{name}-dev-sessions.csv.gz")
    return Stream(name, list(lines), sessions, meta.live_start or 0.0)


def made_up_stream(agents: int = 60, seed: int = 1, attacks_of_each: int = 4) -> Stream:
    """Return a simulated fleet's history, then live days with five kinds of attack; the same seed, the same bytes."""
    live_start = MONDAY + _HISTORY_DAYS * DAY_S
    fleet = Fleet(agents, seed, days=_HISTORY_DAYS + _LIVE_DAYS)
    fleet = replace(fleet, injections=plan_attacks(fleet, attacks_of_each, live_start))
    events = list(fleet.stream())
    sessions: dict[str, SessionLabel] = {}
    for event in events:
        if event.session_id not in sessions:
            is_live = event.ts_ms >= live_start * 1_000.0
            role = event.agent_id.rsplit("-", 1)[0]
            sessions[event.session_id] = SessionLabel(event.agent_id, role, is_live, bool(event.attack), event.attack)
    return Stream("simulated", [event.value for event in events], sessions, live_start)


def events_of(stream: Stream, agent_id: str) -> list[dict[str, Any]]:
    """Return an agent's events as rows, oldest first: each field of the event, with ``ts`` as an aware time."""
    needle = agent_id.encode()
    rows = [msgspec.json.decode(line) for line in stream.lines if needle in line]
    return [{**row, "ts": datetime.fromisoformat(row["ts"])} for row in rows if row["agent_id"] == agent_id]


def sessions_of(stream: Stream, scored: Scored) -> list[dict[str, Any]]:
    """Return the labelled sessions as rows, in order of their first event.

    Keys: ``session_id, agent_id, agent_type, start`` (aware), ``events, evidence`` (of its strangest act, in decades;
    None if none was scored), ``is_live, is_attack, attack_type, is_alerted``.

    Parameters
    ----------
    stream : Stream
        Where the labels are from.
    scored : Scored
        The same stream after :func:`detector.offline.scored.score_stream`.
    """
    alerted = {session_of(alert) for alert in scored.alerts} | scored.unheard
    rows: dict[str, dict[str, Any]] = {}
    for name, agent, at, evidence in zip(
        scored.sessions, scored.agents, scored.times, scored.scores.tolist(), strict=True
    ):
        if name not in stream.sessions:
            continue
        label = stream.sessions[name]
        row = rows.setdefault(
            name,
            {
                "session_id": name,
                "agent_id": agent,
                "agent_type": label.agent_type,
                "start": datetime.fromtimestamp(at, UTC),
                "events": 0,
                "evidence": None,
                "is_live": label.is_live,
                "is_attack": label.is_attack,
                "attack_type": label.attack_type,
                "is_alerted": name in alerted,
            },
        )
        row["events"] += 1
        if not np.isnan(evidence) and (row["evidence"] is None or evidence > row["evidence"]):
            row["evidence"] = evidence
    return list(rows.values())


def recall_by_budget(rows: Sequence[dict[str, Any]], shares: Sequence[float]) -> list[dict[str, float]]:
    """Return, for each budget, the share of live attacks that a line through the evidence would find.

    The line stands where `share` of the harmless live sessions lie above it: what ranking allows, with labels. The
    detector's threshold goes without them; compare ``is_alerted``. Where it would cut a tie it takes a part of
    the tie, as ``ranking_recall_at_same_rate`` does (:mod:`detector.offline.metrics`).

    Parameters
    ----------
    rows : sequence of dict
        Of :func:`sessions_of`.
    shares : sequence of float
        Budgets, as shares of harmless sessions, each in (0, 1).

    Raises
    ------
    SetupError
        There is no harmless or no bad session among the live ones.
    """
    live = [row for row in rows if row["is_live"]]
    evidence = np.array([-np.inf if row["evidence"] is None else row["evidence"] for row in live])
    bad = np.array([row["is_attack"] for row in live], dtype=bool)
    good = np.sort(evidence[~bad]) if live else evidence
    if not len(good) or not bad.any():
        raise SetupError(
            f"live sessions must be of both kinds, got {len(good)} harmless, {bad.sum()} bad: other stream"
        )
    found = Ranking(Sample(evidence, bad)).recalls(shares)
    lines = [float(good[max(len(good) - 1 - int(share * len(good)), 0)]) for share in shares]
    return [
        {"budget": share, "evidence": line, "recall": recall}
        for share, line, recall in zip(shares, lines, found, strict=True)
    ]


def gaps_of(rows: Sequence[dict[str, Any]]) -> list[float]:
    """Return the seconds between one row's ``ts`` and the next one's; one fewer than the rows."""
    return [(later["ts"] - earlier["ts"]).total_seconds() for earlier, later in pairwise(rows)]
