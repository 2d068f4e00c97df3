"""The command ``detector simulate``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.demo.simulating import app
from detector.errors import SetupError

runner = CliRunner()
SMALL = ["--agents", "20", "--days", "1", "--seed", "4"]


def _run(*args: str) -> bytes:
    result = runner.invoke(app, [*SMALL, *args])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def test_the_same_command_writes_the_same_bytes() -> None:
    """One JSON object a line; another seed differs."""
    one = _run()
    assert one == _run()
    assert one != _run("--seed", "5")
    assert all(json.loads(line)["event_id"] for line in one.splitlines())


def test_attacks_come_after_the_history_and_are_labelled(tmp_path: Path) -> None:
    """The files are those that evaluate reads."""
    events, sessions, meta = tmp_path / "e.csv", tmp_path / "s.csv", tmp_path / "m.json"
    out = _run("--history-days", "1", "--attacks", "--attacks-of-each", "1", "--labels", str(events),
               "--session-labels", str(sessions), "--meta", str(meta))  # fmt: skip
    rows = list(csv.DictReader(sessions.read_text().splitlines()))
    bad = [row for row in rows if row["label"] == "1"]
    assert len({row["attack_type"] for row in bad}) == 5
    assert {row["phase"] for row in bad} == {"live"}
    assert len(events.read_text().splitlines()) == len(out.splitlines()) + 1
    assert json.loads(meta.read_text())["live_start"] == "2026-03-03T07:00:00.000Z"


def test_without_attacks_nothing_is_labelled(tmp_path: Path) -> None:
    """The harmless twin."""
    sessions = tmp_path / "s.csv"
    _run("--session-labels", str(sessions))
    assert {row["label"] for row in csv.DictReader(sessions.read_text().splitlines())} == {"0"}


def test_a_stream_can_be_cut(tmp_path: Path) -> None:
    """So many events and no more."""
    assert len(_run("--events", "100").splitlines()) == 100


def test_kinds_can_be_chosen(tmp_path: Path) -> None:
    """Only what was asked for is injected."""
    sessions = tmp_path / "s.csv"
    _run("--attacks", "--kinds", "hijack,runaway_loop", "--session-labels", str(sessions))
    kinds = {row["attack_type"] for row in csv.DictReader(sessions.read_text().splitlines())}
    assert kinds == {"", "hijack", "runaway_loop"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--attacks", "--kinds", "theft"], "kinds of attack must be among hijack"),
        (["--live"], "rate of a live simulation must be given"),
        (["--to-kafka", "127.0.0.1:9", "--kafka-config", "acks"], "must be key=value, got 'acks'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(args: list[str], words: str) -> None:
    """The program prints the sentence and leaves with 2."""
    result = runner.invoke(app, [*SMALL, *args])
    assert isinstance(result.exception, SetupError)
    assert words in str(result.exception)
