"""The commands of ``detector profile`` say what they found and fail where they should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.profile.commands import app


def run(*arguments: str) -> Result:
    """Run one command."""
    return CliRunner().invoke(app, list(arguments))


def test_list_names_every_profile_with_its_status() -> None:
    """One line each."""
    result = run("list")
    assert result.exit_code == 0
    assert "default/v1" in result.output
    assert "stable" in result.output


def test_list_shows_a_refused_profile_with_its_first_fault(tmp_path: Path) -> None:
    """One bad file does not hide the others."""
    folder = tmp_path / "profiles" / "mine" / "v1"
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text("", encoding="utf-8")
    result = run("list", "--models", str(tmp_path))
    assert result.exit_code == 0
    assert "refused" in result.output


def test_show_gives_every_value_as_text_or_json() -> None:
    """Defaults included."""
    assert "alerts = 0.01" in run("show").output
    assert json.loads(run("show", "default/v1", "--json").output)["budget"]["alerts"] == 0.01


def test_lint_is_silent_about_the_shipped_profile_and_fails_for_a_bad_one(tmp_path: Path) -> None:
    """Exit status 0 and 1."""
    assert run("lint", "--strict").exit_code == 0
    assert "131,072 agents of 3,856 bytes" in run("lint").output
    folder = tmp_path / "profiles" / "mine" / "v1"
    folder.mkdir(parents=True)
    (folder / "profile.toml").write_text("[budget]\nalerts = 2\n", encoding="utf-8")
    result = run("lint", "mine/v1", "--models", str(tmp_path))
    assert result.exit_code == 1
    assert "budget.alerts" in result.output


def test_a_warning_fails_only_where_asked(tmp_path: Path) -> None:
    """A CI may be stricter than the loader."""
    made = run("new", "default/v1", "--set", "weights.forest=0.9", "--to", str(tmp_path))
    assert (made.exit_code, "default/v2" in made.output) == (0, True)
    assert run("lint", "default/v2", "--models", str(tmp_path)).exit_code == 0
    assert run("lint", "default/v2", "--models", str(tmp_path), "--strict").exit_code == 1


def test_lock_writes_checks_and_refuses(tmp_path: Path) -> None:
    """A locked version that is not experimental does not change."""
    run("new", "default/v1", "--set", 'profile.status="test"', "--to", str(tmp_path))
    models = ("--models", str(tmp_path))
    assert run("lock", "--check", *models).exit_code == 1
    assert "profiles/default/v2 locked" in run("lock", *models).output
    assert run("lock", "--check", *models).exit_code == 0
    assert "nothing to lock" in run("lock", *models).output
    path = tmp_path / "profiles" / "default" / "v2" / "profile.toml"
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert run("lock", *models).exit_code == 1
    assert run("lock", "--rewrite", "profiles/default/v2", *models).exit_code == 0


@pytest.mark.parametrize("change", ["budget.alerts", "budget.alerts=", "budget.alerts=half"])
def test_a_change_that_is_no_toml_value_is_refused(change: str, tmp_path: Path) -> None:
    """And says how to write one."""
    result = run("new", "default/v1", "--set", change, "--to", str(tmp_path))
    assert result.exit_code != 0
    assert "section.field=<TOML value>" in str(result.exception)
