"""What came of events that a run went on with, and how two such courses differ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.offline.metrics import Floats
from detector.schema.alert import Basis


class Heard(NamedTuple):
    """What the detector decided on one session that it was given.

    Parameters
    ----------
    session_id, agent_id : str
        Which, and whose.
    is_told : bool
        Whether an alert of it went out.
    score : float
        Rarity of its strangest act: -log10 of the share of recent sessions at least as strange.
    threshold : float
        Score from which a session alerted then, for its rarity alone.
    evidence : float
        Of that act, in decades, before it is held against recent sessions.
    basis : str or None
        Why it alerted, None if it did not.
    incident_sessions : int
        How manyeth session of its incident it is, 0 if it did not alert.
    """

    session_id: str
    agent_id: str
    is_told: bool
    score: float
    threshold: float
    evidence: float
    basis: Basis | None
    incident_sessions: int


class Course(NamedTuple):
    """What came of a stretch of a stream: the evidence of each event, and the sessions that alerted, with why."""

    scores: Floats
    alerted: dict[str, Basis]


class Difference(NamedTuple):
    """How one branch's course differs from another's over the same events.

    Parameters
    ----------
    events : int
        Of the stretch.
    rescored : int
        Events whose evidence is another.
    largest : float
        The most by which it is, in decades.
    hidden, added : tuple of str
        Sessions that do not alert any more, and those that only now do.
    """

    events: int
    rescored: int
    largest: float
    hidden: tuple[str, ...]
    added: tuple[str, ...]


def difference(before: Course, after: Course) -> Difference:
    """Return how the second course differs from the first; an event that only one of them scored counts as rescored."""
    a, b = before.scores, after.scores
    gap = np.abs(b - a)
    is_other = (gap > 0.0) | (np.isnan(a) != np.isnan(b))
    largest = float(np.nanmax(gap)) if np.isfinite(gap).any() else 0.0
    hidden = tuple(name for name in before.alerted if name not in after.alerted)
    added = tuple(name for name in after.alerted if name not in before.alerted)
    return Difference(len(a), int(is_other.sum()), largest, hidden, added)
