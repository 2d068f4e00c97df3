"""What already binds the agent of an alert, said in the alert: who reads it at night must not look it up."""

from __future__ import annotations

from detector.intake.columns import agent_name
from detector.rules.containments import StandingCommand
from detector.schema.alert import Alert, ContainedNote
from detector.state.partition import Partition


def with_containment(state: Partition, alert: Alert | None) -> Alert | None:
    """Return an alert with the command that binds its agent at the alert's own time; as it is where none does."""
    commands = state.rule_memory.contained
    if alert is None or not len(commands):
        return alert
    command = commands.of(agent_name(alert.agent_id, alert.tenant, state.settings.keyed))
    note = None if command is None else _note(command, alert.time)
    return alert if note is None else alert.model_copy(update={"contained": note})


def _note(command: StandingCommand, at: float) -> ContainedNote | None:
    """Return what is said of a command; None of one that binds nobody at that time."""
    state = command.state
    if (tier := state.tier_at(at)) == "observe":
        return None
    # what goes on past its expiry ends with the limit that follows, or with a person's word
    until = state.expires_at
    if until is not None and at >= until:
        until = state.steps_down_until if state.on_expiry == "step_down" else None
    since, by = max(state.begins_at, command.since), command.acknowledged_by
    return ContainedNote(tier=tier, command_id=state.command_id, since=since, until=until, acknowledged_by=by)
