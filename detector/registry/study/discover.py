"""Who was seen and is not registered, who is registered and was not seen, who shares an identity; and proposals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from detector.registry.documents import time_text
from detector.registry.owners import Owners
from detector.registry.pages import ReviewItem, page_of
from detector.registry.study.peers import Firmness
from detector.registry.study.propose import Proposer
from detector.registry.study.seen import SeenAgent, SeenFleet
from detector.schema.registry import RegistryEntry
from detector.views.shown import count_of, shown

MOST_TOLD = 50
"""Names of one kind that are told in the headlines; the rest are counted."""


class Shared(NamedTuple):
    """One identity that several have: what it is, its name, and who."""

    what: str
    name: str
    who: tuple[str, ...]


class Discovery:
    """A window held against an inventory.

    Parameters
    ----------
    seen : SeenFleet
        The window.
    standing : mapping of str to RegistryEntry
        The inventory, by agent.
    firmness : Firmness
        What is asked of a value before it is proposed.
    owners : Owners or None
        Who answers for agents that name nobody.
    """

    def __init__(
        self,
        seen: SeenFleet,
        standing: Mapping[str, RegistryEntry],
        firmness: Firmness | None = None,
        owners: Owners | None = None,
    ) -> None:
        self.seen, self.standing = seen, standing
        self._proposer = Proposer(seen, firmness, owners, standing)

    @property
    def unregistered(self) -> list[SeenAgent]:
        """Agents that act without an entry of their tenant, the busiest first."""
        return sorted(
            (one for one in self._agents() if self._stands(one) is None),
            key=lambda one: (-one.whole.acts, one.agent_id),
        )

    @property
    def unseen(self) -> list[RegistryEntry]:
        """Entries, apart from retired ones, of agents that did nothing in the window."""
        acted = {agent for _, agent in self.seen.agents}
        return [
            entry
            for agent, entry in sorted(self.standing.items())
            if agent not in acted and entry.lifecycle != "retired"
        ]

    @property
    def retired(self) -> list[SeenAgent]:
        """Agents that act although their entry says they may not."""
        return [
            one
            for one in self._agents()
            if (entry := self._stands(one)) is not None and entry.lifecycle in {"retired", "suspended"}
        ]

    @property
    def shared(self) -> list[Shared]:
        """Identities that several have: ids in two tenants, credentials and SPIFFE ids of several agents, instances."""
        found: list[Shared] = []
        tenants: dict[str, set[str]] = {}
        spiffe: dict[str, set[str]] = {}
        credentials: dict[str, set[str]] = {}
        for agent in self._agents():
            tenants.setdefault(agent.agent_id, set()).add(agent.tenant)
            for held, by in ((agent.spiffe_ids, spiffe), (agent.credentials, credentials)):
                for one in held:
                    by.setdefault(one, set()).add(agent.agent_id)
            if together := _at_once(agent):
                found.append(Shared("instances at once", agent.agent_id, together))
        for what, by in (("tenants", tenants), ("SPIFFE id", spiffe), ("credential", credentials)):
            found += [Shared(what, name, tuple(sorted(who))) for name, who in sorted(by.items()) if len(who) > 1]
        return found

    def items(self, *, again: bool = False) -> list[ReviewItem]:
        """Return proposals for the agents without an entry; `again`: for those with one too, made from it.

        Of an agent id in two tenants the busier one is proposed: an id is one entry.
        """
        wanted = self._agents() if again else self.unregistered
        by_id: dict[str, SeenAgent] = {}
        for agent in sorted(wanted, key=lambda one: (-one.whole.acts, one.tenant)):
            by_id.setdefault(agent.agent_id, agent)
        return [self._proposer.item(one, self._stands(one)) for _, one in sorted(by_id.items())]

    def page(self, *, again: bool = False) -> Iterator[str]:
        """Yield the page of proposals, with the headlines above them."""
        head = [
            *headlines(self),
            "Review each entry: its owner, its purpose, its criticality. What is marked as rare is not allowed.",
            "Then: detector registry apply THIS FILE --activate --by NAME --reason TEXT",
        ]
        return page_of(self.items(again=again), head)

    def _agents(self) -> Iterable[SeenAgent]:
        return self.seen.agents.values()

    def _stands(self, agent: SeenAgent) -> RegistryEntry | None:
        entry = self.standing.get(agent.agent_id)
        return entry if entry is not None and entry.tenant == agent.tenant else None


def _at_once(agent: SeenAgent) -> tuple[str, ...]:
    """Return two instances of an agent whose times overlap, and how many there are; none if they follow each other."""
    spans = sorted(agent.instances.items(), key=lambda item: item[1].first)
    for (one, before), (other, after) in pairwise(spans):
        if after.first < before.last:
            return one, other
    return ()


def headlines(found: Discovery) -> Iterator[str]:
    """Yield what was found, the gist first."""
    seen = found.seen
    if not seen.events:
        yield "no event in the window"
        return
    window = f"{time_text(int(seen.first))} to {time_text(int(seen.last))}"
    yield f"{count_of(seen.events, 'event')} of {count_of(len(seen.agents), 'agent')}, {window}"
    kinds = Counter(agent.agent_type for agent in found.unregistered)
    told = ", ".join(f"{number} {shown(kind, 40)}" for kind, number in kinds.most_common(10))
    yield f"seen and not registered: {len(found.unregistered)}" + (f" ({told})" if told else "")
    yield from _named("registered and not seen", [entry.agent_id for entry in found.unseen])
    yield from _named("acting although retired or suspended", [agent.agent_id for agent in found.retired])
    shared = [
        f"{one.what} {shown(one.name, 60)}: {', '.join(shown(who, 40) for who in one.who[:5])}" for one in found.shared
    ]
    yield f"sharing an identity: {len(shared)}"
    yield from (f"  {line}" for line in shared[:MOST_TOLD])
    yield from (f"not held in memory: {number:,} {what}" for what, number in sorted(seen.unheld.items()))


def _named(what: str, names: list[str]) -> Iterator[str]:
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    told = ", ".join(shown(name, 48) for name in names[:MOST_TOLD])
    yield f"{what}: {len(names)}" + (f" ({told}{more})" if names else "")
