"""The command ``detector simulate``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.demo.simulating import app
from detector.errors import SetupError
from detector.offline.commands import app as replay
from detector.registry.commands import app as inventory
from detector.simulate.attacks import STORIES
from detector.sinks.ocsf_read import decode

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


def test_a_registry_is_written_beside_the_events_and_replayed_against_them(tmp_path: Path) -> None:
    """One entry an agent, the same each time; labels know the stories, and a replay tells them and nothing else."""
    registry, events, sessions = tmp_path / "r.jsonl", tmp_path / "e.jsonl", tmp_path / "s.csv"
    words = ["--agents", "30", "--days", "2", "--history-days", "2", "--registry", str(registry), "--attacks"]
    words += ["--attacks-of-each", "1", "--kinds", ",".join(STORIES), "--session-labels", str(sessions)]
    events.write_bytes(_run(*words))
    written = registry.read_bytes()
    _run(*words)
    assert registry.read_bytes() == written
    assert len({json.loads(line)["agent_id"] for line in written.splitlines()}) == len(written.splitlines()) == 30
    rows = list(csv.DictReader(sessions.read_text().splitlines()))
    bad = {row["attack_type"]: row["agent_id"] for row in rows if row["label"] == "1"}
    assert set(bad) == set(STORIES)
    done = runner.invoke(replay, ["replay", str(events), "--registry", str(registry), "--quiet"])
    assert done.exit_code == 0, done.output
    told = [decode(line) for line in done.stdout_bytes.splitlines()]
    causes = {(one.agent_id, cause.split("/")[0]) for one in told for cause in one.causes if cause.startswith("rule.")}
    assert causes >= {
        (bad["overdue_grant"], "rule.grant_overdue"),
        (bad["stale_credential"], "rule.credential_age"),
        (bad["unregistered_clone"], "rule.unregistered"),
    }
    assert {agent for agent, _ in causes} == {row["agent_id"] for row in rows if row["label"] == "1"}


def test_a_registry_can_be_imported_as_an_inventory(tmp_path: Path) -> None:
    """Its revisions are its own: in an empty inventory each entry is a new one."""
    registry, page = tmp_path / "r.jsonl", tmp_path / "p.yaml"
    _run("--registry", str(registry))
    assert runner.invoke(inventory, ["import", str(registry), "--out", str(page)]).exit_code == 0
    by = ["--by", "ada", "--reason", "first"]
    done = runner.invoke(inventory, ["apply", str(page), "--file", str(tmp_path / "i.yaml"), *by])
    assert done.exit_code == 0, done.output
    assert "20 new, 0 changed, 0 same, 0 refused" in done.output


def test_without_a_registry_the_events_are_what_they_were() -> None:
    """The harmless twin: asking for one changes what events say, and only then."""
    assert b"issued_at" not in _run()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--attacks", "--kinds", "stale_credential"], "registry of simulate must be given for stale_credential"),
        (["--registry", "/nowhere/entries.jsonl"], "registry of simulate must be a file that can be written"),
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
