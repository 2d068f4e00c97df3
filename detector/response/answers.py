"""What a person's last answer covers, and whether a release is to be carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.response.ladder import RANK
from detector.schema.command import cause_key
from detector.schema.feedback import Release, feedback_id

if TYPE_CHECKING:
    from detector.response.wanted import Wanted
    from detector.schema.alert import Alert, VerdictNote
    from detector.schema.command import Answer, Decided, PolicyState


def answered(wanted: Wanted, state: PolicyState, receipt: float | None) -> str | None:
    """Return why a person's last answer covers what is wanted, or None.

    Up to the tier that was lifted, it covers what was heard before it and is delivered once more, and the causes of
    the finding that was lifted. A further cause, another finding or a stronger tier is a new matter.

    Parameters
    ----------
    wanted : Wanted
        What an alert asks for.
    state : PolicyState
        The subject's last state.
    receipt : float or None
        When the alert's record was written, epoch seconds. Without it (in replay) what an alert of another finding
        says of its own time decides whether it came before the answer.
    """
    answer = state.answer
    if answer is None or RANK[wanted.tier] > RANK[answer.tier]:
        return None if answer is None else _older(wanted, answer, receipt)
    if receipt is not None and answer.taken_at is not None and receipt <= answer.taken_at:
        return f"heard before {answer.by} released"
    if wanted.reason.finding_uid != answer.finding_uid:
        return _older(wanted, answer, receipt)
    if answer.causes is not None and set(wanted.reason.causes or ()) - set(answer.causes):
        return None
    return f"{answer.by} released this finding"


def release_by(alert: Alert, note: VerdictNote) -> Release:
    """Return the release that a verdict *safe* on a finding amounts to."""
    told = f"{alert.agent_id}/{alert.finding_uid}/safe"
    return Release(
        agent_id=alert.agent_id, tenant=alert.tenant, by=note.by, reason=f"the finding is safe: {note.reason}"[:1_024],
        at=note.at, id=feedback_id(told, note.by, note.reason, note.at),
    )  # fmt: skip


def is_lifted(held: PolicyState, state: PolicyState) -> bool:
    """Tell whether a person's answer came after a held command: whoever releases an agent releases it from both."""
    answer = state.answer
    return answer is not None and held.begins_at <= (answer.at if answer.taken_at is None else answer.taken_at)


def has_further_cause(alert: Alert, state: PolicyState) -> bool:
    """Tell whether an alert has a cause that the state, which answers to the same finding, does not name."""
    known = state.reason.causes
    return known is not None and any(cause_key(cause) not in known for cause in alert.causes)


def release_or_not(act: Release, at: float, state: PolicyState | None) -> tuple[Decided, str]:
    """Return what becomes of a release that counts from `at`, and why in words."""
    if state is None or state.state == "released":
        return "skipped", "nothing to lift"
    answer = state.answer
    if answer is not None and (answer.release_id == act.id or at < answer.at):
        return "skipped", "this release was answered before"
    if act.revision is not None and act.revision != state.revision:
        return "refused", f"revision {state.revision} stands, {act.revision} was looked at: look again"
    return "released", f"{act.by}: {act.reason}"


def _older(wanted: Wanted, answer: Answer, receipt: float | None) -> str | None:
    """Return why an alert comes before the answer by its own time, which counts only where no record's does."""
    if receipt is not None and answer.taken_at is not None:
        return None
    if wanted.reason.finding_uid == answer.finding_uid or wanted.caused_at > min(answer.cause_at, answer.at):
        return None
    return f"older than what {answer.by} released"


def shown(score: float | None) -> str:
    """Return a score as the log shows it; only rules have spoken where there is none."""
    return "none" if score is None else f"{score:.3f}"
