"""Every recorded sample against a table written by hand from its records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from detector.otlp.explain import explain
from detector.otlp.mapper import Mapper, RecordVerdict
from detector.otlp.read import read
from detector.schema.decode import decode
from detector.schema.event import Event
from detector.schema.record import Record
from tests.otlp.samples import events_of, files_of, samples
from tests.otlp.written import PROGRAMS, SPANS, Line, lines_of

pytestmark = pytest.mark.data


def _is_as_written(event: Event, line: Line, service: str) -> None:
    """Hold an event against its line, field by field."""
    agent = line.agent if not service else service if line.agent is None else f"{service}/{line.agent}"
    assert event.agent_id == agent
    session = event.session_id or ""
    assert session.startswith(line.session[1:]) if line.session.startswith("~") else session == line.session
    assert (event.kind, event.name, event.outcome) == (line.kind, line.name, line.outcome)
    if line.target is not None and line.target.startswith("~"):
        assert event.target is not None
        assert event.target.endswith(line.target[1:])
    else:
        assert event.target == line.target
    assert (event.tokens_in, event.tokens_out, event.cost_usd) == (line.tokens_in, line.tokens_out, line.cost_usd)


def _are_as_written(verdicts: list[RecordVerdict], table: str, service: str = "") -> None:
    lines = lines_of(table)
    found = [number for number, verdict in enumerate(verdicts) if verdict.event is not None]
    assert found == [line.record for line in lines]
    for line in lines:
        event = verdicts[line.record].event
        assert event is not None
        _is_as_written(event, line, service)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_coding_agents_records_are_what_was_read_in_them(name: str) -> None:
    """Agent, session, tool, target, outcome, tokens and cost, each event by hand; everything else is no event."""
    raw = (samples("agent-telemetry") / name).read_bytes()
    _are_as_written(explain(raw), PROGRAMS[name])


@pytest.mark.parametrize("stem", SPANS)
def test_a_librarys_spans_are_what_was_read_in_them(stem: str) -> None:
    """The same scenario by many libraries, with and without content, in each encoding it was recorded in."""
    folder = samples("otlp")
    found = files_of(folder, stem)
    assert found
    service = "demo-" + stem.removesuffix(".edge")
    mapped = [explain(path.read_bytes()) for path in found]
    for verdicts in mapped:
        _are_as_written(verdicts, SPANS[stem], service)
    assert all(verdicts == mapped[0] for verdicts in mapped), "the encodings disagree"


def test_no_sample_is_left_out() -> None:
    """A file that is added is read, and its events written down, or this names it."""
    known = {path.name for stem in SPANS for path in files_of(samples("otlp"), stem)}
    rest = {path.name for path in samples("otlp").iterdir()} - known - {"README.md", "index.json"}
    batches = {"mixed-512-spans-16-agents.otlp.pb.gz", "google-genai.keyed.otlp.pb"}
    assert rest == batches | {"mcp.bytrace.0.otlp.pb", "mcp.bytrace.1.otlp.pb"}
    told = {str(path.relative_to(samples("agent-telemetry"))) for path in _recorded()}
    assert {name for name in told if "metrics" not in name} == set(PROGRAMS)


def _recorded() -> list[Path]:
    return sorted(samples("agent-telemetry").glob("*/otlp/*.json"))


def test_a_batch_of_sixteen_agents_is_taken_apart() -> None:
    """512 spans of sixteen services in one record: each span an event of its own agent, conv-1 its session."""
    verdicts = explain((samples("otlp") / "mixed-512-spans-16-agents.otlp.pb.gz").read_bytes())
    events = events_of(verdicts)
    assert len(verdicts) == 512
    kinds = Counter((event.kind, event.name) for event in events)
    assert kinds["tool_call", "lookup_ticket"] > 0
    agents = {event.agent_id for event in events}
    assert agents == {f"load-{number:02d}/a{number}" for number in range(16)}
    assert {event.session_id for event in events} == {"conv-1"}


def test_a_trace_in_several_records_is_put_together() -> None:
    """One trace arrives as a record a scope; the second has the agent that all of the first belong to."""
    whole = explain((samples("otlp") / "mcp.otlp.pb").read_bytes())
    parts = [list(read((samples("otlp") / f"mcp.bytrace.{number}.otlp.pb").read_bytes())) for number in (0, 1)]
    together = Mapper().map([*parts[0], *parts[1]])
    assert [verdict.event and verdict.event.name for verdict in together] == [
        verdict.event and verdict.event.name for verdict in whole
    ]
    assert {event.agent_id for event in events_of(together)} == {"demo-mcp/coordinator"}
    alone = Mapper().map(parts[0])
    assert {event.agent_id for event in events_of(alone)} == {"demo-mcp"}  # less exact, not lost


def test_sub_agents_have_their_callers_as_parents() -> None:
    """A researcher called from a tool is below the coordinator; one that was handed over to is not."""
    for stem, parent in (("pydantic-ai", "coordinator"), ("langchain-oi", "coordinator"), ("google-adk", None)):
        path = files_of(samples("otlp"), stem)[0]
        events = events_of(explain(path.read_bytes()))
        below = {event.parent_agent_id for event in events if event.agent_id.endswith("/researcher")}
        assert below == {parent and f"demo-{stem}/{parent}"}, stem


def test_hand_overs_name_who_is_spoken_to() -> None:
    """A transfer and a hand-off carry the other agent's id."""
    for stem in ("google-adk-content", "google-adk-content2", "openai-agents-contrib"):
        events = events_of(explain(files_of(samples("otlp"), stem)[0].read_bytes()))
        (message,) = [event for event in events if event.kind == "message"]
        assert message.peer_agent_id == f"demo-{stem}/researcher"


def test_claudes_sequence_is_whole_and_sizes_times_and_model_are_taken() -> None:
    """A gap in seq is lost telemetry, so each event carries its own; texts that hold numbers are numbers."""
    raw = (samples("agent-telemetry") / "claude-code/otlp/2_details_hooks_mcp_logs.json").read_bytes()
    verdicts = explain(raw)
    assert all(verdict.event is None or verdict.event.seq == number for number, verdict in enumerate(verdicts))
    call, model = verdicts[12].event, verdicts[9].event
    assert call is not None
    assert model is not None
    assert (call.bytes_out, call.bytes_in, call.duration_ms) == (47, 245, 234)
    assert (model.model, model.duration_ms, model.agent_version) == ("claude-opus-4-8", 178, "2.1.197")
    assert call.ts.isoformat() == "2026-11-24T16:21:55.515000+00:00"


def test_codex_time_is_the_events_own_though_its_record_says_zero() -> None:
    """Codex sends 0 nanoseconds; a library that trusted it would put everything into 1970."""
    raw = (samples("agent-telemetry") / "codex/otlp/1_default_logs.json").read_bytes()
    events = events_of(explain(raw))
    assert events[0].ts.isoformat() == "2026-11-24T16:20:03.389000+00:00"
    assert [event.seq for event in events if event.kind == "tool_call"] == [1, 2, 3, 4]


def test_claudes_spans_give_way_to_its_log_records_but_for_refusals_these_lack() -> None:
    """With both signals every call is told once; the Write that nobody could permit stands in the spans alone."""
    folder = samples("agent-telemetry") / "claude-code/otlp"
    logs = list(read((folder / "2_details_hooks_mcp_logs.json").read_bytes()))
    spans = list(read((folder / "2_details_hooks_mcp_traces.json").read_bytes()))
    both = Mapper().map([*logs, *spans])
    assert [verdict.event for verdict in both[: len(logs)]] == [verdict.event for verdict in Mapper().map(logs)]
    (extra,) = events_of(both[len(logs) :])
    assert (extra.name, extra.outcome) == ("Write", "denied")


@pytest.mark.parametrize("cut", [1, 5, 1_000])
@pytest.mark.parametrize("order", ["logs first", "spans first", "in turn"])
def test_geminis_calls_are_told_once_in_whatever_order_its_signals_come(order: str, cut: int) -> None:
    """Two topics keep no order: a call whose span is read before its log record is one event, of the user's agent."""
    folder = samples("agent-telemetry") / "gemini-cli/otlp"
    logs = list(read((folder / "1_prompts_off_logs.json").read_bytes()))
    spans = list(read((folder / "1_prompts_off_traces.json").read_bytes()))
    assert {span.attributes.get("gen_ai.operation.name") for span in spans} >= {"tool_call", "llm_call"}
    both = sorted([*logs, *spans], key=lambda item: item.start_ns or item.time_ns)
    items = {"logs first": [*logs, *spans], "spans first": [*spans, *logs], "in turn": both}[order]
    mapper = Mapper()
    verdicts = [one for at in range(0, len(items), cut) for one in mapper.map(items[at : at + cut])]
    found, alone = events_of(verdicts), events_of(Mapper().map(logs))
    assert sorted(event.event_id for event in found) == sorted(event.event_id for event in alone)
    assert {event.agent_id for event in found} == {event.agent_id for event in alone}


def test_every_event_passes_the_decoder_and_every_id_is_its_own() -> None:
    """What is made here is what the product reads: strict schema, no unknown field, unique ids over all samples."""
    ids: Counter[str] = Counter()
    for path in [*_recorded(), *(files_of(samples("otlp"), stem)[0] for stem in SPANS)]:
        events = events_of(explain(path.read_bytes()))
        ids.update(event.event_id for event in events)
        decoded = decode([Record(msgspec.json.encode(event), event.agent_id.encode()) for event in events])
        assert decoded.refusals == []
        assert not decoded.unknown
        assert msgspec.json.encode(decoded.events) == msgspec.json.encode(events)
    assert sum(ids.values()) > 250
    assert max(ids.values()) == 1


def test_metrics_are_told_apart_and_left_alone() -> None:
    """Every quantity also stands in a log record or span."""
    for path in _recorded():
        if "metrics" in path.name:
            verdicts = explain(path.read_bytes())
            assert {verdict.reason for verdict in verdicts} == {"metric"}


def test_no_content_reaches_an_event() -> None:
    """Outputs, prompts and answers of the samples stand in no event."""
    for name in PROGRAMS:
        events = explain((samples("agent-telemetry") / name).read_bytes())
        raw = msgspec.json.encode([verdict.event for verdict in events])
        assert b"drwxr-xr-x" not in raw
        assert b"REDACTED" not in raw
        assert b"cut 23674" not in raw
