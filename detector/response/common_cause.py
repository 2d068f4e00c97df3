"""One incident for many held containments: when the breaker trips, something common is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from detector.response.wanted import agent_of
from detector.schema.alert import Alert, Contribution, finding_uid

if TYPE_CHECKING:
    from detector.response.breaker import BreakerVerdict
    from detector.response.commands import CommandAuthor
    from detector.response.waiting import HeldQueue

FLEET: Final = "*"
"""Agent id of an incident that is nobody's and everybody's."""
DETECTION: Final = "response.breaker"
MOST_SUBJECTS: Final = 65_536
"""Held agents remembered per episode; past that the incident's figure stands still."""
MOST_LISTED: Final = 8
"""Agents that wait and are named."""
MOST_LETTERS: Final = 64
"""Letters of a name that are shown: whoever acts chose it."""


@dataclass(slots=True)
class Episode:
    """A time in which nothing more is let through.

    Parameters
    ----------
    anchor : str
        What the breaker tripped on: the event time of the last containment that began. It
        comes from the policy states, so a stage that restarts names the same incident again.
    """

    anchor: str = ""
    held: set[str] = field(default_factory=set)
    counter: int = 0

    def hold(self, anchor: str, subject: str) -> bool:
        """Take note of a held subject; return whether there is something new to say.

        There is for the 1st, 2nd, 4th, 8th ... agent: a storm of ten thousand is fourteen records.
        """
        if anchor != self.anchor:
            self.anchor, self.held, self.counter = anchor, set(), 0
        if subject in self.held or len(self.held) >= MOST_SUBJECTS:
            return False
        self.held.add(subject)
        if len(self.held).bit_count() != 1:
            return False
        self.counter += 1
        return True


def incident(author: CommandAuthor, alert: Alert, verdict: BreakerVerdict, waiting: tuple[Episode, HeldQueue]) -> Alert:
    """Return the incident's present state.

    Parameters
    ----------
    author : CommandAuthor
        Whose breaker it is; in shadow mode the incident is of medium severity, for nothing waits.
    alert : Alert
        The alert whose containment is held.
    verdict : BreakerVerdict
        Why, and the figures.
    waiting : (Episode, HeldQueue)
        The agents held so far, and the commands that still wait for room.
    """
    episode, queue = waiting
    held = len(episode.held)
    shadow = author.mode == "shadow"
    why = verdict.why or "held"
    return Alert(
        finding_uid=finding_uid(alert.tenant, FLEET, None, episode.anchor, DETECTION, alert.profile),
        counter=episode.counter,
        activity="create" if episode.counter == 1 else "update",
        tenant=alert.tenant,
        agent_id=FLEET,
        agent_type=FLEET,
        agent_version=None,
        zone=None,
        session_id=None,
        profile=alert.profile,
        detection=DETECTION,
        title=f"{'Shadow: ' if shadow else ''}{held} {'agent' if held == 1 else 'agents'} held for a human: {why}",
        time=alert.time,
        first_seen=alert.first_seen,
        last_seen=alert.last_seen,
        event_id=alert.event_id,
        score=alert.score,
        threshold=alert.threshold,
        risk=50 if shadow else 100,
        severity="medium" if shadow else "critical",
        events=held,
        events_over=held,
        contributions=_figures(author, verdict, queue),
        normal_if="agents misbehave one by one; many at once point to a release, a model or a data source they share",
        evidence=alert.evidence,
        asi=("ASI08",),
        atlas=(),
        partition_agents=alert.partition_agents,
        partition=alert.partition,
    )


def _figures(author: CommandAuthor, verdict: BreakerVerdict, queue: HeldQueue) -> tuple[Contribution, ...]:
    """Return how much is contained, and what waits."""
    settings = author.settings
    expected = f"at most {settings.fleet_share:.1%} of the fleet, {settings.rate_per_hour} agents an hour"
    return (
        Contribution(
            channel="response.contained_share",
            value=verdict.share,
            bits=0.0,
            observed=verdict.why or "held",
            expected=expected,
            voice="rule",
            n=verdict.fleet,
        ),
        Contribution(
            channel="response.waiting",
            value=float(len(queue)),
            bits=0.0,
            observed=listed(queue),
            expected="none; the first is let through when there is room, or by a person",
            voice="rule",
            n=len(queue),
        ),
    )


def listed(queue: HeldQueue) -> str:
    """Return what waits in words: how many of each tier, and the first by name, the strongest first."""
    waiting = list(queue)
    counts = Counter(command.tier for command in waiting)
    first = ", ".join(
        f"{agent_of(command.subject)[:MOST_LETTERS]} ({command.tier}, score {command.reason.score:.3f})"
        for command in waiting[:MOST_LISTED]
    )
    more = f" and {len(waiting) - MOST_LISTED} more" if len(waiting) > MOST_LISTED else ""
    return f"{counts['isolate']} to isolate, {counts['limit']} to limit: {first or 'none'}{more}"
