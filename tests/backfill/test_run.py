"""Many files become one stream: told by content, in order, filtered, every line counted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.backfill.record import Additions
from detector.backfill.run import Backfill, Selection
from tests.backfill.made import SESSION, answer, call, chat, copilot, gemini, meta, output, read, result, use, write


def _every_program(folder: Path, names: Sequence[str] = ("a", "b.txt", "c.json", "d.jsonl")) -> Path:
    """Write a session of each program under names that say nothing, their actions at times that interleave."""
    start = copilot("session.start", 0, {"sessionId": "cop"})
    done = [copilot("tool.execution_start", 4, {"toolCallId": "p", "toolName": "view"}),
            copilot("tool.execution_complete", 8, {"toolCallId": "p", "success": True})]  # fmt: skip
    write(folder / names[0], [answer(1, use("t1"), sessionId="cla"), result(5, "t1", sessionId="cla")])
    write(folder / names[1], [meta(0, "cod"), call(2, "c1"), output(6, "c1")])
    write(folder / names[2], [chat(sessionId="gem"), gemini(7, "m")])
    write(folder / names[3], [start, *done])
    return folder


def test_files_are_told_by_their_content_and_come_out_by_time(tmp_path: Path) -> None:
    """Names say nothing."""
    events, report = read(_every_program(tmp_path))
    assert [event.session_id for event in events] == ["cla", "cla", "cod", "gem", "cop"]
    assert [one.format for one in report.files] == ["claude-code", "codex", "gemini-cli", "github-copilot"]
    assert {one.verdicts["mapped"] for one in report.files} == {1, 2}


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    """Whatever order they were written in, and in which folder they lie."""
    first = _every_program(tmp_path / "one")
    for other in ("two", "three"):
        copies = sorted(first.iterdir(), key=lambda path: random.Random(other + path.name).random())
        for path in copies:
            write(tmp_path / other / path.name, path.read_text().splitlines())
    found = []
    for name in ("one", "two", "three"):
        with Backfill() as run:
            run.read([tmp_path / name])
            found.append(b"\n".join(run.events()))
    assert found[0] == found[1] == found[2] != b""


def test_a_stretch_of_time_is_taken_with_its_first_moment_and_without_its_last(tmp_path: Path) -> None:
    """What is left out is counted with the reason."""
    five, seven = (datetime(2026, 3, 2, 10, 0, n, tzinfo=UTC) for n in (5, 7))
    events, report = read(_every_program(tmp_path), wanted=Selection(five, seven))
    assert [event.session_id for event in events] == ["cla", "cod"]
    assert sum((one.verdicts for one in report.files), start=type(report.passed)()) == {
        "mapped": 2, "before_since": 1, "after_until": 2,
    }  # fmt: skip
    assert (report.first, report.last) == (five, datetime(2026, 3, 2, 10, 0, 6, tzinfo=UTC))


def test_events_that_telemetry_told_are_left_out_by_their_ids(tmp_path: Path) -> None:
    """The others stay."""
    events, report = read(_every_program(tmp_path), wanted=Selection(known=frozenset({"cla:t1", "cod:c1"})))
    assert [event.session_id for event in events] == ["cla", "gem", "cop"]
    assert [one.verdicts["known"] for one in report.files] == [1, 1, 0, 0]


def test_bad_lines_are_counted_by_file_and_reason_and_the_rest_is_read(tmp_path: Path) -> None:
    """A session that still runs ends in the middle of a line, which is normal."""
    bad = write(tmp_path / "a", [answer(1, use("t1")), "{", "[]", result(2, "t1"), '{"type": "assis'], end="")
    good = write(tmp_path / "b", [answer(1, key="m2"), answer(2, key="m3")])
    events, report = read(tmp_path)
    assert len(events) == 4
    assert [(one.name, dict(one.unreadable), one.lines) for one in report.files] == [
        (str(bad), {"not_json": 1, "not_an_object": 1, "cut_off": 1}, 5),
        (str(good), {}, 2),
    ]


def test_a_record_without_a_time_is_no_event_and_says_so(tmp_path: Path) -> None:
    """Nor is one whose time is none."""
    timeless = [{**answer(1, key=str(n)), "timestamp": ts} for n, ts in enumerate((None, "yesterday", 7, "0000-01-01"))]
    events, report = read(write(tmp_path / "a", timeless))
    assert (events, report.files[0].verdicts) == ([], {"no_time": 4})


def test_types_of_records_that_nobody_knows_are_named(tmp_path: Path) -> None:
    """Formats change: what is new is the thing to look at."""
    new = {**answer(1), "type": "thought-\x1b[31mstream"}
    _, report = read(write(tmp_path / "a", [answer(1), new, new]))
    assert report.unknown == {("claude-code", "thought-\x1b[31mstream"): 2}
    assert any("thought-\ufffd[31mstream 2" in line for line in report.page())


@pytest.mark.parametrize(
    "raw", [b"", b"\n\n", b"\x00" * 999, b"hello", b"{", b"[{}]", b'{"a": 1}\n' * 99, b"\xef\xbb\xbf{}"]
)
def test_other_files_are_passed_over_and_counted(tmp_path: Path, raw: bytes) -> None:
    """They are no transcripts, so nothing of them is called unreadable."""
    (tmp_path / "a").write_bytes(raw)
    events, report = read(tmp_path)
    assert (events, report.files, report.others) == ([], [], 1)


def test_who_acted_is_said_with_where_that_was_taken_from(tmp_path: Path) -> None:
    """In the order of the mapping: what the fleet says, the person, then the product."""
    folder, names = _every_program(tmp_path), ("claude-code", "codex", "gemini-cli", "github-copilot")
    for resource, agents in (
        ({}, {(name, "product") for name in names}),
        ({"enduser.id": "ada"}, {(f"{name}/ada", "resource:enduser.id") for name in names}),
        ({"enduser.id": "ada", "agent.id": "x"}, {("x", "resource:agent.id")}),
    ):  # fmt: skip
        events, report = read(folder, asked=Additions({**resource, "tenant": "acme"}))
        assert set(report.agents) == agents
        assert {event.tenant for event in events} == {"acme"}


def test_a_service_name_of_a_fleet_does_not_hide_the_program(tmp_path: Path) -> None:
    """OTEL_RESOURCE_ATTRIBUTES may hold one; a program that writes its version keeps it, Gemini CLI has none at all."""
    events, report = read(_every_program(tmp_path), asked=Additions({"service.name": "x", "service.version": "0"}))
    assert len(events) == 5
    assert {source for _, source in report.agents} == {"product"}
    assert {event.agent_version for event in events} == {
        "2.1.197",
        "0.169.0",
        None,
        "0",
    }


def test_a_call_that_comes_again_with_other_content_is_told_under_an_id_of_its_own(tmp_path: Path) -> None:
    """Models of some makers number their calls anew in each turn; the mapping keeps both."""
    records = [answer(1, use("call_0")), result(2, "call_0"), answer(3, use("call_0"), key="m2"), result(4, "call_0")]
    events, _ = read(write(tmp_path / "a", records))
    first, second = [event for event in events if event.kind == "tool_call"]
    assert first.event_id == f"{SESSION}:call_0"
    assert second.event_id.startswith(f"{SESSION}:call_0~")
    assert second.attributes["otlp.id_taken"] is True
