"""What a check says of a source: what arrives, what it feeds, what is missing and what to do; of records, of files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from detector import cli
from detector.channels.catalogue import CHANNELS
from detector.connect.check import ADVICE, ALWAYS, FIELDS, MAPPED_AS, MOST_NAMED, NEEDS, OF_ATTRIBUTE, SourceCheck
from detector.connect.recorded import take_file
from detector.connect.shown import page_of
from detector.demo.codex import CODEX
from detector.edge.connect import SOURCES
from detector.errors import SetupError
from detector.otlp.explain import explain
from detector.otlp.tables import shipped
from detector.rules.rule import ENTRIES
from detector.schema.event import Event
from tests.otlp.made import as_json, as_protobuf, log, request
from tests.otlp.samples import samples

CALL = {"event.name": "tool_result", "session.id": "s", "tool_name": "Bash", "success": "true", "duration_ms": "7"}
PERSON = {"enduser.id": "ada", "tenant": "acme"}


def _claude(more: dict[str, Any] | None = None, resource: dict[str, Any] | None = None, count: int = 3) -> bytes:
    """Return tool calls of Claude Code, with further attributes."""
    records = [log({**CALL, "event.sequence": n, **(more or {})}, n + 1) for n in range(count)]
    return as_json(request(records, "claude-code", "com.anthropic.claude_code.events", resource))


def _event(agent: str = "a", attributes: dict[str, Any] | None = None, **more: Any) -> Event:
    plain = {"event_id": "1", "ts": "2026-11-29T00:00:00Z", "agent_id": agent, "kind": "tool_call", "name": "t"}
    return msgspec.convert({**plain, "attributes": attributes or {}, **more}, Event)


def _check(source: str, raw: bytes) -> SourceCheck:
    check = SourceCheck(source)
    check.take(explain(raw))
    return check


def _fed(check: SourceCheck) -> dict[str, int]:
    return {one.name: one.events for one in check.detections()}


def _plain(check: SourceCheck) -> str:
    stream = io.StringIO()
    console = Console(width=200, file=stream)
    for part in page_of(check):
        console.print(part)
    return stream.getvalue()


def test_a_target_that_arrives_feeds_novelty_and_one_that_does_not_is_missed_with_its_switch() -> None:
    """The twins: Claude Code with tool details, and without; nothing else differs."""
    there, not_there = _check("claude-code", _claude({"file_path": "/a"})), _check("claude-code", _claude())
    assert (_fed(there)["novelty"], _fed(not_there)["novelty"]) == (3, 0)
    assert "target" not in {one.name for one in there.missing()}
    (missed,) = [one for one in not_there.missing() if one.name == "target"]
    assert "OTEL_LOG_TOOL_DETAILS=1" in missed.advice
    assert "novelty" in missed.blinds
    assert "OTEL_LOG_TOOL_DETAILS=1" in _plain(not_there)


def test_what_only_a_rule_reads_is_counted_on_events_of_every_kind_and_missed_by_none() -> None:
    """A mode that was changed feeds its rule; that nobody changed one is no fault of the source."""
    check = SourceCheck("claude-code")
    check.take_event(_event(attributes={"to_mode": "plan"}, kind="policy"))
    assert _fed(check)["permission_bypass"] == 1
    nobody = _check("claude-code", _claude())
    (rule,) = [one for one in nobody.detections() if one.name == "permission_bypass"]
    assert (rule.events, rule.lacks) == (0, ("attributes.to_mode",))
    assert not [one for one in nobody.missing() if one.name.startswith(OF_ATTRIBUTE)]


def test_a_name_that_the_gate_does_not_ask_for_is_told_and_a_persons_is_not() -> None:
    """What agents are named from decides whether a command meets the agent."""
    ((name, count, advice),) = _check("claude-code", _claude({"user.id": "u"})).names()
    assert (name, count) == ("user.id", 3)
    assert "detector-agents.sh" in advice
    ((name, _, advice),) = _check("claude-code", _claude(resource=PERSON)).names()
    assert (name, advice) == ("resource:enduser.id", "")


def test_records_of_others_and_records_that_are_no_event_are_counted_apart() -> None:
    """Nothing is passed over: of another source, of no known reason, or mapped."""
    raw = _claude() + b"\n" + as_json(request([log({"event.name": "codex.user_prompt"})], "codex"))
    check = _check("claude-code", raw)
    assert (check.records, check.mapped, dict(check.elsewhere)) == (3, 3, {"codex": 1})
    assert check.records == check.mapped + sum(check.left_out.values())
    nothing = _check("gemini-cli", raw)
    assert not nothing.events
    assert sum(nothing.elsewhere.values()) == 4
    assert "claude-code (3)" in _plain(nothing)
    assert "Nothing came at all" in _plain(SourceCheck("codex"))


def test_the_collector_takes_every_source() -> None:
    """Whoever connects a Collector asks what comes through it."""
    raw = _claude() + b"\n" + as_json(request([log({"event.name": "codex.user_prompt"})], "codex"))
    check = _check("collector", raw)
    assert (check.records, len(check.elsewhere)) == (4, 0)


def test_shares_are_of_the_events_that_may_have_a_field() -> None:
    """A model call has no target and is not counted against it."""
    check = SourceCheck("codex")
    check.take_event(_event(target="x"))
    check.take_event(_event(kind="llm_call", tokens_in=1.0))
    assert check.share("target") == (1, 1)
    assert check.share("tokens_in") == (1, 2)
    assert check.share("cost_usd") == (0, 2)


def test_what_a_sender_names_does_not_grow_what_is_kept() -> None:
    """Beyond a bound agents, sources and attributes are counted together; the counts stay whole."""
    check = SourceCheck("codex")
    for n in range(MOST_NAMED + 50):
        check.take_event(_event(f"agent-{n}", {f"name-{n}": 1.0}))
    assert len(check.agents) == len(check.attributes) == MOST_NAMED + 1
    assert sum(check.agents.values()) == MOST_NAMED + 50


def test_a_terminal_is_not_moved_by_what_a_sender_wrote() -> None:
    """Names of attributes and records are a sender's."""
    check = SourceCheck("codex")
    check.take_event(_event(attributes={"\x1b[2Jname": 1.0}))
    assert "\x1b[2J" not in _plain(check)


def test_the_lists_by_hand_are_those_of_the_product() -> None:
    """Sources, tables, catalogues and the event: what is added there is missed here by this test."""
    assert set(MAPPED_AS) == set(SOURCES)
    assert set(MAPPED_AS.values()) - {"*"} <= {table.source for table in shipped()}
    assert set(NEEDS) == {one.name for one in CHANNELS} | set(ENTRIES)
    needed = {name for needs in NEEDS.values() for need in needs for name in need.split("|")} - ALWAYS
    needed = {name for name in needed if not name.startswith(OF_ATTRIBUTE)}
    assert needed <= set(FIELDS)
    assert needed <= set(ADVICE["any"]) | {"attributes"}
    assert set(ADVICE) == {"any", "names", *(set(SOURCES) - {"collector"})}
    assert {name for source in SOURCES for name in ADVICE.get(source, {})} <= set(FIELDS)
    assert {name.split(".")[0] for name in FIELDS} <= set(Event.__struct_fields__)


@pytest.mark.parametrize("encode", [as_json, as_protobuf])
def test_a_file_of_telemetry_in_both_encodings_says_the_same(encode: Any, tmp_path: Path) -> None:
    """Told apart by content, as everywhere."""
    path = tmp_path / "x"
    path.write_bytes(encode(request([log({**CALL, "file_path": "/a"})], "claude-code", "x")))
    check = take_file(SourceCheck("claude-code"), path)
    assert (check.mapped, check.share("target")) == (1, (1, 1))


def test_a_file_of_native_events_is_checked_as_it_stands(tmp_path: Path) -> None:
    """What a bridge has written; events of others in it are passed over."""
    events = [one.event for one in explain(_claude({"file_path": "/a"})) if one.event]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(msgspec.json.encode(one) for one in [*events, _event()]))
    check = take_file(SourceCheck("claude-code"), path)
    assert (dict(check.events), check.share("target")) == ({"tool_call": 3}, (3, 3))


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    """With what the system said."""
    with pytest.raises(SetupError, match="nowhere"):
        take_file(SourceCheck("codex"), tmp_path / "nowhere")


def test_the_command_says_what_arrives_and_its_status_whether_anything_did(tmp_path: Path) -> None:
    """On the shipped recording of Codex, as a page and as JSON; of another source nothing is there."""
    runner = CliRunner()
    words = ["connect", "codex", "--check", "--file", str(CODEX.recording)]
    page = runner.invoke(cli.app, words)
    assert page.exit_code == 0, page.output
    assert "resource:enduser.id" in page.output
    told = json.loads(runner.invoke(cli.app, [*words, "--json"]).stdout)
    assert told["records"] == 1_290 + 24
    assert sum(told["events"].values()) == 444
    assert told["fields"]["target"] == {"events": 150, "of": 150}
    assert told["named_from"] == [{"name": "resource:enduser.id", "events": 444, "advice": ""}]
    other = runner.invoke(cli.app, ["connect", "gemini-cli", "--file", str(CODEX.recording)])
    assert other.exit_code == 1
    assert "codex" in other.output


def test_a_check_writes_no_files_and_says_so(tmp_path: Path) -> None:
    """Who gives a folder as well wants something else than is done."""
    done = CliRunner().invoke(
        cli.app, ["connect", "codex", "--check", "--file", str(CODEX.recording), "--out", str(tmp_path)]
    )
    assert isinstance(done.exception, SetupError)
    assert "--check" in str(done.exception)


RECORDED = {
    "claude-code/otlp/1_default_logs.json": {"target"},
    "claude-code/otlp/2_details_hooks_mcp_logs.json": set(),
    "codex/otlp/1_default_logs.json": {"bytes_out"},
    "gemini-cli/otlp/1_prompts_off_logs.json": {"target", "bytes_out", "seq"},
    "copilot-cli/otlp/1_default_traces.json": {"bytes_out", "seq"},
}
"""Recorded sample -> what is missing in it, but for what no program sends."""
NEVER = {
    *("tool_hash", "arg_origin", "credential.expires_at", "grant.expires_at"),
    *("credential.issued_at", "grant.id", "zone", "instance_id"),
    *("prompt_hash", "on_behalf_of", "peer_agent_id", "peer_zone"),
}


@pytest.mark.data
@pytest.mark.parametrize("name", RECORDED)
def test_of_each_recorded_program_it_says_what_its_switches_left_out(name: str) -> None:
    """Written by hand from the recordings: with and without tool details, and what a program never sends."""
    folder = name.partition("/")[0]
    source = "copilot" if folder == "copilot-cli" else folder
    check = take_file(SourceCheck(source), samples("agent-telemetry") / name)
    assert {one.name for one in check.missing()} - NEVER == RECORDED[name]
    assert all(one.advice for one in check.missing())


@pytest.mark.data
def test_every_recorded_library_is_something_to_the_collector() -> None:
    """No recording is passed over in silence: each record is an event, left out with a reason, or named."""
    for path in sorted(samples("otlp").glob("*.otlp.*")):
        check = take_file(SourceCheck("collector"), path)
        assert check.records == check.mapped + sum(check.left_out.values()) > 0, path.name
        assert check.events, path.name
