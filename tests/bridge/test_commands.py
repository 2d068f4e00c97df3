"""``detector otlp``: what a person and a program see."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli import app
from tests.otlp.made import as_json, log, request

RAW = as_json(
    request(
        [
            log({"event.name": "tool_result", "session.id": "s", "event.sequence": 1, "tool_name": "Bash\x1b[2J",
                 "tool_input": '{"command": "ls"}', "success": "false", "user.id": "u"}),
            log({"event.name": "tool_decision", "session.id": "s", "decision": "accept"}),
        ],
        service="claude-code",
    )
)  # fmt: skip


def _run(*arguments: str, stdin: bytes | None = None) -> str:
    done = CliRunner().invoke(app, ["otlp", *arguments], input=stdin)
    assert done.exit_code == 0, done.output
    return done.output


def test_json_is_one_line_a_record(tmp_path: Path) -> None:
    """Number, source, the event or null, and why; compressed or from stdin alike."""
    path = tmp_path / "telemetry"
    path.write_bytes(gzip.compress(RAW))
    out = _run("explain", str(path), "--json")
    first, second = map(json.loads, out.splitlines())
    assert (first["record"], first["source"], first["event"]["outcome"]) == (0, "claude-code", "error")
    assert first["event"]["target"] == "ls"
    assert second == {
        "record": 1,
        "source": "claude-code",
        "event": None,
        "why": "accepted: a call that was let through: its tool_result tells it",
    }
    assert _run("explain", "-", "--json", stdin=RAW) == out


def test_a_reader_sees_records_and_counts_and_no_control_characters(tmp_path: Path) -> None:
    """A sender cannot move the cursor of who looks."""
    path = tmp_path / "telemetry"
    path.write_bytes(RAW)
    out = _run("explain", str(path))
    assert "2 records: 1 events, 1 not mapped" in out
    assert "accepted" in out
    assert "\x1b[2J" not in out


def test_a_file_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    """What must be, and what was got."""
    done = CliRunner().invoke(app, ["otlp", "explain", str(tmp_path / "none")])
    assert "must be a file that can be read" in str(done.exception)


def test_sources_are_listed_with_where_they_were_learned() -> None:
    """Each with its version."""
    out = _run("sources")
    assert "claude-code        v2" in out
    assert "recorded with Codex CLI 0.169.0" in out
    assert "common " not in out


@pytest.mark.data
def test_unmapped_telemetry_is_explained_and_counted(tmp_path: Path) -> None:
    """Of an unknown service, too."""
    path = tmp_path / "telemetry"
    path.write_bytes(as_json(request([log({"event.name": "boo"})], service="mystery")))
    (line,) = map(json.loads, _run("explain", str(path), "--json").splitlines())
    assert (line["source"], line["event"]) == ("mystery", None)
    assert line["why"].startswith("no_table: ")
