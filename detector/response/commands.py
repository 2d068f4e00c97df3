"""Policy states, built: containment by the detector, its end for a stronger one, release by a human."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from detector.response.breaker import end_of, strongest_of
from detector.response.ladder import CONSTRAINTS, RANK
from detector.schema.command import Answer, Breaker, Issuer, Mode, PolicyState, Tier, command_id

if TYPE_CHECKING:
    from detector.response.breaker import BreakerVerdict
    from detector.response.settings import ResponseSettings
    from detector.response.wanted import Wanted
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
    established : bool
        In which share it counts: that of its present containment, if it is in one.
    verdict : BreakerVerdict
        The breaker's figures, and its reason to hold if it has one.
    term : (float, float)
        Begin and end of what the breaker was asked about.
    """

    subject: str
    state: PolicyState | None
    tier: Tier
    established: bool
    verdict: BreakerVerdict
    term: tuple[float, float] = (0.0, 0.0)


def contain(author: CommandAuthor, wanted: Wanted, standing: SubjectStanding) -> PolicyState:
    """Return the state that contains an agent; it is nowhere weaker or shorter than what is in force.

    Parameters
    ----------
    author : CommandAuthor
        Who commands.
    wanted : Wanted
        What is asked for.
    standing : SubjectStanding
        What it replaces. If the verdict holds, the state is the one a human would let through.
    """
    state, tier = standing.state, wanted.tier
    before = state if state is not None and standing.tier != "observe" else None
    steps_down_until = None
    if tier == "isolate":
        steps_down_until = max(wanted.ends, (end_of(before) if before is not None else None) or wanted.ends)
    since = None if before is None else before.contained_since
    verdict = standing.verdict
    return PolicyState(
        command_id=wanted.command_id,
        revision=_next(state),
        subject=wanted.subject,
        state="quarantined",
        tier=tier,
        mode=author.mode,
        constraints=CONSTRAINTS[tier],
        effective_at=wanted.caused_at,
        expires_at=_finite(wanted.expires_at),
        on_expiry="step_down" if tier == "isolate" else "release",
        reason=wanted.reason,
        issuer=Issuer(kind="detector", id="response", policy_version=author.profile_id),
        supersedes=None if state is None else state.revision,
        breaker=_figures(author, verdict, verdict.contained + (1 if before is None else 0)),
        ack_deadline_s=author.settings.ack_deadline_s,
        contained_since=wanted.begins if since is None else since,
        steps_down_until=_finite(steps_down_until),
        answer=None if state is None else state.answer,
        established=standing.established,
        strongest=tier if before is None else max(tier, strongest_of(before), key=RANK.__getitem__),
        confirmed_by=wanted.confirmed_by or (None if before is None else before.confirmed_by),
        cut=wanted.cut if tier == "isolate" else None,
    )


def yielded(author: CommandAuthor, state: PolicyState, to: Wanted, figures: BreakerVerdict) -> PolicyState:
    """Return the state that frees a subject because a stronger command needs its place.

    Parameters
    ----------
    author : CommandAuthor
        Who commands.
    state : PolicyState
        What stands, an automatic limit.
    to : Wanted
        The stronger command.
    figures : BreakerVerdict
        The breaker's, of the others that stay contained.
    """
    return state.model_copy(
        update={
            "command_id": command_id(state.subject, "observe", to.reason.finding_uid),
            "revision": _next(state),
            "state": "released",
            "tier": "observe",
            "constraints": CONSTRAINTS["observe"],
            "effective_at": to.begins,
            "expires_at": None,
            "on_expiry": "release",
            "issuer": Issuer(kind="detector", id="response", policy_version=author.profile_id),
            "supersedes": state.revision,
            "breaker": _figures(author, figures, figures.contained),
            "steps_down_until": None,
            "strongest": strongest_of(state),
            "yielded_to": to.reason.finding_uid,
            "cut": None,
        }
    )


def judged(state: PolicyState, by: str | None) -> PolicyState:
    """Return a state that stands with who confirmed its finding; None: nobody does any more."""
    return state.model_copy(update={"revision": _next(state), "supersedes": state.revision, "confirmed_by": by})


def release(author: CommandAuthor, act: Release, times: tuple[float, float], standing: SubjectStanding) -> PolicyState:
    """Return the state that lifts a subject's containment in a human's name.

    Parameters
    ----------
    author : CommandAuthor
        Who writes; the mode stays that of the state that is lifted.
    act : Release
        The human act.
    times : (float, float)
        When it counts from, and when it was taken up, epoch seconds.
    standing : SubjectStanding
        What is lifted; its state must not be None.
    """
    lifted, (at, taken_at) = standing.state, times
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
        established=lifted.established,
        strongest=strongest_of(lifted),
        answer=Answer(
            release_id=act.id,
            by=act.by,
            reason=act.reason,
            at=at,
            finding_uid=lifted.reason.finding_uid,
            tier=lifted.tier,
            # a cause dated ahead of the act must not cover what comes after it
            cause_at=min(lifted.effective_at, taken_at),
            causes=lifted.reason.causes,
            taken_at=taken_at,
        ),
    )


def _finite(moment: float | None) -> float | None:
    return None if moment is None or moment == math.inf else moment


def _next(state: PolicyState | None) -> int:
    return 1 if state is None else state.revision + 1


def _figures(author: CommandAuthor, verdict: BreakerVerdict, contained: int) -> Breaker:
    return Breaker(
        fleet_share=contained / max(verdict.fleet, 1),
        limit_share=author.settings.fleet_share,
        held=verdict.why is not None,
        fleet=verdict.fleet,
    )
