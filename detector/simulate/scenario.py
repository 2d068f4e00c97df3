"""Attacks laid over a fleet, and the demo's story: a history made ahead, then ninety seconds in real time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from detector.errors import SetupError
from detector.schema.registry import RegistryEntry
from detector.simulate.attacks import KINDS, STORIES, Kind
from detector.simulate.chance import Chance
from detector.simulate.fleet import DAY_S, MONDAY, Fleet, Injection
from detector.simulate.injected import Attack, attacks_of
from detector.simulate.planned import story
from detector.simulate.registry import Terms, entries_of, renewed
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
_STORY_OFFSETS: dict[Kind, float] = {
    "overdue_grant": 0.38,
    "stale_credential": 0.26,
    "unregistered_clone": 0.15,
    "lateral_path": 0.30,
}
"""The same, of the stories of the registry."""
_ENDS_BEFORE_S = 240.0
"""Seconds before the live part at which exceptions end: within the skew of clocks, so that none is overdue before they
are renewed, and all are soon after if they are not."""
_RENEWED_FOR_S = 7.0 * DAY_S


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
    entries : tuple of RegistryEntry
        What stands in the registry before the history; empty where the demo has none.
    renewals : tuple of RegistryEntry
        Revisions that are due before the live part: exceptions renewed in time.
    """

    history: list[Simulated]
    live: list[tuple[float, Simulated]]
    attacks: tuple[Attack, ...]
    live_start: float
    drift_start: float
    entries: tuple[RegistryEntry, ...] = ()
    renewals: tuple[RegistryEntry, ...] = ()


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
        Kinds to inject; stories of the registry only into a fleet that has one.

    Raises
    ------
    SetupError
        The fleet has no registry, or too few agents for its stories.
    """
    _may_tell(fleet, count, kinds)
    chance = Chance(fleet.seed, _CHOICE)
    left = max(fleet.end - since, 1.0)
    planned: list[Injection] = []
    agents = _distinct(chance, fleet.agents, count * len(kinds))
    for kind in kinds:
        for _ in range(count):
            agent = agents.pop()
            if kind in STORIES:
                planned.extend(story(fleet, kind, agent, since + left * 0.97 * chance.random()))
                continue
            if kind != "slow_drift":
                planned.append(Injection(kind, agent, since + left * 0.97 * chance.random()))
                continue
            for strength in range(_DRIFT_SESSIONS):
                at = since + left * (strength + chance.random()) / (_DRIFT_SESSIONS + 1)
                planned.append(Injection(kind, agent, at, strength + 1))
    return tuple(planned)


def _may_tell(fleet: Fleet, count: int, kinds: Sequence[Kind]) -> None:
    stories = [kind for kind in kinds if kind in STORIES]
    if stories and not fleet.is_registered:
        raise SetupError(f"fleet with {stories[0]} among its attacks must be registered, got one without a registry")
    if stories and count * len(kinds) > fleet.agents:
        raise SetupError(f"agents of the simulated fleet must be at least {count * len(kinds)}, got {fleet.agents}")


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
    is_registered : bool
        Whether the fleet has a registry, and stories against it beside the attacks.
    """

    agents: int = 400
    history_days: float = 10.0
    live_seconds: float = 90.0
    rate: float = 240.0
    sessions_per_day: float = 5.0
    pace: float = 0.25
    origin_share: float = 0.0
    is_registered: bool = False


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

    With a registry the four stories against it are told as well, on agents of their own.

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
        size.agents, seed, start=start, pace=size.pace, origin_share=size.origin_share, upgrades=(start, live_start),
        is_registered=size.is_registered,
    )  # fmt: skip
    told = _stories(fleet, set(agents.values()), live_start, size.live_seconds) if size.is_registered else ()
    before = tuple(
        Injection("slow_drift", agents["slow_drift"], drifting + (step + 0.3) * (live_start - drifting) / _DRIFT_BEFORE,
                  1 + step // 2)
        for step in range(_DRIFT_BEFORE)
    )  # fmt: skip
    past = replace(
        fleet, days=size.history_days, sessions_per_day=size.sessions_per_day, burst=4.0,
        injections=before + tuple(one for one in told if one.start < live_start),
    )  # fmt: skip
    span = max(size.live_seconds - _QUIET_S, 1.0)
    present = replace(
        live_fleet(fleet, size.rate, live_start, span),
        injections=_live_attacks(seed, agents, live_start, size.live_seconds)
        + tuple(one for one in told if one.start >= live_start),
    )
    scenario = _cut(past, present, live_start, size.live_seconds, drifting)
    return _declared(scenario, fleet, told) if size.is_registered else scenario


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


def _stories(fleet: Fleet, taken: set[int], live_start: float, seconds: float) -> tuple[Injection, ...]:
    """Return the stories of the registry, on agents that nothing else befalls."""
    chance = Chance(fleet.seed, _CHOICE, 2)
    free = _distinct(chance, fleet.agents, fleet.agents)
    planned: list[Injection] = []
    for kind, share in _STORY_OFFSETS.items():
        at = live_start + seconds * (share + 0.04 * chance.random())
        told = story(fleet, kind, free.pop(), at)
        while taken.intersection(one.agent for one in told):
            told = story(fleet, kind, free.pop(), at)
        taken.update(one.agent for one in told)
        planned.extend(told)
    return tuple(planned)


def _declared(scenario: Scenario, fleet: Fleet, told: tuple[Injection, ...]) -> Scenario:
    """Return the scenario with its registry, and with the sessions of its lateral path as one attack."""
    at = scenario.live_start
    terms = Terms(fleet.start - DAY_S, at - _ENDS_BEFORE_S)
    entries = tuple(entries_of(fleet, terms, fleet.start, told))
    renewals = tuple(renewed(entries, at + _RENEWED_FOR_S, at))
    first, second = (one for one in told if one.kind == "lateral_path")
    path = tuple(fleet.agent(number).agent_id for number in (first.agent, second.agent, second.strength))
    steps = [one for one in scenario.attacks if one.kind == "lateral_path"]
    sessions = tuple(session for one in steps for session in one.session_ids)
    since = steps[-1].first_live_ts
    whole = steps[0]._replace(
        session_ids=sessions, first_live_ts=since, events=sum(one.events for one in steps), path=path
    )
    attacks = (*(one for one in scenario.attacks if one not in steps), whole)
    return scenario._replace(attacks=attacks, entries=entries, renewals=renewals)


def _cut(past: Fleet, present: Fleet, live_start: float, seconds: float, drifting: float) -> Scenario:
    """Return both streams joined and cut at the live start and at the end."""
    first, last = int(live_start * 1000.0), int((live_start + seconds) * 1000.0)
    old = list(past.stream())
    history = [event for event in old if event.ts_ms < first]
    fresh = sorted(chain((event for event in old if event.ts_ms >= first), present.stream()))
    live = [((event.ts_ms - first) / 1000.0, event) for event in fresh if event.ts_ms < last]
    attacks = attacks_of(chain(history, (event for _, event in live)), live_start)
    return Scenario(history, live, attacks, live_start, drifting)
