"""Replay: sharded as Kafka shards, answered as the response stage answers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from detector.errors import SetupError
from detector.offline.partition import partition_of
from detector.offline.replay import Replay, Replayed, ReplaySettings
from detector.profile.load import load_profile
from tests.offline.stand_in import StandInPipeline, event

PROFILE = load_profile()


def _replay(settings: ReplaySettings) -> tuple[Replay, list[StandInPipeline]]:
    made: list[StandInPipeline] = []

    def make(_profile: object, _settings: object) -> StandInPipeline:
        made.append(StandInPipeline())
        return made[-1]

    return Replay(PROFILE, settings, make), made


def _run(lines: Sequence[bytes], settings: ReplaySettings, size: int = 512) -> tuple[Replayed, list[StandInPipeline]]:
    run, made = _replay(settings)
    whole = Replayed()
    for start in range(0, len(lines), size):
        out = run.feed(lines[start : start + size])
        whole.alerts += out.alerts
        whole.commands += out.commands
        whole.log += out.log
        whole.counts.update(out.counts)
        whole.refused.update(out.refused)
    whole.counts.update(run.finish().counts)
    return whole, made


LINES = [event(n, agent_id=f"agent-{n % 13}", attributes={"score": 3.0 if n % 40 == 7 else 0.1}) for n in range(200)]


def test_every_agent_goes_to_the_partition_kafka_would_give_it() -> None:
    """Offsets count per partition, and order within one is kept."""
    _, made = _run(LINES, ReplaySettings(partitions=4))
    for partition, pipeline in enumerate(made):
        assert [record.offset for record in pipeline.records] == list(range(len(pipeline.records)))
        assert {record.partition for record in pipeline.records} <= {partition}
        agents = [json.loads(record.value)["agent_id"] for record in pipeline.records]
        assert {partition_of(agent, 4) for agent in agents} <= {partition}
        numbers = [int(json.loads(record.value)["event_id"][1:]) for record in pipeline.records]
        assert numbers == sorted(numbers)
    assert sum(len(pipeline.records) for pipeline in made) == len(LINES)


@pytest.mark.parametrize("size", [1, 7, 200])
def test_partitions_find_what_one_finds(size: int) -> None:
    """The same findings and as many events, however the stream is cut."""
    one, _ = _run(LINES, ReplaySettings())
    four, _ = _run(LINES, ReplaySettings(partitions=4), size)
    assert [alert.finding_uid for alert in four.alerts] == [alert.finding_uid for alert in one.alerts]
    assert four.counts["events"] == one.counts["events"] == 200


def test_lines_that_are_no_events_are_refused_by_the_first_partition() -> None:
    """They have no agent; nothing is lost silently."""
    out, made = _run([b"junk", *LINES], ReplaySettings(partitions=3))
    assert made[0].records[0].value == b"junk"
    assert out.refused == {"not_json": 1}


def test_a_broken_line_goes_where_its_agent_is() -> None:
    """A worker's records have a key, lines of a file have none: the agent is read as far as the line goes."""
    whole = event(0, agent_id="agent-5")
    for broken in (whole.replace(b'"t"', b"17x"), whole[:-10], whole + b"}"):
        _, made = _run([broken], ReplaySettings(partitions=7))
        assert [number for number, pipeline in enumerate(made) if pipeline.records] == [partition_of("agent-5", 7)]


def test_alerts_lead_to_commands_in_the_mode_asked_for() -> None:
    """Enforce on a stable profile; the log chains every decision."""
    out, _ = _run(LINES, ReplaySettings(mode="enforce"))
    assert out.commands
    assert {command.mode for command in out.commands} == {"enforce"}
    assert len(out.log) == len([alert for alert in out.alerts if alert.detection == "behaviour"])
    assert [entry.previous for entry in out.log[1:]] == [entry.hash for entry in out.log[:-1]]


def test_the_shipped_profile_only_shadows() -> None:
    """The harmless twin: without --mode nothing is enforced."""
    out, _ = _run(LINES, ReplaySettings())
    assert {command.mode for command in out.commands} == {"shadow"}


def test_every_pipeline_is_finished() -> None:
    """Open sessions of every partition are closed."""
    out, made = _run(LINES, ReplaySettings(partitions=3))
    assert all(pipeline.is_finished for pipeline in made)
    assert out.counts["closed"] == 3


def test_a_replay_over_no_partitions_is_refused() -> None:
    """One is the least."""
    with pytest.raises(SetupError, match="partitions of a replay must be at least 1, got 0"):
        ReplaySettings(partitions=0)
