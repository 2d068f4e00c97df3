"""What a suppression hid, as a record of its own: nothing that somebody answers for is hidden without a trace."""

from __future__ import annotations

from typing import Final

from detector.alerts.findings import RISK_OF_SEVERITY
from detector.alerts.storm import SENSOR
from detector.schema.alert import Activity, Alert, Contribution, finding_uid
from detector.schema.shown import shown
from detector.schema.suppression import DETECTION
from detector.schema.tenant import DEFAULT_TENANT
from detector.steps.suppressions import Suppressed

MOST_LETTERS: Final = 128
"""Letters of a text that are shown: of a scope, of a name, of a reason."""


def told(one: Suppressed, activity: Activity, time: float, profile: str) -> Alert:
    """Return the present state of a suppression as its next record; `time` is its event time.

    `events` are the acts it hid, `events_over` the sessions, and the value of its contribution is the rarity of the
    strongest act. It has no score: nobody is contained for it.
    """
    where = ", ".join(f"{place} {shown(value, MOST_LETTERS)}" for place, value in one.scope.items())
    hidden = f"{one.findings} acts of {one.sessions} sessions were not told, the strongest {one.strongest:.3f}"
    owner, reason = shown(one.owner, MOST_LETTERS), shown(one.reason, MOST_LETTERS)
    why = Contribution(
        channel=DETECTION, value=one.strongest, bits=0.0, observed=hidden,
        expected=f"nothing is told of {where}: {owner} answers for it ({reason})", voice="rule", n=one.findings,
    )  # fmt: skip
    words = {"create": "hides", "update": "hides", "close": "no longer hides"}
    title = f"A suppression {words[activity]} acts by {where}"
    return Alert(
        finding_uid=finding_uid(DEFAULT_TENANT, SENSOR, None, f"{one.uid}/{one.partition}", DETECTION, profile),
        counter=one.counter, activity=activity, tenant=DEFAULT_TENANT, agent_id=SENSOR, agent_type=SENSOR,
        agent_version=None, zone=None, session_id=None, profile=profile, detection=DETECTION, title=title, time=time,
        first_seen=one.first or time, last_seen=one.last or time, event_id=one.uid, score=None, threshold=None,
        risk=RISK_OF_SEVERITY["low"], severity="low", events=one.findings, events_over=one.sessions,
        contributions=(why,), normal_if="normal if its owner knows of it; else end it: detector suppress end",
        evidence=(), asi=(), atlas=(), partition_agents=0, partition=one.partition,
        causes=(f"{DETECTION}/{one.uid}",),
    )  # fmt: skip
