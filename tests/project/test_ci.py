"""One list of what a change must pass: hooks, workflow and targets name the same commands as ``.ci/run``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project.sources import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
PARTS = re.findall(r'^part "([^"]+)"((?:[^\n]*\\\n)*[^\n]*)', CI, flags=re.MULTILINE)


def _recipe(target: str) -> list[str]:
    """Return the commands of a target, as somebody would type them at the root of the checkout."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, flags=re.MULTILINE)
    assert found, target
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in found.group(1).splitlines()]


def _hooks() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in loaded["repos"]] == ["local"]
    return list(loaded["repos"][0]["hooks"])


def _workflow() -> dict[str, Any]:
    # YAML reads the key `on` as a truth value
    loaded: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    return {str(name): value for name, value in loaded.items()}


def test_a_commit_is_checked_by_what_lint_runs() -> None:
    """The hooks are the lines of ``make lint``, in their order."""
    assert [hook["entry"] for hook in _hooks()] == _recipe("lint")


def test_a_hook_fetches_nothing_and_looks_at_everything() -> None:
    """From the lock's versions, and on the whole tree: rules of rooms hold between files."""
    assert {(hook["language"], hook["pass_filenames"]) for hook in _hooks()} == {("system", False)}


def test_the_workflow_runs_what_every_change_must_pass_and_nothing_of_its_own() -> None:
    """Its other steps only set up Python, Java and rsyslog."""
    (job,) = _workflow()["jobs"].values()
    ours = [step["run"] for step in job["steps"] if "run" in step]
    assert ours[-1] == ".ci/run"
    assert all(step.startswith("sudo apt-get ") for step in ours[:-1])


def test_the_workflow_may_only_read_and_pins_what_it_uses() -> None:
    """An exact version of each action, and no right to write."""
    workflow = _workflow()
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used
    assert [action for action in used if not re.search(r"@(v\d+\.\d+\.\d+|[0-9a-f]{40})$", action)] == []


def test_ci_runs_lint_and_the_test_command_of_the_readme_each_once() -> None:
    """In this order, cheap before dear; `test` is the unit tests, then all others, then those that ask libraries."""
    targets = [match for _, command in PARTS for match in re.findall(r"\bmake --no-print-directory (\w+)", command)]
    assert targets == ["install", "lint", "site", "libraries", "test"]
    assert re.findall(r"directory (\w+)", "\n".join(_recipe("test"))) == ["unit", "rest", "kit"]


def test_ci_tries_properties_on_all_their_examples() -> None:
    """A desk takes a fifth of them, for speed."""
    assert any("unit EXAMPLES=house" in line for line in _recipe("test"))
    assert "HYPOTHESIS_PROFILE=$(EXAMPLES)" in _recipe("unit")[0]


def test_what_is_a_unit_test_is_said_once() -> None:
    """One expression; ``unit`` takes it and ``rest`` its opposite, so each test is in exactly one."""
    assert len(re.findall(r"not kafka and", MAKEFILE + CI)) == 1
    assert any('-m "$(UNIT)"' in line for line in _recipe("unit"))
    assert any('-m "not ($(UNIT))"' in line for line in _recipe("rest"))


SPAWNING = """
import subprocess, pytest

def test_one():
    subprocess.run(["true"])

@pytest.mark.integration
def test_two():
    subprocess.run(["true"])
"""


@pytest.mark.integration
def test_a_unit_test_that_starts_a_process_is_told_to_say_so(tmp_path: Path) -> None:
    """Without the mark the fast loop would grow slow again, one harmless test at a time."""
    (tmp_path / "test_it.py").write_text(SPAWNING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest",
         "-c", str(ROOT / "pyproject.toml"), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "mark it `integration`" in done.stdout
