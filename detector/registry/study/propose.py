"""Proposed entries: what was used often enough to be somebody's job, and apart from it what somebody must decide.

Whoever misused an agent in the window must not find it among its grants. So a value is proposed if it was used in
several sessions on several days; if no peer uses it, in three times as many; if two established peers do, once is
enough. Of tools also what peers make up for, and what most of an agent's role use and it not yet, marked as that:
tools are what a role has; targets are where attacks lead, and each agent's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from detector.registry.documents import time_text
from detector.registry.drafts import Draft, draft_of
from detector.registry.owners import Owners
from detector.registry.pages import ReviewItem
from detector.registry.study.acts import BETWEEN, FIELDS
from detector.registry.study.coarse import PATTERN_VALUES, literal, shapes_of, together
from detector.registry.study.peers import ALONE, MOST_ROLE_LETTERS, PEERS, Firmness, PeerRole, Peers, RoleTool
from detector.registry.study.seen import MOST_MARKS, MOST_SESSIONS, SeenAgent, SeenFleet, Use
from detector.rules.patterns import Patterns
from detector.schema.registry import MOST_DECLARED, RegistryEntry
from detector.views.shown import shown

SHAPE: Final = (6, 3)
"""Sessions and days together from which on a pattern is proposed of values of which each is rare."""
MOST_ASIDE: Final = 40
"""Rare values of a field that are written out; the rest are counted."""
LEFT_OUTSIDE: Final = 0.1
"""Of an agent's acts those outside of a proposed list from which on its page says so."""
MOST_ACTS: Final = frozenset({"tools", "targets"})
LISTS: Final = frozenset({"tools", "targets", "peers", "delegates", "data_classes"})


class Sorted(NamedTuple):
    """Values of one field: declared name -> what it rests on, and those that are not proposed."""

    firm: dict[str, str]
    rare: list[tuple[str, str]]


class _TypeGroup(NamedTuple):
    """The agents of one tenant and type: all that are established, and those that vouch for their role."""

    peers: Peers
    role: PeerRole


class Proposer:
    """Makes proposals of what was seen.

    Parameters
    ----------
    seen : SeenFleet
        The window.
    firmness : Firmness or None
        What is asked of a value.
    owners : Owners or None
        Who answers for them until somebody says otherwise.
    standing : mapping of str to RegistryEntry, optional
        The inventory, by agent: of a tenant that has active entries only their agents vouch for a role.
    """

    def __init__(
        self,
        seen: SeenFleet,
        firmness: Firmness | None = None,
        owners: Owners | None = None,
        standing: Mapping[str, RegistryEntry] = MappingProxyType({}),
    ) -> None:
        self._firmness, self._owners = firmness or Firmness(), owners or Owners()
        self._arrives: set[tuple[str, str]] = set()
        active = {(one.tenant, one.agent_id): one for one in standing.values() if one.lifecycle == "active"}
        known = {tenant for tenant, _ in active}

        def vouches(one: SeenAgent) -> bool:
            """Of a role speaks who says one type alone, and the one of its entry, where its tenant has active ones."""
            if len(one.types) != 1 or one.tenant not in known:
                return len(one.types) == 1
            entry = active.get((one.tenant, one.agent_id))
            return entry is not None and entry.agent_type in {None, one.agent_type}

        groups: dict[tuple[str, str], list[SeenAgent]] = {}
        for agent in seen.agents.values():
            self._arrives |= {(agent.tenant, field) for field in agent.uses}
            if self._firmness.holds(agent.whole):
                groups.setdefault((agent.tenant, agent.agent_type), []).append(agent)
        self._groups: dict[tuple[str, str], _TypeGroup] = {}
        for key, agents in groups.items():
            role = PeerRole([one for one in agents if vouches(one)], self._firmness)
            self._groups[key] = _TypeGroup(Peers(agents, self._firmness), role)
        self._alone = _TypeGroup(Peers([], self._firmness), PeerRole([], self._firmness))

    def item(self, agent: SeenAgent, stands: RegistryEntry | None = None) -> ReviewItem:
        """Return the proposal for one agent, made from the entry that stands, with its comments."""
        group = self._groups.get((agent.tenant, agent.agent_type), self._alone)
        body: dict[str, Any] = {} if stands is None else _kept(stands)
        why: dict[tuple[str, str], str] = {}
        aside: dict[str, list[tuple[str, str]]] = {}
        notes = list(self._headline(agent, group.peers))
        for field in FIELDS:
            found = self.sorted(agent, field, group)
            if field == "tools" and self._firmness.by_role and not agent.overflow[field]:
                _add_role(found, group.role.lacking(agent), stands, notes)
            if agent.overflow[field] or len(found.firm) > MOST_DECLARED:
                notes.append(f"{field}: too many different values for a list, so nothing is said about them")
                continue
            if found.firm or (field in LISTS and (agent.tenant, field) in self._arrives):
                _put(body, field, list(found.firm))
            why |= {(field, name): told for name, told in found.firm.items()}
            if found.rare:
                notes += _left_outside(field, agent.uses.get(field, {}), found)
                aside[field] = found.rare[:MOST_ASIDE]
            if len(found.rare) > MOST_ASIDE:
                notes.append(f"{field}: {len(found.rare) - MOST_ASIDE} more rare values are not written out")
        body |= {"agent_id": agent.agent_id, "tenant": agent.tenant}
        body.setdefault("agent_type", agent.agent_type)
        if "owner" not in body and (owner := self._owners.of(body["agent_type"])):
            body["owner"] = owner
        if len(agent.zones) == 1:
            body.setdefault("zone", next(iter(agent.zones)))
        return ReviewItem(self._draft(body, stands, notes), notes, why, aside)

    def sorted(self, agent: SeenAgent, field: str, group: _TypeGroup) -> Sorted:
        """Return the values of one field of an agent, firm ones as declared names."""
        values = agent.uses.get(field, {})
        found = Sorted({}, [])
        loose: dict[str, Use] = {}
        for value, use in sorted(values.items()):
            is_firm, told = self._judge(agent, field, value, group)
            declared = literal(value.partition(BETWEEN)[2] if field.endswith("tool_hashes") else value)
            if declared is None:
                found.rare.append((shown(value, 200), f"{told}; too long to be declared"))
            elif is_firm:
                found.firm[_named(field, value, declared)] = told
            else:
                loose[value] = use
                found.rare.append((_named(field, value, declared), told))
        return self._with_shapes(values, loose, found) if field == "targets" else found

    def _with_shapes(self, values: dict[str, Use], loose: dict[str, Use], found: Sorted) -> Sorted:
        """Return values with those of one shape as one pattern, where the whole shape is firm."""
        firm, rare = dict(found.firm), dict(found.rare)
        for shape in shapes_of(values):
            lone = [one for one in shape.values if one in loose]
            if len(shape.values) - len(lone) < PATTERN_VALUES:
                # too few that are firm by themselves: the rare ones must carry it without them, or one value that
                # somebody slipped in would turn three files into their folder
                sessions, days = together(values[one] for one in lone)
                if len(lone) < PATTERN_VALUES or sessions < SHAPE[0] or days < SHAPE[1]:
                    continue
            for value in shape.values:
                firm.pop(literal(value) or "", None)
                rare.pop(literal(value) or "", None)
            few = ", ".join(shown(one, 40) for one in shape.values[:3])
            firm[shape.pattern] = f"{len(shape.values)} values such as {few}; {_times(shape.values, values)}"
        return Sorted(dict(sorted(firm.items())), list(rare.items()))

    def _judge(self, agent: SeenAgent, field: str, value: str, group: _TypeGroup) -> tuple[bool, str]:
        use, peers = agent.uses[field][value], group.peers
        users, firm_users = peers.users(field, value, agent, self._firmness)
        told = use.text + (f", {users} of {peers.others(agent)} peers" if peers.others(agent) else "")
        if not use.ok:
            return False, told
        if firm_users >= PEERS or self._firmness.is_trusted:
            return True, told
        if field == "tools" and group.role.carries(agent, value):
            return True, told
        is_alone = not users and peers.others(agent) >= PEERS
        # what runs an agent is its own by nature: its peers are other versions and models
        times = ALONE if is_alone and field in LISTS else 1
        return self._firmness.holds(use, times), told

    def _headline(self, agent: SeenAgent, peers: Peers) -> Iterator[str]:
        whole = agent.whole
        many = f"{len(agent.sessions)}{'+' if len(agent.sessions) == MOST_SESSIONS else ''}"
        peers_text = f"{peers.others(agent)} established peers"
        yield f"{shown(agent.agent_id)}: {whole.acts:,} events, {many} sessions, {peers_text}"
        yield f"seen {time_text(int(whole.first))} to {time_text(int(whole.last))}"
        if len(agent.types) > 1:
            yield f"it calls itself {len(agent.types)} types; most often {shown(agent.agent_type)}"
        if len(agent.zones) > 1:
            yield f"zones: {', '.join(shown(zone) for zone in sorted(agent.zones)[:5])}: say which is its own"
        if agent.oldest_credential_s > 0.0:
            yield f"its oldest credential in use was {agent.oldest_credential_s / 3_600:.1f} h old"
        if not self._firmness.holds(whole):
            yield "seen too little to propose anything: decide by who it is"

    @staticmethod
    def _draft(body: dict[str, Any], stands: RegistryEntry | None, notes: list[str]) -> Draft:
        """Return the draft, leaving out what makes the entry too long: targets first."""
        revision = 0 if stands is None else stands.revision
        for dropped in (None, "targets", "approved", "tools"):
            if dropped is not None:
                body.pop(dropped, None)
                notes.append(f"{dropped}: too long for an entry, so nothing is said about them")
            try:
                return draft_of({**body, "revision": revision})
            except ValueError:
                if dropped == "tools":
                    raise
        raise AssertionError


def _add_role(found: Sorted, lacking: Iterable[RoleTool], stands: RegistryEntry | None, notes: list[str]) -> None:
    """Add what an agent's role uses and it does not: proposed, unless somebody has decided without it before."""
    decided = None if stands is None else stands.tools
    decided_on, added = Patterns(decided or ()), 0
    for tool, told in lacking:
        # what peers do neither crowds out a list that an agent earned nor its targets from the entry
        if (name := literal(tool)) is None or len(name) > MOST_ROLE_LETTERS or len(found.firm) >= MOST_DECLARED:
            continue
        if decided is not None and not decided_on.allows(tool):
            found.rare.append((name, f"{told}; not in the entry that stands"))
            continue
        found.firm[name] = told
        added += 1
    if added:
        notes.append(f"tools: {added} by its role alone, marked: strike what is not this one's")


def _left_outside(field: str, values: Mapping[str, Use], found: Sorted) -> Iterator[str]:
    """Yield how much of what an agent did a proposal would deny, where it is a tenth or more."""
    rare = {name for name, _ in found.rare}
    acts = {value: use.acts - use.denied for value, use in values.items()}
    outside = sum(number for value, number in acts.items() if literal(value) in rare)
    if field in MOST_ACTS and outside and outside >= LEFT_OUTSIDE * sum(acts.values()):
        whole = sum(acts.values())
        yield f"{field}: {outside:,} of {whole:,} acts lie outside of what is proposed: decide, or leave the list out"


def _kept(stands: RegistryEntry) -> dict[str, Any]:
    from detector.registry.changes import content_of

    return content_of(stands)


def _put(body: dict[str, Any], field: str, names: Iterable[str]) -> None:
    head, _, rest = field.partition(".")
    if not rest:
        body[head] = list(names)
    elif rest == "tool_hashes":
        tools: dict[str, list[str]] = {}
        for name in names:
            tool, _, declared = name.partition(BETWEEN)
            tools.setdefault(tool, []).append(declared)
        body.setdefault(head, {})[rest] = tools
    else:
        body.setdefault(head, {})[rest] = list(names)


def _named(field: str, value: str, declared: str) -> str:
    """Return a declared name; of a hash of a tool's definition together with the tool."""
    if not field.endswith("tool_hashes"):
        return declared
    return f"{literal(value.partition(BETWEEN)[0]) or ''}{BETWEEN}{declared}"


def _times(members: Iterable[str], values: Mapping[str, Use]) -> str:
    sessions, days = together(values[one] for one in members)
    return f"{sessions}{'+' * (sessions == MOST_MARKS)} sessions, {days}{'+' * (days == MOST_MARKS)} days"
