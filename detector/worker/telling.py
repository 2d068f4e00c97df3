"""What partitions are told of commands: beside what people say, so that it has a place in their events."""

from __future__ import annotations

from detector.response.acknowledged import FirstAck
from detector.schema.command import PolicyState
from detector.schema.containment import containment_of
from detector.schema.topics import TopicNames
from detector.worker.publish import Output


def told_of(state: PolicyState, now: float, names: TopicNames, ack: FirstAck | None = None) -> list[Output]:
    """Return what the partition of a state's agent is told: nothing of a shadow, which constrains nobody."""
    if state.mode != "enforce":
        return []
    told = containment_of(state, now, ack)
    return [Output(names.feedback, told.agent_id.encode(), told.model_dump_json(by_alias=True).encode(), [])]
