"""The command that runs cases says what held and fails where one does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.checks.cases import cases_folder
from detector.checks.commands import app


def one_case(models: Path, expect: str, **fields: object) -> None:
    """Write a profile into a models folder whose only case holds an ordinary event, or one with other fields."""
    folder = models / "profiles" / "default" / "v1"
    shutil.copytree(cases_folder().parent, folder, ignore=shutil.ignore_patterns("*.jsonl"))
    header = {"case": "one", "expect": expect, "sessions": ["live"], "why": "w", "twin": "two", "history": "fleet.json"}
    event = {"agent_id": "support-1", "agent_type": "support", "session_id": "live", "kind": "llm_call", "name": "chat"}
    event |= fields  # type: ignore[arg-type]
    text = f"{json.dumps(header)}\n{json.dumps(event)}\n"
    (folder / "cases" / "one.jsonl").write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_a_case_that_holds_is_told(tmp_path: Path) -> None:
    """Exit status 0."""
    one_case(tmp_path, "quiet")
    result = CliRunner().invoke(app, ["cases", "default/v1", "--models", str(tmp_path)])
    assert (result.exit_code, result.output.split()[:2]) == (0, ["holds", "quiet"])


@pytest.mark.slow
def test_a_case_that_does_not_hold_fails_with_its_fault(tmp_path: Path) -> None:
    """Exit status 1."""
    one_case(tmp_path, "alert")
    result = CliRunner().invoke(app, ["cases", "default/v1", "--models", str(tmp_path)])
    assert result.exit_code == 1
    assert "fails" in result.output
    assert "session live must raise an alert" in result.output


@pytest.mark.slow
def test_an_alert_by_rule_has_no_score_and_is_told_as_such(tmp_path: Path) -> None:
    """Its session ends before anything is scored."""
    attributes = {"to_mode": "bypassPermissions"}
    one_case(tmp_path, "alert", kind="policy", name="mode", attributes=attributes, agent_id="new", agent_type="new")
    result = CliRunner().invoke(app, ["cases", "default/v1", "--models", str(tmp_path)])
    assert result.exit_code == 0
    assert result.output.split()[:2] == ["holds", "alert"]


def test_a_profile_without_cases_is_told(tmp_path: Path) -> None:
    """It is no success that nothing was asked."""
    one_case(tmp_path, "quiet")
    (tmp_path / "profiles/default/v1/cases/one.jsonl").unlink()
    assert "has no cases" in CliRunner().invoke(app, ["cases", "--models", str(tmp_path)]).output
