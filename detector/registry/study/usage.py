"""What was declared against what was used: which grants nobody used, for how long, and whether the peers do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from detector.registry.documents import time_text
from detector.registry.study.acts import FIELDS
from detector.registry.study.allowed import declared_at
from detector.registry.study.seen import SeenAgent, SeenFleet, Use
from detector.registry.tables import rows
from detector.rules.patterns import Patterns
from detector.schema.registry import RegistryEntry
from detector.views.shown import shown

MOST_PEERS: Final = 50
"""Peers that are asked whether they use a name, the busiest of the type."""
DAY_S: Final = 86_400.0
LISTED: Final = tuple(field for field in FIELDS if field != "approved.tool_hashes")
"""Fields that are lists of names."""


class DeclaredName(NamedTuple):
    """One declared name and its use in a window.

    Parameters
    ----------
    entry : RegistryEntry
        Whose.
    field, name : str
        Which list, and the declared name or pattern.
    values : tuple of str
        Values that were used under it, refused acts apart; empty: it was not used.
    last : float or None
        When it was last used, epoch seconds.
    unused_s : float
        How long it has not been used when the window ends; of one that was never used the whole window, or the time
        since the entry was changed, if that was within it.
    peers : (int, int)
        How many other agents of the tenant and type used it, of how many: the busiest fifty.
    """

    entry: RegistryEntry
    field: str
    name: str
    values: tuple[str, ...]
    last: float | None
    unused_s: float
    peers: tuple[int, int]

    @property
    def is_used(self) -> bool:
        """Whether anything was used under it."""
        return bool(self.values)


class Usage:
    """Entries held against a window.

    Parameters
    ----------
    seen : SeenFleet
        The window.
    standing : mapping of str to RegistryEntry
        The inventory; those that may not act are left out.

    Attributes
    ----------
    entries : list of RegistryEntry
        Those that may act, by agent.
    not_acting : set of str
        Agents whose entry says that they may not.
    """

    def __init__(self, seen: SeenFleet, standing: Mapping[str, RegistryEntry]) -> None:
        self.seen = seen
        self.entries = [one for _, one in sorted(standing.items()) if one.lifecycle in {"proposed", "active"}]
        self.not_acting = {one.agent_id for one in standing.values()} - {one.agent_id for one in self.entries}
        self._groups: dict[tuple[str, str], list[SeenAgent]] = {}
        for agent in sorted(seen.agents.values(), key=lambda one: (-one.whole.acts, one.agent_id)):
            group = self._groups.setdefault((agent.tenant, agent.agent_type), [])
            if len(group) <= MOST_PEERS:
                group.append(agent)

    def agent(self, entry: RegistryEntry) -> SeenAgent | None:
        """Return what was seen of an entry's agent, None if nothing was."""
        return self.seen.agents.get((entry.tenant, entry.agent_id))

    def is_known(self, entry: RegistryEntry, field: str) -> bool:
        """Tell whether all values of a field were held: of a list that overflowed nobody knows what was not used."""
        agent = self.agent(entry)
        return agent is None or not agent.overflow[field]

    def grants(self) -> Iterator[DeclaredName]:
        """Yield every declared name of every entry whose use is known."""
        for entry in self.entries:
            for field in LISTED:
                if self.is_known(entry, field):
                    yield from (self._grant(entry, field, name) for name in declared_at(entry, field) or ())

    def _grant(self, entry: RegistryEntry, field: str, name: str) -> DeclaredName:
        agent = self.agent(entry)
        pattern = Patterns((name,))
        used = {} if agent is None else _under(pattern, agent.uses.get(field, {}))
        last = max((use.last for use in used.values()), default=None)
        # of an entry that was changed after the window all of the window tells
        known_since = entry.at if self.seen.first < entry.at <= self.seen.last else self.seen.first
        unused = self.seen.last - (known_since if last is None else last) if self.seen.events else 0.0
        kind = entry.agent_type or (agent.agent_type if agent else "default")
        peers = [one for one in self._groups.get((entry.tenant, kind), []) if one.agent_id != entry.agent_id][
            :MOST_PEERS
        ]
        users = sum(bool(_under(pattern, one.uses.get(field, {}))) for one in peers)
        return DeclaredName(entry, field, name, tuple(sorted(used)), last, unused, (users, len(peers)))


def _under(pattern: Patterns, values: Mapping[str, Use]) -> dict[str, Use]:
    return {value: use for value, use in values.items() if use.acts > use.denied and pattern.allows(value)}


def usage_lines(usage: Usage, *, everything: bool, is_json: bool) -> Iterator[str]:
    """Yield one line a declared name that was not used, or of every one; then the sums."""
    grants = list(usage.grants())
    told = [one for one in grants if everything or not one.is_used]
    if is_json:
        yield from map(_json_line, told)
        return
    head = ("agent", "list", "declared", "used as", "last used", "unused, days", "peers that use it")
    yield from rows(head, map(_row, told))
    unused = sum(not one.is_used for one in grants)
    yield f"{len(usage.entries)} entries, {len(grants)} declared names, {unused} of them unused"
    yield from unknown_lines(usage)
    for entry in usage.entries:
        if names := [name for name in ("tools", "targets") if declared_at(entry, name) is None]:
            yield f"{shown(entry.agent_id)} says nothing about its {' and '.join(names)}, and so may use any"


def unknown_lines(usage: Usage) -> Iterable[str]:
    """Return which lists cannot be judged, because not all that was used fitted in memory."""
    return [
        f"{shown(entry.agent_id)}: {field} cannot be judged, too many different values were used"
        for entry in usage.entries
        for field in LISTED
        if not usage.is_known(entry, field)
    ]


def _row(one: DeclaredName) -> tuple[str, ...]:
    values = ", ".join(shown(value, 24) for value in one.values[:3])
    more = f" and {len(one.values) - 3} more" if len(one.values) > 3 else ""
    return (
        shown(one.entry.agent_id, 48),
        one.field,
        shown(one.name, 60),
        f"{values}{more}" if one.values and one.values != (one.name,) else ("itself" if one.values else "-"),
        "never" if one.last is None else time_text(int(one.last)),
        f"{one.unused_s / DAY_S:.1f}",
        f"{one.peers[0]} of {one.peers[1]}",
    )


def _json_line(one: DeclaredName) -> str:
    body = one._asdict() | {"entry": one.entry.agent_id, "values": one.values[:50], "unused_days": one.unused_s / DAY_S}
    return json.dumps(body)
