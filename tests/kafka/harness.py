"""A deployment on the test run's broker: own topics and group, worker processes, and what they wrote."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from detector.local.ladder import Broker
from detector.response.joined import OF_STAGE
from detector.schema.alert import Alert
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.worker.ports import PipelineFactory
from detector.worker.topics import create_topics, topic_specs

MOVING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
"""What a broker says of a young group or topic while its coordinator or leader is being found."""
PATIENCE_S = 90.0


def _settled(ask: Callable[[], Any]) -> Any:
    """Return the broker's answer once it has one; a group or topic made a moment ago is still being placed."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except KafkaException as exc:
            if exc.args[0].code() not in MOVING or time.monotonic() > end:
                raise
            time.sleep(0.1)  # the placing is the broker's own; no call of the client waits for it


class Read(NamedTuple):
    """One record read back; `written` is its time, epoch seconds."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    timestamp_ms: int
    receipt_ms: int | None = None

    @property
    def written(self) -> float:
        """When the broker or the producer says it was written, epoch seconds."""
        return self.timestamp_ms / 1_000


class Deployment:
    """Topics, group and workers of one test."""

    def __init__(self, broker: Broker, group: str, folder: Path, partitions: int = 4, replication: int = 1) -> None:
        self.broker, self.group, self.folder, self.partitions = broker, group, folder, partitions
        self.names = TopicNames(f"{group}.", group)
        self.client: dict[str, Any] = {"bootstrap.servers": broker.bootstrap, "log_level": 3}
        create_topics(self.client, topic_specs(self.names, partitions), replication)
        self.workers: list[subprocess.Popen[bytes]] = []

    def produce(self, events: Iterable[tuple[bytes | None, bytes]], topic: str | None = None, at_ms: int = 0) -> int:
        """Write keyed records as any producer with Kafka's default partitioner does; return how many.

        ``at_ms`` is the time a producer claims; 0: now.
        """
        producer = Producer(
            {**self.client, "partitioner": "murmur2_random", "enable.idempotence": True, "linger.ms": 20}
        )
        count = 0
        for key, value in events:
            while True:
                try:
                    producer.produce(topic or self.names.events, value, key, timestamp=at_ms)
                    break
                except BufferError:
                    producer.poll(0.1)
            count += 1
        assert producer.flush(PATIENCE_S) == 0
        return count

    def read(self, topic: str) -> list[Read]:
        """Return every record of a topic as it stands now, partition by partition."""
        consumer = Consumer({**self.client, "group.id": "reader", "enable.auto.commit": False})
        records: list[Read] = []
        try:
            for partition in range(len(consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions)):
                records += self._read_partition(consumer, topic, partition)
        finally:
            consumer.close()
        return records

    def _read_partition(self, consumer: Consumer, topic: str, partition: int) -> Iterator[Read]:
        low, high = _settled(lambda: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30))
        if high == low:
            return
        consumer.assign([TopicPartition(topic, partition, low)])
        position = low
        while position < high:
            message = consumer.poll(PATIENCE_S)
            assert message is not None, f"{topic}/{partition} did not answer"
            assert message.error() is None, message.error()
            offset = message.offset()
            assert offset is not None, "a record that was read has its place"
            position = offset + 1
            headers: Any = message.headers() or ()
            whose, when = message.timestamp()
            receipt = when if whose == TIMESTAMP_LOG_APPEND_TIME else None
            yield Read(partition, offset, message.key(), message.value(), dict(headers), when, receipt)

    def ends(self, topic: str) -> list[int]:
        """Return the end offset of each partition."""
        consumer = Consumer({**self.client, "group.id": "reader"})
        try:
            count = len(consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions)
            places = [TopicPartition(topic, partition) for partition in range(count)]
            return _settled(lambda: [consumer.get_watermark_offsets(place, timeout=30)[1] for place in places])
        finally:
            consumer.close()

    def committed(self) -> list[int]:
        """Return what the group has committed of each event partition; 0 where nothing."""
        consumer = Consumer({**self.client, "group.id": self.group, "enable.auto.commit": False})
        asked = [TopicPartition(self.names.events, p) for p in range(self.partitions)]
        try:
            return [max(0, place.offset) for place in _settled(lambda: consumer.committed(asked, timeout=30))]
        finally:
            consumer.close()

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment of a worker of this deployment."""
        return {
            **os.environ,
            "DETECTOR_BOOTSTRAP": self.broker.bootstrap,
            "DETECTOR_GROUP": self.group,
            "DETECTOR_TOPIC_PREFIX": f"{self.group}.",
            "DETECTOR_LISTEN_PORT": "0",
            "DETECTOR_CHECKPOINT_INTERVAL_S": "0.5",
            "DETECTOR_SESSION_TIMEOUT_S": "3",
            **{f"DETECTOR_{name.upper()}": value for name, value in settings.items()},
        }

    def run(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours with the settings of this deployment's workers."""
        command = [sys.executable, "-m", "detector", *words]
        environment = self.environment(**settings)
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def start(self, *command: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start a worker process; its log goes to a file named in failures."""
        environment = self.environment(**settings)
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as file:
            worker = subprocess.Popen(
                command or (sys.executable, "-m", "detector", "worker"), env=environment, stdout=file, stderr=file
            )
        self.workers.append(worker)
        return worker

    def logs(self) -> str:
        """Return the end of every worker's log."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3_000:]}" for path in sorted(self.folder.glob("*.log")))

    def until(self, is_so: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
        """Return once a fact holds; fail with the workers' logs when it does not come, or a worker died on its own."""
        end = time.monotonic() + within_s
        while not is_so():
            dead = [worker.returncode for worker in self.workers if worker.poll() not in {None, 0, -signal.SIGKILL}]
            assert not dead, f"a worker ended with {dead} before: {what}\n{self.logs()}"
            assert time.monotonic() < end, f"not within {within_s} s: {what}\n{self.logs()}"
            time.sleep(0.1)  # the broker has no call that waits for another group's commit

    def until_settled(self, members: int) -> None:
        """Wait until the broker calls the group stable, with so many workers in it."""
        admin = AdminClient(self.client)

        def is_settled() -> bool:
            try:
                found = admin.describe_consumer_groups([self.group])[self.group].result(10)
            except (KafkaException, TimeoutError):  # a young group's coordinator is still being found
                return False
            return found.state is ConsumerGroupState.STABLE and len(found.members) == members

        self.until(is_settled, f"the group is settled with {members} workers")

    def until_done(self, within_s: float = PATIENCE_S) -> None:
        """Return once every event written so far is committed, that is: scored, published and checkpointed."""
        ends = self.ends(self.names.events)
        self.until(lambda: self.committed() == ends, f"events done, {ends}", within_s)

    def until_by_tenant_done(self) -> None:
        """Return once the response stage has answered every alert on the tenants' topic."""
        self.until(lambda: self.behind(self.names.by_tenant) == 0, "by-tenant done")

    def behind(self, topic: str) -> int:
        """Return how many records of a topic the group has not committed."""
        consumer = Consumer({**self.client, "group.id": self.group, "enable.auto.commit": False})
        try:
            ends = self.ends(topic)
            asked = [TopicPartition(topic, p) for p in range(len(ends))]
            committed = [max(0, place.offset) for place in _settled(lambda: consumer.committed(asked, timeout=30))]
            return sum(ends) - sum(committed)
        finally:
            consumer.close()

    def stop(self, worker: subprocess.Popen[bytes]) -> int:
        """Ask a worker to stop as an operator does; return its exit status."""
        worker.send_signal(signal.SIGTERM)
        return worker.wait(60)

    def close(self) -> None:
        """Kill what still runs and remove the topics."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
        topics = [spec.name for spec in topic_specs(self.names)]
        admin = AdminClient(self.client)  # held: a client that is collected takes its calls with it
        for future in admin.delete_topics(topics, operation_timeout=30).values():
            future.result()


@contextmanager
def deployment(
    broker: Broker, group: str, folder: Path, partitions: int = 4, replication: int = 1
) -> Iterator[Deployment]:
    """Yield a deployment and clean it up."""
    made = Deployment(broker, group, folder, partitions, replication)
    try:
        yield made
    finally:
        made.close()


def metric(port: int, name: str) -> float | None:
    """Return a sample without labels of a worker's metrics, None if the worker does not answer yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), None)


def values(records: Iterable[Read]) -> list[dict[str, Any]]:
    """Return the JSON values of records."""
    return [json.loads(record.value or b"null") for record in records]


def stream(count: int) -> list[tuple[bytes, bytes]]:
    """Return keyed events: the recorded agentdyn stream where DETECTOR_DATA has it, else a simulated fleet, said aloud.

    ``REQUIRE_DATA=1`` makes a missing folder a failure.
    """
    folder = os.environ.get("DETECTOR_DATA")
    if folder:
        path = Path(folder) / "events" / "agentdyn-dev.jsonl.gz"
        with gzip.open(path) as lines:
            return [(json.loads(line)["agent_id"].encode(), line.rstrip()) for line in islice(lines, count)]
    assert not os.environ.get("REQUIRE_DATA"), "REQUIRE_DATA is set and DETECTOR_DATA is not"
    print("no DETECTOR_DATA: a simulated fleet instead of the recorded agents")  # noqa: T201 - said aloud
    from detector.simulate.fleet import MONDAY, Fleet
    from detector.simulate.scenario import plan_attacks

    fleet = Fleet(30, 1, start=MONDAY, days=10.0, sessions_per_day=6.0)
    attacked = replace(fleet, injections=plan_attacks(fleet, 3, MONDAY + 2 * 86_400.0))
    return [(event.agent_id.encode(), event.value) for event in islice(attacked.stream(), count)]


def replayed(deployed: Deployment, pipelines: PipelineFactory, without: bytes | None = None) -> list[Alert]:
    """Return the alerts of an offline replay of the event topic, partition by partition, but for some records."""
    records = deployed.read(deployed.names.events)
    alerts: list[Alert] = []
    for partition in range(deployed.partitions):
        pipeline = pipelines.new()
        mine = [
            Record(
                one.value or b"",
                one.key,
                deployed.names.events,
                partition,
                one.offset,
                one.timestamp_ms,
                one.receipt_ms,
            )
            for one in records
            if one.partition == partition and not (without and without in (one.value or b""))
        ]
        for at in range(0, len(mine), 512):
            alerts += pipeline.process(mine[at : at + 512]).alerts
    return alerts


def is_of_a_partition(alert: Alert) -> bool:
    """Whether a partition tells an alert, whatever the others do: what many agents do together is the stage's to say.

    That hangs on the order in which partitions are heard, which no replay of them one by one can know.
    """
    return not (alert.is_nobodys or alert.detection.startswith(OF_STAGE))


def published(deployed: Deployment) -> list[Alert]:
    """Return the alerts on the tenants' topic in the order the response stage met them, repeats included."""
    return [alert for alert, _ in heard(deployed)]


def heard(deployed: Deployment) -> list[tuple[Alert, float]]:
    """Return the same with the time of each one's record, epoch seconds."""
    records = [one for one in deployed.read(deployed.names.by_tenant) if one.headers.get("kind") == b"alert"]
    return [(Alert.model_validate_json(one.value or b""), one.written) for one in records]
