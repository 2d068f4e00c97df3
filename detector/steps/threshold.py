"""Threshold: the one owner of what alerts. It reads judgements and says which sessions passed a level, and where.

It can be exchanged whole: whatever has the face of :class:`Threshold` may decide instead, with state
of its own. Nothing below it asks what alerted.

Rank alone would make an alarm of nothing in a fleet whose sessions are all alike: there the evidence
must also pass a floor, twice what an event has in which every channel is ordinary
(``docs/science.md``, *Threshold*).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from detector.channels.context import JUDGED
from detector.errors import StateError
from detector.intake.columns import SESSION
from detector.steps.workspace import Workspace

ALERT, QUARANTINE = 1, 2
"""Levels a session can pass."""


class Passed(NamedTuple):
    """An event that took its session past a level for the first time; `over`: its events past the alert level."""

    event: int
    session: int
    level: int
    over: int


class Ended(NamedTuple):
    """A closed session that had passed a level: its row among the closes, its name, its events past the alert level."""

    row: int
    session: int
    over: int


class Threshold(Protocol):
    """Decides which sessions alert."""

    def decide(self, events: int, work: Workspace) -> list[Passed | Ended]:
        """Return what passed a level and what ended after it had, in input order: a close before the event at it."""

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts, for a snapshot; bounded by the sessions that may be open."""

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off; StateError if they are another threshold's."""

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches: at least ``promised`` and ``spent``."""


class BudgetSettings(NamedTuple):
    """Settings: shares of closed sessions; `floor`: evidence below which nothing alerts; when alerts may begin."""

    alerts: float
    quarantine: float
    floor: float
    trusted_until: float


class BudgetThreshold:
    """A session alerts where it is as rare as the promised share of sessions, and quarantines at the stricter share.

    Parameters
    ----------
    settings : BudgetSettings
        Shares, floor, and the event time before which nothing alerts.

    Attributes
    ----------
    open : dict of int to (int, int)
        Of each open session past the alert level, by name: the level it passed, and its events past the alert level.
    closed, alerted : int
        Sessions that closed since alerts may begin, and those among them that had passed the alert level.
    """

    NAME = "budget"

    def __init__(self, settings: BudgetSettings) -> None:
        self.settings = settings
        self.open: dict[int, tuple[int, int]] = {}
        self.closed = 0
        self.alerted = 0

    def decide(self, events: int, work: Workspace) -> list[Passed | Ended]:
        """Return what passed a level and what ended after it had; changes what is remembered of open sessions."""
        over = self._over(events, work)
        closes, sessions = work.closes, work.columns.ident[:, SESSION]
        rows = int(closes.count[0])
        steps = [(int(closes.at[row]), 0, row) for row in self._ended(rows, closes.name, sessions[over])]
        steps += [(int(i), 1, int(i)) for i in over]
        found: list[Passed | Ended] = []
        for _, is_event, place in sorted(steps):
            step = self._event(place, int(sessions[place]), work) if is_event else self._close(place, work)
            if step is not None:
                found.append(step)
        self.closed += int(np.count_nonzero(closes.seen[:rows] >= self.settings.trusted_until))
        return found

    def _over(self, events: int, work: Workspace) -> np.ndarray:
        """Return the events past the alert level."""
        settings, judged = self.settings, work.judgements
        is_over = (work.context.state[:events] == JUDGED) & judged.ready[:events]
        is_over &= (judged.score[:events] >= settings.floor) & (judged.rarity[:events] >= -math.log10(settings.alerts))
        # a clock set back must not pass for trusted history
        is_over &= np.maximum(work.columns.ts[:events], work.clock[:events]) >= settings.trusted_until
        return np.flatnonzero(is_over)

    def _ended(self, rows: int, names: np.ndarray, passing: np.ndarray) -> list[int]:
        """Return the closes of sessions that have passed a level, or may do so in this batch."""
        watched = np.concatenate([np.fromiter(self.open, np.uint64, len(self.open)), passing])
        return [int(row) for row in np.flatnonzero(np.isin(names[:rows], watched))] if rows and len(watched) else []

    def _event(self, i: int, session: int, work: Workspace) -> Passed | None:
        """Return the passing of an event past the alert level, None if its session had passed as high before."""
        before, over = self.open.get(session, (0, 0))
        level = QUARANTINE if work.judgements.rarity[i] >= -math.log10(self.settings.quarantine) else ALERT
        passes = bool(work.judgements.rises[i]) and level > before
        self.open[session] = (level if passes else before, over + 1)
        return Passed(i, session, level, over + 1) if passes else None

    def _close(self, row: int, work: Workspace) -> Ended | None:
        """Return the end of a session that had passed a level."""
        session = int(work.closes.name[row])
        level, over = self.open.pop(session, (0, 0))
        if not level:
            return None
        self.alerted += 1
        return Ended(row, session, over)

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        held = [[session, *self.open[session]] for session in sorted(self.open)]
        return {"name": self.NAME, "open": held, "closed": self.closed, "alerted": self.alerted}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        if facts.get("name") != self.NAME:
            raise StateError(f"threshold of a snapshot must be {self.NAME}, got {facts.get('name')}; it restarts cold")
        self.open = {int(session): (int(level), int(over)) for session, level, over in facts["open"]}
        self.closed, self.alerted = int(facts["closed"]), int(facts["alerted"])

    def gauges(self) -> dict[str, float]:
        """Return the shares of sessions promised and spent."""
        spent = self.alerted / self.closed if self.closed else 0.0
        return {"promised": self.settings.alerts, "spent": spent}
