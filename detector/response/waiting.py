"""Held commands of one kind of agent of a tenant, the strongest first, until there is room or their term is over."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from detector.response.breaker import end_of
from detector.response.ladder import RANK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.schema.command import PolicyState

MOST_HELD: Final = 256
"""Commands that wait; past that the weakest leave, and each that leaves is said in the log and counted."""

Strength = tuple[int, float, float, str]


def strength_of(state: PolicyState) -> Strength:
    """Return what commands are ordered by, the strongest first: tier, score, then the older one, then the subject."""
    return -RANK[state.tier], -state.reason.score, state.effective_at, state.subject


def covers(state: PolicyState, other: PolicyState, at: float) -> bool:
    """Tell whether a state that stands is at `at` as strong as another of its subject, and for no shorter time."""
    now = state.tier_at(max(at, state.begins_at))
    if RANK[now] < RANK[other.tier]:
        return False
    ends, wanted = end_of(state), other.expires_at
    if state.tier == other.tier:
        ends = state.expires_at
    return RANK[now] > RANK[other.tier] or ends is None or (wanted is not None and wanted <= ends)


@dataclass(slots=True)
class HeldQueue:
    """The commands that wait, one a subject; memory: :data:`MOST_HELD` policy states."""

    waiting: dict[str, PolicyState] = field(default_factory=dict)
    order: list[Strength] = field(default_factory=list)

    def put(self, command: PolicyState, now: float) -> list[str]:
        """Let a command wait and return the subjects that had to leave for it, at worst its own.

        One that is over at `now` does not wait. Of a subject the stronger command waits, of two alike the later.
        """
        if not _runs(command, now):
            return []
        known = self.waiting.get(command.subject)
        if known is not None:
            if RANK[known.tier] > RANK[command.tier] and _runs(known, now):
                return []
            self.drop(command.subject)
        self.waiting[command.subject] = command
        insort(self.order, strength_of(command))
        if len(self.order) <= MOST_HELD:
            return []
        for subject in [one.subject for one in self.waiting.values() if not _runs(one, now)]:
            self.drop(subject)
        left = [subject for *_, subject in self.order[MOST_HELD:]]
        for subject in left:
            self.drop(subject)
        return left

    def drop(self, subject: str) -> None:
        """Forget what waits for a subject, if anything does."""
        command = self.waiting.pop(subject, None)
        if command is not None:
            del self.order[bisect_left(self.order, strength_of(command))]

    def settle(self, state: PolicyState) -> None:
        """Forget what waits for a subject if a state that was issued covers it."""
        waiting = self.waiting.get(state.subject)
        if waiting is not None and covers(state, waiting, state.begins_at):
            self.drop(state.subject)

    def strongest(self) -> PolicyState | None:
        """Return the command that is first, None if none waits."""
        return self.waiting[self.order[0][-1]] if self.order else None

    def __iter__(self) -> Iterator[PolicyState]:
        """Yield what waits, the strongest first."""
        return (self.waiting[subject] for *_, subject in self.order)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self.order)


def _runs(command: PolicyState, now: float) -> bool:
    return command.expires_at is None or now < command.expires_at
