"""Acts of a contained agent that its command forbids: the containment does not hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from detector.rules.containments import StandingCommand
from detector.rules.rule import Hit, RuleScene
from detector.schema.command import PolicyState, Tier
from detector.schema.constraints import MINUTE_S, bars, is_allowed, rate_of
from detector.schema.event import Event

SETTLE_S: Final = 60.0
"""Seconds after a command was written in which an act is no escape: an enforcement point may read nothing for 30 s
before it denies everything (`--stale-after`), and clocks differ; the same before its term is over."""
BELIEVED_S: Final = 900.0
"""Seconds before its receipt in which an act may say it began: an exporter tries again for five minutes, and a coding
agent's shell may take ten."""
MOST_CLAIMED: Final = 128
"""Acts received after a command took effect that may say they began before it; more are not believed."""
BUNCHED: Final = 2.0
"""Times the rate of a limit that is no escape: calls are counted when they end, and what ends together began apart."""
MOST_CALLS: Final = 256
"""Calls counted at a time; a higher rate is held over a shorter window."""
_KINDS: Final = frozenset({"tool_call", "data_access", "network", "memory"})
_RANK: Final[dict[Tier, int]] = {"observe": 0, "limit": 1, "isolate": 2}


def escape(scene: RuleScene) -> Iterator[Hit]:
    """Yield the acts of contained agents that went through although their command forbids them; one cause a command.

    An act counts from when it began, as far back as that is believed, by the time of its receipt: an agent that dates
    its acts back has a quarter of an hour, and :data:`MOST_CLAIMED` acts.
    """
    contained = scene.memory.contained
    if not len(contained):
        return
    for i, event in enumerate(scene.events):
        standing = contained.of(scene.names[i])
        if standing is None or not _is_act(event) or standing.state.state == "released":
            continue
        began = _began(event, scene.heard[i])
        if began <= standing.since + SETTLE_S:
            if scene.heard[i] <= standing.since + SETTLE_S or not _is_past_belief(scene, i, standing):
                continue
            began = scene.heard[i]
        tier = _tier(standing.state, began)
        if tier != "observe" and (how := _forbidden(scene, i, (standing, tier), began)) is not None:
            yield Hit(i, standing.state.command_id, _words(standing, (tier, how), began))


def _is_act(event: Event) -> bool:
    """Tell whether an event is something a command can forbid, and that went through.

    A call of a model is none: a hook denies tools, and the agent goes on to be told so. A denial is the command at
    work, and many programs call it an error.
    """
    return event.outcome == "ok" and (event.kind in _KINDS or (event.kind == "message" and bool(event.peer_agent_id)))


def _began(event: Event, heard: float) -> float:
    """Return when an act began, as far as it is believed; nothing began after its receipt."""
    says = min(event.ts.timestamp(), heard) - (event.duration_ms or 0.0) / 1_000.0
    return max(says, heard - BELIEVED_S)


def _tier(state: PolicyState, at: float) -> Tier:
    """Return the tier that binds at a time and a while after it: near its end it may be over elsewhere."""
    return min(state.tier_at(at), state.tier_at(at + SETTLE_S), key=_RANK.__getitem__)


def _noted(scene: RuleScene, i: int, state: PolicyState) -> dict[str, Any]:
    """Return what is counted under a command; of another one nothing is kept."""
    kept = scene.notes(i).kept
    if kept.get("command") != state.command_id:
        kept.clear()
        kept.update(command=state.command_id, claimed=0, calls=[], span=[scene.heard[i], 0])
    return kept


def _is_past_belief(scene: RuleScene, i: int, standing: StandingCommand) -> bool:
    """Count an act that says it began before the command; tell whether there are too many."""
    kept = _noted(scene, i, standing.state)
    kept["claimed"] = min(kept["claimed"] + 1, MOST_CLAIMED + 1)
    return bool(kept["claimed"] > MOST_CLAIMED)


def _forbidden(scene: RuleScene, i: int, binding: tuple[StandingCommand, Tier], began: float) -> str | None:
    """Return in words why a command forbids an act; None if it does not."""
    state, tier, tools = binding[0].state, binding[1], (scene.events[i].name,)
    if bars(state, tier, tools):
        return "its command bars it"
    rate = rate_of(state, tier)
    if rate is None or (rate <= 0.0 and is_allowed(state, tools)):
        return None
    if rate <= 0.0:
        return "its command leaves no call"
    return _too_many(_noted(scene, i, state), rate, began, scene.heard[i])


def _too_many(kept: dict[str, Any], rate: float, began: float, heard: float) -> str | None:
    """Return in words that there were more calls than a rate leaves: in a minute by their own time, or by receipt.

    The second holds who spreads the times of its calls: over :data:`BELIEVED_S`, for so long may they be late.
    """
    most = math.ceil(BUNCHED * rate)
    window_s = MINUTE_S
    if most > MOST_CALLS:
        window_s, most = MINUTE_S * MOST_CALLS / (BUNCHED * rate), MOST_CALLS
    calls = [*(one for one in kept["calls"] if began - one < window_s), began][-(most + 1) :]
    begun, count = kept["span"]
    begun, count = (heard, 1) if heard - begun >= BELIEVED_S else (begun, count + 1)
    kept["calls"], kept["span"] = calls, [begun, count]
    if len(calls) > most:
        return f"{len(calls)} calls within {window_s:.0f} s where {rate:g} a minute are left"
    if count > BUNCHED * rate * BELIEVED_S / MINUTE_S:
        return f"{count} calls within {heard - begun:.0f} s where {rate:g} a minute are left"
    return None


def _words(standing: StandingCommand, found: tuple[Tier, str], began: float) -> dict[str, str]:
    """Return what a finding says of the command: which, since when, how long after, and whether it was acknowledged."""
    since, state = standing.since, standing.state
    after = timedelta(seconds=max(0, int(began - since)))
    told = "no enforcement point has acknowledged it"
    if standing.acknowledged_at is not None:
        told = f"{standing.acknowledged_by or 'an enforcement point'} has acknowledged it"
    return {
        "command": state.command_id, "revision": str(state.revision), "tier": found[0], "how": found[1],
        "since": datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds"), "after": str(after), "told": told,
    }  # fmt: skip
