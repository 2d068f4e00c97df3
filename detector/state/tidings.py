"""What a batch tells the stage where a tenant is whole: who called whom, with which credential, who is critical.

Each fact of an agent is told once, and again when a day is over: so the stage can forget, and a restart of it finds
the fleet's edges again. What is remembered is a few notes in the agent's own row, as for rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from detector.channels.context import FLEET_AGENTS, IS_ESTABLISHED, REPEATED
from detector.intake.columns import AGENT, BARE
from detector.rules.criticality import BACKDATED_S
from detector.rules.declared import DeclaredAgent, Used
from detector.schema.event import Event
from detector.schema.marks import OF_FIELD
from detector.schema.tenant import DEFAULT_TENANT
from detector.schema.tiding import Tiding, Told
from detector.state.partition import Partition

if TYPE_CHECKING:
    from detector.state.report import Batch

NOTES: Final = "tidings"
"""Whose notes these are, beside those of rules."""
AGAIN_S: Final = 86_400.0
"""Seconds of the partition's time after which a fact is told again."""
MOST_FACTS: Final = 256
"""Facts of an agent that are remembered; of more, the one told longest ago is forgotten, and counts as new."""
MOST_AN_HOUR: Final = 32
"""Tidings of an agent in an hour; one that finds no room is counted, and is told in a later hour if it comes back."""
HOUR_S: Final = 3_600.0
MOST_LATELY: Final = 1 << 16
"""Agents whose credential was found told and is passed over by its text; then all are looked up again."""
SPENT: Final = "spent"
_TELLING: Final = np.uint64(OF_FIELD["credential"] | OF_FIELD["peer_agent_id"] | OF_FIELD["parent_agent_id"])
_PERSON: Final = b"tidings"


def tidings_of(state: Partition, batch: Batch) -> Iterator[tuple[int, Tiding]]:
    """Yield what a batch tells, with the event's place, in order; changes the notes. Nothing if no profile asks."""
    if not state.profile.response.graph:
        return
    critical = _critical(state, batch)
    work, events = state.work, len(batch.events)
    acts: list[int] = np.flatnonzero(work.marks[:events] & _TELLING).tolist()
    if critical:
        acts = sorted({*acts, *critical})
    if not acts:
        return
    states, clock = work.context.state[:events].tolist(), work.clock[:events].tolist()
    owners = list(zip(work.context.agent[:events].tolist(), work.columns.ident[:events, AGENT].tolist(), strict=True))
    for i in acts:
        event, is_critical = batch.events[i], i in critical
        if states[i] == REPEATED or (not is_critical and _is_told(state, event, owners[i], clock[i])):
            continue
        for kind, other, is_caller in _facts_of(event, is_critical=is_critical):
            text = _digest(state, other)
            is_new = _is_due(state, i, owners[i], f"{kind[0]}{'' if is_caller else '<'}{text}")
            if is_new is not None:
                is_new = is_new and _is_news(state, event, i, (kind, other, is_caller))
                told = text if kind == "credential" else other
                yield i, _tiding(state, batch, i, (kind, told, is_caller, is_new, is_critical))
        _note_told(state, event, owners[i])


def _is_told(state: Partition, event: Event, owner: tuple[int, int], now: float) -> bool:
    """Tell whether an event's credential is all it has to tell, and was the last one found told within a day.

    Most events of most agents are such. What this leans on is no part of the state, and says no more than that does.
    """
    lately = state.told_lately.get(owner[0])
    if lately is None or event.credential is None or event.peer_agent_id or event.parent_agent_id:
        return False
    name, credential, at = lately
    return name == owner[1] and credential == event.credential.id and now - at < AGAIN_S


def _note_told(state: Partition, event: Event, owner: tuple[int, int]) -> None:
    """Remember when the credential of an event was told, until its agent tells something else."""
    if event.credential is None:
        return
    known = state.rule_memory.known(NOTES, *owner)
    at = None if known is None else known.kept.get(f"c{_digest(state, event.credential.id)}")
    if at is not None:
        if len(state.told_lately) >= MOST_LATELY:
            state.told_lately.clear()
        state.told_lately[owner[0]] = (owner[1], event.credential.id, at)


def _critical(state: Partition, batch: Batch) -> frozenset[int]:
    """Return the places of events of agents that the registry calls critical."""
    if not len(state.inventory):
        return frozenset()
    agents = state.work.columns.ident[: len(batch.events), BARE].tolist()
    known: dict[tuple[int, str | None], bool] = {}
    found = []
    for i, (agent, event) in enumerate(zip(agents, batch.events, strict=True)):
        who = (agent, event.tenant)
        if who not in known:
            one = _declared(state, event, i)
            known[who] = one is not None and one.facts.criticality == "critical"
        if known[who]:
            found.append(i)
    return frozenset(found)


def _declared(state: Partition, event: Event, i: int) -> DeclaredAgent | None:
    """Return the entry of an event's agent if it is active."""
    if not len(state.inventory):
        return None
    found = state.inventory.of(int(state.work.columns.ident[i, BARE]), event.tenant or DEFAULT_TENANT)
    return found if found is not None and found.facts.lifecycle == "active" else None


def _facts_of(event: Event, *, is_critical: bool) -> Iterator[tuple[Told, str, bool]]:
    """Yield what an event tells: kind, the other side, and whether the agent is the one that calls."""
    if is_critical:
        yield "standing", "", True
    if event.parent_agent_id and event.parent_agent_id != event.agent_id:
        yield "edge", event.parent_agent_id, False
    if event.peer_agent_id and event.peer_agent_id != event.agent_id:
        yield "edge", event.peer_agent_id, True
    if event.credential is not None:
        yield "credential", event.credential.id, True


def _digest(state: Partition, text: str) -> str:
    """Return what tells one text from others, under the deployment's key."""
    first, second = state.settings.keyed.key
    return _keyed(int(first), int(second), text)


@lru_cache(maxsize=1 << 14)
def _keyed(first: int, second: int, text: str) -> str:
    key = first.to_bytes(8, "little") + second.to_bytes(8, "little")
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10, key=key, person=_PERSON).hexdigest()


def _is_due(state: Partition, i: int, owner: tuple[int, int], fact: str) -> bool | None:
    """Return None where a fact was told within a day or there is no room; else whether it is the first time."""
    now = float(state.work.clock[i])
    known = state.rule_memory.known(NOTES, *owner)
    before = {} if known is None else known.kept
    last = before.get(fact)
    if last is not None and now - last < AGAIN_S:
        return None
    hour, count = int(now // HOUR_S), _told_in(before, now)
    if count >= MOST_AN_HOUR or not (_is_established(state, i) or state.newcomer_pace.has_room(now)):
        state.rule_memory.counts["tidings_dropped"] += 1
        return None
    state.told_lately.pop(owner[0], None)
    kept = state.rule_memory.of(NOTES, *owner).kept
    kept[SPENT] = [hour, count + 1]
    kept.pop(fact, None)
    kept[fact] = now
    if len(kept) > MOST_FACTS + 1:
        del kept[next(one for one in kept if one != SPENT)]
    return last is None


def _told_in(kept: Mapping[str, Any], now: float) -> int:
    """Return how much an agent told in the present hour."""
    hour, count = kept.get(SPENT, (0, 0))
    return int(count) if hour == int(now // HOUR_S) else 0


def _is_established(state: Partition, i: int) -> bool:
    return bool(state.work.context.known[i][IS_ESTABLISHED])


def _is_news(state: Partition, event: Event, i: int, fact: tuple[Told, str, bool]) -> bool:
    """Tell whether a first time is news: not in trusted history, and not what the agent's entry declares."""
    kind, other, is_caller = fact
    if float(state.work.clock[i]) < state.settings.rules.trusted_until:
        return False
    declared = _declared(state, event, i) if kind == "edge" else None
    if declared is None:
        return True
    named = declared.facts.peers if is_caller else declared.facts.delegates
    return named is None or not declared.declares(Used("peer" if is_caller else "delegate", other))


def _tiding(state: Partition, batch: Batch, i: int, fact: tuple[Told, str, bool, bool, bool]) -> Tiding:
    kind, other, is_caller, is_new, is_critical = fact
    event, clock, known = batch.events[i], float(state.work.clock[i]), state.work.context.known[i]
    topic, partition, offset, line = batch.place(i)
    return Tiding(
        kind=kind, tenant=event.tenant or DEFAULT_TENANT, agent_id=event.agent_id, other=other, is_caller=is_caller,
        is_new=is_new, established=_is_established(state, i), is_critical=is_critical,
        at=min(max(event.ts.timestamp(), clock - BACKDATED_S), clock), clock=clock, agent_type=event.agent_type,
        zone=event.zone, session_id=event.session_id, on_behalf_of=event.on_behalf_of, event_id=event.event_id,
        topic=topic, partition=partition, offset=offset, line=line, event_kind=event.kind, name=event.name,
        target=event.target, outcome=event.outcome, partition_agents=int(known[FLEET_AGENTS]),
    )  # fmt: skip
