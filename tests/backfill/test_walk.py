"""Files under what was named: in order, once, and nothing outside is looked into."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.backfill import walk as walking
from detector.backfill.walk import MAX_FOLDERS_DEEP, Walk
from detector.errors import SetupError


def _names(*paths: Path) -> tuple[list[str], dict[str, int]]:
    walk = Walk(paths)
    return [found.file.read().decode() for found in walk.files()], dict(walk.passed)


def _file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_come_in_the_order_of_their_names_whatever_the_disk_says(tmp_path: Path) -> None:
    """Files of a folder, then its folders, each by name; paths in the order they were named."""
    for name in ("b", "z/a", "a", "c/b", "c/a"):
        _file(tmp_path / name, name)
    assert _names(tmp_path) == (["a", "b", "c/a", "c/b", "z/a"], {})
    assert _names(tmp_path / "z", tmp_path / "b") == (["z/a", "b"], {})


def test_links_below_a_path_are_not_followed(tmp_path: Path) -> None:
    """Neither to files nor to folders; a path that is a link itself was named by somebody."""
    outside, inside = _file(tmp_path / "outside" / "secret", "secret"), tmp_path / "inside"
    _file(inside / "a", "a")
    (inside / "file").symlink_to(outside)
    (inside / "folder").symlink_to(outside.parent)
    (inside / "loop").symlink_to(inside)
    (inside / "gone").symlink_to(tmp_path / "nowhere")
    assert _names(inside) == (["a"], {"link": 4})
    named = tmp_path / "named"
    named.symlink_to(inside)
    assert _names(named) == (["a"], {"link": 4})
    assert Walk([inside]).size() == 1


def test_a_file_is_read_once_under_whatever_names(tmp_path: Path) -> None:
    """A hard link, and a folder that was named twice."""
    first = _file(tmp_path / "a", "a")
    os.link(first, tmp_path / "b")
    assert _names(tmp_path, first) == (["a"], {"same_file": 2})


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A folder that somebody else writes to may hold anything."""
    os.mkfifo(tmp_path / "pipe")
    assert _names(tmp_path) == ([], {"not_a_file": 1})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_counted(tmp_path: Path) -> None:
    """A file and a folder of somebody else."""
    _file(tmp_path / "a", "a").chmod(0)
    folder = _file(tmp_path / "f" / "b", "b").parent
    folder.chmod(0)
    try:
        assert _names(tmp_path) == ([], {"cannot_be_opened": 2})
    finally:
        folder.chmod(0o700)


def test_folders_too_far_down_are_not_gone_into(tmp_path: Path) -> None:
    """The last that is, and the first that is not."""
    deep = tmp_path.joinpath(*["d"] * MAX_FOLDERS_DEEP)
    _file(deep / "last", "last")
    _file(deep / "d" / "beyond", "beyond")
    assert _names(tmp_path) == (["last"], {"too_deep": 1})


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names the whole disk is told so."""
    monkeypatch.setattr(walking, "MAX_FILES", 3)
    for name in "abc":
        _file(tmp_path / name, name)
    assert _names(tmp_path)[0] == ["a", "b", "c"]
    _file(tmp_path / "d", "d")
    with pytest.raises(SetupError, match="at most 3: name a folder below"):
        _names(tmp_path)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(SetupError, match="nowhere"):
        _names(tmp_path / "nowhere")
