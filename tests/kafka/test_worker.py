"""The worker on a real Kafka: what it writes equals an offline replay, also after crashes."""

from __future__ import annotations

import json
import signal
import sys
import urllib.request
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from detector.local.kafka import free_port
from detector.local.ladder import Broker
from detector.offline.replay import Replay, ReplaySettings
from detector.profile.load import load_profile
from detector.response.chain import verify
from detector.schema.alert import Alert
from detector.schema.command import PolicyLogEntry, PolicyState
from detector.schema.record import Record
from detector.worker.checkpoint import CheckpointStore, key_of
from detector.worker.factory import ProfilePipelines
from detector.worker.run import stage_maker
from detector.worker.topics import create_topics, topic_specs
from tests.kafka.harness import (
    Deployment,
    Read,
    deployment,
    heard,
    is_of_a_partition,
    published,
    replayed,
    stream,
    values,
)

pytestmark = [pytest.mark.kafka, pytest.mark.data, pytest.mark.timeout(150)]

EVENTS = 12_000
POISON = [(None, b"{broken"), (None, b""), (None, b"\xff\xfe"), (None, b'{"event_id":"x"}')]
"""Nobody's acts, without a key: refused and no more. What has a key is scored; ``test_security.py`` sends one such."""


@pytest.fixture(scope="module")
def events() -> list[tuple[bytes, bytes]]:
    return stream(EVENTS)


def _by_id(alerts: list[Alert]) -> dict[tuple[str, int], Alert]:
    return {(alert.finding_uid, alert.counter): alert for alert in alerts}


def _assert_equal_to_replay(deployed: Deployment, pipelines: ProfilePipelines) -> None:
    """Hold what Kafka has against a replay of its own partitions: alert for alert, in every field."""
    expected = _by_id(replayed(deployed, pipelines))
    found = _by_id(published(deployed))
    assert len(expected) > 5, "the slice raises too few alerts to prove anything"
    assert found.keys() == expected.keys()
    assert found == expected
    soc = {
        (one["finding_info"]["uid"], one["metadata"]["sequence"])
        for one in values(deployed.read(deployed.names.alerts))
    }
    assert expected.keys() <= soc


def _log(deployed: Deployment) -> list[PolicyLogEntry]:
    return [PolicyLogEntry.model_validate_json(one.value or b"") for one in deployed.read(deployed.names.policy_log)]


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_kafka_output_equals_offline_replay(
    deployed: Deployment, events: list[tuple[bytes, bytes]], pipelines: ProfilePipelines
) -> None:
    """Alerts, policy states and dead letters are those of the pure pipeline; SIGTERM leaves nothing undone."""
    port = free_port()
    worker = deployed.start(listen_port=str(port))
    deployed.produce([*events[: EVENTS // 2], *POISON, *events[EVENTS // 2 :]])
    deployed.until_done()
    deployed.until_by_tenant_done()
    assert _get(port, "/readyz") == "ok\n"
    assert f"detector_records_total {EVENTS + len(POISON)}.0" in _get(port, "/metrics")
    assert f"detector_events_total {EVENTS}.0" in _get(port, "/metrics")
    assert deployed.stop(worker) == 0, deployed.logs()
    _assert_equal_to_replay(deployed, pipelines)
    # `detector replay --partitions 4` of the same lines says the same; only the evidence's offsets may differ
    again = Replay(load_profile(), ReplaySettings(partitions=4)).feed([value for _, value in events])
    found = {key: alert.model_copy(update={"evidence": ()}) for key, alert in _by_id(published(deployed)).items()}
    assert {
        key: alert.model_copy(update={"evidence": ()})
        for key, alert in _by_id(again.alerts).items()
        if is_of_a_partition(alert)
    } == found
    # the response stage, given the same alerts in the same order, decides the same
    stage = stage_maker(load_profile())()
    stage.restore([], [])
    decided = [record for alert, receipt in heard(deployed) for record in stage.on_alert(alert, receipt).records]
    written = [PolicyState.model_validate_json(one.value or b"") for one in deployed.read(deployed.names.policy)]
    assert written == [record for record in decided if isinstance(record, PolicyState)]
    assert _log(deployed) == [record for record in decided if isinstance(record, PolicyLogEntry)]
    # nothing was written twice, and every poisoned record is kept with its reason
    letters = deployed.read(deployed.names.deadletter)
    assert sorted(letter.value or b"" for letter in letters) == sorted(value for _, value in POISON)
    assert all(letter.headers["reason"] and letter.headers["offset"] for letter in letters)
    assert len(published(deployed)) == len(_by_id(published(deployed)))


@pytest.mark.chaos("kill -9 of the worker, anywhere")
def test_nothing_is_missing_after_kill_9_of_the_worker(
    deployed: Deployment, events: list[tuple[bytes, bytes]], pipelines: ProfilePipelines
) -> None:
    """Killed twice in mid-stream: alerts and the state in the end are what they are without a crash."""
    third = EVENTS // 3
    worker = deployed.start()
    deployed.produce(events[:third])
    deployed.until(lambda: sum(deployed.committed()) > 0, "a first checkpoint")
    for start in (third, 2 * third):
        deployed.produce(events[start : start + third])
        worker.kill()
        worker.wait()
        assert sum(deployed.committed()) < sum(deployed.ends(deployed.names.events)), (
            "killed too late to prove anything"
        )
        worker = deployed.start()
        deployed.until(partial(lambda done: sum(deployed.committed()) > done, start), "progress after the crash")
    deployed.until_done()
    deployed.until_by_tenant_done()
    assert deployed.stop(worker) == 0, deployed.logs()
    _assert_equal_to_replay(deployed, pipelines)
    _assert_state_equal_to_replay(deployed, pipelines)
    assert verify(_log(deployed)) == []


BREAKING = """
import sys
from detector import pipeline
from detector.cli import main
process = pipeline.Pipeline.process

def breaking(self, records, tolerance_s=None):
    outcome = process(self, records, tolerance_s)
    if any(b"breaks-the-pipeline" in record.value for record in records):
        raise OverflowError("halfway")
    return outcome

pipeline.Pipeline.process = breaking
sys.argv = ["detector", "worker"]
main()
"""


@pytest.mark.chaos("a record that breaks the pipeline, and kill -9")
def test_a_record_that_breaks_the_pipeline_is_left_out_also_over_kill_9(
    deployed: Deployment, events: list[tuple[bytes, bytes]], pipelines: ProfilePipelines
) -> None:
    """The state it damaged is thrown away; everything else is scored as if it had never come."""
    slice_ = list(events)
    for at in (1_000, 5_000, 5_001, 11_500):
        key, value = slice_[at]
        broken = {**json.loads(value), "event_id": f"broken-{at}", "target": "breaks-the-pipeline"}
        slice_[at] = (key, json.dumps(broken).encode())
    deployed.produce(slice_[:8_000])
    worker = deployed.start(sys.executable, "-c", BREAKING)
    deployed.until(lambda: sum(deployed.committed()) > 500, "a part committed")
    worker.kill()
    worker.wait()
    deployed.produce(slice_[8_000:])
    worker = deployed.start(sys.executable, "-c", BREAKING)
    deployed.until_done()
    assert deployed.stop(worker) == 0
    letters = deployed.read(deployed.names.deadletter)
    assert {one.headers["reason"] for one in letters} == {b"poison"}
    assert len({(one.headers["partition"], one.headers["offset"]) for one in letters}) == 4
    expected = _by_id(replayed(deployed, pipelines, b"breaks-the-pipeline"))
    assert expected
    assert _by_id(published(deployed)) == expected


@pytest.mark.chaos("orderly restart in mid-stream")
def test_an_orderly_restart_repeats_nothing(
    deployed: Deployment, events: list[tuple[bytes, bytes]], pipelines: ProfilePipelines
) -> None:
    """SIGTERM in mid-stream: the checkpoint is written on the way out, so no alert is sent twice."""
    first = deployed.start(checkpoint_interval_s="3600")
    deployed.produce(events)
    deployed.until(lambda: sum(deployed.ends(deployed.names.alerts)) > 0, "a first alert")
    assert deployed.stop(first) == 0, deployed.logs()
    assert sum(deployed.committed()) > 0
    second = deployed.start()
    deployed.until_done()
    assert deployed.stop(second) == 0, deployed.logs()
    _assert_equal_to_replay(deployed, pipelines)
    assert len(published(deployed)) == len(_by_id(published(deployed)))


@pytest.mark.chaos("a second worker joins and is killed")
def test_two_workers_share_the_group(
    deployed: Deployment, events: list[tuple[bytes, bytes]], pipelines: ProfilePipelines
) -> None:
    """One joins, one is killed, one leaves: partitions move with their state."""
    half = EVENTS // 2
    first = deployed.start()
    deployed.produce(events[:half])
    deployed.until(lambda: sum(deployed.committed()) > 0, "a first checkpoint")
    second = deployed.start()
    logs = [deployed.folder / f"worker-{number}.log" for number in (0, 1)]
    deployed.until(lambda: bool(_partitions(logs[1])), "the second has its partitions")
    deployed.produce(events[half:])
    second.kill()
    second.wait()
    deployed.until_done()
    deployed.until(lambda: len(_partitions(logs[0])[-1]) == 4, "the first has all partitions again")
    deployed.until_by_tenant_done()
    assert deployed.stop(first) == 0, deployed.logs()
    assert 0 < len(_partitions(logs[1])[-1]) < 4
    _assert_equal_to_replay(deployed, pipelines)
    assert verify(_log(deployed)) == []


@pytest.mark.chaos("a worker is stopped, replaced, and wakes up")
def test_a_zombie_writes_nothing_over_the_new_owner(
    deployed: Deployment, events: list[tuple[bytes, bytes]], pipelines: ProfilePipelines
) -> None:
    """Stopped until another worker has its partitions, then woken under load: its checkpoints are refused."""
    half = EVENTS // 2
    zombie = deployed.start()
    deployed.produce(events[:half])
    deployed.until(lambda: sum(deployed.committed()) > 0, "a first checkpoint")
    zombie.send_signal(signal.SIGSTOP)
    heir = deployed.start()
    logs = [deployed.folder / f"worker-{number}.log" for number in (0, 1)]
    deployed.until(lambda: [len(share) for share in _partitions(logs[1])][-1:] == [4], "the heir has all partitions")
    deployed.produce(events[half:])
    zombie.send_signal(signal.SIGCONT)
    deployed.until_done()
    deployed.until_by_tenant_done()
    assert [deployed.stop(worker) for worker in (zombie, heir)] == [0, 0], deployed.logs()
    _assert_equal_to_replay(deployed, pipelines)


def _partitions(log: Path) -> list[list[int]]:
    """Return what a worker said it was assigned, each time."""
    lines = [line for line in log.read_text().splitlines() if "partitions=[" in line and "assigned" in line]
    return [json.loads(line.split("partitions=")[1]) for line in lines]


@pytest.mark.chaos("kill -9 of the broker under load")
def test_the_worker_outlives_kill_9_of_the_broker(
    deployed: Deployment, events: list[tuple[bytes, bytes]], pipelines: ProfilePipelines
) -> None:
    """The broker dies under load and comes back on its data; the same worker goes on."""
    node = deployed.broker.kafka
    if node is None:
        pytest.skip("the broker is not ours to kill (KAFKA_BOOTSTRAP)")
    worker = deployed.start()
    half = EVENTS // 2
    deployed.produce(events[:half])
    deployed.until(lambda: sum(deployed.committed()) > 0, "a first checkpoint")
    deployed.produce(events[half:])
    node.kill()
    node.start()
    deployed.until_done()
    deployed.until_by_tenant_done()
    assert worker.poll() is None, deployed.logs()
    assert deployed.stop(worker) == 0, deployed.logs()
    _assert_equal_to_replay(deployed, pipelines)


def _assert_state_equal_to_replay(deployed: Deployment, pipelines: ProfilePipelines) -> None:
    """Hold the last checkpoint against a pipeline that saw the partition once: byte for byte."""
    held: dict[int, dict[bytes, bytes]] = {partition: {} for partition in range(4)}
    for record in deployed.read(deployed.names.state):
        held[record.partition][record.key or b""] = record.value or b""
    store = CheckpointStore(deployed.names.state, deployed.group, key_of(None, deployed.group), _nowhere)
    events = deployed.read(deployed.names.events)
    ends = deployed.ends(deployed.names.events)
    for partition, blobs in held.items():
        if ends[partition]:
            remembered = store._verified(partition, blobs)
            assert remembered.refusal is None
            assert remembered.manifest.offset == ends[partition]
            expected = _replayed_state(deployed, pipelines, [one for one in events if one.partition == partition])
            assert pipelines.restore(remembered.shards).snapshot(full=True) == expected


def _replayed_state(deployed: Deployment, pipelines: ProfilePipelines, mine: list[Read]) -> dict[str, bytes]:
    pipeline, topic = pipelines.new(), deployed.names.events
    pipeline.process(
        [Record(one.value or b"", one.key, topic, one.partition, one.offset, None, one.receipt_ms) for one in mine]
    )
    return pipeline.snapshot(full=True)


async def _nowhere(*_: object) -> NoReturn:
    raise AssertionError("nothing is written here")


def test_missing_topics_are_said_before_anything_hangs(kafka: Broker, group: str, tmp_path: Path) -> None:
    """Faust alone would wait in silence; the worker names the topics and the command that makes them."""
    with deployment(kafka, group, tmp_path) as deployed:
        worker = deployed.start(group=f"{group}-other")
        assert worker.wait(60) == 2
        assert f"{group}-other.by-tenant" in deployed.logs()
        assert "detector topics" in deployed.logs()


def test_a_state_topic_of_another_width_is_refused(kafka: Broker, group: str, tmp_path: Path) -> None:
    """A checkpoint must lie in the partition it stands for."""
    with deployment(kafka, group, tmp_path) as deployed:
        other = deployed.names.__class__(f"{group}.", f"{group}-wide")
        create_topics(
            deployed.client, [spec for spec in topic_specs(other, 2) if spec.name.startswith(f"{group}-wide")]
        )
        worker = deployed.start(group=f"{group}-wide")
        assert worker.wait(60) == 2
        assert f"--alter --topic {group}-wide.state --partitions 4" in deployed.logs()


@pytest.mark.chaos("the broker cannot be reached")
def test_an_unreachable_broker_is_said(tmp_path: Path, kafka: Broker, group: str) -> None:
    """A wrong address does not look like a quiet stream."""
    with deployment(kafka, group, tmp_path) as deployed:
        worker = deployed.start(bootstrap="127.0.0.1:1")
        assert worker.wait(60) == 2
        assert "must be brokers that answer" in deployed.logs()


def test_two_groups_of_one_prefix_do_not_meet(kafka: Broker, group: str, tmp_path: Path) -> None:
    """`detector topics` makes what a group needs and leaves what is there."""
    import subprocess

    with deployment(kafka, group, tmp_path) as deployed:
        command = [sys.executable, "-m", "detector", "topics", "--bootstrap", kafka.bootstrap]
        command += ["--group", f"{group}-b", "--topic-prefix", f"{group}."]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        made = {line.split()[1] for line in ran.stdout.splitlines() if line.startswith("made")}
        assert made == {f"{group}-b.by-tenant", f"{group}-b.state", deployed.names.registry_log}
        assert deployed.names.events in ran.stdout
