"""Controls: what is no event but changes what is shown or decided; each takes effect where it is given.

Whoever drives the pipeline records that place of the input, so that recovery and replay give the
control at the same event.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from detector.schema.alert import VerdictNote
from detector.schema.control import Control
from detector.schema.decode import Refusal
from detector.schema.feedback import Verdict, feedback_adapter
from detector.state.partition import Partition
from detector.state.report import Outcome

BAD_CONTROL = "bad_feedback"


def apply_controls(state: Partition, records: Sequence[Control]) -> Outcome:
    """Return what controls led to; changes the incidents they speak of and the count of verdicts.

    A release is for the response stage and is only counted here; what cannot be read is refused.
    """
    outcome = Outcome()
    for index, control in enumerate(records):
        try:
            act = feedback_adapter.validate_json(control.value)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]["msg"]
            refusal = Refusal(BAD_CONTROL, f"feedback must fit its schema: {fault}", None, control.value)
            outcome.refusals.append((index, refusal))
            continue
        if isinstance(act, Verdict):
            _verdict(state, act, outcome)
        else:
            outcome.counts["controls_ignored"] += 1
    return outcome


def _verdict(state: Partition, act: Verdict, outcome: Outcome) -> None:
    """Show a person's verdict on its incident; scores are left as they are."""
    note = VerdictNote(verdict=act.verdict, by=act.by, reason=act.reason, at=act.at)
    alert = state.incidents.judge(act.finding_uid, act.agent_id, note)
    if alert is None:
        outcome.counts["verdicts_unmatched"] += 1
        return
    state.verdicts[act.verdict] += 1
    outcome.counts["verdicts"] += 1
    outcome.say(alert)
