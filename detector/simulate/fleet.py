"""A made-up fleet and its stream of events, in time order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from detector.errors import SetupError
from detector.simulate.agent import ZONES, Agent, make_agent
from detector.simulate.attacks import ATTACKS, Kind
from detector.simulate.chance import Chance
from detector.simulate.registered import as_registered, clone_of
from detector.simulate.render import Simulated, Sitting, render
from detector.simulate.session import acts_of, complete
from detector.simulate.targets import Scene

MONDAY = 1_772_434_800.0
"""2026-03-02T07:00:00Z, a Monday: where a stream starts unless told otherwise."""

HOUR_S = 3_600.0
DAY_S = 86_400.0

_SESSION = 2
_PLAN = 3
_ROLL = 512
_AHEAD = 20_000
"""Events planned at a time, about: bounds the memory of the generator."""

_OFFICE = np.array([0.04] * 6 + [0.1, 0.4, 1.0, 1.3, 1.4, 1.3, 1.0, 1.2, 1.3, 1.2, 1.0, 0.6, 0.3, 0.15] + [0.06] * 4)
_ALWAYS = np.array([0.75] * 7 + [1.0] * 11 + [1.1] * 3 + [0.9] * 3)


@dataclass(frozen=True, slots=True)
class Injection:
    """One attack session, besides the agent's ordinary ones.

    Parameters
    ----------
    kind : str
        One of :data:`detector.simulate.attacks.KINDS` or :data:`detector.simulate.attacks.STORIES`.
    agent : int
        Number of the agent.
    start : float
        Start of the session, epoch seconds.
    strength : int
        For ``slow_drift``: sessions since the drift began; for ``overdue_grant``: 0 while its term runs, 1 after it;
        for ``lateral_path``: number of the agent that is asked.
    """

    kind: Kind
    agent: int
    start: float
    strength: int = 0


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet of agents over a span of time; the same settings give the same bytes.

    Parameters
    ----------
    agents : int
        Agents in the fleet, up to 16 million.
    seed : int
        Everything is drawn from it.
    start : float
        Event time at which the stream starts, epoch seconds.
    days : float
        Days in which sessions start; their last events may lie a little behind.
    sessions_per_day : float
        Sessions of a middling agent in 24 hours; agents differ widely.
    burst : float
        Mean number of sessions an agent works off one after the other.
    pace : float
        Factor on durations and pauses; 1 is how long models and tools take today.
    origin_share : float
        Share of agents whose events say where argument values came from.
    is_scheduled : bool
        Whether office roles follow working hours and weekends.
    injections : tuple of Injection
        Attacks.
    first_session : int
        Running number of every agent's first session, so that two streams of one fleet do not share ids.
    upgrades : tuple of float, optional
        First and last upgrade, epoch seconds; the span of the stream if left out.
    is_registered : bool
        Whether its agents stand in a registry, see :mod:`detector.simulate.registry`: their events then say when a
        credential was issued, under which grant something is done and by which instance, and they ask only agents that
        they may ask.
    """

    agents: int = 200
    seed: int = 0
    start: float = MONDAY
    days: float = 14.0
    sessions_per_day: float = 4.0
    burst: float = 1.5
    pace: float = 1.0
    origin_share: float = 0.5
    is_scheduled: bool = True
    injections: tuple[Injection, ...] = ()
    first_session: int = 0
    upgrades: tuple[float, float] | None = None
    is_registered: bool = False

    def __post_init__(self) -> None:
        for name, low in (("agents", 1), ("days", 0.0), ("sessions_per_day", 0.0), ("burst", 1.0), ("pace", 0.0)):
            value = getattr(self, name)
            if not value >= low:
                message = f"{name} of the simulated fleet must be at least {low}, got {value}"
                raise SetupError(message)

    @property
    def end(self) -> float:
        """Event time at which the last sessions start, epoch seconds."""
        return self.start + self.days * DAY_S

    def agent(self, number: int) -> Agent:
        """Return one agent of the fleet."""
        span = self.upgrades or (self.start, self.end)
        agent = make_agent(number, self.agents, self.seed, span, self.origin_share)
        return as_registered(agent) if self.is_registered else agent

    def session(self, number: int, session: int, at: float, injection: Injection | None = None) -> list[Simulated]:
        """Return one session's events, in time order.

        Parameters
        ----------
        number, session : int
            The agent's number and the running number of its session.
        at : float
            Start, epoch seconds.
        injection : Injection, optional
            The attack it falls to.
        """
        agent = self.agent(number)
        scene = Scene(agent, Chance(self.seed, _SESSION, number, session), int(at // DAY_S))
        acts = acts_of(scene, at)
        attack = ""
        if injection is not None:
            acts = ATTACKS[injection.kind](scene, acts, injection.strength)
            attack = injection.kind if any(step.is_attack for step in acts) else ""
        steps = complete(scene, acts)
        if attack == "unregistered_clone":
            agent = clone_of(agent)
            for step in steps:
                step.is_attack = True
        return render(Sitting(agent, session, at, self.pace, attack), steps)

    def stream(self) -> Iterator[Simulated]:
        """Yield every event in time order.

        Memory is bounded by the sessions open at one time plus about 20,000 events planned ahead.
        """
        plan = _Plan(self)
        waiting: list[Simulated] = []
        for until in plan.slices():
            for number, at, injection in plan.sessions(until):
                self._work(plan, waiting, (number, at, injection))
            waiting.sort()
            ready = bisect_left(waiting, (int(until * 1000.0),))
            yield from islice(waiting, ready)
            del waiting[:ready]
        yield from waiting

    def roll_call(self, gap_s: float = 1.0) -> Iterator[Simulated]:
        """Yield one session of every agent, in time order: the shortest stream that touches a whole fleet.

        Parameters
        ----------
        gap_s : float
            Seconds of event time between the starts of one agent's session and the next one's.
        """
        waiting: list[Simulated] = []
        for number in range(self.agents):
            at = self.start + number * gap_s
            if number % _ROLL == 0:
                waiting.sort()
                ready = bisect_left(waiting, (int(at * 1000.0),))
                yield from islice(waiting, ready)
                del waiting[:ready]
            waiting.extend(self.session(number, self.first_session, at))
        waiting.sort()
        yield from waiting

    def _work(self, plan: _Plan, waiting: list[Simulated], planned: tuple[int, float, Injection | None]) -> None:
        """Append the sessions of one burst; each next one starts a while after the one before has ended."""
        number, at, injection = planned
        while True:
            session = plan.next_session(number)
            events = self.session(number, session, at, injection)
            waiting.extend(events)
            if injection is not None:
                return
            chance = Chance(self.seed, _PLAN, number, session)
            at = events[-1].ts_ms / 1000.0 + chance.around(45.0, 0.8) * self.pace
            if chance.random() >= 1.0 - 1.0 / self.burst or at >= self.end:
                return


@dataclass(slots=True)
class _Plan:
    """Who starts a session when."""

    fleet: Fleet
    rates: np.ndarray = field(init=False)
    offices: np.ndarray = field(init=False)
    offsets: np.ndarray = field(init=False)
    counts: np.ndarray = field(init=False)
    at: float = field(init=False)
    injections: list[Injection] = field(init=False)
    _hour: float = field(init=False, default=-1.0)
    _weights: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        fleet = self.fleet
        chance = np.random.default_rng([fleet.seed, _PLAN])
        zones = dict(ZONES)
        agents = [fleet.agent(number) for number in range(fleet.agents)]
        spread = np.exp(0.8 * chance.standard_normal(fleet.agents) - 0.32)
        self.rates = fleet.sessions_per_day / DAY_S / fleet.burst * spread
        self.offices = np.array([agent.role.schedule == "office" for agent in agents])
        self.offsets = np.array([zones[agent.zone] for agent in agents])
        self.counts = np.full(fleet.agents, fleet.first_session, dtype=np.int64)
        self.at = fleet.start
        self.injections = sorted(fleet.injections, key=lambda injection: (injection.start, injection.agent))

    def next_session(self, number: int) -> int:
        """Return the agent's running number of sessions, and count it."""
        session = int(self.counts[number])
        self.counts[number] += 1
        return session

    def slices(self) -> Iterator[float]:
        """Yield the ends of the spans that are planned one after the other, epoch seconds."""
        fleet = self.fleet
        per_s = fleet.sessions_per_day * fleet.agents / DAY_S * 16.0
        step = min(HOUR_S, _AHEAD / max(per_s, 1e-9))
        count = max(int(np.ceil(fleet.days * DAY_S / step)), 1)
        for index in range(count):
            yield min(fleet.start + (index + 1) * step, fleet.end)

    def sessions(self, until: float) -> list[tuple[int, float, Injection | None]]:
        """Return agent, start and attack of every burst and attack that starts before `until`."""
        fleet, span = self.fleet, until - self.at
        cumulative = np.cumsum(self._rates_at(self.at))
        chance = np.random.default_rng([fleet.seed, _PLAN, int((self.at - fleet.start) * 1000.0), fleet.first_session])
        count = int(chance.poisson(cumulative[-1] * span))
        starts = np.sort(self.at + span * chance.random(count))
        numbers = np.minimum(np.searchsorted(cumulative, chance.random(count) * cumulative[-1]), fleet.agents - 1)
        planned: list[tuple[int, float, Injection | None]] = [
            (int(number), float(start), None) for number, start in zip(numbers, starts, strict=True)
        ]
        while self.injections and self.injections[0].start < until:
            injection = self.injections.pop(0)
            planned.append((injection.agent, injection.start, injection))
        self.at = until
        return planned

    def _rates_at(self, at: float) -> np.ndarray:
        """Return bursts per second of every agent, by its local hour and weekday."""
        if not self.fleet.is_scheduled:
            return self.rates
        hour = at // HOUR_S
        if hour != self._hour:
            local = (int(hour) + self.offsets) % 24
            weekday = ((int(hour) + self.offsets) // 24 + 3) % 7
            office = _OFFICE[local] * np.where(weekday >= 5, 0.15, 1.3)
            self._weights = self.rates * np.where(self.offices, office, _ALWAYS[local])
            self._hour = hour
        return self._weights
