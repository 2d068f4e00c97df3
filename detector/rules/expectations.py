"""Expectations: versions an entry newly lists, until their agents are first seen on them, and for a while from then.

Whoever may write the registry opens one, by listing a version; the agent can only use it, once. What is listed with a
first list of versions, or was allowed before, is no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from detector.rules.declared import DeclaredAgent, Facts
from detector.schema.registry import EXPRESSION

MOST_EXPECTED: Final = 16_384
"""Agents whose expectations are held, with at most :data:`MOST_VERSIONS` each; those declared longest ago leave first,
and what they do anew alerts as before."""
MOST_VERSIONS: Final = 8


@dataclass(slots=True)
class Expectation:
    """What is expected of one agent.

    Parameters
    ----------
    listed : tuple of str
        Versions it was not seen on yet, the one listed last at the end.
    version : str
        The one it was last seen on first; empty if none.
    since, until : float
        Partition time at which that was, and at which it is over, epoch seconds.
    """

    listed: tuple[str, ...] = ()
    version: str = ""
    since: float = 0.0
    until: float = 0.0


class Expectations:
    """The expectations of one partition, by the hash of the agent's name.

    Attributes
    ----------
    declared, opened : int
        Versions that were expected so far, and windows that were opened.
    has_changed : bool
        Whether anything changed since somebody set it back.
    """

    def __init__(self) -> None:
        self._held: dict[int, Expectation] = {}
        self.declared = self.opened = 0
        self.has_changed = False

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, agent: int) -> bool:
        return agent in self._held

    def declare(self, agent: int, old: Facts, new: Facts) -> None:
        """Take an entry that replaces another: what it newly lists is expected, what it lists no longer is not."""
        held, listed = self._held.pop(agent, None) or Expectation(), new.versions or ()
        is_active = new.lifecycle == "active"
        kept = tuple(one for one in held.listed if one in listed and is_active)
        added = newly_listed(old, new) if is_active else ()
        self.declared += len(added)
        self.has_changed |= bool(added) or kept != held.listed
        if held.version and (held.version not in listed or not is_active):
            held, self.has_changed = Expectation(), True
        held.listed = tuple(dict.fromkeys((*kept, *added)))[-MOST_VERSIONS:]
        if held.listed or held.version:
            self._held[agent] = held
        while len(self._held) > MOST_EXPECTED:
            del self._held[next(iter(self._held))]

    def forget(self, agent: int) -> None:
        """Expect nothing of an agent whose entry is gone."""
        self.has_changed |= self._held.pop(agent, None) is not None

    def see(self, agent: int, version: str, now: float, last_s: float) -> bool:
        """Tell whether a version an agent acts in is a new one that may do what is declared; opens its window.

        Parameters
        ----------
        agent : int
            Hash of its name; it must be held.
        version : str
            As its event says.
        now : float
            The watermark as the event finds it, epoch seconds: no event's own time opens or prolongs anything.
        last_s : float
            Seconds from the first event on that a window is open.
        """
        held = self._held[agent]
        if version in held.listed:
            listed = tuple(one for one in held.listed if one != version)
            held = self._held[agent] = Expectation(listed, version, now, now + last_s)
            self.opened, self.has_changed = self.opened + 1, True
        elif held.version and not held.since <= now < held.until:
            self.has_changed = True
            held.version = ""
            if not held.listed:
                del self._held[agent]
            return False
        return version == held.version and bool(version)

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        held = [[agent, list(one.listed), one.version, one.since, one.until] for agent, one in self._held.items()]
        return {"held": held, "declared": self.declared, "opened": self.opened}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        self.declared, self.opened = int(facts["declared"]), int(facts["opened"])
        self._held = {int(agent): Expectation(tuple(listed), *rest) for agent, listed, *rest in facts["held"]}


def newly_listed(old: Facts, new: Facts) -> tuple[str, ...]:
    """Return the versions that an entry names word for word and the one before it did not allow."""
    if old.versions is None:
        return ()
    named = (one for one in new.versions or () if "*" not in one and not one.startswith(EXPRESSION))
    before = DeclaredAgent(old)
    return tuple(one for one in named if not before.matches(old.versions, one))
