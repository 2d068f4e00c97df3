"""Attacks laid over a fleet, and the demo's story: a history made ahead, then ninety seconds in real time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from detector.simulate.attacks import KINDS, Kind
from detector.simulate.chance import Chance
from detector.simulate.fleet import DAY_S, MONDAY, Fleet, Injection
from detector.simulate.render import Simulated

_CHOICE = 4
_LIVE_SESSIONS = 1 << 20
"""Session numbers of the live part start here, so that they never meet those of the history."""

EVENTS_A_SESSION = 16.5
"""Mean events of an ordinary session, measured."""

_DRIFT_SESSIONS = 12
_DRIFT_DAYS = 3.0
_DRIFT_BEFORE = 6
_QUIET_S = 15.0
"""No ordinary session starts in the last seconds of the live part, so that most can end."""

_OFFSETS: dict[Kind, float] = {
    "hijack": 0.10,
    "credential_misuse": 0.34,
    "lateral_movement": 0.44,
    "runaway_loop": 0.20,
    "slow_drift": 0.05,
}
"""Kind -> when it starts, as a share of the live part."""


class Attack(NamedTuple):
    """One injected attack, as a summary needs it.

    Parameters
    ----------
    kind : str
        Kind of attack.
    agent_id : str
        Agent it runs on.
    session_ids : tuple of str
        Its sessions, in order.
    first_ts : float
        Event time of the first malicious event, epoch seconds.
    first_live_ts : float
        The same, of those in the live part.
    events : int
        Malicious events in all.
    """

    kind: str
    agent_id: str
    session_ids: tuple[str, ...]
    first_ts: float
    first_live_ts: float
    events: int


class Scenario(NamedTuple):
    """What the demo plays.

    Parameters
    ----------
    history : list of Simulated
        Events before `live_start`, in time order; none is an attack but the first steps of the slow drift.
    live : list of (float, Simulated)
        Seconds after `live_start` and event, in time order.
    attacks : tuple of Attack
        What was injected, by kind and agent.
    live_start : float
        Epoch seconds; the events' times hold if the live part is played from then on.
    drift_start : float
        Epoch seconds at which the slow drift begins: what is before is clean.
    """

    history: list[Simulated]
    live: list[tuple[float, Simulated]]
    attacks: tuple[Attack, ...]
    live_start: float
    drift_start: float


def plan_attacks(fleet: Fleet, count: int, since: float, kinds: Sequence[Kind] = KINDS) -> tuple[Injection, ...]:
    """Return `count` attacks of every kind on agents of a fleet, from an event time on.

    A slow drift is one attack of twelve sessions spread over what is left of the stream.

    Parameters
    ----------
    fleet : Fleet
        Whose agents are attacked.
    count : int
        Attacks of each kind.
    since : float
        Epoch seconds before which nothing is attacked.
    kinds : sequence of str
        Kinds to inject.
    """
    chance = Chance(fleet.seed, _CHOICE)
    left = max(fleet.end - since, 1.0)
    planned: list[Injection] = []
    agents = _distinct(chance, fleet.agents, count * len(kinds))
    for kind in kinds:
        for _ in range(count):
            agent = agents.pop()
            if kind != "slow_drift":
                planned.append(Injection(kind, agent, since + left * 0.97 * chance.random()))
                continue
            for strength in range(_DRIFT_SESSIONS):
                at = since + left * (strength + chance.random()) / (_DRIFT_SESSIONS + 1)
                planned.append(Injection(kind, agent, at, strength + 1))
    return tuple(planned)


def _distinct(chance: Chance, agents: int, count: int) -> list[int]:
    """Return agents in random order, each as often as any other."""
    order: list[int] = []
    while len(order) < count:
        pool = list(range(agents)) if agents <= 4 * count else [chance.below(agents) for _ in range(2 * count)]
        pool = list(dict.fromkeys(pool))
        for index in range(len(pool) - 1, 0, -1):
            other = chance.below(index + 1)
            pool[index], pool[other] = pool[other], pool[index]
        order.extend(pool)
    return order[:count]


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Size and pace of the demo.

    Parameters
    ----------
    agents : int
        Agents in the fleet.
    history_days : float
        Days of history made ahead.
    live_seconds : float
        Length of the live part.
    rate : float
        Live events a second, about.
    sessions_per_day : float
        Sessions of an agent in a day of history.
    pace : float
        Factor on durations, the same in both parts: sessions take seconds, not minutes.
    origin_share : float
        Share of agents whose events say where argument values came from.
    """

    agents: int = 400
    history_days: float = 10.0
    live_seconds: float = 90.0
    rate: float = 240.0
    sessions_per_day: float = 5.0
    pace: float = 0.25
    origin_share: float = 0.0


def live_fleet(fleet: Fleet, rate: float, live_start: float, seconds: float) -> Fleet:
    """Return the fleet at work around the clock from `live_start` on, at about so many events a second.

    It goes on where `fleet` ends: same agents, other sessions.
    """
    return replace(
        fleet, start=live_start, days=seconds / DAY_S, burst=1.0, is_scheduled=False, first_session=_LIVE_SESSIONS,
        sessions_per_day=rate / EVENTS_A_SESSION / fleet.agents * DAY_S,
        upgrades=fleet.upgrades or (fleet.start, fleet.end), injections=(),
    )  # fmt: skip


def demo_scenario(seed: int, settings: DemoSettings | None = None, live_start: float = MONDAY) -> Scenario:
    """Return the demo's story: the five kinds of attack on five agents, in a fleet with a history.

    Parameters
    ----------
    seed : int
        Everything but the times is drawn from it.
    settings : DemoSettings, optional
        Size and pace.
    live_start : float
        Epoch seconds at which the history ends and the live part starts.
    """
    size = settings or DemoSettings()
    start = live_start - size.history_days * DAY_S
    drifting = live_start - min(_DRIFT_DAYS, size.history_days / 2.0) * DAY_S
    agents = dict(zip(KINDS, _distinct(Chance(seed, _CHOICE), size.agents, len(KINDS)), strict=True))
    fleet = Fleet(
        size.agents, seed, start=start, pace=size.pace, origin_share=size.origin_share, upgrades=(start, live_start)
    )
    before = tuple(
        Injection("slow_drift", agents["slow_drift"], drifting + (step + 0.3) * (live_start - drifting) / _DRIFT_BEFORE,
                  1 + step // 2)
        for step in range(_DRIFT_BEFORE)
    )  # fmt: skip
    past = replace(
        fleet, days=size.history_days, sessions_per_day=size.sessions_per_day, burst=4.0,
        injections=before,
    )  # fmt: skip
    span = max(size.live_seconds - _QUIET_S, 1.0)
    present = replace(
        live_fleet(fleet, size.rate, live_start, span),
        injections=_live_attacks(seed, agents, live_start, size.live_seconds),
    )
    return _cut(past, present, live_start, size.live_seconds, drifting)


def _live_attacks(seed: int, agents: dict[Kind, int], live_start: float, seconds: float) -> tuple[Injection, ...]:
    """Return the attacks of the live part; the slow drift comes back every ninth of it."""
    chance = Chance(seed, _CHOICE, 1)
    planned: list[Injection] = []
    for kind, share in _OFFSETS.items():
        at = live_start + seconds * (share + 0.04 * chance.random())
        repeats = 5 if kind == "slow_drift" else 1
        planned.extend(
            Injection(kind, agents[kind], at + step * seconds / 9.0, _DRIFT_BEFORE // 2 + 1 + 2 * step)
            for step in range(repeats)
        )
    return tuple(planned)


def _cut(past: Fleet, present: Fleet, live_start: float, seconds: float, drifting: float) -> Scenario:
    """Return both streams joined and cut at the live start and at the end."""
    first, last = int(live_start * 1000.0), int((live_start + seconds) * 1000.0)
    old = list(past.stream())
    history = [event for event in old if event.ts_ms < first]
    fresh = sorted(chain((event for event in old if event.ts_ms >= first), present.stream()))
    live = [((event.ts_ms - first) / 1000.0, event) for event in fresh if event.ts_ms < last]
    attacks = attacks_of(chain(history, (event for _, event in live)), live_start)
    return Scenario(history, live, attacks, live_start, drifting)


def attacks_of(events: Iterable[Simulated], live_start: float = 0.0) -> tuple[Attack, ...]:
    """Return what was injected into a stream, one entry per kind and agent, in order of appearance.

    Parameters
    ----------
    events : iterable of Simulated
        The stream.
    live_start : float
        Epoch seconds from which `first_live_ts` counts.
    """
    found: dict[tuple[str, str], list[Simulated]] = {}
    for event in events:
        if event.is_attack:
            found.setdefault((event.attack, event.agent_id), []).append(event)
    attacks: list[Attack] = []
    for (kind, agent_id), bad in found.items():
        sessions = tuple(dict.fromkeys(event.session_id for event in bad))
        live = [event.ts_ms / 1000.0 for event in bad if event.ts_ms / 1000.0 >= live_start]
        attacks.append(
            Attack(kind, agent_id, sessions, bad[0].ts_ms / 1000.0, min(live, default=float("inf")), len(bad))
        )
    return tuple(attacks)
