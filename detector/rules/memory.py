"""What rules remember: of each agent a few notes a rule, in the row that the agent has in memory.

An agent's notes are gone when its row is another's: so who leaves, and in which order, is what memory decides,
newcomers first, and a flood of made-up agents pushes out no established one's notes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from detector.rules.containments import Containments
from detector.rules.presence import Presence

MOST_TOLD: Final = 16
"""Causes a rule tells of one agent in :data:`AGAIN_S`; more are counted. Who makes up causes is told of 16 times."""
AGAIN_S: Final = 86_400.0
"""Seconds of the partition's time after which a cause of an agent is told again."""
BLOCK: Final = 64
"""Rows whose notes are one shard."""


class RuleNotes(msgspec.Struct, gc=False):
    """What a rule keeps of one agent.

    Parameters
    ----------
    agent : int
        Hash of its name: another one in the same row finds nothing.
    told : dict of str to float
        When a cause was told, at most :data:`MOST_TOLD` of them.
    kept : dict
        Plain values the rule itself bounds.
    """

    agent: int
    told: dict[str, float] = {}
    kept: dict[str, Any] = {}


class RuleMemory:
    """RuleNotes by rule and row; at most one a rule and row of memory, each bounded.

    Attributes
    ----------
    touched : set of int
        Blocks that changed since the last snapshot.
    contained : Containments
        What holds of the partition's agents; kept apart from their rows, which may become others'.
    presence : Presence
        Who reports when.
    counts : Counter of str
        What was folded or lost since somebody took them; no part of the state.
    """

    def __init__(self) -> None:
        self._notes: defaultdict[str, dict[int, RuleNotes]] = defaultdict(dict)
        self.touched: set[int] = set()
        self.contained = Containments()
        self.presence = Presence()
        self.counts: Counter[str] = Counter()

    def of(self, rule: str, row: int, agent: int) -> RuleNotes:
        """Return the notes of an agent, to be changed; new ones where the row was another's."""
        notes = self._notes[rule].get(row)
        if notes is None or notes.agent != agent:
            notes = self._notes[rule][row] = RuleNotes(agent)
        self.touched.add(row // BLOCK)
        return notes

    def rows(self, rule: str) -> Mapping[int, RuleNotes]:
        """Return a rule's notes by row, only to be read: to pass over all others."""
        return self._notes[rule]

    def known(self, rule: str, row: int, agent: int) -> RuleNotes | None:
        """Return the notes of an agent, only to be read; None if there are none."""
        notes = self._notes[rule].get(row)
        return None if notes is None or notes.agent != agent else notes

    def is_told(self, rule: str, owner: tuple[int, int], cause: str, now: float) -> bool:
        """Tell whether a cause of an agent (row, hash) was told lately, which is counted."""
        notes = self.known(rule, *owner)
        last = None if notes is None else notes.told.get(cause)
        if last is None or now - last >= AGAIN_S:
            return False
        self.counts["rule_hits_folded"] += 1
        return True

    def is_news(self, rule: str, owner: tuple[int, int], cause: str, now: float) -> bool:
        """Tell whether a cause of an agent was not told lately; if so, it now is."""
        if self.is_told(rule, owner, cause, now):
            return False
        told = self.of(rule, *owner).told
        for old in [one for one, at in told.items() if now - at >= AGAIN_S]:
            del told[old]
        if len(told) >= MOST_TOLD:
            self.counts["rule_hits_capped"] += 1
            return False
        told[cause] = now
        return True

    def unsay(self, rule: str, owner: tuple[int, int], cause: str) -> None:
        """Forget that a cause was told: nobody heard it."""
        self.of(rule, *owner).told.pop(cause, None)

    def shards(self, *, full: bool) -> dict[int, Any]:
        """Return plain facts by block: those that changed, or all; forgets which changed."""
        blocks = {row // BLOCK for rows in self._notes.values() for row in rows} if full else set(self.touched)
        self.touched.clear()
        return {block: self._facts(block) for block in sorted(blocks)}

    def _facts(self, block: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for rule in sorted(self._notes):
            rows = self._notes[rule]
            places = [row for row in range(block * BLOCK, (block + 1) * BLOCK) if row in rows]
            if places:
                found[rule] = [[row, rows[row].agent, rows[row].told, rows[row].kept] for row in places]
        return found

    def restore(self, shards: Iterable[Mapping[str, Any]], rules: Iterable[str]) -> None:
        """Take up the notes of the rules that are on; those of others are forgotten."""
        enabled = set(rules)
        for facts in shards:
            for rule in sorted(enabled & set(facts)):
                rows = self._notes[rule]
                for row, agent, told, kept in facts[rule]:
                    rows[int(row)] = RuleNotes(int(agent), dict(told), dict(kept))
        self.touched.clear()
