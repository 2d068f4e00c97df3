"""Least privilege as a patch: entries without what was not used, and what they would have denied in the window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from detector.registry.changes import content_of
from detector.registry.drafts import Draft, draft_of
from detector.registry.pages import ReviewItem
from detector.registry.study.allowed import declared_at
from detector.registry.study.coarse import literal, shapes_of
from detector.registry.study.seen import SeenAgent, Use
from detector.registry.study.usage import DAY_S, LISTED, DeclaredName, Usage
from detector.rules.patterns import Patterns, is_plain
from detector.schema.registry import MOST_DECLARED, RegistryEntry
from detector.views.shown import shown

UNSAID: Final = frozenset({"tools", "targets"})
"""Lists that are written where an entry says nothing about them; others stay unsaid."""
WIDE: Final = 2
"""Sessions up to which a use that a tightening writes down for the first time is told as rare."""


@dataclass(frozen=True, slots=True)
class Tightening:
    """What is taken away.

    Parameters
    ----------
    unused_s : float
        A name goes that was not used for so long.
    narrow : bool
        Patterns become what was used under them.
    """

    unused_s: float = 0.0
    narrow: bool = False

    def items(self, usage: Usage) -> Iterator[ReviewItem]:
        """Yield the entries that become tighter; agents that were not seen at all are left as they are, and said."""
        grants: dict[str, list[DeclaredName]] = {}
        for one in usage.grants():
            grants.setdefault(one.entry.agent_id, []).append(one)
        for entry in usage.entries:
            agent = usage.agent(entry)
            if agent is not None:
                item = self._item(entry, agent, grants.get(entry.agent_id, []), usage)
                if content_of(item.draft.entry) != content_of(entry):
                    yield item

    def _item(self, entry: RegistryEntry, agent: SeenAgent, grants: list[DeclaredName], usage: Usage) -> ReviewItem:
        body: dict[str, Any] = content_of(entry)
        notes: list[str] = []
        why: dict[tuple[str, str], str] = {}
        for field in LISTED:
            if not usage.is_known(entry, field):
                notes.append(f"{field}: left as it is, too many different values were used to tell")
                continue
            declared = declared_at(entry, field)
            if declared is None:
                if field in UNSAID:
                    self._write_down(field, agent.uses.get(field, {}), body, notes, why)
                continue
            kept: list[str] = []
            for one in (one for one in grants if one.field == field):
                kept += self._kept(one, agent.uses.get(field, {}), notes, why)
            _enter(body, field, sorted(set(kept)))
        return ReviewItem(Draft(entry.revision, draft_of(body | {"revision": entry.revision}).entry), notes, why)

    def _kept(
        self, one: DeclaredName, uses: dict[str, Use], notes: list[str], why: dict[tuple[str, str], str]
    ) -> list[str]:
        if not one.is_used and one.unused_s >= self.unused_s:
            peers = f"{one.peers[0]} of {one.peers[1]} peers use it"
            notes.append(
                f"{one.field}: {shown(one.name, 100)} goes, unused for {one.unused_s / DAY_S:.1f} days; {peers}"
            )
            return []
        if not self.narrow or is_plain(one.name) or not one.is_used:
            return [one.name]
        used = {value: uses[value] for value in one.values}
        narrower = narrowed(used) if one.field == "targets" else literals(used)
        # only if it really is less: a pattern of ours that was narrowed before stays what it is
        if len(narrower) > MOST_DECLARED // 4 or narrower == [one.name]:
            return [one.name]
        notes.append(f"{one.field}: {shown(one.name, 100)} becomes the {len(narrower)} that were used under it")
        for name in narrower:
            if name in uses:
                why[one.field, name] = uses[name].text
        return narrower

    @staticmethod
    def _write_down(
        field: str, uses: dict[str, Use], body: dict[str, Any], notes: list[str], why: dict[tuple[str, str], str]
    ) -> None:
        """Write a list where none was: all that was used, and which of it a person should look at."""
        used = {value: use for value, use in uses.items() if use.acts > use.denied}
        names = narrowed(used) if field == "targets" else literals(used)
        if len(names) > MOST_DECLARED:
            notes.append(
                f"{field}: anything is allowed, and {len(names)} different ones were used: too many for a list"
            )
            return
        notes.append(f"{field}: anything was allowed, {len(names)} were used")
        body[field] = names
        for value, use in used.items():
            rare = len(use.sessions) <= WIDE
            why[field, literal(value) or ""] = f"{'rare, look at it: ' if rare else ''}{use.text}"


def literals(values: dict[str, Use]) -> list[str]:
    """Return declared names of single values; one that is too long for any is left out."""
    return sorted(name for name in map(literal, values) if name is not None)


def narrowed(values: dict[str, Use]) -> list[str]:
    """Return declared names that allow exactly the shapes that were used: patterns where there are many of one."""
    shapes = shapes_of(values)
    inside = {value for shape in shapes for value in shape.values}
    # one pattern may allow what another value says already
    patterns = Patterns([shape.pattern for shape in shapes])
    rest = {value: use for value, use in values.items() if value not in inside and not patterns.allows(value)}
    return sorted([*(shape.pattern for shape in shapes), *literals(rest)])


def _enter(body: dict[str, Any], field: str, names: list[str]) -> None:
    head, _, rest = field.partition(".")
    if rest:
        body[head] = {**body.get(head, {}), rest: names}
    else:
        body[head] = names
