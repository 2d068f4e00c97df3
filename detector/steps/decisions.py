"""Decisions: what a threshold says, and the face it has, so that it can be exchanged whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from detector.schema.alert import Basis
from detector.steps.casebook import Casebook
from detector.steps.cases import AlertedSession, Ruling
from detector.steps.workspace import Workspace

NEAR, ALERT, QUARANTINE = 0, 1, 2
"""Levels an event can reach: one to be named if its session has alerted, and those that a session can pass."""


class Passed(NamedTuple):
    """An event past a level, or near it in a session that was past it; `over`: its session's past the alert level.

    Whether that is told is decided by the incident it belongs to: it knows which causes it has named. `basis`: why its
    session alerted; `case`: number of its case, 0 where nothing is remembered; `is_learning`: the promise
    could not be kept yet; `alerts_from`: rarity from which on a session alerts then.
    """

    event: int
    session: int
    level: int
    over: int
    basis: Basis = "score"
    case: int = 0
    is_learning: bool = False
    alerts_from: float | None = None


class Ended(NamedTuple):
    """A closed session that had passed a level: its row among the closes, its name, its events past the alert level."""

    row: int
    session: int
    over: int


class Threshold(Protocol):
    """Decides which sessions alert."""

    cases: Casebook
    """Sessions that alerted, and what people said of them."""

    def decide(self, events: int, work: Workspace) -> list[Passed | Ended]:
        """Return each event past a level, and what ended after one, in input order: a close before the event at it."""

    def find(self, uid: str, agent: int) -> AlertedSession | None:
        """Return the case of a finding of an agent, None if none is remembered."""

    def answer(self, case: AlertedSession, answer: Ruling) -> None:
        """Let a person's verdict on a case take effect."""

    @property
    def false_share(self) -> float:
        """What share of alerts is false, as far as people answered; 1 while nobody has."""

    def facts(self) -> dict[str, Any]:
        """Return the state beside the cases as plain facts, for a snapshot."""

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off; StateError if they are another threshold's."""

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches: at least ``promised``, ``spent`` and ``threshold``, a rarity."""
