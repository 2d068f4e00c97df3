"""One agent of a simulated fleet: what stays the same over its sessions."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from detector.simulate.catalogue import ROLES
from detector.simulate.chance import Chance
from detector.simulate.roles import Role

_AGENT = 1
_GOLDEN = 0.6180339887498949

ZONES = (("eu-west", 1), ("us-east", -5), ("us-west", -8), ("ap-south", 5))
"""Zones of a fleet and their offset from UTC in hours."""

MODELS = ("gpt-5-mini", "claude-sonnet-4", "gemini-2.5-flash", "qwen3-235b", "llama-4-scout")


@dataclass(frozen=True, slots=True)
class Agent:
    """What is particular to one agent.

    Parameters
    ----------
    number : int
        Its place in the fleet, 0 up.
    fleet : int
        Agents in the fleet: whom it may talk to.
    agent_id : str
        The event's ``agent_id``.
    role : Role
        What it does.
    zone : str
        Where it runs.
    model : str
        The language model behind it.
    own : int
        A number of 30 bits its own repositories, contacts and tables are derived from.
    speed, size : float
        Factors on durations and on bytes, around 1.
    errors : float
        Share of calls that fail, about 0.02.
    upgrade : float
        Event time of its upgrade to version 2, in epoch seconds; may lie outside the stream.
    has_origin : bool
        Whether its edge says where argument values came from.
    instance : str
        The event's ``instance_id``; empty: its events do not say.
    rotation_s : float
        Seconds after which it is given a new credential; 0: its events do not say when that was.
    exception : str
        Tool it may use only under a temporary grant; empty: none.
    """

    number: int
    fleet: int
    agent_id: str
    role: Role
    zone: str
    model: str
    own: int
    speed: float
    size: float
    errors: float
    upgrade: float
    has_origin: bool
    instance: str = ""
    rotation_s: float = 0.0
    exception: str = ""

    def version(self, at: float) -> str:
        """Return the agent version that runs at an event time in epoch seconds."""
        return f"{2 if at >= self.upgrade else 1}.{self.own % 7}.{self.own // 7 % 10}"


def role_of(number: int) -> Role:
    """Return the role of an agent by its number: shares hold in small fleets too, and need no table."""
    share = number * _GOLDEN % 1.0
    for role in ROLES:
        share -= role.share
        if share < 0:
            return role
    return ROLES[0]


def agent_name(number: int) -> str:
    """Return the ``agent_id`` of an agent."""
    return f"{role_of(number).name}-{number:06d}"


def make_agent(number: int, fleet: int, seed: int, span: tuple[float, float], origin_share: float) -> Agent:
    """Return one agent of a fleet; the same for the same arguments.

    Parameters
    ----------
    number, fleet, seed : int
        Its place, the fleet's size, the fleet's seed.
    span : tuple of float
        Event time of the fleet's first upgrade and of its last, in epoch seconds.
    origin_share : float
        Share of agents whose events carry ``arg_origin``.
    """
    chance = Chance(seed, _AGENT, number)
    first, last = span
    return Agent(
        number=number,
        fleet=fleet,
        agent_id=agent_name(number),
        role=role_of(number),
        zone=ZONES[chance.popular(len(ZONES), 1.5)][0],
        model=MODELS[chance.popular(len(MODELS), 2.0)],
        own=chance.getrandbits(30),
        speed=exp(0.25 * chance.normal()),
        size=exp(0.2 * chance.normal()),
        errors=0.02 * exp(0.5 * chance.normal()),
        upgrade=first + (last - first) * chance.random(),
        has_origin=chance.random() < origin_share,
    )
