"""`detector connect --check` on a real broker: it waits for what comes, as a process, and says what that was."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from detector.demo.codex import CODEX
from detector.otlp.explain import explain
from detector.worker.topics import create_topics, otlp_specs
from tests.kafka.harness import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

RECORDED = gzip.decompress(CODEX.recording.read_bytes())
CHECK = ("connect", "codex", "--check", "--json", "--gather", "1")


def _told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_telemetry_that_comes_while_it_waits_is_told(deployed: Deployment) -> None:
    """It says that it waits; then every record of the recording, and that no bridge has written an event of it."""
    create_topics(deployed.client, otlp_specs(deployed.names, 2))
    words = [sys.executable, "-m", "detector", *CHECK, "--timeout", "60"]
    pipe, environment = subprocess.PIPE, deployed.environment()
    with subprocess.Popen(words, env=environment, stdout=pipe, stderr=pipe, text=True) as waiting:
        assert waiting.stderr is not None
        assert "0 records of codex" in waiting.stderr.readline()
        deployed.produce([(None, RECORDED)], deployed.names.otlp_logs)
        stdout, stderr = waiting.communicate(timeout=60)
    assert "first of codex is here" in stderr
    told = _told(subprocess.CompletedProcess(words, waiting.returncode, stdout, stderr))
    assert (told["records"], sum(told["events"].values()), told["on_agent_events"]) == (1_314, 444, 0)
    assert told["fields"]["target"] == {"events": 150, "of": 150}


def test_events_that_a_bridge_has_written_are_told_where_no_telemetry_is_left(deployed: Deployment) -> None:
    """The topics of telemetry are kept for two days, or are not for this user: what became of them stands."""
    events = [one.event for one in explain(RECORDED) if one.event is not None][:30]
    lines = [(one.agent_id.encode(), msgspec.json.encode(one)) for one in events]
    deployed.produce([*lines, (b"x", b"{"), (b"x", b'{"event_id": 1}')])
    done = deployed.run(*CHECK, "--timeout", "30")
    told = _told(done)
    assert (told["records"], sum(told["events"].values()), told["on_agent_events"]) == (0, 30, 30)
    assert f"{deployed.names.otlp_logs} must be there" in done.stderr


def test_what_is_older_than_it_looks_back_does_not_count(deployed: Deployment) -> None:
    """An agent that was silenced last week is not connected."""
    create_topics(deployed.client, otlp_specs(deployed.names, 1))
    deployed.produce([(None, RECORDED)], deployed.names.otlp_logs, at_ms=1_700_000_000_000)
    done = deployed.run(*CHECK, "--timeout", "3")
    assert done.returncode == 1
    assert json.loads(done.stdout)["records"] == 0


def test_a_broker_that_does_not_answer_is_no_source_that_is_silent(deployed: Deployment) -> None:
    """Also where its client gives up later than the time that was given."""
    done = deployed.run(*CHECK, "--timeout", "1", "--bootstrap", "127.0.0.1:1")
    assert done.returncode == 2
    assert "Kafka must answer" in done.stderr
