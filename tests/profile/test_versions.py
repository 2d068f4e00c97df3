"""A new version is made from an old one, which stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.errors import ProfileError
from detector.profile.load import load_profile, models_folder
from detector.profile.versions import new_version


def test_a_new_version_is_experimental_and_keeps_comments_and_cases(tmp_path: Path) -> None:
    """What the analyst changed is all that differs."""
    made = new_version("default/v1", {"budget.alerts": 0.005, "profile.owner": "ana"}, target_root=tmp_path)
    loaded = load_profile(made.id, tmp_path)
    assert (made.id, made.profile.status, made.budget.alerts) == ("default/v2", "experimental", 0.005)
    assert loaded == made
    folder = tmp_path / "profiles" / "default" / "v2"
    shipped = models_folder() / "profiles" / "default" / "v1"
    assert sorted(one.name for one in folder.iterdir()) == sorted(one.name for one in shipped.iterdir())
    assert "# a planted key is worth nothing for a day" in (folder / "profile.toml").read_text(encoding="utf-8")


def test_versions_count_up_and_names_begin_at_one(tmp_path: Path) -> None:
    """Two contents never share an id, also when they stand in two folders."""
    made = [new_version("default/v1", {}, target_root=tmp_path).id for _ in range(2)]
    assert made == ["default/v2", "default/v3"]
    assert new_version("default/v1", {"profile.name": "finance"}, target_root=tmp_path).id == "finance/v1"


@pytest.mark.parametrize(
    "changes",
    [
        {"budget.alerts": 2.0},
        {"budget.allerts": 0.1},
        {"alerts": 0.1},
        {"a.b.c": 1},
        {"memory.agent_keys": 500},
        {"response.mode": "enforce"},
    ],
)
def test_a_refused_version_leaves_nothing_behind(tmp_path: Path, changes: dict[str, object]) -> None:
    """Neither a folder nor a part of one."""
    with pytest.raises(ProfileError):
        new_version("default/v1", changes, target_root=tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_a_base_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """The error names it."""
    with pytest.raises(ProfileError, match="default/v77"):
        new_version("default/v77", {}, target_root=tmp_path)
