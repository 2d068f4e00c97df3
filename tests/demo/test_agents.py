"""End to end with programs nobody here wrote: Codex CLI and Gemini CLI, a Collector, Kafka; from a session to a denial.

Skipped aloud where Node.js, Go or mount namespaces are missing; ``REQUIRE_AGENTS=1`` makes that a failure. What is
fetched and built once (two minutes) is kept in the cache folder; from there each story takes about a minute.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.demo.agents import PROGRAMS, AgentScene, AgentsOptions, scene
from detector.demo.agents_summary import STEPS
from detector.demo.errands import PROJECT, SECRETS
from detector.demo.machine import refuse_without_namespaces
from detector.errors import SetupError
from detector.local.ladder import Broker
from detector.local.programs import collector_command
from detector.views.reading import TopicReader

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.kafka, pytest.mark.timeout(1_200)]

LONGEST_S = 60.0
"""From the end of the odd act to the denied call: one to five seconds are measured, see benchmarks/RESULTS.md."""


@pytest.fixture(params=PROGRAMS)
def played(
    request: pytest.FixtureRequest, kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AgentScene]:
    """Yield a connected scene on the run's Kafka, with topics of its own, or skip and say what is missing."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", kafka.bootstrap)
    said: list[str] = []
    try:
        refuse_without_namespaces(tmp_path)
        PROGRAMS[request.param].command(said.append)
        collector_command(said.append)
    except SetupError as why:
        if os.environ.get("REQUIRE_AGENTS"):
            raise
        pytest.skip(f"needs the real programs; {why}")
    with scene(AgentsOptions(request.param, keep=tmp_path / "logs"), said.append) as one:
        yield one


def test_a_real_agent_is_denied_its_next_call_after_an_odd_act(played: AgentScene) -> None:
    """The printed settings, unchanged; ordinary sessions pass; the act alerts; the denial is acknowledged; it ends."""
    summary = played.play()
    assert summary.failures == ()
    assert summary.false_alarms == 0
    assert summary.bytes_taken > 0
    assert (summary.tier, summary.agent_id) == ("isolate", f"{played.program.source}/root")
    assert list(summary.seconds) == list(STEPS)
    assert 0.0 < summary.seconds["alert"] <= summary.seconds["command"] <= summary.seconds["denied"] < LONGEST_S
    assert summary.released
    assert summary.works_after
    with TopicReader(played.kafka, played.names.otlp_logs) as reader:
        wire = b"".join(record.value for record in reader.to_the_end())
    # where a command line is sent, it is what the target is read from
    assert (b"id_ed25519" in wire) is played.program.sees_commands
    for text in [*PROJECT.values(), *SECRETS.values()]:
        assert text.splitlines()[-1].encode() not in wire  # what a command printed, the Collector has taken out
