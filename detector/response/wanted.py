"""What is asked for an agent before anybody has decided on it: by an alert, or by a command that was held."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from detector.response.breaker import end_of
from detector.response.ladder import duration_s, term_s
from detector.schema.command import MOST_CAUSES, PolicyState, Reason, Tier, cause_key, command_id, subject_of

if TYPE_CHECKING:
    from detector.response.settings import ResponseSettings
    from detector.schema.alert import Alert
    from detector.schema.zone_cut import ZoneCut


class Wanted(NamedTuple):
    """What is asked for one agent: by an alert, or by a command that was held until now.

    Parameters
    ----------
    subject, agent_id : str
        ``tenant/agent/<agent_id>``, and the id alone.
    tier : {"observe", "limit", "isolate"}
        How strongly.
    caused_at : float
        Event time of the cause, epoch seconds: the term counts from it.
    begins : float
        When the containment can begin: nobody is told before the alert's record is written.
    expires_at, ends : float
        When the tier is over, and when the subject is free again: an isolation is followed by a limit.
    reason : Reason
        Why.
    command_id : str
        Id of the command, the same for the same cause.
    established : bool
        In which of the breaker's two shares it counts.
    confirmed_by : str or None
        Who confirmed the finding.
    cut : ZoneCut or None
        Edges of its zone that an isolation is to cut.
    """

    subject: str
    agent_id: str
    tier: Tier
    caused_at: float
    begins: float
    expires_at: float
    ends: float
    reason: Reason
    command_id: str
    established: bool
    confirmed_by: str | None = None
    cut: ZoneCut | None = None


def wanted_by(alert: Alert, tier: Tier, settings: ResponseSettings, now: float) -> Wanted:
    """Return what an alert asks for.

    Parameters
    ----------
    alert : Alert
        Its time starts the term.
    tier : {"observe", "limit", "isolate"}
        What the ladder says.
    settings : ResponseSettings
        The terms.
    now : float
        When the alert's record was written; the alert's own time where nobody knows. The containment begins
        then, unless it is over by then: what happened long ago is entered as of its own time.
    """
    subject = subject_of(alert.tenant, alert.agent_id)
    note, ends = alert.verdict, alert.time + term_s(settings, tier)
    return Wanted(
        subject,
        alert.agent_id,
        tier,
        alert.time,
        max(alert.time, now) if now < ends else alert.time,
        alert.time + duration_s(settings, tier),
        ends,
        Reason(
            finding_uid=alert.finding_uid,
            detections=(alert.detection,),
            risk=alert.risk,
            score=alert.score or 0.0,
            causes=tuple(cause_key(cause) for cause in alert.causes[:MOST_CAUSES]),
        ),
        command_id(subject, tier, alert.finding_uid),
        alert.established,
        note.by if note is not None and note.verdict == "confirm" else None,
        alert.cut,
    )


def wanted_again(held: PolicyState, now: float) -> Wanted:
    """Return what a held command asks for when it is let through at `now`: what is left of its term."""
    return Wanted(
        held.subject,
        agent_of(held.subject),
        held.tier,
        held.effective_at,
        max(now, held.effective_at),
        math.inf if held.expires_at is None else held.expires_at,
        math.inf if (end := end_of(held)) is None else end,
        held.reason,
        held.command_id,
        held.established,
        held.confirmed_by,
        held.cut,
    )


def agent_of(subject: str) -> str:
    """Return the agent's id in a subject: what follows the tenant, whatever it contains."""
    return subject.partition("/agent/")[2]
