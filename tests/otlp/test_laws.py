"""Laws: arbitrary telemetry never raises, each record has one line with a reason, counts add up, events decode."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from detector.otlp.explain import counted, explain, lines
from detector.otlp.mapper import MAPPED, Mapper, RecordVerdict
from detector.otlp.read import read
from detector.otlp.tables import shipped
from detector.schema.decode import decode
from detector.schema.record import Record
from tests.otlp.made import as_json, as_protobuf, log, request, span

NAMES = sorted(
    {
        "event.name", "session.id", "event.sequence", "tool_name", "tool_input", "user.id", "enduser.id", "agent.id",
        "gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.agent.name", "gen_ai.tool.call.arguments",
        "mcp.method.name",
        "openinference.span.kind", "traceloop.span.kind", "input.value", "metadata", "conversation.id", "call_id",
        "success", "duration_ms", "gen_ai.usage.input_tokens", "cost_usd", "event.timestamp", "output", "arguments",
    }
)  # fmt: skip
WORDS = ["execute_tool", "chat", "invoke_agent", "TOOL", "AGENT", "tool", "tool_result", "codex.tool_result", "true",
         "gemini_cli.tool_call", "tools/call", '{"url": "http://a"}', "{'a': 1}",
         "2026-11-24T16:20:40.346Z"]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from(WORDS)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
attributes = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), values, max_size=8)
services = st.sampled_from(
    ["claude-code", "codex_exec", "gemini-cli", "github-copilot", "litellm", "agentgateway", "svc"]
)
scopes = st.sampled_from(["", "pydantic-ai", "openinference.x", "opentelemetry.instrumentation.langchain"])
spans = st.builds(
    lambda name, number, parent, found, kind: span(name, number, parent, attributes=found, kind=kind),
    st.text(max_size=20) | st.sampled_from(WORDS), st.integers(1, 6), st.none() | st.integers(1, 6), attributes,
    st.integers(0, 5),
)  # fmt: skip
logs = st.builds(log, attributes, st.integers(1, 6))
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["resourceSpans", "scopeSpans", "spans", "resourceLogs", "scopeLogs", "logRecords", "resource",
                         "attributes", "key", "value", "stringValue", "traceId", "spanId", "endTimeUnixNano", "events",
                         "status", "arrayValue", "values", "kvlistValue", "timeUnixNano", "body"]),
        inner, max_size=4,
    ),
    max_leaves=30,
)  # fmt: skip


def _hold(verdicts: list[RecordVerdict], records: int | None = None) -> None:
    """Hold verdicts against the law: one each with a reason, events that decode, ids of their own."""
    if records is not None:
        assert len(verdicts) == records
    told = [json.loads(line) for line in lines(verdicts)]
    assert [line["record"] for line in told] == list(range(len(verdicts)))
    assert all(set(line) == {"record", "source", "event", "why"} and line["why"] and line["source"] for line in told)
    assert all((verdict.event is None) == (verdict.reason != MAPPED) for verdict in verdicts)
    assert sum(row[3] for row in counted(verdicts)) == len(verdicts)
    events = [verdict.event for verdict in verdicts if verdict.event is not None]
    assert len({event.event_id for event in events}) == len(events)
    decoded = decode([Record(msgspec.json.encode(event), event.agent_id.encode()) for event in events])
    assert decoded.refusals == []
    assert not decoded.unknown


@given(st.binary(max_size=300))
@example(b"\x1f\x8b")
@example(b"\n\x00")
def test_arbitrary_bytes_have_verdicts_and_never_raise(raw: bytes) -> None:
    """Whatever lies on the topic."""
    _hold(explain(raw))


@given(documents)
def test_arbitrary_json_in_the_shape_of_telemetry_never_raises(document: Any) -> None:
    """Right names, wrong things inside."""
    _hold(explain(json.dumps(document).encode()))


@given(st.lists(spans, min_size=1, max_size=6) | st.lists(logs, min_size=1, max_size=6), services, scopes)
def test_each_record_has_one_line_with_a_reason(records: list[Any], service: str, scope: str) -> None:
    """Any attributes of any type under any name, spans that are each other's parents, ids that stand twice."""
    _hold(explain(as_json(request(records, service, scope))), len(records))


@given(st.lists(spans, min_size=1, max_size=5), services, scopes)
def test_the_encodings_agree(records: list[Any], service: str, scope: str) -> None:
    """A request in protobuf becomes what it becomes in JSON, but for numbers that JSON cannot hold."""
    made = request(records, service, scope)
    try:
        packed = as_protobuf(made)
    except Exception:  # noqa: BLE001 - an integer beyond 64 bits, or NaN, has no such form
        return
    _hold(explain(packed), len(records))
    assert [one.reason for one in explain(packed)] == [one.reason for one in explain(as_json(made))]


@given(st.lists(logs, min_size=1, max_size=8), services, st.data())
def test_what_a_log_record_becomes_does_not_depend_on_how_batches_are_cut(
    records: list[Any], service: str, data: st.DataObject
) -> None:
    """A log record says all itself: cut anywhere, the same verdicts."""
    whole = list(read(as_json(request(records, service))))
    cut = data.draw(st.integers(0, len(whole)))
    one, other = Mapper(), Mapper()
    assert one.map(whole) == [*other.map(whole[:cut]), *other.map(whole[cut:])]


@given(st.binary(max_size=60), st.integers(0, 400))
def test_a_request_with_bytes_overwritten_never_raises(junk: bytes, at: int) -> None:
    """Protobuf that breaks somewhere in the middle."""
    raw = bytearray(as_protobuf(request([span("one", 1, attributes={"a": "b"}), span("two", 2)])))
    raw[at : at + len(junk)] = junk
    _hold(explain(bytes(raw)))


def test_every_table_names_a_version_and_where_it_was_learned() -> None:
    """A mapping nobody can trace is a guess."""
    for table in shipped():
        assert table.version >= 1
        assert len(table.citation) > 10
        assert len(table.about) > 20
