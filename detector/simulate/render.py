"""Steps of a session as native events, version 1, in JSON bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from detector.simulate.agent import Agent
from detector.simulate.arguments import Value
from detector.simulate.session import Step

_SHORT = 4
"""Values shorter than this carry no origin: they stand everywhere."""


class Simulated(NamedTuple):
    """One event of a made-up fleet, with what only the scorer of a detector may see.

    Sorting these sorts by time; ``event_id`` is unique, so nothing behind it is compared.

    Parameters
    ----------
    ts_ms : int
        Event time in epoch milliseconds.
    event_id, agent_id, session_id : str
        As in the event.
    value : bytes
        The event as JSON.
    attack : str
        Kind of attack the session belongs to, or empty.
    is_attack : bool
        Whether this very event is part of the attack.
    """

    ts_ms: int
    event_id: str
    agent_id: str
    session_id: str
    value: bytes
    attack: str
    is_attack: bool


@lru_cache(maxsize=64)
def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%dT")


def timestamp(ts_ms: int) -> str:
    """Return epoch milliseconds as RFC 3339 in UTC."""
    day, rest = divmod(ts_ms, 86_400_000)
    hour, rest = divmod(rest, 3_600_000)
    minute, rest = divmod(rest, 60_000)
    second, ms = divmod(rest, 1_000)
    return f"{_date(day)}{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z"


def _json(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _attributes(step: Step) -> str:
    return ",".join(f'"{name}":{_json(value)}' for name, value, _ in step.args)


def _origins(step: Step) -> str:
    parts = [f'"{n}":"{o}"' for n, value, o in step.args if isinstance(value, str) and len(value) >= _SHORT]
    if step.target is not None:
        parts.append(f'"target":"{step.origin}"')
    return ",".join(parts)


def _standing(agent: Agent, step: Step, ts_ms: int) -> str:
    """Return the credential of a step, and the grant it is done under, each with a leading comma."""
    credential = step.credential or f"cred-{agent.agent_id}"
    if not agent.rotation_s:
        return f',"credential":{{"id":"{credential}"}}'
    age_ms = int((ts_ms + agent.own) % (agent.rotation_s * 1_000.0))
    if step.credential_age_s is not None:
        age_ms = int(step.credential_age_s * 1_000.0)
    text = f',"credential":{{"id":"{credential}","issued_at":"{timestamp(ts_ms - age_ms)}"}}'
    grant = step.grant or (exception_grant(agent.agent_id) if step.tool.name == agent.exception else None)
    return text if grant is None else f'{text},"grant":{{"id":"{grant}","temporary":true}}'


def exception_grant(agent_id: str) -> str:
    """Return the id of the temporary grant that an agent works under where its role has an exception."""
    return f"grant-{agent_id}"


def _optional(agent: Agent, step: Step, ts_ms: int) -> str:
    """Return the optional fields a step has, each with a leading comma."""
    text = ""
    if step.target is not None:
        text = f',"target":"{step.target}"'
    if step.tokens is not None:
        tokens_in, tokens_out = step.tokens
        cost = round(tokens_in * 2.5e-6 + tokens_out * 1e-5, 6)
        text += f',"tokens_in":{tokens_in},"tokens_out":{tokens_out},"cost_usd":{cost!r},"model":"{agent.model}"'
    elif step.tool.kind != "lifecycle":
        text += _standing(agent, step, ts_ms)
        if step.peer_zone is not None:
            text += f',"peer_agent_id":"{step.target}","peer_zone":"{step.peer_zone}"'
        if agent.has_origin and (step.args or step.target is not None):
            text += f',"arg_origin":{{{_origins(step)}}}'
    return text


class Sitting(NamedTuple):
    """Whose session it is and when, for :func:`render`.

    Parameters
    ----------
    agent : Agent
        Who acts.
    number : int
        The agent's running number of sessions.
    at : float
        Start in epoch seconds.
    pace : float
        Factor on every duration; below 1 the fleet is quicker than models are today.
    attack : str
        Kind of attack, or empty.
    """

    agent: Agent
    number: int
    at: float
    pace: float
    attack: str


def render(sitting: Sitting, steps: list[Step]) -> list[Simulated]:
    """Return the events of one whole session, in time order."""
    agent, number, at, pace, attack = sitting
    session = f"s-{agent.number:06x}-{number:06x}"
    high, low = agent.own * 0x9E3779B97F4A7C15 % 2**64, (number + 1) * 0xC2B2AE3D27D4EB4F % 2**64
    instance = f'"instance_id":"{agent.instance}",' if agent.instance else ""
    head = (
        f'"agent_id":"{agent.agent_id}","agent_type":"{agent.role.name}","agent_version":"{agent.version(at)}",'
        f'{instance}"zone":"{agent.zone}","session_id":"{session}","trace_id":"{high:016x}{low:016x}","kind":"'
    )
    out: list[Simulated] = []
    now = at * 1000.0
    for index, step in enumerate(steps):
        event_id = f"e-{agent.number:06x}-{number:06x}-{index:04x}"
        ts_ms = int(now)
        ms = step.ms * pace
        text = (
            f'{{"event_id":"{event_id}","ts":"{timestamp(ts_ms)}",{head}{step.tool.kind}","name":"{step.tool.name}"'
            f'{_optional(agent, step, ts_ms)},"outcome":"{step.outcome}","duration_ms":{ms:.1f},"bytes_in":{step.sent},'
            f'"bytes_out":{step.received},"attributes":{{{_attributes(step)}}}}}'
        )
        out.append(Simulated(ts_ms, event_id, agent.agent_id, session, text.encode("ascii"), attack, step.is_attack))
        now += ms + 2.0
    return out
