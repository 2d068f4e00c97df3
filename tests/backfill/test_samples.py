"""Every recorded session file against a table written by hand, and against the telemetry of the same run."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from detector.backfill.record import Additions
from detector.otlp.explain import explain
from detector.otlp.mapper import MAPPED
from detector.schema.decode import decode
from detector.schema.event import Event
from detector.schema.record import Record
from tests.backfill.made import read
from tests.backfill.written import SESSIONS, Session, lines_of
from tests.otlp.samples import events_of, samples

pytestmark = pytest.mark.data

BOTH = {
    "claude-code/transcript": "claude-code/otlp/2_details_hooks_mcp_logs.json",
    "codex/rollout": "codex/otlp/1_default_logs.json",
}
"""Session file -> telemetry of the same run; of the other two programs no run was recorded both ways."""


def _events(session: Session, asked: Additions | None = None) -> list[Event]:
    return read(samples("agent-telemetry") / session.file, asked=asked)[0]


def _telemetry(file: str) -> dict[str, Event]:
    return {event.event_id: event for event in events_of(explain((samples("agent-telemetry") / file).read_bytes()))}


@pytest.mark.parametrize("session", SESSIONS, ids=lambda one: one.agent)
def test_a_session_files_events_are_what_was_read_in_it(session: Session) -> None:
    """Agent, session, tool, target, outcome and tokens, each event by hand, in the order of time; nothing else."""
    events, lines = _events(session), lines_of(session.table)
    assert [(event.kind, event.name) for event in events] == [(line.kind, line.name) for line in lines]
    for event, line in zip(events, lines, strict=True):
        assert (event.agent_id, event.agent_type, event.session_id) == (session.agent, session.agent, session.session)
        assert event.outcome == line.outcome
        if line.target is not None and line.target.startswith("~"):
            assert str(event.target).endswith(line.target[1:])
        else:
            assert event.target == line.target
        assert (event.tokens_in, event.tokens_out, event.cost_usd) == (line.tokens_in, line.tokens_out, None)
        beginning, _, end = event.event_id.partition(":")
        assert beginning == session.session
        assert end == line.key if line.key != "#" else len(end) == 16


def test_every_line_is_counted_and_none_of_them_was_unreadable() -> None:
    """What became of the lines adds up to the lines, and no type of record is unknown."""
    _, report = read(*(samples("agent-telemetry") / session.file for session in SESSIONS))
    assert [one.lines for one in report.files] == [16, 33, 26, 23]
    for one in report.files:
        assert one.words.total() == one.lines
        assert not one.unreadable
        assert set(one.verdicts) == {MAPPED}
    assert not report.unknown


def test_the_whole_folder_of_recordings_holds_four_session_files() -> None:
    """Telemetry, hooks and notes that lie beside them are passed over, and counted."""
    events, report = read(samples("agent-telemetry"))
    assert {one.format for one in report.files} == {session.agent for session in SESSIONS}
    assert len(events) == sum(len(lines_of(session.table)) for session in SESSIONS)
    assert report.others == sum(path.is_file() for path in samples("agent-telemetry").rglob("*")) - 4


@pytest.mark.parametrize(("file", "telemetry"), BOTH.items())
def test_a_call_told_by_telemetry_has_the_same_id_and_says_the_same(file: str, telemetry: str) -> None:
    """Each tool call that both tell: id, session, tool, target, outcome and sizes; only time and duration differ."""
    session = next(one for one in SESSIONS if one.file == file)
    live = _telemetry(telemetry)
    calls = {event.event_id: event for event in _events(session) if event.kind == "tool_call"}
    told = {key: event for key, event in live.items() if event.kind == "tool_call"}
    assert told.keys() <= calls.keys()
    for key, event in told.items():
        mine = calls[key]
        for name in ("session_id", "agent_type", "agent_version", "name", "target", "outcome", "bytes_in", "bytes_out"):
            assert getattr(mine, name) == getattr(event, name), (key, name)
        assert abs((mine.ts - event.ts).total_seconds()) < 0.2
        assert mine.duration_ms is None


def test_claude_calls_of_both_sides_differ_by_the_refusal_that_logs_lack() -> None:
    """The transcript tells the Write that nobody could permit; that is all it tells more."""
    live = _telemetry(BOTH["claude-code/transcript"])
    mine = {event.event_id: event for event in _events(SESSIONS[0])}
    (extra,) = mine.keys() - live.keys()
    assert (mine[extra].name, mine[extra].outcome) == ("Write", "denied")
    missing = Counter(live[key].name for key in live.keys() - mine.keys())
    assert missing == {"hook_registered": 4, "mcp_server_connection": 2}


def test_claude_model_calls_of_both_sides_are_the_same_but_for_time_and_cost() -> None:
    """Request by request: model, tokens in with what was cached, tokens out; the price stands in telemetry alone."""
    live = _telemetry(BOTH["claude-code/transcript"])
    for event in _events(SESSIONS[0]):
        if event.kind == "llm_call":
            told = live[event.event_id]
            assert (event.model, event.tokens_in, event.tokens_out) == (told.model, told.tokens_in, told.tokens_out)
            assert told.cost_usd is not None


def test_codex_model_calls_of_both_sides_have_the_same_tokens_under_other_ids() -> None:
    """Telemetry has no id of a model call, so its id is a digest of a record that a rollout cannot know."""
    live = [event for event in _telemetry(BOTH["codex/rollout"]).values() if event.kind == "llm_call"]
    mine = [event for event in _events(SESSIONS[1]) if event.kind == "llm_call"]
    assert [(event.model, event.tokens_in, event.tokens_out) for event in mine] == [
        (event.model, event.tokens_in, event.tokens_out) for event in live
    ]
    assert not {event.event_id for event in mine} & {event.event_id for event in live}


def test_no_event_of_a_session_file_repeats_one_of_telemetry_to_the_byte() -> None:
    """A worker drops a repeat by id and content together: none of these is one, so overlap is left out beforehand."""
    for file, telemetry in BOTH.items():
        live = {msgspec.json.encode(event) for event in _telemetry(telemetry).values()}
        session = next(one for one in SESSIONS if one.file == file)
        assert not live & {msgspec.json.encode(event) for event in _events(session)}


def test_the_same_words_on_the_resource_give_the_agent_of_telemetry() -> None:
    """Host for Codex, user for Claude Code: what the program does not write into its file is said with the command."""
    for session, name, value in ((SESSIONS[0], "user.id", "7f15"), (SESSIONS[1], "host.name", "vm")):
        (who,) = {
            (event.agent_id, event.attributes["otlp.agent_from"])
            for event in _events(session, Additions({name: value}))
        }
        assert who[0] == f"{session.agent}/{value}"
        assert str(who[1]).endswith(name)


@pytest.mark.parametrize("session", SESSIONS, ids=lambda one: one.agent)
def test_no_content_of_a_session_file_reaches_an_event(session: Session) -> None:
    """Prompts, answers, outputs, and what a hook said: no event has them."""
    raw = msgspec.json.encode(_events(session))
    for text in (b"list the files", b"drwxr-xr-x", b"Done.", b"quarantined", b"customer 42", b"hello", b"README.md (6"):
        assert text not in raw


def test_every_event_passes_the_decoder() -> None:
    """What is made here is what the product reads: strict schema, no unknown field, unique ids."""
    events = [event for session in SESSIONS for event in _events(session)]
    decoded = decode([Record(msgspec.json.encode(event), event.agent_id.encode()) for event in events])
    assert decoded.refusals == []
    assert not decoded.unknown
    assert len({event.event_id for event in events}) == len(events)


def test_like_telemetry_leaves_out_what_is_sent_with_content_on_alone() -> None:
    """Gemini CLI without arguments has no target, and Copilot's shell is its program, as in the recorded spans."""
    asked = Additions(is_like_telemetry=True)
    gemini, copilot = (
        [event for event in _events(session, asked) if event.kind == "tool_call"] for session in SESSIONS[2:]
    )
    assert {event.target for event in gemini} == {None}
    assert [event.target for event in copilot] == ["bash", None]
    assert [event.outcome for event in gemini] == ["ok", "ok", "denied", "ok"]  # the exit code comes with content too
