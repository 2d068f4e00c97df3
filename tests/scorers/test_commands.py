"""``detector forest``: fit, show, and say what to do when a file is not fit to use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.errors import ArtifactError, DetectorError, SetupError
from detector.scorers.artifacts import load_forest
from detector.scorers.commands import app


def rows_file(folder: Path, **arrays: np.ndarray) -> Path:
    """Return an npz file of some arrays, by default 200 rows of 7."""
    path = folder / "rows.npz"
    kept: dict[str, Any] = arrays or {"x": np.random.default_rng(0).random((200, 7))}
    np.savez(path, **kept)
    return path


def run(*arguments: object) -> str:
    """Return what a command prints; raise what it raises."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_fitted_forest_is_written_and_shown(tmp_path: Path) -> None:
    """Fit, then show, then score the rows it was fitted on."""
    folder = tmp_path / "mine" / "v1"
    assert "50 trees of depth 8 on 200 rows of 7" in run("fit", rows_file(tmp_path), "--out", folder)
    forest, manifest = load_forest(folder)
    assert manifest.columns == ("number", "volume", "gap", "outcome", "fan_out", "position", "read_size")
    shown = run("show", folder, "--rows", tmp_path / "rows.npz")
    assert manifest.sha256 in shown
    assert shown.count("evidence ") == 201
    assert f"score {forest.ranks[-1]:.6f} evidence {-np.log10(1.5 / 201):.3f}" in shown
    assert "200 rows" in (folder / "card.md").read_text()


def test_columns_may_be_named(tmp_path: Path) -> None:
    """The names go into the manifest; without names other widths are numbered."""
    path = rows_file(tmp_path, x=np.random.default_rng(0).random((50, 2)).astype(np.float32))
    run("fit", path, "--out", tmp_path / "mine" / "v1", "--columns", "bytes, gap", "--trees", 3)
    run("fit", path, "--out", tmp_path / "mine" / "v2", "--trees", 3)
    assert load_forest(tmp_path / "mine" / "v1")[1].columns == ("bytes", "gap")
    assert load_forest(tmp_path / "mine" / "v2")[1].columns == ("column_0", "column_1")


@pytest.mark.parametrize(
    ("arrays", "rule"),
    [
        ({"y": np.ones((5, 2))}, "must be an array of floats"),
        ({"x": np.ones(5)}, "must be an array of floats"),
        ({"x": np.ones((5, 2), np.int64)}, "must be an array of floats"),
        ({"x": np.array([["a"]])}, "must be an array of floats"),
        ({"x": np.ones((1, 2))}, "at least 2 rows"),
        ({"x": np.full((5, 2), np.nan)}, "finite as float32"),
    ],
)
def test_rows_that_cannot_be_fitted_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], rule: str) -> None:
    """The message names the file and the rule; nothing is written."""
    path = rows_file(tmp_path, **arrays)
    with pytest.raises(SetupError, match=rule):
        run("fit", path, "--out", tmp_path / "mine" / "v1")
    assert not (tmp_path / "mine").exists()


def test_objects_in_a_file_are_not_read(tmp_path: Path) -> None:
    """No pickle, whatever the file holds."""
    path = rows_file(tmp_path, x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(SetupError, match="must be an array of floats") as refused:
        run("fit", path, "--out", tmp_path / "mine" / "v1")
    assert "pickle" not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"", b"no npz", b"\x80\x04pickled"])
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty and other files say how to write one."""
    path = tmp_path / "rows.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SetupError, match=r"write it with numpy\.savez") as refused:
        run("fit", path, "--out", tmp_path / "mine" / "v1")
    assert "pickle" not in str(refused.value)


def test_too_few_names_are_refused(tmp_path: Path) -> None:
    """Every column has a name."""
    with pytest.raises(SetupError, match="must be 7 names, got 2"):
        run("fit", rows_file(tmp_path), "--out", tmp_path / "mine" / "v1", "--columns", "a,b")


def test_rows_of_another_width_are_not_scored(tmp_path: Path) -> None:
    """The forest's columns are the rule."""
    run("fit", rows_file(tmp_path), "--out", tmp_path / "mine" / "v1", "--trees", 3)
    other = rows_file(tmp_path, x=np.ones((5, 2)))
    with pytest.raises(SetupError, match=r"must be of shape \(rows, 7\)"):
        run("show", tmp_path / "mine" / "v1", "--rows", other)


def test_a_folder_without_a_forest_is_refused(tmp_path: Path) -> None:
    """The error is one the command line shows as a sentence."""
    with pytest.raises(ArtifactError, match="restore the folder") as refused:
        run("show", tmp_path / "none" / "v1")
    assert isinstance(refused.value, DetectorError)


@pytest.mark.integration
def test_loading_the_commands_imports_no_learning_library() -> None:
    """The help stays fast."""
    code = "import sys, detector.scorers.commands; print({'numba', 'sklearn', 'river', 'numpy'} & set(sys.modules))"
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, check=True, timeout=60, text=True
    )
    assert found.stdout.strip() == "set()"
