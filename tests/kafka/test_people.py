"""What people and their tools do on a real Kafka: a quarantine lifted by name, alerts in a real rsyslog."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer

from detector.response.chain import verify
from detector.schema.command import PolicyLogEntry, PolicyState
from detector.worker.publish import alert_outputs
from tests.kafka.harness import Deployment
from tests.sinks.alerts import make
from tests.sinks.rsyslog import Rsyslog, rsyslogd

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(150)]


def _alert(deployed: Deployment, agent: str, number: int) -> None:
    """Write an alert as the scoring stage does."""
    alert = make(agent, 3.0, event_id=f"e-{number}", finding_uid=f"{number:032x}")
    producer = Producer(deployed.client)
    for output in alert_outputs(alert, deployed.names):
        producer.produce(
            output.topic, output.value, output.key, headers=list[tuple[str, str | bytes | None]](output.headers)
        )
    assert producer.flush(30) == 0


def _states(deployed: Deployment) -> list[PolicyState]:
    return [PolicyState.model_validate_json(one.value or b"") for one in deployed.read(deployed.names.policy)]


def _release(deployed: Deployment, agent: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "detector", "release", agent, "--by", "kim", "--reason", "known job"]
    command += ["--tenant", "acme", "--bootstrap", deployed.broker.bootstrap]
    command += ["--topic-prefix", f"{deployed.group}.", "--timeout", "60"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_quarantine_is_lifted_by_name_and_the_log_says_so(deployed: Deployment) -> None:
    """The command line asks, the running worker answers; a second release finds nothing to lift."""
    deployed.start(mode="enforce")
    _alert(deployed, "agent-1", 1)
    deployed.until(lambda: len(_states(deployed)) == 1, "a quarantine")
    done = _release(deployed, "agent-1")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "released" in done.stdout
    quarantined, released = _states(deployed)
    assert (quarantined.state, quarantined.mode, quarantined.tier) == ("quarantined", "enforce", "isolate")
    assert (released.state, released.revision, released.issuer.id) == ("released", 2, "kim")
    log = [PolicyLogEntry.model_validate_json(one.value or b"") for one in deployed.read(deployed.names.policy_log)]
    assert [entry.decision for entry in log] == ["issued", "released"]
    assert verify(log) == []
    again = _release(deployed, "agent-1")
    assert again.returncode == 1
    assert "must be in quarantine" in again.stderr


def test_a_worker_killed_after_its_command_repeats_nothing_but_the_log(deployed: Deployment) -> None:
    """The policy topic is the memory: the same alert again is recognised, the chain goes on."""
    worker = deployed.start(mode="enforce")
    _alert(deployed, "agent-1", 1)
    deployed.until(lambda: len(_states(deployed)) == 1, "a quarantine")
    deployed.until(lambda: sum(deployed.ends(deployed.names.policy_log)) == 1, "its entry in the log, which follows")
    worker.kill()
    worker.wait()
    _alert(deployed, "agent-1", 1)
    deployed.start(mode="enforce")
    deployed.until_by_tenant_done()
    assert len(_states(deployed)) == 1
    log = [PolicyLogEntry.model_validate_json(one.value or b"") for one in deployed.read(deployed.names.policy_log)]
    assert log[0].decision == "issued"
    assert {entry.decision for entry in log[1:]} == {"skipped"}
    assert verify(log) == []


def test_alerts_reach_a_real_rsyslog(deployed: Deployment, tmp_path: Path) -> None:
    """From the command line: its own consumer group, RFC 5424, stopped by SIGTERM."""
    for number in range(20):
        _alert(deployed, f"agent-{number}", number)
    with Rsyslog(rsyslogd(), tmp_path) as server:
        target = f"syslog://127.0.0.1:{server.tcp}"
        command = [sys.executable, "-m", "detector", "siem", "--to", target, "--hostname", "soc-1", "--confirm"]
        siem = deployed.start(*command)
        deployed.until(lambda: len(server.lines()) == 20, "alerts at rsyslog")
        assert deployed.stop(siem) == 0, deployed.logs()
    bodies = [json.loads(line) for line in server.lines("body.log")]
    assert {body["resources"][0]["uid"] for body in bodies} == {f"agent-{number}" for number in range(20)}
    assert all(b" soc-1 agent-behaviour-detector - finding-" in line for line in server.lines())
