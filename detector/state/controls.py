"""Controls: what is no event but changes what is shown or decided; each takes effect where it is given.

Whoever drives the pipeline records that place of the input, so that recovery and replay give the
control at the same event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from pydantic import ValidationError

from detector.intake.columns import agent_name
from detector.memory.layout import FUSED, NOW
from detector.schema.alert import Alert, VerdictNote
from detector.schema.closing import IncidentFinding
from detector.schema.containment import Containment, control_adapter
from detector.schema.control import Control
from detector.schema.decode import Refusal
from detector.schema.feedback import Verdict, VerdictKind, fault_of
from detector.schema.suppression import Suppression, SuppressionEnd
from detector.sketches.index import find_row
from detector.sketches.keys import tick_of
from detector.sketches.rolling import forget_value
from detector.sketches.usual import forget_usual, place_key
from detector.state.cut import with_standing
from detector.state.declarations import take_declarations
from detector.state.exceptions import end, suppress
from detector.state.partition import Partition
from detector.state.report import Outcome
from detector.steps.cases import AlertedSession, Ruling, Said
from detector.steps.peers import leave_peers, note_peers
from detector.steps.reference import FALSE_SHARE, LEFT_OUT, TAKEN_IN, bar, let_in, unbar
from detector.steps.teach import teach_value, unlearn_value

BAD_CONTROL = "bad_feedback"
SAID: Final[dict[VerdictKind, Said]] = {
    "confirm": "confirm", "dismiss": "dismiss", "safe": "safe", "disable": "disable", "undo": "undo",
    "confirm_safe": "safe",
}  # fmt: skip
"""What a verdict means here."""


def apply_controls(state: Partition, records: Sequence[Control]) -> Outcome:
    """Return what controls led to; changes what verdicts speak of: incidents, threshold, reference, memory.

    Those of the registry change what is declared. A release is for the response stage and is only counted here; what
    cannot be read is refused: the index of a refusal counts records, of which a control of the registry holds several.
    """
    outcome, index = Outcome(), -1
    for control in records:
        if control.source == "registry":
            index += take_declarations(state, control, index + 1, outcome)
            continue
        index += 1
        try:
            act = control_adapter.validate_json(control.value, extra="ignore")
        except ValidationError as error:
            refusal = Refusal(BAD_CONTROL, f"feedback must fit its schema: {fault_of(error)}", None, control.value)
            outcome.refusals.append((index, refusal))
            continue
        if isinstance(act, Verdict):
            _verdict(state, act, outcome)
        elif isinstance(act, IncidentFinding):
            _closing(state, act, outcome)
        elif isinstance(act, SuppressionEnd):
            end(state, act, outcome)
        elif isinstance(act, Suppression):
            if fault := suppress(state, act, outcome):
                outcome.refusals.append((index, Refusal(BAD_CONTROL, fault, None, control.value)))
        elif isinstance(act, Containment):
            _contain(state, act, outcome)
        else:
            outcome.counts["controls_ignored"] += 1
    return outcome


def _contain(state: Partition, told: Containment, outcome: Outcome) -> None:
    """Remember what holds of an agent: acts that it forbids are escapes."""
    is_news = state.rule_memory.contained.take(agent_name(told.agent_id, told.tenant, state.settings.keyed), told)
    outcome.counts["containments_told" if is_news else "containments_known"] += 1


def _verdict(state: Partition, act: Verdict, outcome: Outcome) -> None:
    """Let a person's verdict take effect on the finding it names."""
    said = SAID[act.verdict]
    note = VerdictNote(verdict=said, by=act.by, reason=act.reason, at=act.at)
    agent = agent_name(act.agent_id, act.tenant, state.settings.keyed)
    _judge(
        state, _About(act.finding_uid, act.agent_id, agent), note, Ruling(said, act.until or 0.0, act.scope), outcome
    )


def _closing(state: Partition, act: IncidentFinding, outcome: Outcome) -> None:
    """Let a case that a SIEM closed take effect on each finding of ours that it names; one still open says nothing.

    The SIEM does not know the findings' agents: they are known by their ids. What stands already, said by the same
    person for the same reason, or later, is not said again, however often the SIEM sends the case.
    """
    if not act.is_closed:
        outcome.counts["closings_open"] += 1
        return
    note = VerdictNote(verdict=act.verdict, by=act.by, reason=act.reason, at=act.at)
    for uid in act.findings:
        alert, case = state.incidents.find(uid), state.threshold.cases.find(uid)
        if (alert is None and case is None) or (alert is not None and act.tenant not in (None, alert.tenant)):
            outcome.counts["verdicts_unmatched"] += 1
        elif _stands(note, alert, case):
            outcome.counts["closings_repeated"] += 1
        else:
            agent = 0 if case is None else case.agent
            if alert is not None:
                agent = agent_name(alert.agent_id, alert.tenant, state.settings.keyed)
            about = _About(uid, "" if alert is None else alert.agent_id, agent)
            _judge(state, about, note, Ruling(act.verdict), outcome)


def _stands(note: VerdictNote, alert: Alert | None, case: AlertedSession | None) -> bool:
    """Tell whether a verdict stands already, of the same person for the same reason, or a later one does."""
    if alert is None:
        return case is not None and case.said == note.verdict
    said = alert.verdict
    return said is not None and (said.at > note.at or said.model_copy(update={"at": note.at}) == note)


class _About(NamedTuple):
    """What is judged: a finding, the agent's id (empty where only the case is remembered), and the agent's name."""

    uid: str
    agent_id: str
    agent: int


def _judge(state: Partition, about: _About, note: VerdictNote, ruling: Ruling, outcome: Outcome) -> None:
    """Show a person's verdict on its incident, and let it take effect on what follows.

    A finding of which only the case is remembered shows nothing any more, and takes effect all the same.
    """
    said, agent = ruling.said, about.agent
    alert = state.incidents.judge(about.uid, about.agent_id, note)
    case = state.threshold.find(about.uid, agent)
    before: Said = "" if case is None else case.said
    if case is not None:
        state.threshold.answer(case, ruling)
    causes = () if alert is None else alert.causes
    is_answered = state.rule_answers.take(about.uid, causes, (agent, _group_of(state, agent)), ruling)
    if alert is None and case is None and not is_answered:
        outcome.counts["verdicts_unmatched"] += 1
        return
    state.verdicts[said] += 1
    outcome.counts["verdicts"] += 1
    outcome.say(with_standing(state, alert))
    if case is not None and before != said and (before or said != "undo"):
        _correct(state, case, said, before)


def _group_of(state: Partition, agent: int) -> int:
    """Return the name of the peer group an agent is held against, 0 for strangers."""
    row = int(find_row(state.memory.agent_index, np.uint64(agent)))
    return 0 if row < 0 else int(state.memory.groups["name"][state.memory.agents["group"][row]])


def _correct(state: Partition, case: AlertedSession, said: Said, before: Said) -> None:
    """Put reference and memory right after a verdict; what an earlier one on the same finding did is taken back first.

    An attack, with all of its incident, leaves the reference or never enters, and what of its values was learned is
    forgotten; what was left out of the reference as an attack enters after all; what is safe is known from now on.
    """
    state.standing.reference.weight[FALSE_SHARE] = state.threshold.false_share
    for one in state.threshold.cases.like(case):
        _take_back(state, one)
        _move(state, one, said)
    if said in ("safe", "confirm") or before == "safe":
        _teach(state, case, is_safe=said == "safe")


def _move(state: Partition, case: AlertedSession, said: Said) -> None:
    """Take a session out of the reference, let it in, or bar it while it is open; note which."""
    reference, rolling = state.standing.reference, state.standing.rolling
    if said == "confirm" and case.is_open:
        bar(reference, case.session)
        case.moved = "barred"
    elif said == "confirm" and case.entry == TAKEN_IN and forget_value(rolling, FUSED, case.score):
        case.moved = "out" if _leave_peers(state, case) else "left"
    elif said in ("dismiss", "safe") and case.entry == LEFT_OUT:
        _let_in(state, case)
        case.moved = "in"


def _take_back(state: Partition, case: AlertedSession) -> None:
    """Undo what a verdict did to a session in the reference."""
    reference, rolling = state.standing.reference, state.standing.rolling
    if case.moved == "in":
        forget_value(rolling, FUSED, case.score)
        _leave_peers(state, case)
    elif case.moved == "left":
        let_in(rolling, reference, case.score)
    elif case.moved == "out" or (case.moved == "barred" and not case.is_open and case.score >= 0.0):
        _let_in(state, case)
    elif case.moved == "barred":
        unbar(reference, case.session)
    case.moved = ""


def _let_in(state: Partition, case: AlertedSession) -> None:
    """Let a session into the reference, and among those of its peers if these are still known."""
    let_in(state.standing.rolling, state.standing.reference, case.score)
    peers = int(find_row(state.memory.group_index, np.uint64(case.group)))
    if peers >= 0:
        note_peers(state.memory, peers, case.score)
        state.touched_groups.add(peers)


def _leave_peers(state: Partition, case: AlertedSession) -> bool:
    """Take a session out of those of its peers; return whether it was there."""
    peers = int(find_row(state.memory.group_index, np.uint64(case.group)))
    if peers < 0:
        return False
    state.touched_groups.add(peers)
    return bool(leave_peers(state.memory, peers, case.score))


def _teach(state: Partition, case: AlertedSession, *, is_safe: bool) -> None:
    """Let the agent and its peers know the values a finding was about, without probation, or forget them."""
    memory = state.memory
    agent = int(find_row(memory.agent_index, np.uint64(case.agent)))
    group = int(find_row(memory.group_index, np.uint64(case.group)))
    if agent < 0 or group < 0:
        return
    own, peers = memory.agents["keys"][agent], memory.groups["keys"][group]
    tick = tick_of(float(memory.clock[NOW]), state.settings.rules.probation_s)
    for part in case.parts:
        names = np.array(part, np.uint64)
        if is_safe:
            teach_value(own, peers, names, tick)
        else:
            unlearn_value(own, peers, names)
            for owner in (case.agent, case.group):
                forget_usual(memory.usual, np.uint64(place_key(np.uint64(owner), *names[:2])), names[2])
    state.mark_taught(agent, group)
