"""The two commands, and what stands around them."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.sources import ROOT

ASKS = "from tests.libraries import library\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder that holds what ``make`` reads before anything is installed."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def _make(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    # a make around this test would hand its own options down
    clean = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    return subprocess.run(
        ["make", "--no-print-directory", *args],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _python_that_says(folder: Path, version: tuple[int, int]) -> Path:
    """Return an interpreter that takes itself for another version."""
    stand_in = folder / "python"
    pretend = f"import sys; sys.version_info = ({version[0]}, {version[1]}, 0, 'final', 0); exec(sys.argv[1])"
    stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{pretend}" "$2"\n')
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    return stand_in


@pytest.mark.integration
@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_a_python_that_cannot_work_is_refused_in_words(checkout: Path, version: tuple[int, int]) -> None:
    """The message names the versions that do, what was found, and how to name another."""
    run = _make(checkout, "install", f"PYTHON={_python_that_says(checkout, version)}")
    assert run.returncode != 0
    assert f"Python must be 3.11, 3.12 or 3.13, got {version[0]}.{version[1]}" in run.stderr
    assert "make PYTHON=" in run.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.integration
def test_a_make_without_a_target_lists_them(checkout: Path) -> None:
    """``make`` alone explains itself and installs nothing."""
    run = _make(checkout)
    assert run.returncode == 0
    for target in ("demo", "test", "lint", "bench", "clean", "help"):
        assert f"\n{target} " in f"\n{run.stdout}"
    assert not (checkout / ".venv").exists()


@pytest.mark.integration
@pytest.mark.parametrize("target", ["test", "demo", "lint"])
def test_a_bare_checkout_is_installed_from_the_lock_first(checkout: Path, target: str) -> None:
    """Hashes are required, nothing is resolved, nothing is built from source but ourselves."""
    plan = _make(checkout, "--dry-run", target).stdout
    assert "--require-hashes --no-deps --only-binary :all: -r requirements.lock" in plan
    assert "--no-deps --no-build-isolation --editable ." in plan
    assert plan.index("requirements.lock") < plan.index(".venv/bin/", plan.index("--editable"))


@pytest.mark.integration
@pytest.mark.parametrize(("target", "work"), [("test", "-m pytest"), ("demo", "detector demo")])
def test_kernels_are_made_before_they_are_needed(checkout: Path, target: str, work: str) -> None:
    """By the installation, and again by what needs them: sources may have changed since; those that are there stay."""
    kernels = ".venv/bin/detector kernels"
    plan = _make(checkout, "--dry-run", target).stdout
    assert plan.index("--editable") < plan.index(kernels) < plan.index(".venv/.installed\n") < plan.index(work)
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".installed").touch()
    plan = _make(checkout, "--dry-run", target).stdout
    assert plan.index(kernels) < plan.index(work)


@pytest.mark.integration
def test_an_install_is_repeated_only_when_the_lock_changes(checkout: Path) -> None:
    """The stamp stands for the lock: younger than it, nothing is installed; older, everything is."""
    stamp = checkout / ".venv" / ".installed"
    stamp.parent.mkdir()
    stamp.touch()
    for name in ("requirements.lock", "pyproject.toml"):
        os.utime(checkout / name, (1_000, 1_000))
    assert "pip" not in _make(checkout, "--dry-run", "demo").stdout
    os.utime(stamp, (500, 500))
    assert "pip" in _make(checkout, "--dry-run", "demo").stdout


def _with_libraries(checkout: Path) -> Path:
    """Return the stamp of libraries that were installed apart, younger than every lock."""
    shutil.copy(ROOT / "requirements-kit.lock", checkout)
    stamps = checkout / ".venv" / ".installed", checkout / ".venv" / "libraries" / ".installed"
    for stamp in stamps:
        stamp.parent.mkdir(parents=True)
        stamp.touch()
    for name in ("requirements.lock", "requirements-kit.lock", "pyproject.toml"):
        os.utime(checkout / name, (1_000, 1_000))
    return stamps[-1]


@pytest.mark.integration
def test_libraries_that_only_tests_ask_are_installed_when_somebody_says_so(checkout: Path) -> None:
    """By hash, and not into what users get; without that word `make test` neither installs nor leaves out anything."""
    shutil.copy(ROOT / "requirements-kit.lock", checkout)
    plan = _make(checkout, "--dry-run", "test").stdout
    assert "requirements-kit.lock" not in plan
    assert "--ignore" not in plan
    plan = _make(checkout, "--dry-run", "libraries").stdout
    install = plan[plan.index("pip", plan.index("--without-pip")) :]
    assert "--python .venv/libraries/bin/python install" in install
    assert "--require-hashes --no-deps --only-binary :all:" in install


@pytest.mark.integration
def test_each_test_that_asks_a_library_runs_once_and_apart(checkout: Path) -> None:
    """Where libraries were installed, the other parts leave out what `kit` runs; without a library it fails."""
    shutil.copytree(ROOT / "tests", checkout / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    stamp = _with_libraries(checkout)
    asking = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py") if ASKS in path.read_text()}
    assert len(asking) > 5
    unit, rest, kit = (_make(checkout, "--dry-run", target).stdout for target in ("unit", "rest", "kit"))
    for plan in (unit, rest):
        assert set(re.findall(r"--ignore=(\S+)", plan)) == asking
        assert "KIT" not in plan
    assert set(re.findall(r"tests/\S+", kit)) == asking
    assert "REQUIRE_KIT=1 DETECTOR_KIT_LIBRARIES=.venv/libraries " in kit
    assert "directory kit" in _make(checkout, "--dry-run", "test").stdout
    assert "pip" not in unit + rest + kit
    os.utime(stamp, (500, 500))
    assert all("-r requirements-kit.lock" in _make(checkout, "--dry-run", target).stdout for target in ("unit", "kit"))


@pytest.mark.integration
def test_what_a_change_must_pass_is_a_strict_script() -> None:
    """``.ci/run`` is executable, stops at the first failure, and requires broker, rsyslog and libraries."""
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in text
    assert "REQUIRE_KAFKA=1" in text
    assert "REQUIRE_RSYSLOG=1" in text
    assert "REQUIRE_KIT=1" in text
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


@pytest.mark.integration
def test_every_notebook_is_executed_and_kept(checkout: Path) -> None:
    """Each that is written is run, made a page of, and looked at; `make test` does it too."""
    shutil.copytree(ROOT / "notebooks", checkout / "notebooks")
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".installed").touch()
    plan = _make(checkout, "--dry-run", "notebooks").stdout
    written = sorted(path.name for path in (ROOT / "notebooks").glob("*.py"))
    assert written
    assert all(f"notebooks/{name}" in plan for name in written)
    steps = ("jupytext", "--nbmake", "--overwrite", "nbconvert", "tests.notebooks.kept")
    assert [plan.index(step) for step in steps] == sorted(plan.index(step) for step in steps)
    assert "make --no-print-directory notebooks" in _make(checkout, "--dry-run", "rest").stdout
