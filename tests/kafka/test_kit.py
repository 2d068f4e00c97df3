"""The kit's events on a real broker."""

from __future__ import annotations

import msgspec
import pytest

from detector.edge.kit.outbox import KafkaEvents
from detector.edge.kit.recorder import Recorder
from detector.edge.kit.writer import Actor
from detector.schema.event import StrictEvent
from tests.edge.kit.events import REDACTOR
from tests.kafka.harness import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


def test_the_kits_events_stand_on_the_topic_of_events_keyed_by_agent(deployed: Deployment) -> None:
    """Acknowledged by the broker before the recorder is closed, in their order, fit for the hot path."""
    sink = KafkaEvents(deployed.client, prefix=deployed.names.prefix)
    recorder = Recorder(sink, Actor("support-1", "support"), redactor=REDACTOR)
    talk = recorder.conversation("s")
    talk.user_said("call customer-77")
    for number in range(500):
        talk.called(str(number), "call", {"id": "customer-77"})
        talk.returned(str(number), "hunter2")
    assert recorder.close()
    assert (recorder.counts()["written"], sink.undelivered) == (500, 0)
    records = deployed.read(deployed.names.events)
    assert {record.key for record in records} == {b"support-1"}
    values = [record.value or b"" for record in records]
    events = [msgspec.json.decode(value, type=StrictEvent) for value in values]
    assert [event.seq for event in events] == list(range(500))
    assert {event.arg_origin["target"] for event in events} == {"user"}
    assert not any(b"hunter2" in value or b"customer-77" in value for value in values)
