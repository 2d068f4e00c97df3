"""Alarms and labelled stretches on a time line: what an analyst is called for, and which incidents were met."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple


class Point(NamedTuple):
    """One labelled event of an agent, at an event time in epoch seconds."""

    agent_id: str
    at: float
    is_attack: bool


class Stretch(NamedTuple):
    """A span of event time of one agent, epoch seconds, both ends in it."""

    agent_id: str
    since: float
    until: float


def seconds(ts: object) -> float:
    """Return an event's ``ts`` as epoch seconds, or 0 for what is no time."""
    try:
        return datetime.fromisoformat(str(ts)).timestamp()
    except ValueError:
        return 0.0


def windows(points: Iterable[Point]) -> list[Stretch]:
    """Return the stretches of attack: events of one agent, one after the other, all part of an attack."""
    running: dict[str, Stretch] = {}
    out: list[Stretch] = []
    for agent_id, at, is_attack in points:
        current = running.get(agent_id)
        if is_attack:
            running[agent_id] = Stretch(agent_id, at if current is None else current.since, at)
        elif current is not None:
            out.append(running.pop(agent_id))
    return [*out, *running.values()]


def episodes(alarms: Iterable[tuple[str, float]], gap_s: float) -> list[Stretch]:
    """Return the alarms with those of one agent closer than `gap_s` made one."""
    out: list[Stretch] = []
    for agent_id, at in sorted(set(alarms)):
        last = out[-1] if out else None
        if last is not None and last.agent_id == agent_id and at - last.until < gap_s:
            out[-1] = Stretch(agent_id, last.since, at)
        else:
            out.append(Stretch(agent_id, at, at))
    return out


def judge(points: list[Point], alarms: list[tuple[str, float]], gap_s: float) -> dict[str, Any]:
    """Return ``episodes`` (how many, how many of them touch an attack) and ``windows`` (how many, how many hit).

    Parameters
    ----------
    points : list of Point
        Labelled events, in time order.
    alarms : list of (str, float)
        Agent and event time of every alarm.
    gap_s : float
        Alarms of one agent closer than this are one episode, seconds.
    """
    attacks = windows(points)
    called = episodes(alarms, gap_s)
    by_agent: dict[str, list[Stretch]] = {}
    for window in attacks:
        by_agent.setdefault(window.agent_id, []).append(window)
    at_agent: dict[str, list[float]] = {}
    for agent_id, at in alarms:
        at_agent.setdefault(agent_id, []).append(at)
    right = sum(any(_meet(episode, window) for window in by_agent.get(episode.agent_id, ())) for episode in called)
    hit = sum(any(w.since <= at <= w.until for at in at_agent.get(w.agent_id, ())) for w in attacks)
    return {
        "episodes": {"gap_s": gap_s, "n": len(called), "right": right, "false": len(called) - right},
        "windows": {"n": len(attacks), "hit": hit},
    }


def _meet(one: Stretch, other: Stretch) -> bool:
    return one.since <= other.until and other.since <= one.until
