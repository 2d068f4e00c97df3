"""Which sessions alarmed: those that opened an incident apart from those that joined another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detector.offline.labels import EventLabel, SessionLabel, incident_of, session_of
from detector.offline.scored import Scored
from detector.schema.alert import Alert

_CLOCK_S = 0.0005
"""Half the step of an event's written time: nearer times are the same."""


@dataclass(slots=True)
class Alarms:
    """What went out, by session.

    Parameters
    ----------
    opened : set of str
        Sessions that opened an incident: its first record is theirs.
    joined : set of str
        Sessions that only joined: their findings belong to incidents of others, or were folded into a storm.
    records : dict of str to list of Alert
        The records of each session, in the order they went out.
    """

    opened: set[str] = field(default_factory=set)
    joined: set[str] = field(default_factory=set)
    records: dict[str, list[Alert]] = field(default_factory=dict)

    @property
    def alarmed(self) -> set[str]:
        """Sessions that alarmed, either way."""
        return self.opened | self.joined


def alarms_of(scored: Scored) -> Alarms:
    """Return who alarmed in a scored stream; an agent stands for an event without session."""
    out = Alarms()
    opener: dict[str, str] = {}
    for alert in scored.alerts:
        session = session_of(alert)
        out.records.setdefault(session, []).append(alert)
        is_opener = opener.setdefault(incident_of(alert), session) == session
        (out.opened if is_opener else out.joined).add(session)
    out.joined = (out.joined | scored.unheard) - out.opened
    return out


class _Course:
    """The events of one session in the order they came, and where they stand among their agent's."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.times: list[float] = []
        self.of_agent: list[int] = []

    def place_of(self, alert: Alert) -> int:
        """Return the place of the event that raised an alert, the last one's if no event is as late.

        An incident that was joined may name the act of the session that opened it; then the record's time says it.
        """
        if alert.event_id in self.events:
            return self.events.index(alert.event_id)
        late = (place for place, at in enumerate(self.times) if at >= alert.time - _CLOCK_S)
        return next(late, len(self.events) - 1)


def _courses(scored: Scored, sessions: set[str]) -> dict[str, _Course]:
    seen: dict[str, int] = {}
    out: dict[str, _Course] = {}
    for event, session, agent, at in zip(scored.events, scored.sessions, scored.agents, scored.times, strict=True):
        number = seen[agent] = seen.get(agent, -1) + 1
        if session in sessions:
            course = out.setdefault(session, _Course())
            course.events.append(event)
            course.times.append(at)
            course.of_agent.append(number)
    return out


def time_to_alert(
    scored: Scored, alarms: Alarms, sessions: dict[str, SessionLabel], events: dict[str, EventLabel] | None = None
) -> dict[str, Any]:
    """Return how long attacks ran before their first alert, and whether it names the attacking act.

    Parameters
    ----------
    scored, alarms
        The stream, and who alarmed in it.
    sessions : dict of str to SessionLabel
        Live attack sessions of it count.
    events : dict of str to EventLabel, optional
        Which acts are the attack's; without a labelled act a session is an attack from its first event on.

    Returns
    -------
    dict
        ``attacks``; ``n`` of them with an alert of their own; ``before``: how many of these alerted before the first
        attack act (they count as 0); ``events`` (of the session after that act, up to the alert), ``agent_events`` (of
        its agent) and ``seconds``, each ``median`` and ``p90``; ``named_attack_act``: share of the ``labelled`` ones
        whose first alert was raised by an attack act; ``evidence_has_attack_act``: share where some record's evidence
        holds one.
    """
    attacks = {name for name, label in sessions.items() if label.is_live and label.is_attack}
    courses = _courses(scored, attacks)
    found = [
        _met(courses[name], alarms.records[name], events or {})
        for name in sorted(attacks & set(alarms.records))
        if name in courses
    ]
    labelled = [one for one in found if one["labelled"]]
    return {
        "attacks": len(attacks),
        "n": len(found),
        "before": sum(one["before"] for one in found),
        **{what: _spread([one[what] for one in found]) for what in ("events", "agent_events", "seconds")},
        "labelled": len(labelled),
        "named_attack_act": _share([one["named"] for one in labelled]),
        "evidence_has_attack_act": _share([one["in_evidence"] for one in labelled]),
    }


def _met(course: _Course, records: Sequence[Alert], events: dict[str, EventLabel]) -> dict[str, Any]:
    """Return what one attack's alert came to."""
    bad = [place for place, event in enumerate(course.events) if event in events and events[event].is_attack]
    start, at = (bad[0] if bad else 0), course.place_of(records[0])
    acts = {course.events[place] for place in bad}
    return {
        "before": at < start,
        "events": max(at - start, 0),
        "agent_events": max(course.of_agent[at] - course.of_agent[start], 0),
        "seconds": max(course.times[at] - course.times[start], 0.0),
        "labelled": bool(bad),
        "named": course.events[at] in acts,
        "in_evidence": any(one.event_id in acts for record in records for one in record.evidence),
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"median": None, "p90": None}
    return {"median": float(np.quantile(values, 0.5)), "p90": float(np.quantile(values, 0.9))}


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
