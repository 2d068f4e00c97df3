"""An entry as a judge: whether an event falls inside of what is declared, and what of it does not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from detector.registry.study.acts import BETWEEN, uses_of
from detector.rules.patterns import Patterns
from detector.schema.event import Event
from detector.schema.registry import RegistryEntry

MOST_DENIALS: Final = 10_000
"""Different denials that are held; the others are counted."""


class Judge:
    """One entry, compiled.

    Parameters
    ----------
    entry : RegistryEntry
        What is declared; a list that says nothing allows everything.
    """

    def __init__(self, entry: RegistryEntry) -> None:
        self.entry = entry
        self._lists = {
            field: None if (declared := declared_at(entry, field)) is None else Patterns(declared)
            for field in ("tools", "targets", "peers", "delegates", "data_classes")
        }
        approved = entry.approved
        for field, names in (
            ("approved.versions", approved.versions),
            ("approved.models", approved.models),
            ("approved.prompt_hashes", approved.prompt_hashes),
        ):
            self._lists[field] = None if names is None else Patterns(names)
        self._hashes = [(Patterns((tool,)), Patterns(some)) for tool, some in (approved.tool_hashes or {}).items()]
        self._grants = [
            (one, {"tools": Patterns(one.tools or ()), "targets": Patterns(one.targets or ())}) for one in entry.grants
        ]

    def outside(self, event: Event) -> Iterator[tuple[str, str]]:
        """Yield (field, value) of what an event uses and nothing declares: neither a list nor a grant in its term."""
        at = event.ts.timestamp()
        for field, value in uses_of(event):
            if not self.allows(field, value, at):
                yield field, value

    def allows(self, field: str, value: str, at: float) -> bool:
        """Tell whether one use is inside, at an event time."""
        if field == "approved.tool_hashes":
            tool, _, found = value.partition(BETWEEN)
            asked = [hashes for name, hashes in self._hashes if name.allows(tool)]
            return not asked or any(hashes.allows(found) for hashes in asked)
        declared = self._lists[field]
        if declared is None or _has(declared, field, value):
            return True
        return any(
            field in lists and _has(lists[field], field, value) and one.granted_at <= at < (one.expires_at or math.inf)
            for one, lists in self._grants
        )


def _has(declared: Patterns, field: str, value: str) -> bool:
    """Tell whether a list has a value: of several targets each, as the worker's rule asks."""
    return declared.allows_each(value) if field == "targets" else declared.allows(value)


def declared_at(entry: RegistryEntry, field: str) -> tuple[str, ...] | None:
    """Return the list of an entry at a field's name; None if it says nothing."""
    head, _, rest = field.partition(".")
    found: tuple[str, ...] | None = getattr(entry.approved, rest) if rest else getattr(entry, head)
    return found


class Denial(NamedTuple):
    """One use that would have been denied: whose, what, how often, and in which sessions (a few)."""

    agent_id: str
    field: str
    value: str
    acts: int
    sessions: tuple[str, ...]


class Denials:
    """What entries would have denied of a stream.

    Parameters
    ----------
    entries : iterable of RegistryEntry
        Those that are asked; agents without one are allowed everything.
    before : mapping, optional
        Entries as they stand: what they deny already is not counted.
    """

    def __init__(self, entries: Iterable[RegistryEntry], before: Mapping[str, RegistryEntry] | None = None) -> None:
        self._judges = {(entry.tenant, entry.agent_id): Judge(entry) for entry in entries}
        stand = (before or {}).values()
        self._before = {(entry.tenant, entry.agent_id): Judge(entry) for entry in stand}
        self._found: dict[tuple[str, str, str], tuple[int, list[str]]] = {}
        self.acts = self.denied = self.unheld = 0

    def add_all(self, events: Iterable[Event]) -> Denials:
        """Judge events, and return what was found."""
        for event in events:
            self.acts += 1
            self.denied += bool(self._judge(event))
        return self

    def _judge(self, event: Event) -> bool:
        key = (event.tenant or "default", event.agent_id)
        judge, before = self._judges.get(key), self._before.get(key)
        if judge is None or event.outcome == "denied":
            return False
        at = event.ts.timestamp()
        outside = [one for one in judge.outside(event) if before is None or before.allows(*one, at)]
        for field, value in outside:
            self._note((event.agent_id, field, value), event.session_id or "-")
        return bool(outside)

    def _note(self, key: tuple[str, str, str], session: str) -> None:
        if key not in self._found and len(self._found) >= MOST_DENIALS:
            self.unheld += 1
            return
        acts, sessions = self._found.get(key, (0, []))
        if len(sessions) < 3 and session not in sessions:
            sessions = [*sessions, session]
        self._found[key] = (acts + 1, sessions)

    @property
    def found(self) -> list[Denial]:
        """Every different denial, by agent."""
        return [Denial(*key, acts, tuple(sessions)) for key, (acts, sessions) in sorted(self._found.items())]
