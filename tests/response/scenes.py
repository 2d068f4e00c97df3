"""What the tests of the response stage share: a stage, a release, a restart."""

from __future__ import annotations

from collections.abc import Iterable

from detector.response.ladder import Levels
from detector.response.settings import ResponseSettings
from detector.response.stage import ResponseStage
from detector.response.turn import Published, StageDecision
from detector.schema.command import PolicyLogEntry, PolicyState
from detector.schema.feedback import Release

LEVELS = Levels(limit=2.0, isolate=2.7)
HOUR = 3_600.0


def stage_of(**settings: object) -> ResponseStage:
    """Return a stage that enforces, with some settings changed."""
    return ResponseStage(ResponseSettings.model_validate({"mode": "enforce", **settings}), "default/v1", LEVELS)


def release_of(at: float, agent: str = "agent-1", **changes: object) -> Release:
    """Return a release by kim."""
    values = {"agent_id": agent, "tenant": "acme", "by": "kim", "reason": "known job", "at": at, "id": f"r-{at}"}
    return Release.model_validate({**values, **changes})


def states_of(records: Iterable[Published]) -> list[PolicyState]:
    """Return what goes to the policy topic, in order."""
    return [record for record in records if isinstance(record, PolicyState)]


def entries_of(records: Iterable[Published]) -> list[PolicyLogEntry]:
    """Return what goes to the log, in order."""
    return [record for record in records if isinstance(record, PolicyLogEntry)]


def told(decision: StageDecision) -> list[tuple[str, str]]:
    """Return what the log says of whom, in order."""
    return [(entry.subject.rpartition("/")[2], entry.decision) for entry in entries_of(decision.records)]


def restarted(records: Iterable[Published], **settings: object) -> ResponseStage:
    """Return a stage that has read what was published."""
    read = list(records)
    stage = stage_of(**settings)
    stage.restore(states_of(read), entries_of(read))
    return stage
