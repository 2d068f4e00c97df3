"""What is locked does not change silently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.errors import ArtifactError
from detector.profile.catalog import LOCK, check, digest, digests, faults_of_version, lock, read_lock, status_of
from detector.profile.load import models_folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder with a stable profile, an experimental one, and a forest."""
    for name, status in (("default/v1", "stable"), ("trial/v1", "experimental")):
        folder = tmp_path / "profiles" / name
        (folder / "cases").mkdir(parents=True)
        (folder / "profile.toml").write_text(f'[profile]\nstatus = "{status}"\n', encoding="utf-8")
        (folder / "cases" / "one.jsonl").write_text("{}\n", encoding="utf-8")
    forest = tmp_path / "forests" / "office" / "v1"
    forest.mkdir(parents=True)
    (forest / "forest.npz").write_bytes(b"fitted")
    (forest / "manifest.json").write_text('{"status": "test"}', encoding="utf-8")
    return tmp_path


def test_the_shipped_models_are_as_locked() -> None:
    """A change without a new version fails here: make v2, or lock a version that is not released yet."""
    assert check(models_folder()) == []


def test_a_lock_holds_digest_and_status_of_every_version(models: Path) -> None:
    """And says what it wrote."""
    assert lock(models) == ["profiles/default/v1", "profiles/trial/v1", "forests/office/v1"]
    content = read_lock(models)
    assert content is not None
    assert [content[kind][name]["status"] for kind, name in (("profiles", "trial/v1"), ("forests", "office/v1"))] == [
        "experimental",
        "test",
    ]
    files = digests(models / "profiles" / "default" / "v1")
    assert sorted(files) == ["cases/one.jsonl", "profile.toml"]
    assert content["profiles"]["default/v1"]["sha256"] == digest(files)
    assert check(models) == []
    assert lock(models) == []


@pytest.mark.parametrize("change", ["changed", "added", "removed"])
def test_a_silent_change_is_found_and_cannot_be_locked(models: Path, change: str) -> None:
    """One byte, one file more or one less, in cases as in the profile."""
    lock(models)
    case = models / "profiles" / "default" / "v1" / "cases" / "one.jsonl"
    if change == "changed":
        case.write_text("{} \n", encoding="utf-8")
    elif change == "added":
        (case.parent / "two.jsonl").write_text("{}\n", encoding="utf-8")
    else:
        case.unlink()
    assert any("make a new version" in fault for fault in check(models))
    assert faults_of_version(models, "profiles", "default/v1")
    with pytest.raises(ArtifactError, match="make a new version"):
        lock(models)
    assert lock(models, rewrite=["profiles/default/v1"]) == ["profiles/default/v1"]
    assert check(models) == []


def test_an_experimental_version_may_change_and_be_locked_again(models: Path) -> None:
    """Its status says that nobody relies on it."""
    lock(models)
    (models / "profiles/trial/v1/cases/one.jsonl").write_text("{} \n", encoding="utf-8")
    assert lock(models) == ["profiles/trial/v1"]


def test_a_version_that_was_promoted_in_place_is_found(models: Path) -> None:
    """The status is part of what is locked: nobody makes a test profile command by an edit."""
    lock(models)
    manifest = models / "forests" / "office" / "v1" / "manifest.json"
    manifest.write_text('{"status": "stable"}', encoding="utf-8")
    assert check(models)


def test_a_deleted_version_and_an_unlocked_one_are_found(models: Path) -> None:
    """Old alerts name their profile version: it stays."""
    lock(models)
    (models / "forests" / "office" / "v1").rename(models / "forests" / "office" / "v2")
    faults = check(models)
    assert any("forests/office/v1 must exist" in fault for fault in faults)
    assert any("forests/office/v2 must stand in" in fault for fault in faults)


def test_a_lock_edited_by_hand_is_found(models: Path) -> None:
    """The one digest covers the list of files."""
    lock(models)
    text = (models / LOCK).read_text(encoding="utf-8")
    content = json.loads(text)
    content["profiles"]["default/v1"]["sha256"] = "0" * 64
    (models / LOCK).write_text(json.dumps(content), encoding="utf-8")
    assert any("must agree with itself" in fault for fault in check(models))


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', "{}", '{"format": 1, "profiles": 3}'])
def test_a_broken_lock_is_refused(models: Path, text: str) -> None:
    """It says what to do, and nothing loads on its word."""
    (models / LOCK).write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"restore it|upgrade"):
        read_lock(models)


def test_a_missing_lock_is_told(tmp_path: Path) -> None:
    """By the check; a folder of an analyst needs none to load from."""
    assert check(tmp_path) == [f"{LOCK} must exist, got nothing: `detector profile lock`"]
    assert faults_of_version(tmp_path, "profiles", "mine/v1") == []


def test_hidden_files_are_no_content(models: Path) -> None:
    """An editor's leavings change no digest."""
    lock(models)
    (models / "profiles/default/v1/.swp").write_text("x", encoding="utf-8")
    assert check(models) == []


def test_an_unreadable_version_earns_no_liberties(tmp_path: Path) -> None:
    """Its status is neither stable nor experimental."""
    (tmp_path / "profile.toml").write_text("[profile\n", encoding="utf-8")
    assert status_of(tmp_path) == "unreadable"
