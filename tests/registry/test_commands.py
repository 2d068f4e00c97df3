"""The commands of the inventory as people type them, on a file; and that each is there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from detector.errors import SetupError
from detector.registry.commands import app
from tests.registry.inventory import FIXTURES, daily, event, write_events, write_yaml

RUN = CliRunner()
WHO = ["--by", "ada", "--reason", "test"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the one worked in, with the events of two agents."""
    monkeypatch.chdir(tmp_path)
    rare = event(3, name="send_money", target="XX1")
    write_events(tmp_path / "events.jsonl", [*daily(range(8)), *daily(range(8), "a-2", name="browse"), rare])
    return tmp_path


def _run(*words: str, status: int = 0, file: str | None = "inventory.yaml") -> Result:
    found = RUN.invoke(app, [*words, *(["--file", file] if file else [])], catch_exceptions=False)
    assert found.exit_code == status, found.output
    return found


def test_from_an_empty_registry_to_a_reviewed_inventory(place: Path) -> None:
    """Discover, review, apply, look, tighten, retire, verify."""
    found = _run("discover", "events.jsonl", "--owner", "ada", "--out", "p.yaml", "--quiet")
    assert "seen and not registered: 2 (2 clerk)" in found.stderr
    assert "# - send_money" in (place / "p.yaml").read_text(encoding="utf-8")
    _run("diff", "p.yaml", status=1)
    assert "2 new" in _run("apply", "p.yaml", "--activate", "--dry-run", *WHO).stdout
    assert "0 agents" in _run("list").stdout
    _run("apply", "p.yaml", "--activate", *WHO)
    assert "2 agents: 2 active; 0 without an owner" in _run("list", "--lifecycle", "active").stdout
    assert len(_run("list", "--json").stdout.splitlines()) == 2
    assert "seen and not registered: 0" in _run("discover", "events.jsonl", "--out", "q.yaml", "-q").stderr
    shown = _run("show", "a-1").stdout
    assert "revision 1" in shown
    assert "ada: test" in shown
    assert "2 declared names, 0 of them unused" in _run("usage", "events.jsonl", "-q").stdout
    tight = _run("tighten", "events.jsonl", "--opa", "opa", "--cedar", "p.cedar", "--out", "t.yaml", "-q")
    assert "would have denied 0" in tight.stderr
    assert json.loads((place / "opa" / "data.json").read_text(encoding="utf-8"))["agent_registry"]["default"]["a-1"]
    assert (place / "opa" / "registry.rego").exists()
    assert "permit (" in (place / "p.cedar").read_text(encoding="utf-8")
    _run("risk", "events.jsonl", "--html", "risk.html", "-q")
    assert "<table" in (place / "risk.html").read_text(encoding="utf-8")
    _run("retire", "a-2", *WHO)
    assert "acting although retired or suspended: 1 (a-2)" in _run("discover", "events.jsonl", "-q").stderr
    assert "3 changes of 2 entries: 0 faults" in _run("verify").stdout


def test_two_people_edit_one_entry_and_the_later_is_told(place: Path) -> None:
    """By whom it was changed meanwhile, and nothing of the file is applied."""
    _run("apply", str(write_yaml(place / "p.yaml", [{"agent_id": "a-1"}])), *WHO)
    for name in ("mine.yaml", "theirs.yaml"):
        _run("export", "--out", name)
        text = (place / name).read_text(encoding="utf-8")
        (place / name).write_text(
            text.replace("criticality: medium", f"criticality: high\n    purpose: {name}"), "utf-8"
        )
    _run("apply", "theirs.yaml", "--by", "bob", "--reason", "high")
    with pytest.raises(SetupError, match=r"made from revision 1; revision 2 stands, changed by bob"):
        _run("apply", "mine.yaml", *WHO)
    _run("apply", "mine.yaml", *WHO, "--dry-run", status=2)


def test_a_change_wants_a_name_and_a_reason(place: Path) -> None:
    """Empty ones are none."""
    path = write_yaml(place / "p.yaml", [{"agent_id": "a-1"}])
    assert RUN.invoke(app, ["apply", str(path), "--file", "i.yaml", "--by", "ada"]).exit_code == 2
    assert RUN.invoke(app, ["retire", "a-1", "--file", "i.yaml", "--reason", "x"]).exit_code == 2
    with pytest.raises(SetupError, match="reason of a change"):
        _run("apply", str(path), "--by", "ada", "--reason", "  ")


def test_an_entry_becomes_active_only_with_an_owner(place: Path) -> None:
    """Somebody must answer for it."""
    with pytest.raises(SetupError, match="a-1 must have an owner to be active"):
        _run("apply", str(write_yaml(place / "p.yaml", [{"agent_id": "a-1"}])), "--activate", *WHO)


def test_an_agent_that_was_hardly_seen_stays_proposed(place: Path) -> None:
    """Held against an empty list everything it does would be a finding."""
    found = _run("apply", str(write_yaml(place / "p.yaml", [{"agent_id": "a-1", "tools": []}])), "--activate", *WHO)
    assert "proposed with no tool at all" in found.stdout
    assert "1 agents: 1 proposed" in _run("list").stdout


def test_another_inventory_is_imported_reviewed_and_applied(place: Path) -> None:
    """Service accounts become proposals."""
    words = ["import", str(FIXTURES / "service_accounts.json"), "--owner", "platform", "--out", "sa.yaml"]
    _run(*words, file=None)
    _run("apply", "sa.yaml", *WHO)
    assert "research/crawler" in _run("list", "--owner", "platform").stdout
    assert "0 new, 0 changed, 2 same" in _run("diff", "sa.yaml").stdout


def test_grants_that_end_are_a_list_that_should_shrink(place: Path) -> None:
    """Status 1 while there is one."""
    now = time.time()
    grant: dict[str, Any] = {"id": "g-1", "granted_at": now - 9e6, "expires_at": now + 86_400, "approver": "bob"}
    _run("apply", str(write_yaml(place / "p.yaml", [{"agent_id": "a-1", "grants": [grant]}])), *WHO)
    assert "g-1" in _run("expiring", "--within", "14d", status=1).stdout
    assert "0 grants" in _run("expiring", "--within", "2h").stdout


def test_what_is_not_there_is_said(place: Path) -> None:
    """With a status of its own."""
    _run("show", "nobody", status=1)
    _run("retire", "nobody", *WHO, status=1)
    assert list(place.glob("inventory.yaml*")) == []


def test_a_broken_log_is_a_failed_check(place: Path) -> None:
    """Somebody put their own name off a change."""
    _run("apply", str(write_yaml(place / "p.yaml", [{"agent_id": "a-1"}])), *WHO)
    log = place / "inventory.yaml.log.ndjson"
    log.write_text(log.read_text(encoding="utf-8").replace('"by":"ada"', '"by":"eve"'), encoding="utf-8")
    assert "revision 1 was edited" in _run("verify", status=1).stdout


def test_a_pattern_is_narrowed_to_what_was_used(place: Path) -> None:
    """Judged on the window it was made of, it denies nothing, and the status says so."""
    _run("apply", str(write_yaml(place / "p.yaml", [{"agent_id": "a-1", "tools": ["*"], "targets": []}])), *WHO)
    found = _run("tighten", "events.jsonl", "--narrow", "-q", "--out", "t.yaml")
    assert "1 entry tighter than what stands" in found.stderr
    assert "read_file" in (place / "t.yaml").read_text(encoding="utf-8")


def test_a_file_and_a_broker_at_once_are_refused() -> None:
    """Which inventory is meant must be certain."""
    with pytest.raises(SetupError, match="--file or Kafka"):
        RUN.invoke(app, ["list", "--file", "x.yaml", "--bootstrap", "b:9092"], catch_exceptions=False)
