"""On a real Kafka the broker dates the events, and the worker knows where it does not."""

from __future__ import annotations

import time

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from detector.local.kafka import free_port
from detector.worker.receipt import time_setting
from tests.kafka.harness import Deployment, metric, stream

pytestmark = [pytest.mark.kafka, pytest.mark.data, pytest.mark.timeout(150)]

CREATED_LATE_MS = 4_070_908_800_000
"""The year 2099, said by whoever produces."""


def _senders_time(deployed: Deployment) -> None:
    """Set the events topic back to how earlier versions made it."""
    entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, deployed.names.events, incremental_configs=[entry])
    admin = AdminClient(deployed.client)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(30)
    deployed.until(lambda: time_setting(deployed.client, deployed.names.events) == "CreateTime", "the new setting")


@pytest.mark.chaos("a sender dates its events 2099")
def test_records_carry_the_brokers_time_whatever_their_sender_says(deployed: Deployment) -> None:
    """A record produced for 2099 is received now."""
    began = time.time() * 1_000 - 1_000
    deployed.produce(stream(10), at_ms=CREATED_LATE_MS)
    receipts = [one.receipt_ms for one in deployed.read(deployed.names.events)]
    assert len(receipts) == 10
    assert all(receipt is not None and began < receipt < time.time() * 1_000 + 1_000 for receipt in receipts)


def test_a_worker_says_who_dates_its_events_and_when_that_changes(deployed: Deployment) -> None:
    """At the start the broker does; after somebody changed the topic, the next rebalance finds out."""
    ports = [free_port(), free_port()]
    first = deployed.start(listen_port=str(ports[0]))
    deployed.produce(stream(50))
    deployed.until_done()
    assert "the broker dates the events" in deployed.logs()
    assert metric(ports[0], "detector_senders_own_the_clock") == 0.0
    assert metric(ports[0], "detector_records_undated_total") == 0.0
    _senders_time(deployed)
    deployed.produce(stream(50))
    second = deployed.start(listen_port=str(ports[1]))
    deployed.until(lambda: metric(ports[0], "detector_senders_own_the_clock") == 1.0, "the first worker's new look")
    deployed.until_done()
    assert metric(ports[1], "detector_senders_own_the_clock") == 1.0
    assert sum(metric(port, "detector_records_undated_total") or 0.0 for port in ports) >= 50.0
    assert "senders own the clock: event time moves by steps only" in deployed.logs()
    assert [deployed.stop(worker) for worker in (first, second)] == [0, 0], deployed.logs()
