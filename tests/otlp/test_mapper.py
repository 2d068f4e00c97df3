"""One verdict a record: identity in its order, chains of spans, doubles, repeats, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from detector.otlp import mapper, traces
from detector.otlp.explain import explain
from detector.otlp.mapper import Mapper
from detector.otlp.read import read
from tests.otlp.made import as_json, as_protobuf, log, only, request, span, verdicts_of

TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}


def _claude(**resource: Any) -> tuple[str, str]:
    """Return the agent of a record of Claude Code, and what it was taken from."""
    attributes = {"event.name": "tool_result", "session.id": "s", "event.sequence": 1, "user.id": "f00d"}
    event = only([log(attributes | {"user.email": "ann@example.com"})], service="claude-code", resource=resource)
    return event.agent_id, str(event.attributes["otlp.agent_from"])


def test_identity_is_the_fleets_then_the_persons_then_the_products() -> None:
    """What was set on purpose comes first, and each event says what it was."""
    assert _claude(**{"agent.id": "bot-1", "enduser.id": "ann"}) == ("bot-1", "resource:agent.id")
    assert _claude(**{"enduser.id": "ann"}) == ("claude-code/ann", "resource:enduser.id")
    assert _claude() == ("claude-code/ann@example.com", "user.email")


def test_a_service_whose_fleet_names_it_keeps_its_agents_as_instances() -> None:
    """With agent.id on the resource, names of agents in spans are instances of it."""
    event = only([span(attributes={**TOOL, "gen_ai.agent.name": "scout"})], resource={"agent.id": "bot-1"})
    assert (event.agent_id, event.instance_id, event.parent_agent_id) == ("bot-1", "scout", "bot-1")


def test_a_record_that_says_nothing_of_itself_still_has_an_agent() -> None:
    """Scope, and at last `unknown`: an agent is never lost."""
    assert only([span(attributes=TOOL)], service=None, scope="lib").agent_id == "lib"
    event = only([span(attributes=TOOL)], service=None)
    assert (event.agent_id, event.attributes["otlp.agent_from"]) == ("unknown", "unknown")


def test_a_tool_span_takes_the_nearest_agent_above_and_the_next_as_parent() -> None:
    """Children arrive before their parents; the outermost conversation is the session."""
    records = [
        span("execute_tool t", 1, 2, attributes=TOOL),
        span("chain", 2, 3),
        span("invoke_agent inner", 3, 4, attributes={"gen_ai.operation.name": "invoke_agent",
                                                     "gen_ai.agent.name": "inner", "gen_ai.conversation.id": "sub"}),
        span("invoke_agent outer", 4, attributes={"gen_ai.operation.name": "invoke_agent",
                                                  "gen_ai.agent.name": "outer", "gen_ai.conversation.id": "main"}),
    ]  # fmt: skip
    event = verdicts_of(records)[0].event
    assert event is not None
    assert (event.agent_id, event.parent_agent_id, event.session_id) == ("svc/inner", "svc/outer", "main")
    assert event.attributes["otlp.agent_from"] == "ancestor"


def test_a_chain_that_closes_on_itself_ends() -> None:
    """Two spans that are each other's parents cost a bounded walk."""
    found = verdicts_of([span("a", 1, 2, attributes=TOOL), span("b", 2, 1, attributes=TOOL)])
    assert [verdict.event and verdict.event.agent_id for verdict in found] == ["svc", "svc"]


def test_traces_are_bounded_whatever_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of traces, of spans in one, and of sessions leaves no more than the caps."""
    for name, cap in {"MAX_TRACES": 8, "MAX_SPANS": 4, "MAX_NODES": 16, "MAX_SESSIONS": 8}.items():
        monkeypatch.setattr(traces, name, cap)
    kept = traces.Traces()
    for number in range(100):
        for inner in range(10):
            kept.note(f"t{number}", f"s{inner}", traces.Node(parent=f"p{inner}"), frozenset({"m"}))
        kept.tell("p", str(number))
    assert len(kept._traces) <= 8
    assert sum(map(len, kept._traces.values())) == kept._nodes <= 16
    assert max(map(len, kept._traces.values())) <= 4
    assert len(kept._told) == 8
    assert kept.is_told("p", "99")


def test_the_callers_side_of_an_mcp_call_is_dropped_only_beside_the_servers() -> None:
    """Alone it is the only one who tells of the call, and the tool is the last word of its name."""
    method = {"mcp.method.name": "tools/call"}
    client = span("MCP send tools/call lookup", 2, attributes=method, kind=3)
    server = span("tools/call lookup", 1, 2, attributes={**method, "gen_ai.tool.name": "lookup"}, kind=2)
    both = verdicts_of([server, client])
    assert [verdict.reason for verdict in both] == ["mapped", "double"]
    assert only([client]).name == "lookup"


def test_a_repeat_is_dropped_and_another_record_under_the_same_id_is_not() -> None:
    """Ids stay unique; who takes another's id is told on the event."""
    mapped = Mapper()
    one = as_json(request([span(attributes=TOOL)]))
    other = as_json(request([span(attributes={**TOOL, "gen_ai.tool.name": "u"})]))
    first, repeat, differing, again = [mapped.map(read(raw))[0] for raw in (one, one, other, other)]
    assert first.event is not None
    assert repeat.reason == again.reason == "repeat"
    assert differing.event is not None
    assert differing.event.event_id.startswith(first.event.event_id + "~")
    assert differing.event.attributes["otlp.id_taken"] is True


def test_two_calls_without_an_id_at_the_same_moment_are_two_events() -> None:
    """Gemini has no call id: parallel calls of one tool differ in what they say."""
    base = {"event.name": "gemini_cli.tool_call", "session.id": "s", "function_name": "read_file"}
    found = verdicts_of([log({**base, "duration_ms": one}) for one in (3, 4)], service="gemini-cli")
    assert len({verdict.event.event_id for verdict in found if verdict.event}) == 2


def test_what_is_not_known_is_counted_by_source_name_and_reason() -> None:
    """An unknown service, an unknown event of a known one, a metric: three reasons, none lost."""
    mapped = Mapper()
    mapped.map(read(as_json(request([log({"event.name": "made_up"}), log({"event.name": "made_up"})]))))
    mapped.map(read(as_json(request([log({"event.name": "brand_new"})], service="claude-code"))))
    mapped.map(read(b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m"}]}]}]}'))
    assert mapped.counts == {
        ("svc", "made_up", "no_table"): 2,
        ("claude-code", "brand_new", "no_rule"): 1,
        ("unknown", "m", "metric"): 1,
    }


def test_counts_do_not_grow_with_names_that_senders_make_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the cap they are others, and the sum stays right."""
    monkeypatch.setattr(mapper, "MAX_COUNTED", 5)
    mapped = Mapper()
    mapped.map(read(as_json(request([log({"event.name": f"n{number}"}) for number in range(50)]))))
    assert len(mapped.counts) == 6
    assert mapped.counts["(others)", "(others)", "no_table"] == 45
    assert sum(mapped.counts.values()) == 50


def test_a_record_without_any_time_is_refused_by_name() -> None:
    """1970 would be a lie."""
    record = {"attributes": log({"event.name": "tool_result", "session.id": "s"})["attributes"]}
    assert verdicts_of([record], service="claude-code")[0].reason == "no_time"


@pytest.mark.parametrize("number", [7, 7.0, "7", "7.0"])
def test_a_quantity_is_the_same_in_every_type(number: Any) -> None:
    """Whole, with a point, as text."""
    event = only([log({"event.name": "tool_result", "session.id": "s", "duration_ms": number})], service="claude-code")
    assert event.duration_ms == 7


def test_an_empty_value_is_absent_and_a_zero_is_zero() -> None:
    """Not yet is not zero."""
    base = {"event.name": "tool_result", "session.id": "s"}
    assert only([log({**base, "duration_ms": None})], service="claude-code").duration_ms is None
    assert only([log({**base, "duration_ms": 0})], service="claude-code").duration_ms == 0


def test_what_is_too_long_is_cut_with_a_digest_and_still_tells_apart() -> None:
    """Two agents with the same first thousand characters stay two."""
    ids = {only([span(attributes=TOOL)], service="x" * 2_000 + tail).agent_id for tail in ("a", "b")}
    assert len(ids) == 2
    assert {len(one) for one in ids} == {1_024}


def test_both_encodings_become_the_same_events() -> None:
    """A request in protobuf and in JSON."""
    made = request([span("execute_tool t", 1, 2, attributes={**TOOL, "x": 1.5, "y": [1, "a"], "z": True}),
                    span("invoke_agent a", 2, attributes={"gen_ai.operation.name": "invoke_agent"})])  # fmt: skip
    assert explain(as_json(made)) == explain(as_protobuf(made))
    logs = request([log({"event.name": "codex.tool_result", "conversation.id": "c"})], service="codex_exec")
    assert explain(as_json(logs)) == explain(as_protobuf(logs))


@pytest.mark.parametrize(
    ("message", "outcome"),
    [("PermissionError: no", "denied"), ("request denied by policy", "denied"), ("timed out", "error")],
)
def test_a_failed_span_that_says_it_was_refused_is_a_denial(message: str, outcome: str) -> None:
    """A heuristic on the error's text; the same words on a span that did not fail say nothing."""
    assert only([span(attributes=TOOL, status={"code": 2, "message": message})]).outcome == outcome
    assert only([span(attributes=TOOL, status={"code": 1, "message": message})]).outcome == "ok"
