"""Policy states, built: containment by the detector, release by a human."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from detector.response.breaker import end_of
from detector.response.ladder import CONSTRAINTS, duration_s
from detector.schema.command import Answer, Breaker, Issuer, Mode, PolicyState, Reason, Tier, command_id

if TYPE_CHECKING:
    from detector.response.breaker import BreakerVerdict
    from detector.response.settings import ResponseSettings
    from detector.schema.alert import Alert
    from detector.schema.feedback import Release


@dataclass(frozen=True, slots=True)
class CommandAuthor:
    """In whose name commands are written: the settings, the profile version and the mode."""

    settings: ResponseSettings
    profile_id: str
    mode: Mode


class SubjectStanding(NamedTuple):
    """How a subject stands when something happens to it.

    Parameters
    ----------
    subject : str
        ``tenant/agent/<agent_id>``.
    state : PolicyState or None
        Its last state, of whatever mode.
    tier : Tier
        What is in force at the event's time, as far as this mode is concerned.
    verdict : BreakerVerdict
        The breaker's figures, and its reason to hold if it has one.
    """

    subject: str
    state: PolicyState | None
    tier: Tier
    verdict: BreakerVerdict


def contain(author: CommandAuthor, alert: Alert, tier: Tier, standing: SubjectStanding) -> PolicyState:
    """Return the state that contains the alert's agent; it is nowhere weaker or shorter than what is in force.

    Parameters
    ----------
    author : CommandAuthor
        Who commands.
    alert : Alert
        The cause: its event time starts the term.
    tier : {"limit", "isolate"}
        What the ladder asks for.
    standing : SubjectStanding
        What it replaces. If the verdict holds, the state is the one a human would let through.
    """
    settings, state = author.settings, standing.state
    contained = standing.tier != "observe"
    expires_at = alert.time + duration_s(settings, tier)
    end = end_of(state) if state is not None and contained else None
    steps_down_until = max(expires_at + settings.limit_s, end or expires_at) if tier == "isolate" else None
    since = state.contained_since if state is not None and contained else None
    verdict = standing.verdict
    return PolicyState(
        command_id=command_id(standing.subject, tier, alert.finding_uid),
        revision=_next(state),
        subject=standing.subject,
        state="quarantined",
        tier=tier,
        mode=author.mode,
        constraints=CONSTRAINTS[tier],
        effective_at=alert.time,
        expires_at=expires_at,
        on_expiry="step_down" if tier == "isolate" else "release",
        reason=Reason(
            finding_uid=alert.finding_uid, detections=(alert.detection,), risk=alert.risk, score=alert.score or 0.0
        ),
        issuer=Issuer(kind="detector", id="response", policy_version=author.profile_id),
        supersedes=None if state is None else state.revision,
        breaker=_figures(author, verdict, verdict.contained + (0 if contained else 1)),
        ack_deadline_s=settings.ack_deadline_s,
        contained_since=alert.time if since is None else since,
        steps_down_until=steps_down_until if steps_down_until != math.inf else None,
        answer=None if state is None else state.answer,
    )


def release(author: CommandAuthor, act: Release, at: float, standing: SubjectStanding) -> PolicyState:
    """Return the state that lifts a subject's containment in a human's name.

    Parameters
    ----------
    author : CommandAuthor
        Who writes; the mode stays that of the state that is lifted.
    act : Release
        The human act.
    at : float
        When it counts from, epoch seconds.
    standing : SubjectStanding
        What is lifted; its state must not be None.
    """
    lifted = standing.state
    if lifted is None:
        msg = f"state of {standing.subject} must be known to be released, got None; ask before lifting"
        raise ValueError(msg)
    verdict = standing.verdict
    return PolicyState(
        command_id=command_id(standing.subject, "observe", act.id),
        revision=_next(lifted),
        subject=standing.subject,
        state="released",
        tier="observe",
        mode=lifted.mode,
        constraints=CONSTRAINTS["observe"],
        effective_at=at,
        expires_at=None,
        on_expiry="release",
        reason=lifted.reason,
        issuer=Issuer(kind="human", id=act.by, policy_version=author.profile_id),
        supersedes=lifted.revision,
        breaker=_figures(author, verdict, verdict.contained),
        ack_deadline_s=author.settings.ack_deadline_s,
        contained_since=lifted.contained_since,
        answer=Answer(
            release_id=act.id,
            by=act.by,
            reason=act.reason,
            at=at,
            finding_uid=lifted.reason.finding_uid,
            tier=lifted.tier,
            cause_at=lifted.effective_at,
        ),
    )


def _next(state: PolicyState | None) -> int:
    return 1 if state is None else state.revision + 1


def _figures(author: CommandAuthor, verdict: BreakerVerdict, contained: int) -> Breaker:
    return Breaker(
        fleet_share=contained / max(verdict.fleet, 1),
        limit_share=author.settings.fleet_share,
        held=verdict.why is not None,
        fleet=verdict.fleet,
    )
