"""What was injected into a stream, as its scorer knows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from detector.simulate.render import Simulated


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
        The same, of those in the live part; of a path of its last step, before which it is none.
    events : int
        Malicious events in all.
    path : tuple of str
        Of a lateral path its agents, in order, `agent_id` being the first; else empty.
    """

    kind: str
    agent_id: str
    session_ids: tuple[str, ...]
    first_ts: float
    first_live_ts: float
    events: int
    path: tuple[str, ...] = ()


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
