"""What a rule promised, held against what it tells: one that speaks more often says so once, and folds for the day."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

DAY_S: Final = 86_400.0
"""Seconds of the partition's time for which a promise is counted."""
LEAST_A_DAY: Final = 20
"""Findings a day a rule may tell whatever it promised: a promise says nothing of a few sessions."""
NEWCOMERS, ESTABLISHED = "newcomers", "established"


class Telling(Enum):
    """What becomes of a finding: it is told, told as the one that says that the rule folds, or folded."""

    TOLD = 0
    LAST = 1
    FOLDED = 2


class RulePace:
    """Findings by rule and day of the partition's time, against a share of the sessions that closed the day before.

    Newcomers and established agents spend apart: who makes up agents spends what is meant for made-up ones, and hides
    nothing of an established one.

    Attributes
    ----------
    day : int
        Day that is counted, since 1970.
    sessions, before : int
        Sessions closed in it, and in the day before.
    told : dict of str to int
        Findings told, by rule and who.
    """

    def __init__(self) -> None:
        self.day, self.sessions, self.before = -1, 0, 0
        self.told: dict[str, int] = {}

    def turn(self, now: float) -> None:
        """Begin another day, if it is one: also an earlier one, of a clock that fell back, for its first was 2099's."""
        day = int(now // DAY_S)
        if day != self.day:
            self.before = self.sessions if day == self.day + 1 else 0
            self.day, self.sessions, self.told = day, 0, {}

    def most(self, promise: int) -> int:
        """Return how many findings a rule may tell today that promised one in so many sessions."""
        return max(LEAST_A_DAY, max(self.before, self.sessions) // promise)

    def take(self, rule: str, promise: int, *, established: bool) -> Telling:
        """Return what becomes of a finding of a rule, which is counted as told if it is."""
        key = f"{rule}/{ESTABLISHED if established else NEWCOMERS}"
        told, most = self.told.get(key, 0), self.most(promise)
        if told > most:
            return Telling.FOLDED
        self.told[key] = told + 1
        return Telling.TOLD if told < most else Telling.LAST

    def give_back(self, rule: str, *, established: bool) -> None:
        """Take a finding back that nobody heard."""
        self.told[f"{rule}/{ESTABLISHED if established else NEWCOMERS}"] -= 1

    def folding(self, promises: Mapping[str, int]) -> list[str]:
        """Return the rules that told all they may today."""
        rules = {key.partition("/")[0] for key in self.told}
        return sorted(
            rule
            for rule in rules & set(promises)
            if any(self.told.get(f"{rule}/{who}", 0) > self.most(promises[rule]) for who in (NEWCOMERS, ESTABLISHED))
        )

    def facts(self) -> dict[str, Any]:
        """Return what a snapshot holds."""
        return {
            "day": self.day,
            "sessions": self.sessions,
            "before": self.before,
            "told": dict(sorted(self.told.items())),
        }

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where a snapshot left off."""
        self.day, self.sessions, self.before = facts["day"], facts["sessions"], facts["before"]
        self.told = dict(facts["told"])
