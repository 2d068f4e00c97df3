"""Three workers that come and go faster than the group settles; and a checkpoint that somebody forged."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from typing import Any

import pytest
from confluent_kafka import Producer

from detector.local.kafka import free_port
from detector.response.chain import verify
from detector.worker.checkpoint import CheckpointStore, Manifest, key_of
from detector.worker.factory import ProfilePipelines
from tests.kafka.harness import Deployment, metric, stream
from tests.kafka.test_worker import _assert_equal_to_replay, _assert_state_equal_to_replay, _log

pytestmark = [pytest.mark.kafka, pytest.mark.data, pytest.mark.timeout(290)]

EVENTS = 12_000
ROUNDS = (
    ("kill", 0), ("stop", 1), ("start", 0), ("freeze", 2), ("start", 1), ("kill", 1), ("thaw", 2), ("start", 1),
)  # fmt: skip
"""What happens to which of the three, each while the group still moves from the last."""


@pytest.mark.chaos("a rebalance storm of three workers: killed, stopped, frozen, thawed, started")
def test_a_rebalance_storm_of_three_workers_changes_nothing(deployed: Deployment, pipelines: ProfilePipelines) -> None:
    """Every partition moves many times under load; in the end alerts and state are those of a replay."""
    events = stream(EVENTS)
    share = EVENTS // (len(ROUNDS) + 1)
    workers = [deployed.start() for _ in range(3)]
    deployed.until_settled(3)  # one that is still starting knows no other end than the signal's
    deployed.produce(events[:share])
    deployed.until(lambda: sum(deployed.committed()) > 0, "a first checkpoint")
    for number, (what, at) in enumerate(ROUNDS, start=1):
        last = number == len(ROUNDS)
        deployed.produce(events[number * share :] if last else events[number * share : (number + 1) * share])
        if what == "start":
            workers[at] = deployed.start()
        else:
            sign = {"kill": signal.SIGKILL, "stop": signal.SIGTERM, "freeze": signal.SIGSTOP, "thaw": signal.SIGCONT}
            workers[at].send_signal(sign[what])
        if what in {"kill", "stop"}:
            assert workers[at].wait(60) in {0, -signal.SIGKILL}, deployed.logs()
    deployed.until_done()
    deployed.until_by_tenant_done()
    deployed.until_settled(3)
    for worker in workers:  # each while the group still moves from what came before
        assert deployed.stop(worker) == 0, deployed.logs()
    _assert_equal_to_replay(deployed, pipelines)
    _assert_state_equal_to_replay(deployed, pipelines)
    assert verify(_log(deployed)) == []


@pytest.mark.chaos("a forged checkpoint skips events, state without a key")
def test_events_that_a_forged_checkpoint_skips_are_counted(deployed: Deployment, pipelines: ProfilePipelines) -> None:
    """Without a key anybody who may write the state topic can do it; how many were skipped is said, and shown."""
    events = [(b"one agent", value) for _, value in stream(1_500)]
    deployed.produce(events)
    partition = next(at for at, end in enumerate(deployed.ends(deployed.names.events)) if end)
    asyncio.run(_forge(deployed, partition, Manifest(1, 1_500, {}, pipelines.fingerprint)))
    port = free_port()
    worker = deployed.start(listen_port=str(port))
    deployed.until(lambda: metric(port, "detector_manifest_ahead_records_total") == 1_500.0, "the skipped are counted")
    assert "state is ahead of what the group committed" in deployed.logs()
    assert deployed.stop(worker) == 0, deployed.logs()
    worker = deployed.start(state_key="a secret of the group")
    deployed.until(lambda: "must be the one its digest was made for" in deployed.logs(), "with a key it is refused")
    assert deployed.stop(worker) == 0, deployed.logs()


async def _forge(deployed: Deployment, partition: int, manifest: Manifest) -> None:
    """Write a manifest as a worker without a key does."""
    producer = Producer(deployed.client)

    async def send(topic: str, key: bytes, value: bytes, partition: int) -> Awaitable[Any]:
        producer.produce(topic, value, key, partition)
        assert producer.flush(30) == 0
        return asyncio.sleep(0)

    store = CheckpointStore(deployed.names.state, deployed.group, key_of(None, deployed.group), send)
    await store.save(partition, Manifest(), manifest, {})
