"""OpenTelemetry on a real broker: killed in mid-stream, every record becomes its events exactly once."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from detector.local.ladder import Broker
from detector.worker.topics import create_topics, delete_topics, otlp_specs
from tests.kafka.harness import PATIENCE_S, Deployment, _settled, deployment
from tests.otlp.made import as_json, as_protobuf, log, request, span

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

COMMAND = (sys.executable, "-m", "detector", "otlp", "bridge")
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}


@pytest.fixture
def deployed(kafka: Broker, group: str, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment with the topics of the bridge."""
    with deployment(kafka, group, tmp_path) as made:
        specs = otlp_specs(made.names)
        create_topics(made.client, specs)
        yield made
        delete_topics(made.client, specs)


def _spans(number: int, spans: int = 5) -> bytes:
    """Return an export request of its own trace, in one encoding or the other."""
    made = [
        span(f"execute_tool t{at}", at + 1, attributes={**TOOL, "gen_ai.agent.name": f"a{number % 7}"})
        | {"traceId": f"{number + 1:032x}"}
        for at in range(spans)
    ]
    return (as_protobuf if number % 2 else as_json)(request(made))


def _log(number: int) -> bytes:
    attributes = {"event.name": "tool_result", "session.id": f"s{number}", "event.sequence": 1, "user.id": "u"}
    return as_json(request([log(attributes | {"tool_name": "Bash", "success": "true"})], service="claude-code"))


def _committed(deployed: Deployment, topic: str) -> list[Any]:
    """Return what a reader of committed records sees of a topic, to its end as it stands now."""
    consumer = Consumer(
        {**deployed.client, "group.id": "committed", "enable.auto.commit": False, "enable.partition.eof": True,
         "isolation.level": "read_committed", "auto.offset.reset": "earliest"}
    )  # fmt: skip
    found = []
    places = [TopicPartition(topic, at, 0) for at in range(len(deployed.ends(topic)))]
    consumer.assign(places)
    ended = 0
    try:
        while ended < len(places):
            message = consumer.poll(PATIENCE_S)
            assert message is not None, "the topic did not answer"
            if message.error() is None:
                found.append(message)
            else:
                ended += 1  # the end of a partition, for now
    finally:
        consumer.close()
    return found


def _events(deployed: Deployment) -> list[dict[str, Any]]:
    """Return the committed events; each is keyed by its agent."""
    messages = _committed(deployed, deployed.names.events)
    events = [json.loads(message.value()) for message in messages]
    assert [message.key() for message in messages] == [event["agent_id"].encode() for event in events]
    return events


def _behind(deployed: Deployment) -> int:
    """Return how many records of telemetry the bridge has not committed."""
    names = deployed.names
    # a transaction that a killed bridge left open must not keep the answer back
    own = {"group.id": f"{deployed.group}.otlp", "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
    consumer = Consumer({**deployed.client, **own})
    try:
        behind = 0
        for topic in (names.otlp_spans, names.otlp_logs):
            ends = deployed.ends(topic)
            asked = [TopicPartition(topic, at) for at in range(len(ends))]
            done = _settled(partial(consumer.committed, asked, timeout=30))
            behind += sum(ends) - sum(max(0, place.offset) for place in done)
        return behind
    finally:
        consumer.close()


def _is_less_behind(deployed: Deployment, before: int) -> bool:
    return _behind(deployed) < before


def test_a_bridge_killed_in_mid_stream_loses_and_doubles_nothing(deployed: Deployment) -> None:
    """Spans and logs, both encodings, a record that cannot be read; killed twice; then all is there."""
    names = deployed.names
    spans = [(None, _spans(number)) for number in range(4_500)]
    logs = [(None, _log(number)) for number in range(300)]
    left = []
    for part in range(3):
        deployed.produce(spans[part * 1_500 : (part + 1) * 1_500], names.otlp_spans)
        deployed.produce(logs[part * 100 : (part + 1) * 100], names.otlp_logs)
        if part == 2:
            deployed.produce([(None, b"\xffjunk")], names.otlp_spans)
        before = _behind(deployed)
        bridge = deployed.start(*COMMAND)
        if part < 2:
            deployed.until(partial(_is_less_behind, deployed, before), "some of it is done")
            bridge.send_signal(signal.SIGKILL)
            assert bridge.wait(PATIENCE_S) == -signal.SIGKILL
            left.append(_behind(deployed))
    assert min(left) > 0, "it was not killed in mid-stream"
    deployed.until(lambda: _behind(deployed) == 0, "all of it is done")
    assert deployed.stop(bridge) == 0, deployed.logs()
    events = Counter(event["event_id"] for event in _events(deployed))
    wanted = {f"{number + 1:032x}:{at + 1:016x}" for number in range(4_500) for at in range(5)}
    wanted |= {f"s{number}:1" for number in range(300)}
    assert set(events) == wanted
    assert max(events.values()) == 1
    (letter,) = _committed(deployed, names.deadletter)
    assert (dict(letter.headers())["reason"], letter.value()) == (b"otlp_unreadable", b"\xffjunk")


def test_a_worker_scores_what_the_bridge_writes(deployed: Deployment) -> None:
    """End to end: a Collector's record in, an event of its agent scored and committed."""
    bridge, worker = deployed.start(*COMMAND), deployed.start()
    deployed.produce([(None, _spans(number)) for number in range(40)], deployed.names.otlp_spans)
    deployed.until(lambda: _behind(deployed) == 0, "bridged")
    messages = _committed(deployed, deployed.names.events)
    assert len(messages) == 200
    # behind the last event of a partition stands the mark of its transaction: the worker may commit before it
    lasts = {message.partition(): message.offset() for message in messages}
    deployed.until(lambda: all(deployed.committed()[at] > last for at, last in lasts.items()), "scored")
    assert deployed.stop(bridge) == 0, deployed.logs()
    assert deployed.stop(worker) == 0, deployed.logs()
    assert _committed(deployed, deployed.names.deadletter) == []
