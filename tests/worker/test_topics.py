"""Topics are kept the way their content asks for."""

from __future__ import annotations

from detector.schema.topics import TopicNames
from detector.worker.topics import topic_specs


def test_checkpoints_lie_beside_the_events_they_stand_for() -> None:
    """Partition p of the state belongs to partition p of the events, for any number."""
    specs = {spec.name: spec for spec in topic_specs(TopicNames("p.", "g"), 12)}
    assert specs["g.state"].partitions == specs["p.agent.events"].partitions == 12


def test_feedback_and_registry_lie_beside_the_events_of_their_agent() -> None:
    """What is said and declared must reach the worker that holds the agent: same key, same number of partitions."""
    specs = {spec.name: spec for spec in topic_specs(TopicNames("p.", "g"), 12)}
    assert specs["p.agent.feedback"].partitions == specs["p.agent.registry"].partitions == 12


def test_desired_states_and_checkpoints_are_compacted_and_the_log_is_not() -> None:
    """What is whole by key is compacted; what is history is not."""
    kept = {spec.name: spec.config["cleanup.policy"] for spec in topic_specs(TopicNames())}
    assert {name for name, policy in kept.items() if policy == "compact"} == {
        "agent.policy",
        "agent.registry",
        "detector.state",
    }


def test_events_and_checkpoints_carry_the_time_of_the_broker() -> None:
    """Who sends events sets no clock with them, and the age of a checkpoint is certain."""
    kept = {spec.name: spec.config.get("message.timestamp.type") for spec in topic_specs(TopicNames())}
    assert {name for name, whose in kept.items() if whose == "LogAppendTime"} == {"agent.events", "detector.state"}
