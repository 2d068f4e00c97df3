"""A batch of Kafka records becomes keyed events and dead letters."""

from __future__ import annotations

import json

from detector.bridge.stage import staged
from detector.otlp.mapper import Mapper
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from tests.otlp.made import as_json, as_protobuf, log, request, span

NAMES = TopicNames("p.", "g")
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}


def _record(value: bytes, offset: int = 0) -> Record:
    return Record(value, None, "p.otlp.spans", 1, offset)


def test_events_are_keyed_by_their_agents_in_the_order_of_the_records() -> None:
    """Kafka then brings all of an agent to one partition."""
    values = [as_protobuf(request([span(attributes=TOOL)], service=one)) for one in ("b", "a")]
    outputs, verdicts = staged([_record(value, at) for at, value in enumerate(values)], Mapper(), NAMES)
    assert [(output.topic, output.key) for output in outputs] == [("p.agent.events", b"b"), ("p.agent.events", b"a")]
    assert [json.loads(output.value)["agent_id"] for output in outputs] == ["b", "a"]
    assert len(verdicts) == 2


def test_spans_of_one_trace_in_several_records_of_a_batch_know_each_other() -> None:
    """The parent comes in the later record."""
    child = as_json(request([span("t", 1, 2, attributes=TOOL)]))
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}
    parent = as_json(request([span("invoke_agent a", 2, attributes=agent)]))
    outputs, _ = staged([_record(child), _record(parent, 1)], Mapper(), NAMES)
    assert [output.key for output in outputs] == [b"svc/a", b"svc/a"]


def test_what_cannot_be_read_is_a_dead_letter_and_its_neighbours_are_events() -> None:
    """With reason, place and bytes; one letter a reason."""
    good = as_json(request([span(attributes=TOOL), 7, 8]))
    outputs, _ = staged([_record(b"\xffjunk", 4), _record(good, 5)], Mapper(), NAMES)
    assert [output.topic for output in outputs] == ["p.agent.deadletter", "p.agent.events", "p.agent.deadletter"]
    first, last = dict(outputs[0].headers), dict(outputs[2].headers)
    assert (first["reason"], first["offset"], outputs[0].value) == (b"otlp_unreadable", b"4", b"\xffjunk")
    assert (last["reason"], last["line"], last["topic"]) == (b"otlp_wrong_type", b"1", b"p.otlp.spans")


def test_what_is_known_and_no_event_is_no_dead_letter() -> None:
    """A metric, an unknown service, a double: counted, not kept."""
    made = as_json(request([log({"event.name": "tool_decision", "decision": "accept"})], service="claude-code"))
    outputs, verdicts = staged([_record(made), _record(as_json(request([log({"event.name": "x"})])))], Mapper(), NAMES)
    assert outputs == []
    assert [verdict.reason for verdict in verdicts] == ["accepted", "no_table"]


def test_the_same_record_after_a_crash_gives_the_same_bytes() -> None:
    """Ids do not depend on the process: a repeat is recognised downstream."""
    record = _record(as_json(request([span(attributes=TOOL), log({})])))
    assert staged([record], Mapper(), NAMES)[0] == staged([record], Mapper(), NAMES)[0]
