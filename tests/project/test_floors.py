"""The floors of the house, as import-linter reads them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.project.sources import ROOT

LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LINT]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.integration
def test_every_contract_is_kept() -> None:
    """A room imports only rooms below it, Kafka stays with the worker, nothing pickles."""
    run = subprocess.run(
        [sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]


@pytest.mark.integration
def test_a_room_that_reaches_upward_is_seen(tmp_path: Path) -> None:
    """The harmless twin of the contract: the same settings refuse a house with one wrong import."""
    rooms = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]
    house = tmp_path / "detector"
    house.mkdir()
    (house / "__init__.py").touch()
    names = [name.strip("() ") for floor in rooms["layers"] for name in floor.replace(":", "|").split("|")]
    for name in names:
        (house / f"{name}.py").touch()
    (house / "schema.py").write_text("import detector.worker\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run = _lint(tmp_path)
    assert run.returncode == 1, run.stdout[-2000:] + run.stderr[-1000:]
    assert "detector.schema is not allowed to import detector.worker" in run.stdout


def test_the_contract_of_the_floors_is_exhaustive() -> None:
    """A new room must be given its floor before it can be merged."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    floors = next(contract for contract in settings["contracts"] if contract["type"] == "layers")
    assert floors["exhaustive"] is True
    assert floors["containers"] == ["detector"]
