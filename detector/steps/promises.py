"""What is promised to whom: the profile's share and those of its risk classes, each with an account of its own.

The class of an event is settled before (:mod:`detector.state.classes`); here stands what follows from it: the share its
session may alert at, and which promise a session counts in as it closes. Classes share one window of scores, so that
none is ever short of references; what differs is the share of it that may alert, and the account that verdicts move.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from detector.intake.columns import SESSION
from detector.steps.account import Account
from detector.steps.workspace import Workspace


class ClassShares(NamedTuple):
    """A risk class: its name, and the shares of its sessions that may alert and be isolated."""

    name: str
    alerts: float
    quarantine: float


class BudgetSettings(NamedTuple):
    """Settings: shares of closed sessions; `floor`: evidence below which nothing alerts; when alerts may begin.

    `cold_s`: seconds of event time for which a partition without trusted history is learning; `classes`: risk classes
    with shares of their own.
    """

    alerts: float
    quarantine: float
    floor: float
    trusted_until: float
    cold_s: float = 0.0
    classes: tuple[ClassShares, ...] = ()


@dataclass(slots=True)
class Promise:
    """One promise and what became of it.

    Parameters
    ----------
    name : str
        Of the risk class; empty for the profile itself.
    alerts, quarantine : float
        Shares of sessions that may alert, and that may be isolated.
    account : Account
        The balance of false alarms of its sessions.
    closed, alerted : int
        Its sessions that closed since alerts may begin, and those that had alerted.
    """

    name: str
    alerts: float
    quarantine: float
    account: Account = field(default_factory=Account)
    closed: int = 0
    alerted: int = 0

    @property
    def spent(self) -> float:
        """Share of its sessions that alerted."""
        return self.alerted / self.closed if self.closed else 0.0

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        return {"closed": self.closed, "alerted": self.alerted, "account": self.account.facts()}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        self.account.restore(facts["account"])
        self.closed, self.alerted = int(facts["closed"]), int(facts["alerted"])


class Promises:
    """The promises of one partition, the profile's first.

    Parameters
    ----------
    shares : (float, float)
        The profile's: of sessions that may alert, and be isolated.
    classes : sequence of ClassShares
        Those of the risk classes, in their order.

    Attributes
    ----------
    held : list of Promise
        The profile's, then those of the classes.
    every : list of Promise
        What an event may be held to: these, then for each class its share with the profile's account, for those who
        only claim to be of it. Nobody moves the account of declared agents by calling himself one.
    open : dict of int to int
        Of open sessions whose last event was of a class: which one, by the session's name.
    """

    def __init__(self, shares: tuple[float, float], classes: Sequence[ClassShares]) -> None:
        self.held = [Promise("", *shares), *(Promise(*one) for one in classes)]
        claimed = [Promise("", one.alerts, one.quarantine, self.held[0].account) for one in self.held[1:]]
        self.every = [*self.held, *claimed]
        self.open: dict[int, int] = {}
        self._closed: dict[int, int] = {}
        self._classes = np.zeros(0, np.int64)

    def enter(self, events: int, work: Workspace) -> None:
        """Take a batch: the class of each of its events, and of the sessions that close in it."""
        self._closed = {}
        if len(self.held) == 1:
            return
        self._classes = work.classes[:events]
        if not self.open and not self._classes.any():
            return
        for place, row in _in_order(events, work):
            if row is None:
                self._note(int(work.columns.ident[place, SESSION]), int(self._classes[place]))
            elif (kind := self.open.pop(int(work.closes.name[row]), 0)) > 0:
                self._closed[row] = kind

    def _note(self, session: int, kind: int) -> None:
        if 0 < kind < len(self.held):
            self.open[session] = kind
        else:
            self.open.pop(session, None)

    def of_event(self, i: int) -> Promise:
        """Return the promise that an event of the batch is held to."""
        return self.every[0 if len(self.held) == 1 else int(self._classes[i])]

    def of_close(self, row: int) -> Promise:
        """Return the promise that a closed session of the batch counts in."""
        return self.held[self._closed.get(row, 0)]

    def of_name(self, name: str) -> Promise:
        """Return the promise of a class; the profile's for one that is no longer there."""
        return next((one for one in self.held if one.name == name), self.held[0])

    def by_event(self, values: Iterable[float]) -> float | np.ndarray:
        """Return one value for each event of the batch, of one for each of `every`; a single one where there is one."""
        listed = list(values)
        return listed[0] if len(listed) == 1 else np.array(listed)[self._classes]

    @property
    def promised(self) -> float:
        """What the promises come to together: each by its share of the sessions that closed; no session, no weight."""
        closed = sum(one.closed for one in self.held)
        if len(self.held) == 1:
            return self.held[0].alerts
        return sum(one.alerts * one.closed for one in self.held) / closed if closed else self.held[0].alerts

    @property
    def false_share(self) -> float:
        """What share of alerts is false, as far as people answered; 1 while nobody has."""
        begun = [one.account for one in self.held if one.account.has_begun] or [self.held[0].account]
        return sum(one.false for one in begun) / sum(one.answered for one in begun)

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts; nothing of classes where there are none."""
        if len(self.held) == 1:
            return self.held[0].facts()
        names = [one.name for one in self.held]
        classes = [[one.name, one.facts()] for one in self.held[1:]]
        return {
            **self.held[0].facts(), "classes": classes,
            "of_sessions": [[session, names[kind]] for session, kind in self.open.items()],
        }  # fmt: skip

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        self.held[0].restore(facts)
        known = dict(facts.get("classes", ()))
        for one in self.held[1:]:
            if one.name in known:
                one.restore(known[one.name])
        places = {one.name: place for place, one in enumerate(self.held)}
        listed = facts.get("of_sessions", ())
        self.open = {int(session): places[name] for session, name in listed if name in places}

    def gauges(self) -> dict[str, float]:
        """Return promised and spent of all, and of each class by name, with the rarity from which it alerts."""
        closed, alerted = (sum(getattr(one, name) for one in self.held) for name in ("closed", "alerted"))
        found = {"promised": self.promised, "spent": alerted / closed if closed else 0.0}
        for one in self.held[1:]:
            found |= {
                f"class_promised_{one.name}": one.alerts, f"class_spent_{one.name}": one.spent,
                f"class_sessions_{one.name}": float(one.closed), f"class_balance_{one.name}": one.account.balance,
                f"class_threshold_{one.name}": one.account.level(one.alerts),
            }  # fmt: skip
        return found


def _in_order(events: int, work: Workspace) -> Iterable[tuple[int, int | None]]:
    """Yield the closes (place, row) and the events of open sessions (place, None) of a batch, a close first."""
    rows = int(work.closes.count[0])
    steps = [(int(work.closes.at[row]), 0, row) for row in range(rows)]
    steps += [(int(i), 1, -1) for i in np.flatnonzero(work.context.slot[:events] >= 0)]
    for place, is_event, row in sorted(steps):
        yield place, None if is_event else row
