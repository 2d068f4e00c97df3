"""From alert to command, case by case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detector.response.ladder import Levels
from detector.response.settings import ResponseSettings
from detector.response.stage import ResponseStage
from detector.schema.alert import Alert
from detector.schema.command import PolicyState, command_id
from detector.schema.feedback import Release

MakeAlert = Callable[..., Alert]
LEVELS = Levels(limit=2.0, isolate=2.7)
HOUR = 3_600.0


def _stage(mode: str = "enforce", **settings: object) -> ResponseStage:
    return ResponseStage(ResponseSettings.model_validate({"mode": mode, **settings}), "default/v1", LEVELS)


def _release(at: float, agent: str = "agent-1", **changes: object) -> Release:
    values = {"agent_id": agent, "tenant": "acme", "by": "kim", "reason": "known job", "at": at, "id": f"r-{at}"}
    return Release.model_validate({**values, **changes})


def _command(stage: ResponseStage, alert: Alert) -> PolicyState:
    command = stage.on_alert(alert).command
    assert command is not None
    return command


def test_a_strange_session_limits_its_agent(make_alert: MakeAlert) -> None:
    """The command is the whole desired state, with cause, term and figures."""
    alert = make_alert(score=2.1, time=1_000.0)
    decision = _stage().on_alert(alert)
    command = decision.command
    assert command is not None
    assert command.subject == "acme/agent/agent-1"
    assert (command.state, command.tier, command.mode, command.revision) == ("quarantined", "limit", "enforce", 1)
    assert (command.effective_at, command.expires_at, command.on_expiry) == (1_000.0, 1_000.0 + HOUR, "release")
    assert command.reason.finding_uid == alert.finding_uid
    assert command.command_id == command_id(command.subject, "limit", alert.finding_uid)
    assert (command.breaker.fleet_share, command.breaker.fleet, command.breaker.held) == (0.01, 100, False)
    assert (decision.entry.decision, decision.entry.command) == ("issued", command)
    assert decision.incident is None


def test_a_score_below_the_ladder_commands_nothing(make_alert: MakeAlert) -> None:
    """The alert's harmless twin: logged, not acted on."""
    decision = _stage().on_alert(make_alert(score=1.9))
    assert decision.command is None
    assert decision.entry.decision == "skipped"


def test_a_very_strange_session_isolates_and_then_steps_down(make_alert: MakeAlert) -> None:
    """Isolation does not end in freedom: a limit of its own term follows."""
    command = _command(_stage(), make_alert(score=3.0, time=0.0))
    assert command.tier == "isolate"
    assert [command.tier_at(at) for at in (0.0, 14_399.0, 14_400.0, 17_999.0, 18_000.0)] == [
        "isolate",
        "isolate",
        "limit",
        "limit",
        "observe",
    ]


def test_an_alert_that_comes_back_changes_nothing_but_the_log(make_alert: MakeAlert) -> None:
    """Outputs are delivered at least once; a cause that stands is recognised."""
    stage, alert = _stage(), make_alert()
    first = _command(stage, alert)
    again = stage.on_alert(alert)
    assert again.command is None
    assert again.entry.decision == "skipped"
    assert stage.states == {first.subject: first}


def test_a_restored_stage_recognises_the_cause(make_alert: MakeAlert) -> None:
    """The state is the policy topic itself."""
    alert = make_alert()
    command = _command(_stage(), alert)
    stage = _stage()
    stage.restore([command])
    assert stage.on_alert(alert).command is None


def test_a_worsening_finding_raises_the_tier_and_keeps_the_start(make_alert: MakeAlert) -> None:
    """Same finding, next revision; the containment began with the first."""
    stage = _stage()
    _command(stage, make_alert(score=2.1, time=1_000.0))
    command = _command(stage, make_alert(score=3.0, time=1_500.0, counter=2, activity="update"))
    assert (command.tier, command.revision, command.supersedes, command.contained_since) == ("isolate", 2, 1, 1_000.0)


def test_a_weaker_finding_lowers_nothing(make_alert: MakeAlert) -> None:
    """Only a human lowers."""
    stage = _stage()
    _command(stage, make_alert(score=3.0, time=1_000.0))
    decision = stage.on_alert(make_alert(score=2.1, time=2_000.0, event_id="e-2"))
    assert decision.command is None
    assert "does not lower" in decision.entry.detail


def test_a_second_finding_prolongs_the_tier(make_alert: MakeAlert) -> None:
    """The later cause has the later end."""
    stage = _stage()
    _command(stage, make_alert(time=1_000.0))
    command = _command(stage, make_alert(time=2_000.0, event_id="e-2"))
    assert (command.tier, command.expires_at, command.revision) == ("limit", 2_000.0 + HOUR, 2)


def test_a_finding_that_goes_on_after_its_term_is_contained_again(make_alert: MakeAlert) -> None:
    """The same cause holds no second time within its term, and does so after it."""
    stage = _stage()
    first = _command(stage, make_alert(time=0.0))
    assert stage.on_alert(make_alert(time=HOUR - 1.0, counter=2, activity="update")).command is None
    again = _command(stage, make_alert(time=HOUR + 1.0, counter=3, activity="update"))
    assert (again.command_id, again.revision) == (first.command_id, 2)


def test_the_end_of_a_finding_commands_nothing(make_alert: MakeAlert) -> None:
    """A close carries no new act."""
    assert _stage().on_alert(make_alert(score=3.0, activity="close")).command is None


@pytest.mark.parametrize("agent", ["*", "a/b", "line\nbreak", "x\u2028y", "/agent/", " "])
def test_any_agent_id_can_be_contained(make_alert: MakeAlert, agent: str) -> None:
    """Ids are chosen by the fleet, at worst by an attacker: none escapes, none stops the stage."""
    stage = _stage()
    command = _command(stage, make_alert(agent=agent))
    stage.restore([PolicyState.model_validate_json(command.model_dump_json(by_alias=True))])
    assert command.subject == f"acme/agent/{agent}"


@pytest.mark.parametrize("order", [1, -1])
def test_of_states_of_one_subject_the_highest_revision_is_restored(make_alert: MakeAlert, order: int) -> None:
    """Before compaction both stand on the topic, from several partitions in any order."""
    stage = _stage()
    first = _command(stage, make_alert(time=1_000.0))
    second = _command(stage, make_alert(time=HOUR + 1_001.0, finding_uid="f" * 32))
    assert (first.revision, second.revision) == (1, 2)
    restarted = _stage()
    restarted.restore([first, second][::order])
    assert restarted.states == {first.subject: second}


def test_an_alert_without_a_tenant_belongs_to_the_default_one(make_alert: MakeAlert) -> None:
    """An empty string is no tenant."""
    decision = _stage().on_alert(make_alert(tenant=""))
    assert decision.entry.tenant == "default"
    assert decision.entry.subject == "default/agent/agent-1"


# ── shadow ────────────────────────────────────────────────────────────────────
def test_shadow_decides_alike_and_fences_nothing(make_alert: MakeAlert) -> None:
    """What would be done is written down as a shadow."""
    decision = _stage("shadow").on_alert(make_alert(score=3.0))
    assert decision.command is not None
    assert (decision.command.mode, decision.entry.decision) == ("shadow", "shadowed")


def test_a_shadow_never_replaces_an_enforced_command(make_alert: MakeAlert) -> None:
    """Switching to shadow frees nobody before the term is over."""
    command = _command(_stage("enforce"), make_alert(time=0.0))
    stage = _stage("shadow")
    stage.restore([command])
    assert stage.on_alert(make_alert(score=3.0, time=1.0, event_id="e-2")).command is None
    assert _command(stage, make_alert(score=3.0, time=HOUR, event_id="e-3")).mode == "shadow"


def test_an_enforced_command_replaces_a_shadow_of_the_same_cause(make_alert: MakeAlert) -> None:
    """To one who enforces, shadows are nothing, but the revision goes on."""
    shadow = _command(_stage("shadow"), make_alert())
    stage = _stage("enforce")
    stage.restore([shadow])
    command = _command(stage, make_alert())
    assert (command.mode, command.revision, command.breaker.fleet_share) == ("enforce", 2, 0.01)


# ── breaker ───────────────────────────────────────────────────────────────────
def test_beyond_the_share_containment_is_held_and_told_once(make_alert: MakeAlert) -> None:
    """Five of a hundred pass; of twenty more, five records of one incident tell."""
    stage = _stage(fleet_share=0.05)
    decisions = [stage.on_alert(make_alert(agent=f"agent-{index}", time=float(index))) for index in range(25)]
    assert sum(one.command is not None for one in decisions) == 5
    held = decisions[5]
    assert held.entry.decision == "held"
    assert "agents are contained, at most" in held.entry.detail
    assert held.entry.command is not None
    assert held.entry.command.breaker.held
    told = [one.incident for one in decisions if one.incident is not None]
    assert [one.title.split(":")[0] for one in told[:2]] == ["1 agent held for a human", "2 agents held for a human"]
    assert len({one.finding_uid for one in told}) == 1
    assert [(one.counter, one.activity, one.events) for one in told] == [
        (1, "create", 1),
        (2, "update", 2),
        (3, "update", 4),
        (4, "update", 8),
        (5, "update", 16),
    ]


def test_below_the_share_nobody_is_told(make_alert: MakeAlert) -> None:
    """The storm's harmless twin."""
    stage = _stage(fleet_share=0.05)
    decisions = [stage.on_alert(make_alert(agent=f"agent-{index}")) for index in range(5)]
    assert all(one.command is not None and one.incident is None for one in decisions)


def test_a_restarted_stage_names_the_same_incident(make_alert: MakeAlert) -> None:
    """Its anchor is in the policy states, so consumers recognise the repeat."""
    stage = _stage(fleet_share=0.01)
    command = _command(stage, make_alert())
    late = make_alert(agent="agent-2")
    told = stage.on_alert(late).incident
    restarted = _stage(fleet_share=0.01)
    restarted.restore([command])
    again = restarted.on_alert(late).incident
    assert told is not None
    assert again is not None
    assert (told.finding_uid, told.counter) == (again.finding_uid, again.counter)


def test_a_raise_of_one_already_contained_passes_a_full_breaker(make_alert: MakeAlert) -> None:
    """The cap counts agents: a stronger tier takes nobody else's freedom."""
    stage = _stage(fleet_share=0.01)
    _command(stage, make_alert(score=2.1))
    assert _command(stage, make_alert(score=3.0, counter=2)).tier == "isolate"


def test_a_protected_agent_waits_for_a_human(make_alert: MakeAlert) -> None:
    """Held, written down, no common cause."""
    stage = _stage(protected=["agent-1"])
    decision = stage.on_alert(make_alert(score=3.0))
    assert (decision.command, decision.entry.decision, decision.incident) == (None, "held", None)
    assert _command(stage, make_alert(agent="agent-2", score=3.0)).tier == "isolate"


def test_tenants_have_breakers_and_chains_of_their_own(make_alert: MakeAlert) -> None:
    """One tenant's storm holds nobody else's containment."""
    stage = _stage(fleet_share=0.01)
    _command(stage, make_alert(tenant="acme"))
    assert stage.on_alert(make_alert(agent="agent-2", tenant="acme")).entry.decision == "held"
    other = stage.on_alert(make_alert(agent="agent-2", tenant="bank"))
    assert (other.entry.decision, other.entry.sequence) == ("issued", 1)


def test_the_breakers_own_incident_commands_nothing(make_alert: MakeAlert) -> None:
    """Should it come back through the alerts, it is nobody's act."""
    stage = _stage(fleet_share=0.01)
    _command(stage, make_alert())
    incident = stage.on_alert(make_alert(agent="agent-2")).incident
    assert incident is not None
    decision = stage.on_alert(incident)
    assert (decision.command, decision.incident) == (None, None)


# ── release ───────────────────────────────────────────────────────────────────
def test_a_named_human_lifts_a_quarantine(make_alert: MakeAlert) -> None:
    """Who, why and what was lifted stand in the state."""
    stage = _stage()
    _command(stage, make_alert(score=3.0, time=1_000.0))
    decision = stage.on_release(_release(2_000.0), now=2_001.0)
    state = decision.command
    assert state is not None
    assert (state.state, state.tier, state.revision, state.expires_at) == ("released", "observe", 2, None)
    assert (state.issuer.kind, state.issuer.id, state.effective_at) == ("human", "kim", 2_000.0)
    assert state.answer is not None
    assert (state.answer.tier, state.answer.reason, state.answer.cause_at) == ("isolate", "known job", 1_000.0)
    assert (decision.entry.decision, decision.entry.cause) == ("released", "r-2000.0")


def test_a_release_tells_how_many_others_stay_contained(make_alert: MakeAlert) -> None:
    """The one that is lifted is not among them, unless its term had ended before."""
    stage = _stage()
    for index in (1, 2, 3):
        _command(stage, make_alert(agent=f"agent-{index}", time=1_000.0))
    released = stage.on_release(_release(2_000.0), now=2_000.0).command
    assert released is not None
    assert released.breaker.fleet_share == 0.02
    _command(stage, make_alert(agent="agent-4", time=5_000.0))
    late = stage.on_release(_release(6_000.0, agent="agent-2"), now=6_000.0).command
    assert late is not None
    assert late.breaker.fleet_share == 0.01


def test_nothing_to_lift_is_said() -> None:
    """An agent that never stood in quarantine is not touched."""
    decision = _stage().on_release(_release(1.0), now=1.0)
    assert (decision.command, decision.entry.decision, decision.entry.detail) == (None, "skipped", "nothing to lift")


def test_a_released_finding_is_not_contained_again(make_alert: MakeAlert) -> None:
    """The human looked at it; its updates, and older findings delivered once more, are covered."""
    stage = _stage()
    older = make_alert(time=500.0, event_id="e-0")
    _command(stage, older)
    _command(stage, make_alert(time=1_000.0))
    assert stage.on_release(_release(2_000.0), now=2_000.0).command is not None
    assert stage.on_alert(make_alert(time=2_500.0, counter=2, activity="update")).command is None
    assert stage.on_alert(older).command is None


def test_a_new_or_stronger_finding_after_a_release_is_contained(make_alert: MakeAlert) -> None:
    """A release is an answer to one matter, not a pass."""
    stage = _stage()
    _command(stage, make_alert(time=1_000.0))
    stage.on_release(_release(2_000.0), now=2_000.0)
    stronger = _command(stage, make_alert(score=3.0, time=2_500.0, counter=2))
    assert (stronger.tier, stronger.revision, stronger.contained_since) == ("isolate", 3, 2_500.0)
    other = _stage()
    other.restore([_command(_stage(), make_alert(time=1_000.0))])
    other.on_release(_release(2_000.0), now=2_000.0)
    assert _command(other, make_alert(time=1_500.0, session_id="s-2")).revision == 3


def test_a_release_that_comes_back_does_not_lift_a_later_quarantine(make_alert: MakeAlert) -> None:
    """The answer travels with the states that follow it."""
    stage = _stage()
    _command(stage, make_alert(time=1_000.0))
    act = _release(2_000.0)
    stage.on_release(act, now=2_000.0)
    _command(stage, make_alert(time=3_000.0, session_id="s-2"))
    assert stage.on_release(act, now=4_000.0).command is None
    assert stage.on_release(_release(1_500.0), now=4_000.0).command is None
    assert stage.on_release(_release(4_000.0), now=4_000.0).command is not None


def test_a_release_of_another_revision_is_refused(make_alert: MakeAlert) -> None:
    """Somebody looked at revision 1; revision 2 has come since."""
    stage = _stage()
    _command(stage, make_alert(score=2.1))
    _command(stage, make_alert(score=3.0, counter=2))
    decision = stage.on_release(_release(2_000.0, revision=1), now=2_000.0)
    assert (decision.command, decision.entry.decision) == (None, "refused")
    assert "look again" in decision.entry.detail
    assert stage.on_release(_release(2_000.0, revision=2), now=2_000.0).command is not None


def test_a_release_from_the_future_counts_as_now(make_alert: MakeAlert) -> None:
    """A clock in 2099 must not outrank every later release."""
    stage = _stage()
    _command(stage, make_alert(time=1_000.0))
    state = stage.on_release(_release(4e9), now=2_000.0).command
    assert state is not None
    assert state.answer is not None
    assert state.answer.at == 2_000.0


def test_the_chain_goes_on_after_a_restart(make_alert: MakeAlert) -> None:
    """The tail of the log carries the head; without it the chain starts anew."""
    stage = _stage()
    last = stage.on_alert(make_alert()).entry
    restarted = _stage()
    restarted.restore([], [last])
    entry = restarted.on_alert(make_alert(agent="agent-2")).entry
    assert (entry.sequence, entry.previous) == (2, last.hash)
    assert _stage().on_alert(make_alert()).entry.sequence == 1
