"""Verdicts on a real Kafka: they reach the incident, and a replay with the journal gives what the worker gave."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.desk.journal import CONTROLS, JOURNAL
from detector.local.kafka import free_port
from detector.local.ladder import Broker
from detector.offline.controls import read_plan
from detector.offline.partition import partition_of
from detector.offline.replay import Replay, ReplaySettings
from detector.profile.load import load_profile
from detector.schema.alert import Alert
from detector.worker.checkpoint import CheckpointStore, Remembered, key_of
from detector.worker.factory import ProfilePipelines
from detector.worker.settings import WorkerSettings
from detector.worker.topics import create_topics, topic_specs
from tests.kafka.harness import Deployment, Read, deployment, is_of_a_partition, published, stream, values
from tests.schema.cases import case

pytestmark = [pytest.mark.kafka, pytest.mark.data, pytest.mark.timeout(240)]

EVENTS, DURABLE, DONE = 12_000, 7_000, 9_000
"""Events of the stream: all, those in a checkpoint before the crash, and those scored before it; each part alerts."""


ALL = {"confirm", "safe", "dismiss"}


@pytest.fixture(scope="module")
def events() -> list[tuple[bytes, bytes]]:
    return stream(EVENTS)


def _detector(deployed: Deployment, *words: str) -> subprocess.CompletedProcess[str]:
    where = ["--bootstrap", deployed.broker.bootstrap, "--topic-prefix", f"{deployed.group}."]
    return subprocess.run(
        [sys.executable, "-m", "detector", *words, *where], capture_output=True, text=True, timeout=120, check=False
    )


def _verdict(deployed: Deployment, uid: str, agent: str, kind: str = "dismiss", tenant: str = "default") -> str:
    who = ("--agent", agent, "--by", "kim", "--reason", "known job", "--tenant", tenant)
    done = _detector(deployed, "verdict", uid, kind, *who)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def judge(deployed: Deployment, alert: Alert, kind: str = "dismiss") -> str:
    """Give a verdict on a finding from the command line; return what it said."""
    return _verdict(deployed, alert.finding_uid, alert.agent_id, kind, alert.tenant)


def _in_a_week() -> str:
    return f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%dT%H:%M:%S}"


def _metric(port: int, line: str) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return line in answer.read().decode()


def _journaled(deployed: Deployment) -> int:
    return sum((one.key or b"").startswith(b"journal#") for one in deployed.read(deployed.names.state))


def with_verdict(deployed: Deployment) -> list[Alert]:
    """Return the alerts that say a verdict."""
    return [alert for alert in published(deployed) if alert.activity == "verdict"]


def test_a_verdict_reaches_its_incident(deployed: Deployment, events: list[tuple[bytes, bytes]]) -> None:
    """From the command line to the SOC's topic and the gauges; beside the events of its agent."""
    port = free_port()
    worker = deployed.start(listen_port=str(port))
    deployed.produce(events)
    deployed.until_done()
    alert = published(deployed)[-1]
    told = judge(deployed, alert)
    assert f"partition {partition_of(alert.agent_id, 4)}, offset 0" in told
    deployed.until(lambda: bool(with_verdict(deployed)), "the incident with its verdict")
    (shown,) = with_verdict(deployed)
    assert (shown.finding_uid, shown.counter, shown.score) == (alert.finding_uid, alert.counter + 1, alert.score)
    assert shown.verdict is not None
    assert (shown.verdict.verdict, shown.verdict.by, shown.verdict.reason) == ("dismiss", "kim", "known job")
    soc = [(one["finding_info"]["uid"], one["metadata"]["sequence"]) for one in values(_soc(deployed))]
    assert soc.count((shown.finding_uid, shown.counter)) == 1
    assert _metric(port, 'detector_controls_total{kind="verdict",outcome="applied"} 1.0')
    gauge = f'detector_pipeline{{name="verdicts_dismiss",partition="{alert.partition}"}} 1.0'
    deployed.until(lambda: _metric(port, gauge), "the gauge of verdicts")
    assert deployed.stop(worker) == 0, deployed.logs()


def _soc(deployed: Deployment) -> list[Read]:
    return list(deployed.read(deployed.names.alerts))


@pytest.mark.chaos("kill -9 between a control and its events")
def test_after_kill_9_between_journal_and_batch_a_replay_gives_the_same_bytes(
    deployed: Deployment, events: list[tuple[bytes, bytes]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Alerts and state in the end are those of `replay --controls --journal`, byte for byte, a case of a SIEM too."""
    first = deployed.start()
    deployed.produce(events[:DURABLE])
    deployed.until_done()
    assert deployed.stop(first) == 0, deployed.logs()
    # this one makes no checkpoint: what it does is in the journal only
    second = deployed.start(checkpoint_interval_s="3600")
    before = sum(deployed.ends(deployed.names.alerts))
    deployed.produce(events[DURABLE:DONE])
    deployed.until(lambda: sum(deployed.ends(deployed.names.alerts)) > before, "an alert behind the checkpoint")
    judge(deployed, published(deployed)[-1], "confirm")
    deployed.until(lambda: _journaled(deployed) == 1, "the entry of the journal")
    second.kill()
    second.wait()
    # one verdict more while nobody is there, on an incident of the checkpoint
    deployed.produce(events[DONE:])
    first_told = published(deployed)[0]
    judge(deployed, first_told, "safe")
    # and a case that was closed in the SIEM, on a finding that nobody spoke of
    said = {first_told.finding_uid, *(one.finding_uid for one in with_verdict(deployed))}
    other = next(one.finding_uid for one in reversed(published(deployed)) if one.finding_uid not in said)
    (tmp_path / "cases").write_bytes(case([other], 1))
    done = _detector(deployed, "closing", str(tmp_path / "cases"))
    assert (done.returncode, done.stderr) == (0, "")
    # and an exception for everyone, which stands in every partition and in its state
    scope = ("--tool", "no such tool", "--everyone", "--owner", "kim", "--reason", "r", "--until", _in_a_week())
    done = _detector(deployed, "suppress", "add", *scope)
    assert (done.returncode, done.stderr) == (0, "")
    third = deployed.start()
    deployed.until_done()
    deployed.until(lambda: _journaled(deployed) == 3 + deployed.partitions, "the entries that followed")
    deployed.until(lambda: {one.verdict.verdict for one in with_verdict(deployed) if one.verdict} >= ALL, "verdicts")
    assert deployed.stop(third) == 0, deployed.logs()

    assert_equal_to_journaled_replay(deployed, events, monkeypatch, tmp_path, verdicts=3)


def assert_equal_to_journaled_replay(
    deployed: Deployment,
    events: list[tuple[bytes, bytes]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    verdicts: int,
) -> None:
    """Hold alerts and state against `replay --controls --journal`, byte for byte."""
    done = _detector(deployed, "journal", "--out", str(tmp_path / "audit"), "--group", deployed.group)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    plan = read_plan(tmp_path / "audit" / CONTROLS, tmp_path / "audit" / JOURNAL, deployed.partitions)
    monkeypatch.setattr("detector.offline.replay.TOPIC", deployed.names.events)
    run = Replay(load_profile(), ReplaySettings(deployed.partitions), plan=plan)
    replayed = [alert.model_dump_json() for alert in run.feed([value for _, value in events]).alerts
                if is_of_a_partition(alert)]  # fmt: skip
    found = [alert.model_dump_json() for alert in published(deployed)]
    assert sum('"activity":"verdict"' in one for one in replayed) == verdicts
    assert set(found) == set(replayed)
    assert len(set(replayed)) == len(replayed)
    for partition, remembered in _remembered(deployed).items():
        assert (remembered.refusal, remembered.journal) == (None, ())
        pipelines = ProfilePipelines(load_profile(), WorkerSettings())
        state = pipelines.restore(remembered.shards).snapshot(full=True)
        assert state == run._pipelines[partition].snapshot(full=True)  # type: ignore[attr-defined]  # the real one


def _remembered(deployed: Deployment) -> dict[int, Remembered]:
    held: dict[int, dict[bytes, bytes]] = {partition: {} for partition in range(deployed.partitions)}
    for record in deployed.read(deployed.names.state):
        held[record.partition][record.key or b""] = record.value or b""
    store = CheckpointStore(deployed.names.state, deployed.group, key_of(None, deployed.group), _nowhere)
    return {partition: store._verified(partition, blobs) for partition, blobs in held.items() if blobs}


async def _nowhere(*_: object) -> Awaitable[Any]:
    raise AssertionError("nothing is written here")


def test_verdicts_find_their_worker_among_three(deployed: Deployment) -> None:
    """Three workers, four partitions: feedback lies with the worker that has the events, whatever the assignment."""
    ports = [free_port() for _ in range(3)]
    workers = [deployed.start(listen_port=str(port)) for port in ports]
    logs = [deployed.folder / f"worker-{number}.log" for number in range(3)]
    deployed.until(lambda: all("assigned" in log.read_text() for log in logs), "three workers in the group")
    agents = [next(f"a{n}" for n in range(99) if partition_of(f"a{n}", 4) == partition) for partition in range(4)]
    for agent in agents:
        _verdict(deployed, "f" * 32, agent)
    deployed.until(lambda: _journaled(deployed) == 4, "four entries")
    applied = 'detector_controls_total{kind="verdict",outcome="applied"}'
    deployed.until(lambda: sum(_metric(port, applied) for port in ports) >= 2, "verdicts with several workers")
    assert not any(_metric(port, 'outcome="left"') for port in ports), deployed.logs()
    assert [deployed.stop(worker) for worker in workers] == [0, 0, 0], deployed.logs()


def test_a_feedback_topic_with_one_partition_is_refused(kafka: Broker, group: str, tmp_path: Path) -> None:
    """As earlier versions made it; the sentence has the command that mends it."""
    with deployment(kafka, group, tmp_path) as deployed:
        other = deployed.names.__class__(f"{group}-old.", f"{group}-old")
        specs = [spec._replace(partitions=1) if spec.name == other.feedback else spec for spec in topic_specs(other)]
        create_topics(deployed.client, specs)
        worker = deployed.start(group=f"{group}-old", topic_prefix=f"{group}-old.")
        assert worker.wait(60) == 2
        assert f"--alter --topic {other.feedback} --partitions 4" in deployed.logs()
